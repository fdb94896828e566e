// Element types: how float16 and bfloat16 are stored, what every type is computed in, and how a kernel goes from a
// run-time Dtype to a template argument.
//
// The CPU and the CUDA kernels share these headers (element.h, cumulation.h, rows_at.h), so that both give the same
// bits. For that the contraction of a * b + c must be switched off (-ffp-contract=off, --fmad=false).
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <stdexcept>

#include "kernels.h"

#if defined(__CUDACC__)
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#endif

namespace amsx {

struct Half {
    uint16_t bits;
};
struct BFloat16 {
    uint16_t bits;
};

AMSX_HD float float_of_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
AMSX_HD uint32_t bits_of_float(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

// The one NaN that float16 and bfloat16 are stored with: the hardware's of CUDA. Which NaN an operation on floats gives
// differs between processors and compilers, so rounding it would give different bits.
constexpr uint16_t kNan16 = 0x7fff;

AMSX_HD float load(float x) { return x; }
AMSX_HD double load(double x) { return x; }
AMSX_HD float load(BFloat16 x) { return float_of_bits(static_cast<uint32_t>(x.bits) << 16); }
AMSX_HD float load(Half x) {
#if defined(__CUDA_ARCH__)
    return __half2float(__ushort_as_half(x.bits));
#elif defined(__aarch64__) && !defined(__CUDACC__)
    __fp16 value;
    memcpy(&value, &x.bits, sizeof value);
    return static_cast<float>(value);
#else
    // Shift exponent and mantissa into place and rescale by 2^112, which is right for subnormals too; then mend
    // infinity and NaN.
    uint32_t magnitude = (x.bits & 0x7fffu) << 13;
    float value = float_of_bits(magnitude) * float_of_bits(0x77800000u);
    if ((x.bits & 0x7c00u) == 0x7c00u) value = float_of_bits(magnitude | 0x7f800000u);
    return float_of_bits(bits_of_float(value) | (x.bits & 0x8000u) << 16);
#endif
}

AMSX_HD void store(float* to, float x) { *to = x; }
AMSX_HD void store(double* to, double x) { *to = x; }
AMSX_HD void store(BFloat16* to, float x) {
    uint32_t bits = bits_of_float(x);
    // Round to nearest even.
    uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    to->bits = static_cast<uint16_t>(x != x ? kNan16 : rounded);
}
AMSX_HD void store(Half* to, float x) {
#if defined(__CUDA_ARCH__)
    to->bits = __half_as_ushort(__float2half_rn(x));
#elif defined(__aarch64__) && !defined(__CUDACC__)
    __fp16 value = static_cast<__fp16>(x);
    memcpy(&to->bits, &value, sizeof value);
    if (x != x) to->bits = kNan16;
#else
    uint32_t bits = bits_of_float(x), sign = (bits >> 16) & 0x8000u, magnitude = bits & 0x7fffffffu, half;
    if (magnitude >= 0x477ff000u) {  // rounds to 65536 or more
        half = 0x7c00u;
    } else if (magnitude < 0x38800000u) {  // subnormal: let the adder align and round the mantissa
        half = bits_of_float(float_of_bits(magnitude) + 0.5f) - 0x3f000000u;
    } else {
        half = (magnitude - 0x38000000u + 0xfffu + ((magnitude >> 13) & 1u)) >> 13;
    }
    to->bits = x != x ? kNan16 : static_cast<uint16_t>(half | sign);
#endif
}

// The type in which values of an element type are computed.
template <typename T>
struct Compute {
    using type = float;
};
template <>
struct Compute<double> {
    using type = double;
};
template <typename T>
using compute_t = typename Compute<T>::type;

AMSX_HD void store_real(void* to, Dtype dtype, int64_t i, double x) {
    if (dtype == Dtype::f64) {
        static_cast<double*>(to)[i] = x;
    } else {
        static_cast<float*>(to)[i] = static_cast<float>(x);
    }
}

// ---- arithmetic that more than one equation needs

template <typename A>
AMSX_HD A lerp(A from, A to, A fraction) {
    return from + fraction * (to - from);
}

template <typename A>
AMSX_HD bool finite(A x) {
    return x - x == A(0);
}

// ---- from a run-time element type to a template argument (host code)

template <typename T>
struct Type {
    using type = T;
};

// Calls body(Type<T>{}) for the element type of features and CASs.
template <typename Body>
auto with_element(Dtype dtype, const Body& body) {
    switch (dtype) {
        case Dtype::f16:
            return body(Type<Half>{});
        case Dtype::bf16:
            return body(Type<BFloat16>{});
        case Dtype::f32:
            return body(Type<float>{});
        case Dtype::f64:
            return body(Type<double>{});
    }
    throw std::invalid_argument("amsx: unknown element type");
}

// The same for weights and timestamps, which are float32 or float64 only.
template <typename Body>
auto with_real(Dtype dtype, const Body& body) {
    if (dtype == Dtype::f64) return body(Type<double>{});
    if (dtype == Dtype::f32) return body(Type<float>{});
    throw std::invalid_argument("amsx: weights and timestamps must be float32 or float64");
}

}  // namespace amsx
