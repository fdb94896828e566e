// Eq. 7 on CUDA: a CAS that is known at the timestamps is interpolated at the snippets' centres; and both adjoints.
#include "../rows_at.h"
#include "launch.h"
#include "rows.cuh"

namespace amsx::cuda {
namespace {

template <typename E, int kWidth>
__global__ void align_kernel(RowsParams p) {
    const int64_t row = this_row(), T = p.snippets;
    if (row >= p.videos * T) return;
    const int64_t video = row / T, t = row % T, n = valid_snippets(p, video);
    E* out = static_cast<E*>(p.out) + row * p.dims;
    if (t >= n) return zero_row<kWidth>(out, p.dims);
    const Timestamps timestamps = timestamps_of(p, video);
    const Position at = bracket(timestamps, first_after(timestamps, n, static_cast<double>(t)) - 1, t, n);
    const E* from = static_cast<const E*>(p.source) + video * p.source_stride[0] + at.row * p.source_stride[1];
    const E* next = at.moves ? from + p.source_stride[1] : from;
    lerp_row<kWidth>(from, next, static_cast<compute_t<E>>(at.fraction), out, p.dims);
}

template <typename E, int kWidth>
__global__ void align_backward_kernel(RowsParams p) {
    const int64_t row = this_row(), T = p.snippets;
    if (row >= p.videos * T) return;
    const int64_t video = row / T, i = row % T, n = valid_snippets(p, video);
    E* out = static_cast<E*>(p.out) + row * p.dims;
    if (i >= n) return zero_row<kWidth>(out, p.dims);
    const Timestamps timestamps = timestamps_of(p, video);
    // Snippets between samples i - 1 and i, then those between i and i + 1.
    const int64_t left = first_snippet(timestamps, i - 1, n), middle = first_snippet(timestamps, i, n),
                  right = first_snippet(timestamps, i + 1, n);
    const auto weight = [&](int64_t t) { return share(bracket_known(timestamps, t < middle ? i - 1 : i, t, n), i); };
    sum_rows<kWidth>(static_cast<const E*>(p.source) + video * p.source_stride[0], p.source_stride[1], left, right,
                     weight, out, p.dims);
}

// One thread per sample.
template <typename E>
__global__ void align_backward_timestamps_kernel(RowsBackwardTimestampsParams p) {
    const int64_t row = this_row(), T = p.snippets;
    if (row >= p.videos * T) return;
    const int64_t video = row / T, i = row % T, n = valid_snippets(p, video);
    if (i >= n) return store_real(p.out, p.timestamps_dtype, row, 0);
    const Timestamps timestamps = timestamps_of(p, video);
    const E* grad = static_cast<const E*>(p.grad) + video * p.grad_stride[0];
    const E* cas = static_cast<const E*>(p.source) + video * p.source_stride[0] + i * p.source_stride[1];
    double from_left = 0;
    if (i > 0) {
        from_left = timestamp_pull(timestamps, cas - p.source_stride[1], p.source_stride[1], grad, p.grad_stride[1],
                                   p.dims, i - 1, n)
                        .on_right;
    }
    const double from_right =
        timestamp_pull(timestamps, cas, p.source_stride[1], grad, p.grad_stride[1], p.dims, i, n).on_left;
    store_real(p.out, p.timestamps_dtype, row, from_left + from_right);
}

}  // namespace

int64_t align(const RowsParams& p, const Execution& on) {
    with_element(p.source_dtype, [&](auto element) {
        using E = typename decltype(element)::type;
        const bool wide = packs<E>(p.dims, p.source, p.source_stride[0], p.source_stride[1]) && aligned(p.out);
        const RowGrid on_rows = row_grid(p.videos * p.snippets, wide ? p.dims / kWide<E> : p.dims);
        launch("align_cas", wide ? align_kernel<E, kWide<E>> : align_kernel<E, 1>, on_rows.grid, on_rows.block, on, p);
    });
    return kFine;
}

int64_t align_backward(const RowsParams& p, const Execution& on) {
    with_element(p.source_dtype, [&](auto element) {
        using E = typename decltype(element)::type;
        const bool wide = packs<E>(p.dims, p.source, p.source_stride[0], p.source_stride[1]) && aligned(p.out);
        const RowGrid on_rows = row_grid(p.videos * p.snippets, wide ? p.dims / kWide<E> : p.dims);
        launch("align_backward", wide ? align_backward_kernel<E, kWide<E>> : align_backward_kernel<E, 1>, on_rows.grid,
               on_rows.block, on, p);
    });
    return kFine;
}

int64_t align_backward_timestamps(const RowsBackwardTimestampsParams& p, const Execution& on) {
    with_element(p.source_dtype, [&](auto element) {
        using E = typename decltype(element)::type;
        const RowGrid threads = row_grid(p.videos * p.snippets, 1);
        launch("align_backward_timestamps", align_backward_timestamps_kernel<E>, threads.grid, threads.block, on, p);
    });
    return kFine;
}

}  // namespace amsx::cuda
