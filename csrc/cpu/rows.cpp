#include "rows.h"

#include <algorithm>

#include "clones.h"
#include "rows_avx2.h"

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

}  // namespace

#define AMSX_ROWS_16(T, suffix)                                                                                        \
    void lerp_row(const T* from, const T* to, float fraction, T* out, int64_t dims, bool past_caches) {                \
        if (avx2::available()) return avx2::lerp(from, to, fraction, out, dims, past_caches);                          \
        lerp_##suffix(from, to, fraction, out, dims);                                                                  \
    }                                                                                                                  \
    void sum_rows(const T* const* rows, const float* weights, int64_t count, T* out, int64_t dims, bool past_caches) { \
        if (avx2::available()) return avx2::sum(rows, weights, count, out, dims, past_caches);                         \
        sum_##suffix(rows, weights, count, out, dims);                                                                 \
    }
AMSX_ROWS_16(Half, f16)
AMSX_ROWS_16(BFloat16, bf16)

void lerp_row(const float* from, const float* to, float fraction, float* out, int64_t dims, bool past_caches) {
    if (past_caches && avx2::available()) return avx2::lerp(from, to, fraction, out, dims, past_caches);
    lerp_f32(from, to, fraction, out, dims);
}
void sum_rows(const float* const* rows, const float* weights, int64_t count, float* out, int64_t dims,
              bool past_caches) {
    if (past_caches && avx2::available()) return avx2::sum(rows, weights, count, out, dims, past_caches);
    sum_f32(rows, weights, count, out, dims);
}

// float64 features are rare: through the caches always.
void lerp_row(const double* from, const double* to, double fraction, double* out, int64_t dims, bool) {
    lerp_f64(from, to, fraction, out, dims);
}
void sum_rows(const double* const* rows, const double* weights, int64_t count, double* out, int64_t dims, bool) {
    sum_f64(rows, weights, count, out, dims);
}

void finish_rows(bool past_caches) {
    if (past_caches && avx2::available()) avx2::fence();
}

}  // namespace amsx::cpu
