#include "rows_avx2.h"

#include <cstring>

#ifdef AMSX_X86
#include <immintrin.h>

namespace amsx::cpu::avx2 {
namespace {

constexpr int64_t kLanes = 16;  // elements a step takes

struct Floats {
    __m256 low, high;
};

AMSX_AVX2 bool any_nan(const Floats& x) { return _mm256_movemask_ps(_mm256_cmp_ps(x.low, x.high, _CMP_UNORD_Q)) != 0; }

// For each element type: 16 elements to floats and back, through the caches or past them, which takes 32 bytes'
// alignment.
template <typename T>
struct Lanes;

template <>
struct Lanes<float> {
    AMSX_AVX2 static Floats load(const float* from) { return {_mm256_loadu_ps(from), _mm256_loadu_ps(from + 8)}; }
    AMSX_AVX2 static void store(float* to, const Floats& x) {
        _mm256_storeu_ps(to, x.low);
        _mm256_storeu_ps(to + 8, x.high);
    }
    AMSX_AVX2 static void stream(float* to, const Floats& x) {
        _mm256_stream_ps(to, x.low);
        _mm256_stream_ps(to + 8, x.high);
    }
};

template <>
struct Lanes<Half> {
    AMSX_AVX2 static Floats load(const Half* from) {
        return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))),
                _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from + 8)))};
    }
    AMSX_AVX2 static __m256i pack(const Floats& x) {
        const __m256i halves = _mm256_set_m128i(_mm256_cvtps_ph(x.high, _MM_FROUND_TO_NEAREST_INT),
                                                _mm256_cvtps_ph(x.low, _MM_FROUND_TO_NEAREST_INT));
        if (!any_nan(x)) return halves;
        const __m256i magnitudes = _mm256_and_si256(halves, _mm256_set1_epi16(0x7fff));
        const __m256i nan = _mm256_cmpgt_epi16(magnitudes, _mm256_set1_epi16(0x7c00));
        return _mm256_blendv_epi8(halves, _mm256_set1_epi16(kNan16), nan);
    }
    AMSX_AVX2 static void store(Half* to, const Floats& x) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), pack(x));
    }
    AMSX_AVX2 static void stream(Half* to, const Floats& x) {
        _mm256_stream_si256(reinterpret_cast<__m256i*>(to), pack(x));
    }
};

// The even elements are the low halves of 32-bit words, the odd ones the high halves: taken apart and put together
// without a shuffle, as long as nobody asks for their order.
template <>
struct Lanes<BFloat16> {
    AMSX_AVX2 static Floats load(const BFloat16* from) {
        const __m256i pairs = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
        return {_mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16)),
                _mm256_castsi256_ps(_mm256_and_si256(pairs, _mm256_set1_epi32(static_cast<int>(0xffff0000u))))};
    }
    // Rounds to nearest even in the high half of each word and makes a NaN kNan16, as store(BFloat16*, float) in element.h
    // does.
    AMSX_AVX2 static __m256i rounded(__m256 x) {
        const __m256i bits = _mm256_castps_si256(x);
        const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
        return _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7fff)), odd);
    }
    AMSX_AVX2 static __m256i with_nan(__m256i rounded, __m256 x) {
        const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
        return _mm256_blendv_epi8(rounded, _mm256_set1_epi32(kNan16 << 16), nan);
    }
    AMSX_AVX2 static __m256i pack(const Floats& x) {
        __m256i even = rounded(x.low), odd = rounded(x.high);
        if (any_nan(x)) {
            even = with_nan(even, x.low);
            odd = with_nan(odd, x.high);
        }
        return _mm256_blend_epi16(_mm256_srli_epi32(even, 16), odd, 0xaa);
    }
    AMSX_AVX2 static void store(BFloat16* to, const Floats& x) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), pack(x));
    }
    AMSX_AVX2 static void stream(BFloat16* to, const Floats& x) {
        _mm256_stream_si256(reinterpret_cast<__m256i*>(to), pack(x));
    }
};

// The last, incomplete step of a row goes through a buffer of a whole one.
template <typename T>
AMSX_AVX2 Floats load_part(const T* from, int64_t count) {
    T part[kLanes] = {};
    std::memcpy(part, from, static_cast<size_t>(count) * sizeof(T));
    return Lanes<T>::load(part);
}
template <typename T>
AMSX_AVX2 void store_part(T* to, const Floats& x, int64_t count) {
    T part[kLanes];
    Lanes<T>::store(part, x);
    std::memcpy(to, part, static_cast<size_t>(count) * sizeof(T));
}

template <bool kPastCaches, typename T>
AMSX_AVX2 void write(T* to, const Floats& x) {
    if constexpr (kPastCaches) {
        Lanes<T>::stream(to, x);
    } else {
        Lanes<T>::store(to, x);
    }
}

AMSX_AVX2 Floats mix(const Floats& a, const Floats& b, __m256 fraction) {
    return {_mm256_add_ps(a.low, _mm256_mul_ps(fraction, _mm256_sub_ps(b.low, a.low))),
            _mm256_add_ps(a.high, _mm256_mul_ps(fraction, _mm256_sub_ps(b.high, a.high)))};
}
AMSX_AVX2 void add(Floats* sum, float weight, const Floats& x) {
    const __m256 w = _mm256_set1_ps(weight);
    sum->low = _mm256_add_ps(sum->low, _mm256_mul_ps(w, x.low));
    sum->high = _mm256_add_ps(sum->high, _mm256_mul_ps(w, x.high));
}

template <bool kPastCaches, typename T>
AMSX_AVX2 void lerp_rows(const T* from, const T* to, float fraction, T* out, int64_t dims) {
    const __m256 f = _mm256_set1_ps(fraction);
    int64_t d = 0;
    for (; d + kLanes <= dims; d += kLanes) {
        write<kPastCaches>(out + d, mix(Lanes<T>::load(from + d), Lanes<T>::load(to + d), f));
    }
    if (const int64_t rest = dims - d; rest > 0) {
        store_part(out + d, mix(load_part(from + d, rest), load_part(to + d, rest), f), rest);
    }
}

template <bool kPastCaches, typename T>
AMSX_AVX2 void copy_of_row(const T* from, T* out, int64_t dims) {
    int64_t d = 0;
    for (; d + kLanes <= dims; d += kLanes) write<kPastCaches>(out + d, Lanes<T>::load(from + d));
    if (d < dims) store_part(out + d, load_part(from + d, dims - d), dims - d);
}

template <bool kPastCaches, typename T>
AMSX_AVX2 void sum_of_rows(const T* const* rows, const float* weights, int64_t count, T* out, int64_t dims) {
    int64_t d = 0;
    for (; d + kLanes <= dims; d += kLanes) {
        Floats total{_mm256_setzero_ps(), _mm256_setzero_ps()};
        for (int64_t i = 0; i < count; ++i) add(&total, weights[i], Lanes<T>::load(rows[i] + d));
        write<kPastCaches>(out + d, total);
    }
    if (const int64_t rest = dims - d; rest > 0) {
        Floats total{_mm256_setzero_ps(), _mm256_setzero_ps()};
        for (int64_t i = 0; i < count; ++i) add(&total, weights[i], load_part(rows[i] + d, rest));
        store_part(out + d, total, rest);
    }
}

bool aligned(const void* out) { return reinterpret_cast<uintptr_t>(out) % sizeof(__m256) == 0; }

}  // namespace

AMSX_AVX2 bool maxima(const float* rows, int64_t stride, int64_t channels, int64_t n, float* out) {
    constexpr int64_t kFloats = 8;
    __m256 off = _mm256_setzero_ps();  // x - x is 0 or NaN
    float few_off = 0;
    for (int64_t i = 0; i < n; ++i) {
        const float* row = rows + i * stride;
        if (channels < kFloats) {
            float best = row[0];
            for (int64_t c = 0; c < channels; ++c) {
                best = row[c] > best ? row[c] : best;
                few_off = few_off + (row[c] - row[c]);
            }
            out[i] = best;
            continue;
        }
        __m256 best = _mm256_loadu_ps(row);
        for (int64_t done = 0; done < channels; done += kFloats) {
            const int64_t begin = done + kFloats <= channels ? done : channels - kFloats;  // the last may repeat some
            const __m256 x = _mm256_loadu_ps(row + begin);
            best = _mm256_max_ps(x, best);
            off = _mm256_add_ps(off, _mm256_sub_ps(x, x));
        }
        __m128 four = _mm_max_ps(_mm256_castps256_ps128(best), _mm256_extractf128_ps(best, 1));
        four = _mm_max_ps(four, _mm_movehl_ps(four, four));
        four = _mm_max_ss(four, _mm_movehdup_ps(four));
        out[i] = _mm_cvtss_f32(four);
    }
    const __m256 zero = _mm256_setzero_ps();
    return few_off == 0 && _mm256_movemask_ps(_mm256_cmp_ps(off, zero, _CMP_EQ_OQ)) == 0xff;
}

AMSX_AVX2 void widen(const Half* from, float* to, int64_t count) {
    int64_t d = 0;
    for (; d + kLanes <= count; d += kLanes) Lanes<float>::store(to + d, Lanes<Half>::load(from + d));
    if (d < count) store_part(to + d, load_part(from + d, count - d), count - d);
}
AMSX_AVX2 void widen(const BFloat16* from, float* to, int64_t count) {
    for (int64_t d = 0; d < count; ++d) to[d] = amsx::load(from[d]);  // compilers vectorize this one by themselves
}

#define AMSX_ROWS_OF(T)                                                                                              \
    AMSX_AVX2 void lerp(const T* from, const T* to, float fraction, T* out, int64_t dims, bool past) {               \
        if (past && aligned(out)) return lerp_rows<true>(from, to, fraction, out, dims);                             \
        lerp_rows<false>(from, to, fraction, out, dims);                                                             \
    }                                                                                                                \
    AMSX_AVX2 void copy(const T* from, T* out, int64_t dims, bool past) {                                            \
        if (past && aligned(out)) return copy_of_row<true>(from, out, dims);                                         \
        copy_of_row<false>(from, out, dims);                                                                         \
    }                                                                                                                \
    AMSX_AVX2 void sum(const T* const* rows, const float* weights, int64_t count, T* out, int64_t dims, bool past) { \
        if (past && aligned(out)) return sum_of_rows<true>(rows, weights, count, out, dims);                         \
        sum_of_rows<false>(rows, weights, count, out, dims);                                                         \
    }
AMSX_ROWS_OF(Half)
AMSX_ROWS_OF(BFloat16)
AMSX_ROWS_OF(float)

void fence() { _mm_sfence(); }

}  // namespace amsx::cpu::avx2

#else  // never called

namespace amsx::cpu::avx2 {
bool maxima(const float*, int64_t, int64_t, int64_t, float*) { return false; }
void widen(const Half*, float*, int64_t) {}
void widen(const BFloat16*, float*, int64_t) {}
#define AMSX_ROWS_OF(T)                                        \
    void lerp(const T*, const T*, float, T*, int64_t, bool) {} \
    void copy(const T*, T*, int64_t, bool) {}                  \
    void sum(const T* const*, const float*, int64_t, T*, int64_t, bool) {}
AMSX_ROWS_OF(Half)
AMSX_ROWS_OF(BFloat16)
AMSX_ROWS_OF(float)
void fence() {}
}  // namespace amsx::cpu::avx2

#endif
