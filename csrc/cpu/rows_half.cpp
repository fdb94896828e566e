#include "rows_half.h"

#include <cstring>

#if defined(__x86_64__) && defined(__GNUC__)
#define AMSX_AVX2 __attribute__((target("avx2,f16c")))
#include <immintrin.h>

namespace amsx::cpu::half_rows {
namespace {

constexpr int64_t kLanes = 16;  // elements a step takes

struct Floats {
    __m256 low, high;
};

// Every processor with AVX2 has F16C.
struct Float16 {
    AMSX_AVX2 static Floats load(const uint16_t* from) {
        return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))),
                _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from + 8)))};
    }
    AMSX_AVX2 static void store(uint16_t* to, const Floats& x) {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm256_cvtps_ph(x.low, _MM_FROUND_TO_NEAREST_INT));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(to + 8), _mm256_cvtps_ph(x.high, _MM_FROUND_TO_NEAREST_INT));
    }
};

struct Bfloat16 {
    AMSX_AVX2 static __m256 widen(__m128i bits) {
        return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
    }
    AMSX_AVX2 static Floats load(const uint16_t* from) {
        return {widen(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))),
                widen(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from + 8)))};
    }
    // To nearest even, a NaN to the quiet NaN: as store(BFloat16*, float) in arithmetic.h.
    AMSX_AVX2 static __m256i narrow(__m256 x) {
        const __m256i bits = _mm256_castps_si256(x);
        const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
        const __m256i rounded =
            _mm256_srli_epi32(_mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7fff)), odd), 16);
        const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
        return _mm256_blendv_epi8(rounded, _mm256_set1_epi32(0x7fc0), nan);
    }
    AMSX_AVX2 static void store(uint16_t* to, const Floats& x) {
        const __m256i packed = _mm256_packus_epi32(narrow(x.low), narrow(x.high));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm256_permute4x64_epi64(packed, 0xd8));
    }
};

// The last, incomplete step of a row goes through a buffer of a whole one.
template <typename E>
AMSX_AVX2 Floats load_part(const uint16_t* from, int64_t count) {
    uint16_t part[kLanes] = {};
    std::memcpy(part, from, static_cast<size_t>(count) * sizeof(uint16_t));
    return E::load(part);
}
template <typename E>
AMSX_AVX2 void store_part(uint16_t* to, const Floats& x, int64_t count) {
    uint16_t part[kLanes];
    E::store(part, x);
    std::memcpy(to, part, static_cast<size_t>(count) * sizeof(uint16_t));
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

template <typename E>
AMSX_AVX2 void lerp(const uint16_t* from, const uint16_t* to, float fraction, uint16_t* out, int64_t dims) {
    const __m256 f = _mm256_set1_ps(fraction);
    int64_t d = 0;
    for (; d + kLanes <= dims; d += kLanes) E::store(out + d, mix(E::load(from + d), E::load(to + d), f));
    if (const int64_t rest = dims - d; rest > 0) {
        store_part<E>(out + d, mix(load_part<E>(from + d, rest), load_part<E>(to + d, rest), f), rest);
    }
}

template <typename E>
AMSX_AVX2 void sum(const uint16_t* const* rows, const float* weights, int64_t count, uint16_t* out, int64_t dims) {
    int64_t d = 0;
    for (; d + kLanes <= dims; d += kLanes) {
        Floats total{_mm256_setzero_ps(), _mm256_setzero_ps()};
        for (int64_t i = 0; i < count; ++i) add(&total, weights[i], E::load(rows[i] + d));
        E::store(out + d, total);
    }
    if (const int64_t rest = dims - d; rest > 0) {
        Floats total{_mm256_setzero_ps(), _mm256_setzero_ps()};
        for (int64_t i = 0; i < count; ++i) add(&total, weights[i], load_part<E>(rows[i] + d, rest));
        store_part<E>(out + d, total, rest);
    }
}

}  // namespace

bool available() {
    static const bool has = __builtin_cpu_supports("avx2");
    return has;
}
AMSX_AVX2 void lerp_f16(const uint16_t* from, const uint16_t* to, float fraction, uint16_t* out, int64_t dims) {
    lerp<Float16>(from, to, fraction, out, dims);
}
AMSX_AVX2 void lerp_bf16(const uint16_t* from, const uint16_t* to, float fraction, uint16_t* out, int64_t dims) {
    lerp<Bfloat16>(from, to, fraction, out, dims);
}
AMSX_AVX2 void sum_f16(const uint16_t* const* rows, const float* weights, int64_t count, uint16_t* out, int64_t dims) {
    sum<Float16>(rows, weights, count, out, dims);
}
AMSX_AVX2 void sum_bf16(const uint16_t* const* rows, const float* weights, int64_t count, uint16_t* out, int64_t dims) {
    sum<Bfloat16>(rows, weights, count, out, dims);
}

}  // namespace amsx::cpu::half_rows

#else  // not x86-64: never called

namespace amsx::cpu::half_rows {
bool available() { return false; }
void lerp_f16(const uint16_t*, const uint16_t*, float, uint16_t*, int64_t) {}
void lerp_bf16(const uint16_t*, const uint16_t*, float, uint16_t*, int64_t) {}
void sum_f16(const uint16_t* const*, const float*, int64_t, uint16_t*, int64_t) {}
void sum_bf16(const uint16_t* const*, const float*, int64_t, uint16_t*, int64_t) {}
}  // namespace amsx::cpu::half_rows

#endif
