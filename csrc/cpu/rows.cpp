#include "rows.h"

#include <cstring>
#include <type_traits>

#include "isa.h"
#include "rows_avx2.h"

#if defined(__GNUC__)
#define AMSX_INLINE __attribute__((always_inline)) inline
#else
#define AMSX_INLINE inline
#endif

namespace amsx::cpu {
namespace {

constexpr int64_t kBlock = 64;  // elements summed at a time, in registers

template <typename E>
AMSX_INLINE void lerp_plainly(const E* from, const E* to, compute_t<E> fraction, E* __restrict__ out, int64_t dims) {
    for (int64_t d = 0; d < dims; ++d) store(out + d, lerp<compute_t<E>>(load(from[d]), load(to[d]), fraction));
}

template <typename E>
AMSX_INLINE void sum_plainly(const E* const* rows, const compute_t<E>* weights, int64_t count, E* __restrict__ out,
                             int64_t dims) {
    int64_t d = 0;
    for (; d + kBlock <= dims; d += kBlock) {
        compute_t<E> sum[kBlock] = {};
        for (int64_t i = 0; i < count; ++i) {
            const E* row = rows[i] + d;
            const compute_t<E> weight = weights[i];
            for (int64_t e = 0; e < kBlock; ++e) sum[e] = sum[e] + weight * load(row[e]);
        }
        for (int64_t e = 0; e < kBlock; ++e) store(out + d + e, sum[e]);
    }
    for (; d < dims; ++d) {
        compute_t<E> sum = 0;
        for (int64_t i = 0; i < count; ++i) sum = sum + weights[i] * load(rows[i][d]);
        store(out + d, sum);
    }
}

// What compilers vectorize well is compiled once for each instruction set. The 16-bit types are not: wherever a version
// other than the scalar one would run, rows_avx2.cpp takes their rows.
#define AMSX_COMPILED(E, kIsa, mark)                                                                           \
    mark void lerp_plainly_##kIsa(const E* from, const E* to, E fraction, E* __restrict__ out, int64_t dims) { \
        lerp_plainly<E>(from, to, fraction, out, dims);                                                        \
    }                                                                                                          \
    mark void sum_plainly_##kIsa(const E* const* rows, const E* weights, int64_t count, E* __restrict__ out,   \
                                 int64_t dims) {                                                               \
        sum_plainly<E>(rows, weights, count, out, dims);                                                       \
    }
#ifdef AMSX_X86
AMSX_COMPILED(float, avx2, AMSX_AVX2)
AMSX_COMPILED(double, avx2, AMSX_AVX2)
AMSX_COMPILED(float, avx512, AMSX_AVX512)
AMSX_COMPILED(double, avx512, AMSX_AVX512)
#define AMSX_BEST_COMPILED(function, ...)                          \
    if (isa == Isa::avx512) return function##_avx512(__VA_ARGS__); \
    if (isa == Isa::avx2) return function##_avx2(__VA_ARGS__);
#else
#define AMSX_BEST_COMPILED(function, ...)
#endif

// float32 takes the hand-written loops for what they write past the caches. float64 features are rare: they have none.
template <typename E>
bool by_hand(bool past_caches) {
    return (sizeof(E) == 2 || past_caches) && avx2::in_use();
}

}  // namespace

template <typename E>
void lerp_row(const E* from, const E* to, compute_t<E> fraction, E* out, int64_t dims, bool past_caches) {
    if constexpr (!std::is_same_v<E, double>) {
        if (by_hand<E>(past_caches)) return avx2::lerp(from, to, fraction, out, dims, past_caches);
    }
    if constexpr (sizeof(E) > 2) {
        AMSX_BEST_COMPILED(lerp_plainly, from, to, fraction, out, dims)
    }
    lerp_plainly<E>(from, to, fraction, out, dims);
}

template <typename E>
void copy_row(const E* from, E* out, int64_t dims, bool past_caches) {
    if constexpr (!std::is_same_v<E, double>) {
        if (by_hand<E>(past_caches)) return avx2::copy(from, out, dims, past_caches);
    }
    if constexpr (sizeof(E) == 2) {
        for (int64_t d = 0; d < dims; ++d) store(out + d, load(from[d]));
    } else {
        std::memcpy(out, from, static_cast<size_t>(dims) * sizeof(E));
    }
}

template <typename E>
void sum_rows(const E* const* rows, const compute_t<E>* weights, int64_t count, E* out, int64_t dims,
              bool past_caches) {
    if constexpr (!std::is_same_v<E, double>) {
        if (by_hand<E>(past_caches)) return avx2::sum(rows, weights, count, out, dims, past_caches);
    }
    if constexpr (sizeof(E) > 2) {
        AMSX_BEST_COMPILED(sum_plainly, rows, weights, count, out, dims)
    }
    sum_plainly<E>(rows, weights, count, out, dims);
}

#define AMSX_INSTANTIATE(E)                                                      \
    template void lerp_row(const E*, const E*, compute_t<E>, E*, int64_t, bool); \
    template void copy_row(const E*, E*, int64_t, bool);                         \
    template void sum_rows(const E* const*, const compute_t<E>*, int64_t, E*, int64_t, bool);
AMSX_INSTANTIATE(Half)
AMSX_INSTANTIATE(BFloat16)
AMSX_INSTANTIATE(float)
AMSX_INSTANTIATE(double)

void finish_rows(bool past_caches) {
    if (past_caches && avx2::in_use()) avx2::fence();
}

}  // namespace amsx::cpu
