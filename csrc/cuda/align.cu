// Eq. 7 on CUDA: a CAS that is known at the timestamps is interpolated at the snippets' centres; and both adjoints.
#include "../rows_at.h"
#include "block.cuh"
#include "launch.h"
#include "rows.cuh"

namespace amsx::cuda {
namespace {

template <typename E, int kWidth>
__global__ void __launch_bounds__(kRowThreads) align_kernel(RowsParams p) {
    __shared__ int bounds[2];
    const int64_t video = this_video();
    const int t = this_row(), T = static_cast<int>(p.snippets);
    if (video >= p.videos) return;
    const int n = static_cast<int>(valid_snippets(p, video));
    const Timestamps timestamps = timestamps_of(p, video);
    // The first samples after the block's first snippet and after its last: the rest lie between.
    for (int side = this_thread() / 32; side < 2; side += static_cast<int>(blockDim.x * blockDim.y) / 32) {
        const auto snippet = static_cast<double>((blockIdx.x + side) * blockDim.y - side);
        const int bound = warp_partition(n, [&](int i) { return timestamps[i] <= snippet; });
        if (this_thread() % 32 == 0) bounds[side] = bound;
    }
    __syncthreads();
    if (t >= T) return;
    E* out = static_cast<E*>(p.out) + (video * p.snippets + t) * p.dims;
    if (t >= n) return zero_row<kWidth>(out, p.dims);
    int low = bounds[0], high = bounds[1];
    while (low < high) {
        const int middle = (low + high) / 2;
        if (timestamps[middle] <= static_cast<double>(t)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    const Position at = bracket(timestamps, low - 1, t, n);
    const E* from = static_cast<const E*>(p.source) + video * p.source_stride[0] + at.row * p.source_stride[1];
    lerp_row<kWidth>(from, p.source_stride[1], static_cast<compute_t<E>>(at.fraction), out, p.dims);
}

template <typename E, int kWidth>
__global__ void __launch_bounds__(kRowThreads, 3) align_backward_kernel(RowsParams p) {
    const int64_t video = this_video();
    const int i = this_row();
    if (video >= p.videos || i >= p.snippets) return;
    const int n = static_cast<int>(valid_snippets(p, video));
    E* out = static_cast<E*>(p.out) + (video * p.snippets + i) * p.dims;
    if (i >= n) return zero_row<kWidth>(out, p.dims);
    const Timestamps timestamps = timestamps_of(p, video);
    // Snippets between samples i - 1 and i, then those between i and i + 1.
    const int left = static_cast<int>(first_snippet(timestamps, i - 1, n)),
              middle = static_cast<int>(first_snippet(timestamps, i, n)),
              right = static_cast<int>(first_snippet(timestamps, i + 1, n));
    const double here = timestamps[i], before = i > 0 ? timestamps[i - 1] : here,
                 after = i + 1 < n ? timestamps[i + 1] : here;
    // What sample i gives to snippet t: `share` of `bracket_known`, with the timestamps read once.
    const auto weight = [&](int snippet) {
        const auto t = static_cast<double>(snippet);
        if (snippet < middle) return i == 1 && t < before ? 0.0 : (t - before) / (here - before);
        return i == n - 1 || (i == 0 && t < here) ? 1.0 : 1.0 - (t - here) / (after - here);
    };
    sum_rows<kWidth>(static_cast<const E*>(p.source) + video * p.source_stride[0], p.source_stride[1], left, right,
                     weight, out, p.dims);
}

// One thread per sample.
template <typename E>
__global__ void align_backward_timestamps_kernel(RowsBackwardTimestampsParams p) {
    const int64_t video = this_video(), i = this_row();
    if (video >= p.videos || i >= p.snippets) return;
    const int64_t n = valid_snippets(p, video), row = video * p.snippets + i;
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
        const RowGrid on_rows = row_grid(p.videos, p.snippets, wide ? p.dims / kWide<E> : p.dims);
        launch("align_cas", wide ? align_kernel<E, kWide<E>> : align_kernel<E, 1>, on_rows.grid, on_rows.block, on, p);
    });
    return kFine;
}

int64_t align_backward(const RowsParams& p, const Execution& on) {
    with_element(p.source_dtype, [&](auto element) {
        using E = typename decltype(element)::type;
        const bool wide = packs<E>(p.dims, p.source, p.source_stride[0], p.source_stride[1]) && aligned(p.out);
        const RowGrid on_rows = row_grid(p.videos, p.snippets, wide ? p.dims / kWide<E> : p.dims);
        launch("align_backward", wide ? align_backward_kernel<E, kWide<E>> : align_backward_kernel<E, 1>, on_rows.grid,
               on_rows.block, on, p);
    });
    return kFine;
}

int64_t align_backward_timestamps(const RowsBackwardTimestampsParams& p, const Execution& on) {
    with_element(p.source_dtype, [&](auto element) {
        using E = typename decltype(element)::type;
        const RowGrid threads = row_grid(p.videos, p.snippets, 1);
        launch("align_backward_timestamps", align_backward_timestamps_kernel<E>, threads.grid, threads.block, on, p);
    });
    return kFine;
}

}  // namespace amsx::cuda
