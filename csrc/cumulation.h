// Eq. 4 and 5: the weight of a snippet, the cumulated mass of a video, its inversion, and the adjoint of the inversion.
//
// Coordinates. Snippet i covers [i - 0.5, i + 0.5] around its centre i. Between centres the weights are linear, beyond
// the outermost centres they are constant. Up-sampled by H, sub-position j sits at (j + 0.5) / H - 0.5.
//
// Fixed point. A video's weights are scaled by a power of two to integers W, so that every cumulated mass below is an
// exact int64: additions in any order give the same bits, and ties (constant weights) are decided exactly.
#pragma once

#include "element.h"

namespace amsx {

// ---- Eq. 4: the weight of one snippet

// m of one snippet: the maximum or the mean over the kept channels, of which a NaN comes out as NaN. `kept` becomes
// their number and `argmax` the channel of the maximum, the first of equals.
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

// Eq. 4 for a video without any positive label: there is nothing to look for, so every snippet weighs the same.
AMSX_HD double uniform_weight(double eta) { return eta > 0 ? eta : 1.0; }

// ---- Eq. 5: masses in fixed point, and their inversion

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

// Whether a video with this largest weight counts as having no weight at all. Below 2^-960 the scale would overflow.
AMSX_HD bool vanishes(double largest) { return !(largest >= 1e-289); }

AMSX_HD int64_t fixed_point(double weight, double scale) {
    return weight > 0 ? static_cast<int64_t>(llrint(weight * scale)) : 0;
}

// The three integer weights that the mass of a snippet depends on: its own and its neighbours'. At the ends of a video
// the outermost weight is repeated.
struct Neighbourhood {
    int64_t before, here, after;
};

// The mass of the first `count` of a snippet's H sub-positions, in units of 1 / (2 H). Sub-position r lies a = |2 r + 1
// - H| / (2 H) from the centre and has the weight (1 - a) * here + a * neighbour; the sums of a have a closed form.
AMSX_HD int64_t grid_mass(const Neighbourhood& w, int64_t count, int64_t interp_factor) {
    const int64_t H = interp_factor, left = H / 2, full = left * (H - left);
    const int64_t toward_before = count < left ? count * (H - count) : full;
    const int64_t toward_after = count > left ? full - count * (H - count) : 0;
    return w.here * (2 * H * count - toward_before - toward_after) + w.before * toward_before + w.after * toward_after;
}

// The mass of a snippet's first half, and of the whole, in units of 1/8 (the continuous limit).
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

// Within half a snippet the weight runs linearly from a to b, so the mass after u snippets is a u + (b - a) u^2. This
// is the u of a mass, in a form of the root that needs no special case for a = b.
AMSX_HD double invert_half(double a, double b, double mass) {
    const double square = a * a + 4.0 * (b - a) * mass;
    return 2.0 * mass / (a + sqrt(square > 0 ? square : 0.0));
}

// The timestamp inside snippet k of a point that lies `rest` beyond the mass before that snippet. On the grid it is the
// first sub-position whose cumulated mass reaches the point, guessed by the continuous inversion and corrected exactly.
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

// The same in the continuous limit: the inverse of the integral, in the half snippet that holds the point.
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

// ---- the adjoint of the continuous Eq. 5

// dt_i / dw_k = ((i + 0.5) / n - Phi_k(t_i)) / w(t_i), where Phi_k is the integral of the hat function of centre k. For
// t between centres j and j + 1 only Phi_j and Phi_(j + 1) are other than 0 or 1: here are j and these two.
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

// grad / w(t). Where the weight vanishes the timestamp jumps, and no gradient is passed.
template <typename A>
AMSX_HD double per_weight(double grad, const A* weights, double t, int64_t n) {
    const double w = weight_at(weights, t, n);
    return w > 0 ? grad / w : 0.0;
}

}  // namespace amsx
