// Rows with AVX2 and F16C, for what compilers do not do by themselves: vectorize maxima and the conversions of float16
// and bfloat16, and write past the caches.
#pragma once

#include "../arithmetic.h"

namespace amsx::cpu::avx2 {

// Whether this processor, and this build, has them.
bool available();

// The maximum of each of n rows of `channels` elements; false, and nothing promised, if any of them is not finite.
bool maxima(const float* rows, int64_t stride, int64_t channels, int64_t n, float* out);

void widen(const Half* from, float* to, int64_t count);
void widen(const BFloat16* from, float* to, int64_t count);

// As lerp_row and sum_rows of rows.h. Rows that do not begin at 32 bytes are never written past the caches.
void lerp(const Half* from, const Half* to, float fraction, Half* out, int64_t dims, bool past_caches);
void lerp(const BFloat16* from, const BFloat16* to, float fraction, BFloat16* out, int64_t dims, bool past_caches);
void lerp(const float* from, const float* to, float fraction, float* out, int64_t dims, bool past_caches);
void sum(const Half* const* rows, const float* weights, int64_t count, Half* out, int64_t dims, bool past_caches);
void sum(const BFloat16* const* rows, const float* weights, int64_t count, BFloat16* out, int64_t dims,
         bool past_caches);
void sum(const float* const* rows, const float* weights, int64_t count, float* out, int64_t dims, bool past_caches);

// Makes what was written past the caches visible to other threads.
void fence();

}  // namespace amsx::cpu::avx2
