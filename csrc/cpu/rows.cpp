#include "rows.h"

#include <algorithm>

#include "clones.h"
#include "rows_half.h"

namespace amsx::cpu {
namespace {

constexpr int64_t kBlock = 64;  // elements summed at a time, in registers

#define AMSX_LERP(name, T)                                                                                        \
    AMSX_CLONES void name(const T* from, const T* to, compute_t<T> fraction, T* __restrict__ out, int64_t dims) { \
        for (int64_t d = 0; d < dims; ++d) {                                                                      \
            store(out + d, lerp<compute_t<T>>(load(from[d]), load(to[d]), fraction));                             \
        }                                                                                                         \
    }
#define AMSX_SUM(name, T)                                                                                        \
    AMSX_CLONES void name(const T* const* rows, const compute_t<T>* weights, int64_t count, T* __restrict__ out, \
                          int64_t dims) {                                                                        \
        int64_t d = 0;                                                                                           \
        for (; d + kBlock <= dims; d += kBlock) {                                                                \
            compute_t<T> sum[kBlock] = {};                                                                       \
            for (int64_t i = 0; i < count; ++i) {                                                                \
                const T* row = rows[i] + d;                                                                      \
                const compute_t<T> weight = weights[i];                                                          \
                for (int64_t e = 0; e < kBlock; ++e) sum[e] = sum[e] + weight * load(row[e]);                    \
            }                                                                                                    \
            for (int64_t e = 0; e < kBlock; ++e) store(out + d + e, sum[e]);                                     \
        }                                                                                                        \
        for (; d < dims; ++d) {                                                                                  \
            compute_t<T> sum = 0;                                                                                \
            for (int64_t i = 0; i < count; ++i) sum = sum + weights[i] * load(rows[i][d]);                       \
            store(out + d, sum);                                                                                 \
        }                                                                                                        \
    }

AMSX_LERP(lerp_f16, Half)
AMSX_LERP(lerp_bf16, BFloat16)
AMSX_LERP(lerp_f32, float)
AMSX_LERP(lerp_f64, double)
AMSX_SUM(sum_f16, Half)
AMSX_SUM(sum_bf16, BFloat16)
AMSX_SUM(sum_f32, float)
AMSX_SUM(sum_f64, double)

template <typename T>
const uint16_t* bits(const T* row) {
    return reinterpret_cast<const uint16_t*>(row);
}
template <typename T>
uint16_t* bits(T* row) {
    return reinterpret_cast<uint16_t*>(row);
}
template <typename T>
const uint16_t* const* bits(const T* const* rows) {
    return reinterpret_cast<const uint16_t* const*>(rows);
}

}  // namespace

void lerp_row(const Half* from, const Half* to, float fraction, Half* out, int64_t dims) {
    if (half_rows::available()) return half_rows::lerp_f16(bits(from), bits(to), fraction, bits(out), dims);
    lerp_f16(from, to, fraction, out, dims);
}
void lerp_row(const BFloat16* from, const BFloat16* to, float fraction, BFloat16* out, int64_t dims) {
    if (half_rows::available()) return half_rows::lerp_bf16(bits(from), bits(to), fraction, bits(out), dims);
    lerp_bf16(from, to, fraction, out, dims);
}
void lerp_row(const float* from, const float* to, float fraction, float* out, int64_t dims) {
    lerp_f32(from, to, fraction, out, dims);
}
void lerp_row(const double* from, const double* to, double fraction, double* out, int64_t dims) {
    lerp_f64(from, to, fraction, out, dims);
}

void sum_rows(const Half* const* rows, const float* weights, int64_t count, Half* out, int64_t dims) {
    if (half_rows::available()) return half_rows::sum_f16(bits(rows), weights, count, bits(out), dims);
    sum_f16(rows, weights, count, out, dims);
}
void sum_rows(const BFloat16* const* rows, const float* weights, int64_t count, BFloat16* out, int64_t dims) {
    if (half_rows::available()) return half_rows::sum_bf16(bits(rows), weights, count, bits(out), dims);
    sum_bf16(rows, weights, count, out, dims);
}
void sum_rows(const float* const* rows, const float* weights, int64_t count, float* out, int64_t dims) {
    sum_f32(rows, weights, count, out, dims);
}
void sum_rows(const double* const* rows, const double* weights, int64_t count, double* out, int64_t dims) {
    sum_f64(rows, weights, count, out, dims);
}

}  // namespace amsx::cpu
