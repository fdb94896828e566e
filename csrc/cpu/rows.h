// The two inner loops that move nearly all the bytes.
#pragma once

#include "../rows_at.h"

namespace amsx::cpu {

// Whether an output of so many bytes is better written past the caches, which saves reading every line of it before it
// is written. A smaller one may still be in the last cache when it is read next; with a cache of 32 MiB (a chiplet of
// common servers) the two come out even near this size.
inline bool goes_past_caches(int64_t bytes) { return bytes >= 12 * 1024 * 1024; }

// out = from + fraction * (to - from), over `dims` elements.
template <typename E>
void lerp_row(const E* from, const E* to, compute_t<E> fraction, E* out, int64_t dims, bool past_caches);

// out = from, where a NaN of 16 bits becomes the one that they are stored with.
template <typename E>
void copy_row(const E* from, E* out, int64_t dims, bool past_caches);

// out = what a timestamp reads at a position: `row` is the position's, and the one after it lies `stride` elements on.
template <typename E>
void read_row(const E* row, int64_t stride, const Position& at, E* out, int64_t dims, bool past_caches) {
    const auto fraction = static_cast<compute_t<E>>(at.fraction);
    if (fraction == 0) return copy_row(row, out, dims, past_caches);
    lerp_row(row, row + stride, fraction, out, dims, past_caches);
}

// out = the sum of weights[i] * rows[i] over i in [0, count), in that order, rounded once.
template <typename E>
void sum_rows(const E* const* rows, const compute_t<E>* weights, int64_t count, E* out, int64_t dims, bool past_caches);

// To be called by a thread after the last of its rows.
void finish_rows(bool past_caches);

}  // namespace amsx::cpu
