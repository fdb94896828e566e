// The two inner loops that move nearly all the bytes, compiled for several instruction sets and chosen at
// load time.
#pragma once

#include "../arithmetic.h"

namespace amsx::cpu {

// out = from + fraction * (to - from), over `dims` elements.
#define AMSX_LERP_ROW(T) void lerp_row(const T* from, const T* to, compute_t<T> fraction, T* out, int64_t dims);
// sum += weight * row.
#define AMSX_ADD_ROW(T) void add_row(const T* row, compute_t<T> weight, compute_t<T>* sum, int64_t dims);
// out = sum, rounded.
#define AMSX_STORE_ROW(T) void store_row(const compute_t<T>* sum, T* out, int64_t dims);

#define AMSX_EACH_ELEMENT(one) one(Half) one(BFloat16) one(float) one(double)
AMSX_EACH_ELEMENT(AMSX_LERP_ROW)
AMSX_EACH_ELEMENT(AMSX_ADD_ROW)
AMSX_EACH_ELEMENT(AMSX_STORE_ROW)
#undef AMSX_LERP_ROW
#undef AMSX_ADD_ROW
#undef AMSX_STORE_ROW

}  // namespace amsx::cpu
