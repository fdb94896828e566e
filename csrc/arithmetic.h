// The maths that the CPU and the CUDA kernels share, so that both give the same bits: compile with
// contraction of a * b + c switched off (-ffp-contract=off, --fmad=false).
//
// Coordinates. Snippet i covers [i - 0.5, i + 0.5] around its centre i. Between centres weights and features
// are linear, beyond the outermost centres constant. Up-sampled by H, sub-position j sits at (j + 0.5) / H -
// 0.5.
//
// Fixed point. A video's weights are scaled by a power of two to integers W, so that every cumulated mass
// below is an exact int64: additions in any order give the same bits, and ties (constant weights) are decided
// exactly.
//
// Values that the CPU kernels refuse and the CUDA kernels meet: a length outside 0..T is clamped to it; a
// video with a non-finite CAS or weight gets NaN timestamps (and so NaN features); negative weights count as
// 0; weights that all vanish count as uniform; decreasing timestamps give a gradient that is finite but
// wrong.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "kernels.h"

#if defined(__CUDACC__)
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#define AMSX_HD __host__ __device__ __forceinline__
#else
#define AMSX_HD inline
#endif

namespace amsx {

// ----------------------------------------------------------------------------------------------------
// element types

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

AMSX_HD float load(float x) { return x; }
AMSX_HD double load(double x) { return x; }
AMSX_HD float load(BFloat16 x) { return float_of_bits(static_cast<uint32_t>(x.bits) << 16); }
AMSX_HD float load(Half x) {
#if defined(__CUDA_ARCH__)
    return __half2float(__ushort_as_half(x.bits));
#elif defined(__FLT16_MAX__)
    _Float16 value;
    memcpy(&value, &x.bits, sizeof value);
    return static_cast<float>(value);
#else
    // Shift exponent and mantissa into place and rescale by 2^112, which handles subnormals; then infinity
    // and NaN.
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
    // Round to nearest even; a NaN must not be rounded into an infinity.
    uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    to->bits = static_cast<uint16_t>(x != x ? 0x7fc0u : rounded);
}
AMSX_HD void store(Half* to, float x) {
#if defined(__CUDA_ARCH__)
    to->bits = __half_as_ushort(__float2half_rn(x));
#elif defined(__FLT16_MAX__)
    _Float16 value = static_cast<_Float16>(x);
    memcpy(&to->bits, &value, sizeof value);
#else
    uint32_t bits = bits_of_float(x), sign = (bits >> 16) & 0x8000u, magnitude = bits & 0x7fffffffu, half;
    if (magnitude > 0x7f800000u) {
        half = 0x7e00u;
    } else if (magnitude >= 0x477ff000u) {  // rounds to 65536 or more
        half = 0x7c00u;
    } else if (magnitude < 0x38800000u) {  // subnormal: let the adder align and round the mantissa
        half = bits_of_float(float_of_bits(magnitude) + 0.5f) - 0x3f000000u;
    } else {
        half = (magnitude - 0x38000000u + 0xfffu + ((magnitude >> 13) & 1u)) >> 13;
    }
    to->bits = static_cast<uint16_t>(half | sign);
#endif
}

// The type that values of an element type are computed in.
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

// ---------------------------------------------------------------------------------------------------------
// small parts

// A row of timestamps, float32 or float64, read as double: the kernels that move rows need not exist twice
// for it.
struct Timestamps {
    const void* data;
    bool wide;
    AMSX_HD double operator[](int64_t i) const {
        return wide ? static_cast<const double*>(data)[i] : static_cast<double>(static_cast<const float*>(data)[i]);
    }
};

AMSX_HD Timestamps timestamps_of(const void* data, Dtype dtype, int64_t video, int64_t snippets) {
    const bool wide = dtype == Dtype::f64;
    return {static_cast<const char*>(data) + video * snippets * (wide ? 8 : 4), wide};
}

AMSX_HD void store_real(void* to, Dtype dtype, int64_t i, double x) {
    if (dtype == Dtype::f64) {
        static_cast<double*>(to)[i] = x;
    } else {
        static_cast<float*>(to)[i] = static_cast<float>(x);
    }
}

AMSX_HD int64_t valid_snippets(const Shape& shape, int64_t video) {
    if (shape.lengths == nullptr) return shape.snippets;
    int64_t n = shape.lengths[video];
    return n < 0 ? 0 : n > shape.snippets ? shape.snippets : n;
}

template <typename A>
AMSX_HD A lerp(A from, A to, A fraction) {
    return from + fraction * (to - from);
}

template <typename A>
AMSX_HD bool finite(A x) {
    return x - x == A(0);
}

// ----------------------------------------------------------------------------------------- Eq. 4: aggregate
// one snippet

// m of one snippet, its maximum's channel in `argmax`: the maximum (the first of equals) or mean over the
// kept channels. `kept` counts them; a NaN among them comes out as NaN.
template <typename T>
AMSX_HD compute_t<T> aggregate(const T* cas, int64_t stride, int64_t channels, const uint8_t* labels, bool mean,
                               int64_t* kept, int64_t* argmax) {
    using A = compute_t<T>;
    A best = 0;
    int64_t count = 0, best_channel = 0;
    for (int64_t c = 0; c < channels; ++c) {
        if (labels != nullptr && labels[c] == 0) continue;
        A value = load(cas[c * stride]);
        if (mean) {
            best = best + value;
        } else if (count == 0 || value > best || value != value) {
            best = value;
            best_channel = c;
            if (value != value) {
                *kept = 1;
                *argmax = c;
                return value;
            }
        }
        ++count;
    }
    *kept = count;
    *argmax = best_channel;
    return mean && count > 0 ? best / static_cast<A>(count) : best;
}

// Eq. 4 for a video without any positive label: nothing to look for, every snippet alike.
AMSX_HD double uniform_weight(double eta) { return eta > 0 ? eta : 1.0; }

// ------------------------------------------------------------------------------- Eq. 5: masses in fixed
// point, inverted

AMSX_HD int ceil_log2(int64_t x) {
    int bits = 0;
    while ((int64_t(1) << bits) < x) ++bits;
    return bits;
}

// The power of two that turns a video's weights into integers whose total mass stays below 2^61.
AMSX_HD double fixed_point_scale(double largest, int64_t n, int64_t interp_factor) {
    int64_t units = interp_factor > 0 ? 2 * interp_factor * interp_factor : 8;  // mass of a snippet of weight 1
    return ldexp(1.0, 60 - ceil_log2(n) - ceil_log2(units) - ilogb(largest));
}

// Whether a video whose largest weight this is has no weight at all; below 2^-960 the scale would overflow.
AMSX_HD bool vanishes(double largest) { return !(largest >= 1e-289); }

AMSX_HD int64_t fixed_point(double weight, double scale) {
    return weight > 0 ? static_cast<int64_t>(llrint(weight * scale)) : 0;
}

// The three integer weights that the mass of a snippet depends on (its neighbours', held at the ends).
struct Neighbourhood {
    int64_t before, here, after;
};

// Mass of the first `count` of a snippet's H sub-positions, in units of 1 / (2 H). Sub-position r lies
// a = |2 r + 1 - H| / (2 H) from the centre and has the weight (1 - a) here + a neighbour; the a's add up in
// closed form.
AMSX_HD int64_t grid_mass(const Neighbourhood& w, int64_t count, int64_t interp_factor) {
    const int64_t H = interp_factor, left = H / 2, full = left * (H - left);
    const int64_t toward_before = count < left ? count * (H - count) : full;
    const int64_t toward_after = count > left ? full - count * (H - count) : 0;
    return w.here * (2 * H * count - toward_before - toward_after) + w.before * toward_before + w.after * toward_after;
}

// Mass of a snippet's first half, and of the whole, in units of 1/8 (the continuous limit).
AMSX_HD int64_t first_half_mass(const Neighbourhood& w) { return 3 * w.here + w.before; }
AMSX_HD int64_t continuous_mass(const Neighbourhood& w) { return 6 * w.here + w.before + w.after; }

AMSX_HD int64_t snippet_mass(const Neighbourhood& w, int64_t interp_factor) {
    return interp_factor > 0 ? grid_mass(w, interp_factor, interp_factor) : continuous_mass(w);
}

// The i-th of n points on the cumulation axis, (i + 0.5) / n of the total: an exact integer and a proper fraction.
struct Point {
    int64_t whole, rest, parts;
    AMSX_HD int64_t ceil() const { return whole + (rest > 0 ? 1 : 0); }
};

AMSX_HD Point cumulation_point(int64_t i, int64_t n, int64_t total) {
    const int64_t parts = 2 * n, odd = 2 * i + 1;
    const int64_t rest = odd * (total % parts);
    return {odd * (total / parts) + rest / parts, rest % parts, parts};
}

// Within half a snippet the weight runs linearly from a to b, so the mass after u snippets is a u + (b - a) u^2; this
// is the u of a mass, in a form of the root that needs no special case for a = b.
AMSX_HD double invert_half(double a, double b, double mass) {
    const double square = a * a + 4.0 * (b - a) * mass;
    return 2.0 * mass / (a + sqrt(square > 0 ? square : 0.0));
}

// The timestamp inside snippet k of a point that lies `rest` beyond the mass before that snippet. Grid: the first
// sub-position whose cumulated mass reaches the point, guessed by the continuous inversion and corrected exactly.
AMSX_HD double grid_timestamp(int64_t k, const Neighbourhood& w, int64_t rest, int64_t interp_factor) {
    const int64_t H = interp_factor, half = H / 2, first_half = grid_mass(w, half, H);
    const double unit = 1.0 / (2.0 * static_cast<double>(H) * static_cast<double>(H));
    const double here = static_cast<double>(w.here);
    // Selected, not branched to: which half a point falls in cannot be predicted.
    const bool late = rest > first_half;
    const double beside = 0.5 * (static_cast<double>(late ? w.after : w.before) + here);
    const double a = late ? here : beside, b = late ? beside : here;
    const int64_t within = late ? rest - first_half : rest;
    const double guess = static_cast<double>(late ? half : 0) +
                         static_cast<double>(H) * invert_half(a, b, static_cast<double>(within) * unit);
    int64_t count = guess < static_cast<double>(H) ? static_cast<int64_t>(guess) + 1 : H;
    while (count < H && grid_mass(w, count, H) < rest) ++count;
    while (count > 1 && grid_mass(w, count - 1, H) >= rest) --count;
    return static_cast<double>(k) + static_cast<double>(2 * count - 1 - H) / static_cast<double>(2 * H);
}

// Continuous: in the half snippet that holds the point, the inverse of the integral.
AMSX_HD double continuous_timestamp(int64_t k, const Neighbourhood& w, const Point& point, int64_t before) {
    const double fraction = static_cast<double>(point.rest) / static_cast<double>(point.parts);
    double rest = static_cast<double>(point.whole - before) + fraction;
    const double here = static_cast<double>(w.here);
    const int64_t half = first_half_mass(w);
    double u, start;
    if (point.ceil() - before <= half) {
        u = invert_half(0.5 * static_cast<double>(w.before + w.here), here, rest * 0.125);
        start = -0.5;
    } else {
        rest -= static_cast<double>(half);
        u = invert_half(here, 0.5 * static_cast<double>(w.here + w.after), rest * 0.125);
        start = 0.0;
    }
    if (!(u < 0.5)) u = 0.5;
    return static_cast<double>(k) + (start + u);
}

AMSX_HD double timestamp_in_snippet(int64_t k, const Neighbourhood& w, const Point& point, int64_t before,
                                    int64_t interp_factor) {
    return interp_factor > 0 ? grid_timestamp(k, w, point.ceil() - before, interp_factor)
                             : continuous_timestamp(k, w, point, before);
}

// ----------------------------------------------------------------------- adjoint of the continuous Eq. 5:
// its two parts

// dt_i / dw_k = ((i + 0.5) / n - Phi_k(t_i)) / w(t_i), where Phi_k is the integral of the hat function of
// centre k. For t between centres j and j + 1 only Phi_j and Phi_(j + 1) are other than 0 or 1; these are
// they, and j.
struct HatIntegrals {
    int64_t left;  // j, from -1 (before the first centre) to n - 1
    double at_left, at_right;
};

AMSX_HD HatIntegrals hat_integrals(double t, int64_t n) {
    if (t < 0) return {-1, 0.0, t + 0.5};
    if (!(t < static_cast<double>(n - 1))) return {n - 1, 0.5 + (t - static_cast<double>(n - 1)), 0.0};  // or NaN
    const int64_t j = static_cast<int64_t>(t);
    const double u = t - static_cast<double>(j);
    return {j, 1.0 - 0.5 * (1.0 - u) * (1.0 - u), 0.5 * u * u};
}

template <typename A>
AMSX_HD double weight_at(const A* weights, double t, int64_t n) {
    if (t <= 0) return weights[0];
    if (!(t < static_cast<double>(n - 1))) return weights[n - 1];  // or NaN
    const int64_t j = static_cast<int64_t>(t);
    return lerp<double>(weights[j], weights[j + 1], t - static_cast<double>(j));
}

// g / w(t); where the weight vanishes the timestamp jumps, and no gradient is passed.
template <typename A>
AMSX_HD double per_weight(double grad, const A* weights, double t, int64_t n) {
    const double w = weight_at(weights, t, n);
    return w > 0 ? grad / w : 0.0;
}

// ------------------------------------------------------------------------------- Eq. 6: where a timestamp
// reads features

// Rows `row` and `row + 1` mixed by `fraction`; `moves` tells whether the result changes with the timestamp.
struct Position {
    int64_t row;
    double fraction;
    bool moves;
};

AMSX_HD Position locate(double t, int64_t n) {
    const double last = static_cast<double>(n - 1);
    if (t < 0) return {0, 0.0, false};
    if (t >= last) return {n - 1, 0.0, false};
    if (t != t) return {0, t, false};  // NaN comes out, and there may be no row 1
    const int64_t row = static_cast<int64_t>(t);
    return {row, t - static_cast<double>(row), true};
}

// First index in [0, n] of a sorted row at which the timestamp is >= x.
AMSX_HD int64_t first_at_least(const Timestamps& timestamps, int64_t n, double x) {
    int64_t low = 0, high = n;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (timestamps[middle] < x) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

// First index in [0, n] at which it is > x.
AMSX_HD int64_t first_after(const Timestamps& timestamps, int64_t n, double x) {
    int64_t low = 0, high = n;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (timestamps[middle] <= x) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

// The first of the samples that lie at or after centre `row`: the outermost rows are also read from beyond.
AMSX_HD int64_t first_reader(const Timestamps& timestamps, int64_t row, int64_t n) {
    if (row <= 0) return 0;
    return row >= n ? n : first_at_least(timestamps, n, static_cast<double>(row));
}

// How much of row `row` the sample at a position takes.
AMSX_HD double share(const Position& position, int64_t row) {
    if (position.row == row) return 1.0 - position.fraction;
    return position.row + 1 == row ? position.fraction : 0.0;
}

// --------------------------------------------------------------------- Eq. 7: which samples a snippet is
// aligned between

// Snippet t lies between samples `i` (the last with K_i <= t) and i + 1. Beyond the outermost samples their
// value is held: fraction 0.
AMSX_HD Position bracket(const Timestamps& timestamps, int64_t i, int64_t t, int64_t n) {
    if (i < 0) return {0, 0.0, false};
    if (i >= n - 1) return {n - 1, 0.0, false};
    const double from = timestamps[i], to = timestamps[i + 1];
    return {i, (static_cast<double>(t) - from) / (to - from), true};
}

// First snippet in [0, n] at or after sample i: where i becomes a snippet's left neighbour.
AMSX_HD int64_t first_snippet(const Timestamps& timestamps, int64_t i, int64_t n) {
    if (i <= 0) return 0;
    if (i >= n) return n;
    const double t = ceil(timestamps[i]);
    return t > 0 ? (t < static_cast<double>(n) ? static_cast<int64_t>(t) : n) : 0;
}

// The bracket of snippet t, which is known to lie in [first_snippet(i), first_snippet(i + 1)).
AMSX_HD Position bracket_known(const Timestamps& timestamps, int64_t i, int64_t t, int64_t n) {
    const bool before_first = i == 0 && static_cast<double>(t) < timestamps[0];
    return bracket(timestamps, before_first ? -1 : i, t, n);
}

// What the snippets between samples i and i + 1 add to the gradients of these two timestamps: for
// f = (t - K_i) / (K_i+1 - K_i), df/dK_i = (f - 1) / (K_i+1 - K_i) and df/dK_i+1 = -f / (K_i+1 - K_i).
struct SlopePair {
    double on_left, on_right;
};

template <typename E>
AMSX_HD SlopePair timestamp_pull(const Timestamps& timestamps, const E* sample, int64_t sample_stride, const E* grad,
                                 int64_t grad_stride, int64_t channels, int64_t i, int64_t n) {
    SlopePair pull{0, 0};
    if (i + 1 >= n) return pull;
    const int64_t end = first_snippet(timestamps, i + 1, n);
    const double gap = timestamps[i + 1] - timestamps[i];
    for (int64_t t = first_snippet(timestamps, i, n); t < end; ++t) {
        const Position at = bracket_known(timestamps, i, t, n);
        if (!at.moves) continue;
        double slope = 0;
        for (int64_t c = 0; c < channels; ++c) {
            slope += static_cast<double>(load(grad[t * grad_stride + c])) *
                     (static_cast<double>(load(sample[sample_stride + c])) - static_cast<double>(load(sample[c])));
        }
        pull.on_left += slope / gap * (at.fraction - 1.0);
        pull.on_right -= slope / gap * at.fraction;
    }
    return pull;
}

}  // namespace amsx
