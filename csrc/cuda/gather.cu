// Eq. 6 on CUDA: features are read at the timestamps; and both adjoints. Timestamps are sorted, so a row's readers are
// one contiguous range: the adjoint is a segmented sum in fixed order, without atomics.
#include "../rows_at.h"
#include "block.cuh"
#include "launch.h"
#include "rows.cuh"

namespace amsx::cuda {
namespace {

// The threads that share a row work on a run of so many consecutive rows. Neighbouring rows read the same rows, which
// then come from the multiprocessor's own cache, and all loads of a run are under way at once.
constexpr int kRun = 4;

int64_t runs_of(int64_t snippets) { return (snippets + kRun - 1) / kRun; }

template <typename E, int kWidth>
__global__ void __launch_bounds__(kRowThreads) gather_kernel(RowsParams p, int64_t runs) {
    const int64_t run = this_row(), T = p.snippets;
    if (run >= p.videos * runs) return;
    const int64_t video = run / runs, first = run % runs * kRun, n = valid_snippets(p, video);
    const Timestamps timestamps = timestamps_of(p, video);
    const E* from[kRun];
    const E* next[kRun];
    compute_t<E> fraction[kRun];
#pragma unroll
    for (int j = 0; j < kRun; ++j) {
        const Position at = first + j < n ? locate(timestamps[first + j], n) : Position{0, 0.0, false};
        from[j] = static_cast<const E*>(p.source) + video * p.source_stride[0] + at.row * p.source_stride[1];
        next[j] = at.row + 1 < n ? from[j] + p.source_stride[1] : from[j];
        fraction[j] = static_cast<compute_t<E>>(at.fraction);
    }
    for (int64_t d = threadIdx.x * kWidth; d < p.dims; d += blockDim.x * kWidth) {
        Pack<E, kWidth> a[kRun], b[kRun];
#pragma unroll
        for (int j = 0; j < kRun; ++j) {
            if (first + j >= n) continue;
            a[j] = read_pack<kWidth>(from[j] + d);
            b[j] = read_pack<kWidth>(next[j] + d);
        }
        E* out = static_cast<E*>(p.out) + (video * T + first) * p.dims + d;
#pragma unroll
        for (int j = 0; j < kRun; ++j) {
            if (first + j < T) {
                write_pack(out + j * p.dims, first + j < n ? mix(a[j], b[j], fraction[j]) : Pack<E, kWidth>{});
            }
        }
    }
}

// What a sample gives to its row and to the one after that.
template <typename A>
struct alignas(4 * sizeof(A)) Shares {
    A own, next;
    int row;   // counted from the first row of the run, from -1 to kRun - 1; -2 stands for any other
    int both;  // whether the row after takes anything
};

template <typename A>
__device__ Shares<A> shares_of(const Timestamps& timestamps, int64_t i, int64_t first, int64_t n) {
    const Position at = locate(timestamps[i], n);
    const int64_t row = at.row - first;
    return {static_cast<A>(1.0 - at.fraction), static_cast<A>(at.fraction),
            row < -1 || row >= kRun ? -2 : static_cast<int>(row), at.fraction != 0};
}

constexpr int kKnown = 16;  // samples of a run whose shares are computed once, for all threads that share the run
constexpr int kAhead = 4;   // rows under way at once

template <typename E>
constexpr bool kHalves = std::is_same_v<E, Half>;  // without the bound below nvcc spills registers for these

template <typename E, int kWidth>
__global__ void __launch_bounds__(kRowThreads, kHalves<E> ? 2 : 0) gather_backward_kernel(RowsParams p, int64_t runs) {
    using A = compute_t<E>;
    __shared__ int64_t bounds[kRowThreads / 32][2];
    __shared__ Shares<A> known[kRowThreads / 32][kKnown];
    const int64_t run = this_row(), T = p.snippets;
    const bool exists = run < p.videos * runs;
    const int64_t video = exists ? run / runs : 0, first = exists ? run % runs * kRun : 0, n = valid_snippets(p, video);
    const Timestamps timestamps = timestamps_of(p, video);

    // The samples from `begin` to `end` read the rows of the run.
    if (threadIdx.x < 2) {
        bounds[threadIdx.y][threadIdx.x] = first_reader(timestamps, threadIdx.x == 0 ? first - 1 : first + kRun, n);
    }
    __syncthreads();
    const int64_t begin = bounds[threadIdx.y][0], end = bounds[threadIdx.y][1];
    if (threadIdx.x < kKnown && begin + threadIdx.x < end) {
        known[threadIdx.y][threadIdx.x] = shares_of<A>(timestamps, begin + threadIdx.x, first, n);
    }
    __syncthreads();
    if (!exists) return;

    const E* grad = static_cast<const E*>(p.source) + video * p.source_stride[0];
    E* out = static_cast<E*>(p.out) + (video * T + first) * p.dims;
    for (int64_t d = threadIdx.x * kWidth; d < p.dims; d += blockDim.x * kWidth) {
        // Sums of row first + j, and of the one after it. Timestamps are sorted: where a sample's row is beyond j,
        // row j is complete. Of timestamps that are not, what comes too late is left out.
        A sum[kWidth] = {}, sum_after[kWidth] = {};
        int j = 0;
        const auto write_one = [&] {
            if (first + j < T) write_pack(out + j * p.dims + d, packed<E>(sum));
            ++j;
#pragma unroll
            for (int e = 0; e < kWidth; ++e) sum[e] = sum_after[e], sum_after[e] = 0;
        };
        for (int64_t i = begin; i < end; i += kAhead) {
            Pack<E, kWidth> row[kAhead];
#pragma unroll
            for (int a = 0; a < kAhead; ++a) {
                if (i + a < end) row[a] = read_pack<kWidth>(grad + (i + a) * p.source_stride[1] + d);
            }
#pragma unroll
            for (int a = 0; a < kAhead; ++a) {
                if (i + a >= end) continue;
                const Shares<A> of = i + a - begin < kKnown ? known[threadIdx.y][i + a - begin]
                                                            : shares_of<A>(timestamps, i + a, first, n);
#pragma unroll 1
                while (j < of.row) write_one();
                if (of.row == j) add(sum, of.own, row[a]);
                if (of.both == 0) continue;
                if (of.row == j) add(sum_after, of.next, row[a]);
                if (of.row + 1 == j) add(sum, of.next, row[a]);
            }
        }
#pragma unroll 1
        while (j < kRun) write_one();
    }
}

// One warp per sample.
template <typename E>
__global__ void gather_backward_timestamps_kernel(RowsBackwardTimestampsParams p) {
    const int64_t row = this_row(), T = p.snippets;
    if (row >= p.videos * T) return;
    const int64_t video = row / T, i = row % T, n = valid_snippets(p, video);
    double sum = 0;
    if (i < n) {
        const Position at = locate(timestamps_of(p, 0)[row], n);
        if (at.moves) {
            const E* grad = static_cast<const E*>(p.grad) + video * p.grad_stride[0] + i * p.grad_stride[1];
            const E* from = static_cast<const E*>(p.source) + video * p.source_stride[0] + at.row * p.source_stride[1];
            for (int64_t d = threadIdx.x; d < p.dims; d += 32) {
                sum += static_cast<double>(load(grad[d])) *
                       (static_cast<double>(load(from[p.source_stride[1] + d])) - static_cast<double>(load(from[d])));
            }
        }
    }
    sum = warp_reduce(sum, Add());
    if (threadIdx.x == 0) store_real(p.out, p.timestamps_dtype, row, sum);
}

}  // namespace

int64_t gather(const RowsParams& p, const Execution& on) {
    with_element(p.source_dtype, [&](auto element) {
        using E = typename decltype(element)::type;
        const bool wide = packs<E>(p.dims, p.source, p.source_stride[0], p.source_stride[1]) && aligned(p.out);
        const int64_t runs = runs_of(p.snippets);
        const RowGrid on_runs = row_grid(p.videos * runs, wide ? p.dims / kWide<E> : p.dims);
        launch("gather", wide ? gather_kernel<E, kWide<E>> : gather_kernel<E, 1>, on_runs.grid, on_runs.block, on, p,
               runs);
    });
    return kFine;
}

int64_t adaptive_sample(const SamplingParams& sample, const RowsParams& read, const Execution& on) {
    sampling(sample, on);
    return gather(read, on);
}

int64_t gather_backward(const RowsParams& p, const Execution& on) {
    with_element(p.source_dtype, [&](auto element) {
        using E = typename decltype(element)::type;
        const bool wide = packs<E>(p.dims, p.source, p.source_stride[0], p.source_stride[1]) && aligned(p.out);
        const int64_t runs = runs_of(p.snippets);
        const RowGrid on_runs = row_grid(p.videos * runs, wide ? p.dims / kWide<E> : p.dims, 32);
        launch("gather_backward", wide ? gather_backward_kernel<E, kWide<E>> : gather_backward_kernel<E, 1>,
               on_runs.grid, on_runs.block, on, p, runs);
    });
    return kFine;
}

int64_t gather_backward_timestamps(const RowsBackwardTimestampsParams& p, const Execution& on) {
    with_element(p.source_dtype, [&](auto element) {
        using E = typename decltype(element)::type;
        const RowGrid warps = row_grid(p.videos * p.snippets, 32);
        launch("gather_backward_timestamps", gather_backward_timestamps_kernel<E>, warps.grid, warps.block, on, p);
    });
    return kFine;
}

}  // namespace amsx::cuda
