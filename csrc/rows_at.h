// Eq. 6 and 7: which rows a timestamp reads, which samples a snippet is aligned between, and who reads a row (the
// adjoints). Timestamps are in snippet units: the integer i is the centre of snippet i. Between centres the features
// are linear, beyond the outermost centres they are constant.
#pragma once

#include "element.h"

namespace amsx {

// A video's timestamps, float32 or float64, read as double, so that the kernels that move rows need not exist twice.
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

AMSX_HD Timestamps timestamps_of(const RowsParams& p, int64_t video) {
    return timestamps_of(p.timestamps, p.timestamps_dtype, video, p.snippets);
}

// ---- Eq. 6: where a timestamp reads features

// Rows `row` and `row + 1` mixed by `fraction`; `moves` tells whether the result changes with the timestamp. Where the
// fraction is 0 the result is the row itself, and the row after it, which may hold a NaN, is not read.
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

// The first index in [0, n] at which the timestamp is >= x.
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

// The first index in [0, n] at which the timestamp is > x.
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

// The first of the samples that lie at or after centre `row`. The outermost rows are also read from beyond them.
AMSX_HD int64_t first_reader(const Timestamps& timestamps, int64_t row, int64_t n) {
    if (row <= 0) return 0;
    return row >= n ? n : first_at_least(timestamps, n, static_cast<double>(row));
}

// How much of row `row` the sample at a position takes.
AMSX_HD double share(const Position& position, int64_t row) {
    if (position.row == row) return 1.0 - position.fraction;
    return position.row + 1 == row ? position.fraction : 0.0;
}

// ---- Eq. 7: which samples a snippet is aligned between

// Snippet t lies between samples `i` (the last with K_i <= t) and i + 1. Beyond the outermost samples their value is
// held: the fraction is 0.
AMSX_HD Position bracket(const Timestamps& timestamps, int64_t i, int64_t t, int64_t n) {
    if (i < 0) return {0, 0.0, false};
    if (i >= n - 1) return {n - 1, 0.0, false};
    const double from = timestamps[i], to = timestamps[i + 1];
    return {i, (static_cast<double>(t) - from) / (to - from), true};
}

// The first snippet in [0, n] at or after sample i, from where on i is a snippet's left neighbour.
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

// What the snippets between samples i and i + 1 add to the gradients of these two timestamps.
struct SlopePair {
    double on_left, on_right;
};

// For f = (t - K_i) / (K_i+1 - K_i), df/dK_i = (f - 1) / (K_i+1 - K_i) and df/dK_i+1 = -f / (K_i+1 - K_i).

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
