// Eq. 6 on CUDA: features read at the timestamps, and both adjoints. Timestamps
// are sorted, so a row's readers are one contiguous range: the adjoint is a
// segmented sum in fixed order, without atomics.
#include "../dispatch.h"
#include "block.cuh"
#include "launch.h"
#include "rows.cuh"

namespace amsx::cuda {
namespace {

template <typename E, int kWidth>
__global__ void gather_kernel(GatherParams p) {
    const int64_t row = this_row(), T = p.shape.snippets;
    if (row >= p.shape.videos * T) return;
    const int64_t video = row / T, i = row % T, n = valid_snippets(p.shape, video);
    E* out = static_cast<E*>(p.out) + row * p.dims;
    if (i >= n) return zero_row<kWidth>(out, p.dims);
    const Position at = locate(timestamps_of(p.timestamps, p.timestamps_dtype, 0, T)[row], n);
    const E* from = static_cast<const E*>(p.feats) + video * p.feats_stride[0] + at.row * p.feats_stride[1];
    const E* next = at.row + 1 < n ? from + p.feats_stride[1] : from;
    lerp_row<kWidth>(from, next, static_cast<compute_t<E>>(at.fraction), out, p.dims);
}

template <typename E, int kWidth>
__global__ void gather_backward_kernel(GatherBackwardParams p) {
    const int64_t index = this_row(), T = p.shape.snippets;
    if (index >= p.shape.videos * T) return;
    const int64_t video = index / T, row = index % T, n = valid_snippets(p.shape, video);
    E* out = static_cast<E*>(p.grad_feats) + index * p.dims;
    if (row >= n) return zero_row<kWidth>(out, p.dims);
    const Timestamps timestamps = timestamps_of(p.timestamps, p.timestamps_dtype, video, T);
    const int64_t begin = first_reader(timestamps, row - 1, n), end = first_reader(timestamps, row + 1, n);
    const auto weight = [&](int64_t i) { return share(locate(timestamps[i], n), row); };
    sum_rows<kWidth>(static_cast<const E*>(p.grad) + video * p.grad_stride[0], p.grad_stride[1], begin, end, weight,
                     out, p.dims);
}

// One warp per sample.
template <typename E>
__global__ void gather_backward_timestamps_kernel(GatherBackwardTimestampsParams p) {
    const int64_t row = this_row(), T = p.shape.snippets;
    if (row >= p.shape.videos * T) return;
    const int64_t video = row / T, i = row % T, n = valid_snippets(p.shape, video);
    double sum = 0;
    if (i < n) {
        const Position at = locate(timestamps_of(p.timestamps, p.timestamps_dtype, 0, T)[row], n);
        if (at.moves) {
            const E* grad = static_cast<const E*>(p.grad) + video * p.grad_stride[0] + i * p.grad_stride[1];
            const E* from = static_cast<const E*>(p.feats) + video * p.feats_stride[0] + at.row * p.feats_stride[1];
            for (int64_t d = threadIdx.x; d < p.dims; d += 32) {
                sum += static_cast<double>(load(grad[d])) *
                       (static_cast<double>(load(from[p.feats_stride[1] + d])) - static_cast<double>(load(from[d])));
            }
        }
    }
    sum = warp_reduce(sum, Add());
    if (threadIdx.x == 0) store_real(p.grad_timestamps, p.timestamps_dtype, row, sum);
}

}  // namespace

int64_t gather(const GatherParams& p, const Execution& on) {
    with_element(p.dtype, [&](auto element) {
        using E = typename decltype(element)::type;
        const bool wide = packs<E>(p.dims, p.feats, p.feats_stride[0], p.feats_stride[1]) && aligned(p.out);
        const RowGrid on_rows = row_grid(p.shape.videos * p.shape.snippets, wide ? p.dims / kWide<E> : p.dims);
        launch("gather", wide ? gather_kernel<E, kWide<E>> : gather_kernel<E, 1>, on_rows.grid, on_rows.block, on, p);
    });
    return kFine;
}

int64_t adaptive_sample(const AdaptiveSampleParams& p, const Execution& on) {
    sampling(p.sampling, on);
    return gather(p.gather, on);
}

int64_t gather_backward(const GatherBackwardParams& p, const Execution& on) {
    with_element(p.dtype, [&](auto element) {
        using E = typename decltype(element)::type;
        const bool wide = packs<E>(p.dims, p.grad, p.grad_stride[0], p.grad_stride[1]) && aligned(p.grad_feats);
        const RowGrid on_rows = row_grid(p.shape.videos * p.shape.snippets, wide ? p.dims / kWide<E> : p.dims);
        launch("gather_backward", wide ? gather_backward_kernel<E, kWide<E>> : gather_backward_kernel<E, 1>,
               on_rows.grid, on_rows.block, on, p);
    });
    return kFine;
}

int64_t gather_backward_timestamps(const GatherBackwardTimestampsParams& p, const Execution& on) {
    with_element(p.dtype, [&](auto element) {
        using E = typename decltype(element)::type;
        const RowGrid warps = row_grid(p.shape.videos * p.shape.snippets, 32);
        launch("gather_backward_timestamps", gather_backward_timestamps_kernel<E>, warps.grid, warps.block, on, p);
    });
    return kFine;
}

}  // namespace amsx::cuda
