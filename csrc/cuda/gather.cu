// Eq. 6 on CUDA: features are read at the timestamps; and both adjoints. Timestamps are sorted, so a row's readers are
// one contiguous range: the adjoint is a segmented sum in fixed order, without atomics.
#include "../cumulation.h"
#include "../rows_at.h"
#include "block.cuh"
#include "launch.h"
#include "rows.cuh"

namespace amsx::cuda {
namespace {

// The threads that share a row work on a run of so many consecutive rows. Neighbouring rows read the same rows, which
// then come from the multiprocessor's own cache. Forward, all loads of a run are under way at once.
constexpr int kRun = 4;
constexpr int kGradRun = 8;  // of the adjoint

int64_t runs_of(int64_t snippets, int run) { return (snippets + run - 1) / run; }

// `locate` of rows_at.h in the timestamps' own type, because most cards are slow at float64: calls `use` with the row and
// with the fraction, which has no more digits than the timestamp.
template <typename R, typename Use>
__device__ void locate_in(R t, int n, const Use& use) {
    if (!(t > 0)) return use(0, t != t ? t : R(0));
    const int row = t < static_cast<R>(kMostRows) ? static_cast<int>(t) : n;
    if (row >= n - 1) return use(n - 1, R(0));
    use(row, t - static_cast<R>(row));
}

template <typename Use>
__device__ void locate_sample(const Timestamps& timestamps, int i, int n, const Use& use) {
    if (timestamps.wide) {
        locate_in(static_cast<const double*>(timestamps.data)[i], n, use);
    } else {
        locate_in(static_cast<const float*>(timestamps.data)[i], n, use);
    }
}

// What a sample reads: two rows, which begin so many bytes behind the video's first, and the fraction of the second.
// Where that is 0, `next` is `from` itself.
template <typename A>
struct alignas(16) Read {
    int64_t from, next;
    A fraction;  // kPadding: the sample is none of the video's
};

constexpr int kPadding = -1;

template <typename E>
__device__ Read<compute_t<E>> read_of(const RowsParams& p, int64_t video, int i, int n) {
    Read<compute_t<E>> read{0, 0, kPadding};
    if (i >= n) return read;
    locate_sample(timestamps_of(p, video), i, n, [&](int row, auto fraction) {
        const int64_t bytes = p.source_stride[1] * static_cast<int64_t>(sizeof(E));
        read.fraction = static_cast<compute_t<E>>(fraction);
        read.from = row * bytes;
        read.next = read.fraction != 0 && row + 1 < n ? read.from + bytes : read.from;
    });
    return read;
}

constexpr int kLeastThreads = 8;  // that share a row
constexpr int kGatherBlocks = 4;  // resident on a multiprocessor

// What is fetched before the timestamps are there: the rows of so many blocks, by the first `wave` blocks. None if 0.
struct Ahead {
    unsigned wave, blocks;
};
constexpr int kMostRuns = kRowThreads / kLeastThreads;

// Has the second cache fetch the rows of the samples of this block and of some blocks after it, which most samples read
// rows near to, while the timestamps are still computed.
template <typename E, int kWidth>
__device__ void prefetch_rows(const RowsParams& p, Ahead ahead) {
    const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
    if (block >= ahead.wave || threadIdx.x % 8 != 0) return;
#pragma unroll 1
    for (unsigned target = block; target < ahead.blocks; target += ahead.wave) {
        const unsigned video = target / gridDim.x, group = target - video * gridDim.x;
        const int64_t first = (static_cast<int64_t>(group) * blockDim.y + threadIdx.y) * kRun;
        if (video >= p.videos) return;
        const E* rows = static_cast<const E*>(p.source) + video * p.source_stride[0];
#pragma unroll 1
        for (int64_t row = first; row < first + kRun && row < p.snippets; ++row) {
#pragma unroll 1
            for (int64_t d = threadIdx.x * kWidth; d < p.dims; d += blockDim.x * kWidth) {
                prefetch(rows + row * p.source_stride[1] + d);
            }
        }
    }
}

template <typename E, int kWidth>
__global__ void __launch_bounds__(kRowThreads, kGatherBlocks) gather_kernel(RowsParams p, Ahead ahead) {
    using A = compute_t<E>;
    __shared__ Read<A> reads[kMostRuns][kRun];
    if (ahead.wave > 0) prefetch_rows<E, kWidth>(p, ahead);
    wait_for_kernel_before();
    const int64_t video = this_video();
    const int first = this_row() * kRun, T = static_cast<int>(p.snippets);
    if (video >= p.videos) return;
    if (threadIdx.x < kRun && first < T) {
        const int n = static_cast<int>(valid_snippets(p, video));
        reads[threadIdx.y][threadIdx.x] = read_of<E>(p, video, first + static_cast<int>(threadIdx.x), n);
    }
    __syncthreads();
    const int rows = first + kRun <= T ? kRun : T - first;
    if (rows <= 0) return;
    const Read<A>(&read)[kRun] = reads[threadIdx.y];
    const char* source = static_cast<const char*>(p.source) +
                         (video * p.source_stride[0] + threadIdx.x * kWidth) * static_cast<int64_t>(sizeof(E));
    const auto pack_at = [&](int64_t bytes) { return read_pack<kWidth>(reinterpret_cast<const E*>(source + bytes)); };
    E* out = static_cast<E*>(p.out) + (video * p.snippets + first) * p.dims + threadIdx.x * kWidth;
    const int step = blockDim.x * kWidth;
#pragma unroll 1
    for (int64_t d = threadIdx.x * kWidth; d < p.dims; d += step, out += step, source += step * sizeof(E)) {
        Pack<E, kWidth> from[kRun], next[kRun];
#pragma unroll
        for (int j = 0; j < kRun; ++j) from[j] = pack_at(read[j].from), next[j] = pack_at(read[j].next);
        E* to = out;
#pragma unroll
        for (int j = 0; j < kRun; ++j, to += p.dims) {
            const A fraction = read[j].fraction;
            Pack<E, kWidth> mixed = mix(from[j], next[j], fraction);
            if (fraction <= 0) mixed = fraction == 0 ? copied(from[j]) : Pack<E, kWidth>{};
            if (j < rows) write_pack(to, mixed);
        }
    }
}

// What a sample gives to its row and to the one after that.
template <typename A>
struct alignas(4 * sizeof(A)) Shares {
    A own, next;
    int row;  // counted from the first row of the run, from -1 to kGradRun - 1
};

template <typename A>
__device__ Shares<A> shares_of(const Timestamps& timestamps, int i, int first, int n) {
    Shares<A> shares;
    locate_sample(timestamps, i, n, [&](int row, auto fraction) {
        using R = decltype(A() + fraction);                            // float64 where either is
        const bool here = row >= first - 1 && row < first + kGradRun;  // false of timestamps that decrease
        shares.own = here ? static_cast<A>(R(1) - static_cast<R>(fraction)) : A(0);
        shares.next = here ? static_cast<A>(fraction) : A(0);
        shares.row = here ? row - first : -1;
    });
    return shares;
}

constexpr int kKnown = 32;  // samples of a run whose shares are known at once, to all threads that share the run
constexpr int kAhead = 4;   // rows under way at once

// The sums of one run, row after row. Timestamps are sorted: where a sample's row is beyond that of the sums, its sum is
// complete. Of timestamps that are not, what comes too late goes to a wrong row.
template <typename E, int kWidth>
struct RunSums {
    using A = compute_t<E>;
    E* out;  // of row `row`
    int64_t dims;
    int rows;      // of the run that there are
    int row = -1;  // the sums are of this row, counted from the first of the run, and of the one after it
    A sum[kWidth] = {}, after[kWidth] = {};

    __device__ void advance() {
        if (static_cast<unsigned>(row) < static_cast<unsigned>(rows)) write_pack(out, packed<E>(sum));
        out += dims;
        ++row;
#pragma unroll
        for (int e = 0; e < kWidth; ++e) sum[e] = after[e], after[e] = 0;
    }

    __device__ void take(const Shares<A>& of, const Pack<E, kWidth>& pack) {
#pragma unroll 1
        while (row < of.row) advance();
        A value[kWidth];
        unpack(pack, value);
        add<E>(sum, of.own, value);
        if (of.next != 0) add<E>(after, of.next, value);
    }
};

// Threads of a block. The blocks of a run split its elements, and their number is a power of two: where very many samples
// read one row, more multiprocessors take part.
constexpr int kGradThreads = 128;
constexpr int kWarpsOfGrad = kGradThreads / 32;

template <typename E, int kWidth>
__global__ void __launch_bounds__(kGradThreads, 6) gather_backward_kernel(RowsParams p, int log_slices) {
    using A = compute_t<E>;
    __shared__ int bounds[kWarpsOfGrad][2];
    __shared__ Shares<A> known[kWarpsOfGrad][kKnown];
    const unsigned group = blockIdx.x >> log_slices, slice = blockIdx.x - (group << log_slices);
    const int64_t video = this_video();
    const int first = static_cast<int>(group * blockDim.y + threadIdx.y) * kGradRun, T = static_cast<int>(p.snippets);
    if (video >= p.videos) return;
    const int n = static_cast<int>(valid_snippets(p, video));

    // The samples from `begin` to `end` read the rows of the run.
    const Timestamps timestamps = timestamps_of(p, video);
    for (unsigned side = threadIdx.x / 32; side < 2; side += blockDim.x / 32) {
        const int row = side == 0 ? first - 1 : first + kGradRun;
        const auto is_before = [&](int i) { return timestamps[i] < static_cast<double>(row); };
        const int bound = row <= 0 ? 0 : row >= n ? n : warp_partition(n, is_before);
        if (threadIdx.x % 32 == 0) bounds[threadIdx.y][side] = bound;
    }
    __syncthreads();
    int begin = bounds[threadIdx.y][0], most = 0;
    const int end = bounds[threadIdx.y][1];
#pragma unroll 1
    for (unsigned y = 0; y < blockDim.y; ++y) most = std::max(most, bounds[y][1] - bounds[y][0]);

    const int64_t d = static_cast<int64_t>(slice * blockDim.x + threadIdx.x) * kWidth, stride = p.source_stride[1];
    const int rows = first + kGradRun <= T ? kGradRun : T - first;
    const bool takes = d < p.dims && rows > 0;
    const E* grad = static_cast<const E*>(p.source) + video * p.source_stride[0] + begin * stride + d;
    RunSums<E, kWidth> sums{static_cast<E*>(p.out) + (video * p.snippets + first - 1) * p.dims + d, p.dims, rows};
#pragma unroll 1
    for (; most > 0; most -= kKnown, begin += kKnown) {
        __syncthreads();  // the shares may still be read
        if (threadIdx.x < kKnown && begin + static_cast<int>(threadIdx.x) < end) {
            known[threadIdx.y][threadIdx.x] = shares_of<A>(timestamps, begin + static_cast<int>(threadIdx.x), first, n);
        }
        __syncthreads();
        if (!takes) continue;
        const int left = end - begin, count = left < kKnown ? left : kKnown;
        if (left > kKnown && threadIdx.x % 8 == 0) {  // the next ones, to be near when their turn comes
            const int more = left - kKnown < kKnown ? left - kKnown : kKnown;
#pragma unroll 1
            for (int i = 0; i < more; ++i) prefetch(grad + (kKnown + i) * stride);
        }
#pragma unroll 1
        for (int i = 0; i < count; i += kAhead) {
            Pack<E, kWidth> row[kAhead];
#pragma unroll
            for (int a = 0; a < kAhead; ++a, grad += stride) {
                if (i + a < count) row[a] = read_pack<kWidth>(grad);
            }
#pragma unroll
            for (int a = 0; a < kAhead; ++a) {
                if (i + a >= count) break;
                sums.take(known[threadIdx.y][i + a], row[a]);
            }
        }
    }
    if (!takes) return;
#pragma unroll 1
    while (sums.row < kGradRun) sums.advance();
}

// One warp per sample.
template <typename E>
__global__ void gather_backward_timestamps_kernel(RowsBackwardTimestampsParams p) {
    const int64_t video = this_video(), i = this_row();
    if (video >= p.videos || i >= p.snippets) return;
    const int64_t n = valid_snippets(p, video);
    double sum = 0;
    if (i < n) {
        const Position at = locate(timestamps_of(p, video)[i], n);
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
    if (threadIdx.x == 0) store_real(p.out, p.timestamps_dtype, video * p.snippets + i, sum);
}

// `overlaps`: the kernel before this one on the stream, which writes the timestamps, lets it begin early.
void gather_rows(const RowsParams& p, const Execution& on, bool overlaps) {
    with_element(p.source_dtype, [&](auto element) {
        using E = typename decltype(element)::type;
        const bool wide = packs<E>(p.dims, p.source, p.source_stride[0], p.source_stride[1]) && aligned(p.out);
        const auto kernel = wide ? gather_kernel<E, kWide<E>> : gather_kernel<E, 1>;
        const RowGrid on_runs =
            row_grid(p.videos, runs_of(p.snippets, kRun), wide ? p.dims / kWide<E> : p.dims, {kLeastThreads});
        const Overlap overlap = overlaps ? overlap_on(on.device, kernel) : Overlap{};
        Ahead ahead{};
        if (overlap.possible) {
            const int64_t bytes = std::max<int64_t>(kRun * on_runs.block.y * p.dims * sizeof(E), 1);
            ahead.wave = static_cast<unsigned>(overlap.multiprocessors * kGatherBlocks);
            ahead.blocks = static_cast<unsigned>(std::min<int64_t>(overlap.cache / 2 / bytes, 1 << 30));
        }
        launch("gather", kernel, on_runs.grid, on_runs.block, on, overlap, p, ahead);
    });
}

}  // namespace

int64_t gather(const RowsParams& p, const Execution& on) {
    gather_rows(p, on, false);
    return kFine;
}

int64_t adaptive_sample(const SamplingParams& sample, const RowsParams& read, const Execution& on) {
    sampling(sample, on);
    gather_rows(read, on, true);
    return kFine;
}

int64_t gather_backward(const RowsParams& p, const Execution& on) {
    with_element(p.source_dtype, [&](auto element) {
        using E = typename decltype(element)::type;
        const bool wide = packs<E>(p.dims, p.source, p.source_stride[0], p.source_stride[1]) && aligned(p.out);
        const int64_t packs = wide ? p.dims / kWide<E> : p.dims;
        RowGrid on_runs = row_grid(p.videos, runs_of(p.snippets, kGradRun), packs, {32, kGradThreads});
        const int log_slices = ceil_log2((packs + on_runs.block.x - 1) / on_runs.block.x);
        if (static_cast<int64_t>(on_runs.grid.x) << log_slices > 2147483647) {
            throw std::runtime_error("amsx: more rows than one CUDA grid holds");
        }
        on_runs.grid.x <<= log_slices;
        launch("gather_backward", wide ? gather_backward_kernel<E, kWide<E>> : gather_backward_kernel<E, 1>,
               on_runs.grid, on_runs.block, on, p, log_slices);
    });
    return kFine;
}

int64_t gather_backward_timestamps(const RowsBackwardTimestampsParams& p, const Execution& on) {
    with_element(p.source_dtype, [&](auto element) {
        using E = typename decltype(element)::type;
        const RowGrid warps = row_grid(p.videos, p.snippets, 32, {32});
        launch("gather_backward_timestamps", gather_backward_timestamps_kernel<E>, warps.grid, warps.block, on, p);
    });
    return kFine;
}

}  // namespace amsx::cuda
