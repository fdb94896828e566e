// Rows with AVX2 and F16C, for what compilers do not do by themselves: they do not vectorize maxima or the conversions
// of float16 and bfloat16, and they do not write past the caches.
#pragma once

#include "../element.h"
#include "isa.h"

namespace amsx::cpu::avx2 {

// Whether what is below is to be called.
inline bool in_use() { return isa != Isa::scalar; }

// Writes the maximum of each of n rows of `channels` elements. Returns false, and promises nothing of `out`, if any
// element is not finite.
bool maxima(const float* rows, int64_t stride, int64_t channels, int64_t n, float* out);

void widen(const Half* from, float* to, int64_t count);
void widen(const BFloat16* from, float* to, int64_t count);

// What lerp_row, copy_row and sum_rows of rows.h do. Rows that do not begin at a multiple of 32 bytes are never written past the
// caches.
void lerp(const Half* from, const Half* to, float fraction, Half* out, int64_t dims, bool past_caches);
void lerp(const BFloat16* from, const BFloat16* to, float fraction, BFloat16* out, int64_t dims, bool past_caches);
void lerp(const float* from, const float* to, float fraction, float* out, int64_t dims, bool past_caches);
void copy(const Half* from, Half* out, int64_t dims, bool past_caches);
void copy(const BFloat16* from, BFloat16* out, int64_t dims, bool past_caches);
void copy(const float* from, float* out, int64_t dims, bool past_caches);
void sum(const Half* const* rows, const float* weights, int64_t count, Half* out, int64_t dims, bool past_caches);
void sum(const BFloat16* const* rows, const float* weights, int64_t count, BFloat16* out, int64_t dims,
         bool past_caches);
void sum(const float* const* rows, const float* weights, int64_t count, float* out, int64_t dims, bool past_caches);

// Makes what was written past the caches visible to other threads.
void fence();

}  // namespace amsx::cpu::avx2
