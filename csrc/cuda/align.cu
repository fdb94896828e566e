// Eq. 7 on CUDA: a CAS known at the timestamps, interpolated at the snippets'
// centres, and both adjoints.
#include "../dispatch.h"
#include "launch.h"
#include "rows.cuh"

namespace amsx::cuda {
namespace {

template <typename E, int kWidth>
__global__ void align_kernel(AlignParams p) {
    const int64_t row = this_row(), T = p.shape.snippets;
    if (row >= p.shape.videos * T) return;
    const int64_t video = row / T, t = row % T, n = valid_snippets(p.shape, video);
    E* out = static_cast<E*>(p.out) + row * p.channels;
    if (t >= n) return zero_row<kWidth>(out, p.channels);
    const Timestamps timestamps = timestamps_of(p.timestamps, p.timestamps_dtype, video, T);
    const Position at = bracket(timestamps, first_after(timestamps, n, static_cast<double>(t)) - 1, t, n);
    const E* from = static_cast<const E*>(p.cas) + video * p.cas_stride[0] + at.row * p.cas_stride[1];
    const E* next = at.moves ? from + p.cas_stride[1] : from;
    lerp_row<kWidth>(from, next, static_cast<compute_t<E>>(at.fraction), out, p.channels);
}

template <typename E, int kWidth>
__global__ void align_backward_kernel(AlignBackwardParams p) {
    const int64_t row = this_row(), T = p.shape.snippets;
    if (row >= p.shape.videos * T) return;
    const int64_t video = row / T, i = row % T, n = valid_snippets(p.shape, video);
    E* out = static_cast<E*>(p.grad_cas) + row * p.channels;
    if (i >= n) return zero_row<kWidth>(out, p.channels);
    const Timestamps timestamps = timestamps_of(p.timestamps, p.timestamps_dtype, video, T);
    // Snippets between samples i - 1 and i, then those between i and i + 1.
    const int64_t left = first_snippet(timestamps, i - 1, n), middle = first_snippet(timestamps, i, n),
                  right = first_snippet(timestamps, i + 1, n);
    const auto weight = [&](int64_t t) { return share(bracket_known(timestamps, t < middle ? i - 1 : i, t, n), i); };
    sum_rows<kWidth>(static_cast<const E*>(p.grad) + video * p.grad_stride[0], p.grad_stride[1], left, right, weight,
                     out, p.channels);
}

// One thread per sample.
template <typename E>
__global__ void align_backward_timestamps_kernel(AlignBackwardTimestampsParams p) {
    const int64_t row = this_row(), T = p.shape.snippets;
    if (row >= p.shape.videos * T) return;
    const int64_t video = row / T, i = row % T, n = valid_snippets(p.shape, video);
    if (i >= n) return store_real(p.grad_timestamps, p.timestamps_dtype, row, 0);
    const Timestamps timestamps = timestamps_of(p.timestamps, p.timestamps_dtype, video, T);
    const E* grad = static_cast<const E*>(p.grad) + video * p.grad_stride[0];
    const E* cas = static_cast<const E*>(p.cas) + video * p.cas_stride[0] + i * p.cas_stride[1];
    double from_left = 0;
    if (i > 0) {
        from_left = timestamp_pull(timestamps, cas - p.cas_stride[1], p.cas_stride[1], grad, p.grad_stride[1],
                                   p.channels, i - 1, n)
                        .on_right;
    }
    const double from_right =
        timestamp_pull(timestamps, cas, p.cas_stride[1], grad, p.grad_stride[1], p.channels, i, n).on_left;
    store_real(p.grad_timestamps, p.timestamps_dtype, row, from_left + from_right);
}

}  // namespace

int64_t align(const AlignParams& p, const Execution& on) {
    with_element(p.dtype, [&](auto element) {
        using E = typename decltype(element)::type;
        const bool wide = packs<E>(p.channels, p.cas, p.cas_stride[0], p.cas_stride[1]) && aligned(p.out);
        const RowGrid on_rows = row_grid(p.shape.videos * p.shape.snippets, wide ? p.channels / kWide<E> : p.channels);
        launch("align_cas", wide ? align_kernel<E, kWide<E>> : align_kernel<E, 1>, on_rows.grid, on_rows.block, on, p);
    });
    return kFine;
}

int64_t align_backward(const AlignBackwardParams& p, const Execution& on) {
    with_element(p.dtype, [&](auto element) {
        using E = typename decltype(element)::type;
        const bool wide = packs<E>(p.channels, p.grad, p.grad_stride[0], p.grad_stride[1]) && aligned(p.grad_cas);
        const RowGrid on_rows = row_grid(p.shape.videos * p.shape.snippets, wide ? p.channels / kWide<E> : p.channels);
        launch("align_backward", wide ? align_backward_kernel<E, kWide<E>> : align_backward_kernel<E, 1>, on_rows.grid,
               on_rows.block, on, p);
    });
    return kFine;
}

int64_t align_backward_timestamps(const AlignBackwardTimestampsParams& p, const Execution& on) {
    with_element(p.dtype, [&](auto element) {
        using E = typename decltype(element)::type;
        const RowGrid threads = row_grid(p.shape.videos * p.shape.snippets, 1);
        launch("align_backward_timestamps", align_backward_timestamps_kernel<E>, threads.grid, threads.block, on, p);
    });
    return kFine;
}

}  // namespace amsx::cuda
