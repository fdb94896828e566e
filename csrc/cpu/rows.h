// The two inner loops that move nearly all the bytes.
#pragma once

#include "../arithmetic.h"

namespace amsx::cpu {

// out = from + fraction * (to - from), over `dims` elements.
void lerp_row(const Half* from, const Half* to, float fraction, Half* out, int64_t dims);
void lerp_row(const BFloat16* from, const BFloat16* to, float fraction, BFloat16* out, int64_t dims);
void lerp_row(const float* from, const float* to, float fraction, float* out, int64_t dims);
void lerp_row(const double* from, const double* to, double fraction, double* out, int64_t dims);

// out = the sum of weights[i] * rows[i] over i in [0, count), in that order, rounded once.
void sum_rows(const Half* const* rows, const float* weights, int64_t count, Half* out, int64_t dims);
void sum_rows(const BFloat16* const* rows, const float* weights, int64_t count, BFloat16* out, int64_t dims);
void sum_rows(const float* const* rows, const float* weights, int64_t count, float* out, int64_t dims);
void sum_rows(const double* const* rows, const double* weights, int64_t count, double* out, int64_t dims);

}  // namespace amsx::cpu
