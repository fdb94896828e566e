// The two inner loops that move nearly all the bytes.
#pragma once

#include "../arithmetic.h"

namespace amsx::cpu {

// Whether an output of so many bytes is better written past the caches, which saves reading every line of it before it
// is written. A smaller one may still be in the last cache when it is read next; with a cache of 32 MiB (a chiplet of
// common servers) the two come out even near this size.
inline bool goes_past_caches(int64_t bytes) { return bytes >= 12 * 1024 * 1024; }

// out = from + fraction * (to - from), over `dims` elements.
void lerp_row(const Half* from, const Half* to, float fraction, Half* out, int64_t dims, bool past_caches);
void lerp_row(const BFloat16* from, const BFloat16* to, float fraction, BFloat16* out, int64_t dims, bool past_caches);
void lerp_row(const float* from, const float* to, float fraction, float* out, int64_t dims, bool past_caches);
void lerp_row(const double* from, const double* to, double fraction, double* out, int64_t dims, bool past_caches);

// out = the sum of weights[i] * rows[i] over i in [0, count), in that order, rounded once.
void sum_rows(const Half* const* rows, const float* weights, int64_t count, Half* out, int64_t dims, bool past_caches);
void sum_rows(const BFloat16* const* rows, const float* weights, int64_t count, BFloat16* out, int64_t dims,
              bool past_caches);
void sum_rows(const float* const* rows, const float* weights, int64_t count, float* out, int64_t dims,
              bool past_caches);
void sum_rows(const double* const* rows, const double* weights, int64_t count, double* out, int64_t dims,
              bool past_caches);

// To be called by a thread after the last of its rows.
void finish_rows(bool past_caches);

}  // namespace amsx::cpu
