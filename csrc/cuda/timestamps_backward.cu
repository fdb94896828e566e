// The adjoints of Eq. 4 and 5 on CUDA.
#include "../cumulation.h"
#include "../rows_at.h"
#include "block.cuh"
#include "labels.cuh"
#include "launch.h"

namespace amsx::cuda {
namespace {

// ---- Eq. 4, in two launches: w_k = m_peak - m_k + eta, so every weight's gradient also reaches the peak of its video

constexpr int kGradPart = 256;  // snippets of a block
constexpr int kGradThreads = 256;
constexpr int kGradLanes = 8;  // threads that share the channels of a snippet: what they read lies side by side
constexpr int kGradLoads = 4;  // of each of them that are under way at once

// The scratch has four parts of (B, T). The first holds every snippet's channel of the maximum. The others hold, for
// every part of a video, its largest m, the first snippet that has it, and the sum of the gradients.
struct PeakScratch {
    int64_t* channel;
    double* largest;
    int64_t* peak;
    double* sum;
    __device__ PeakScratch(const WeightsBackwardParams& p, int64_t video)
        : channel(p.scratch + video * p.snippets),
          largest(reinterpret_cast<double*>(p.scratch + (p.videos + video) * p.snippets)),
          peak(p.scratch + (2 * p.videos + video) * p.snippets),
          sum(reinterpret_cast<double*>(p.scratch + (3 * p.videos + video) * p.snippets)) {}
};

// A value and where it stands: the larger, a NaN before any number, the first of equals.
template <typename A>
struct Found {
    A value;
    int64_t at;
    __device__ void take(A other, int64_t other_at) {
        const bool nan = value != value, other_nan = other != other;
        const bool better = nan || other_nan ? other_nan && !nan : other > value;
        const bool equal = nan ? other_nan : other == value;
        if (better || (equal && other_at < at)) value = other, at = other_at;
    }
};

// m of one snippet and the channel of the maximum, for all kGradLanes threads that share the snippet.
template <typename E>
__device__ Found<compute_t<E>> maximum(const E* cas, int64_t stride, int64_t channels, const uint8_t* labels) {
    using A = compute_t<E>;
    const int lane = threadIdx.x % kGradLanes;
    Found<A> found{-static_cast<A>(INFINITY), channels};
    for (int64_t first = lane; first < channels; first += kGradLanes * kGradLoads) {
        A value[kGradLoads];
#pragma unroll
        for (int l = 0; l < kGradLoads; ++l) {
            const int64_t c = first + l * kGradLanes;
            value[l] = load(cas[(c < channels ? c : first) * stride]);
        }
#pragma unroll
        for (int l = 0; l < kGradLoads; ++l) {
            const int64_t c = first + l * kGradLanes;
            if (c < channels && (labels == nullptr || labels[c] != 0)) found.take(value[l], c);
        }
    }
    for (int step = 1; step < kGradLanes; step *= 2) {
        const A value = __shfl_xor_sync(kAllLanes, found.value, step);
        const int64_t at = __shfl_xor_sync(kAllLanes, found.at, step);
        found.take(value, at);
    }
    return found;
}

template <typename E>
__global__ void __launch_bounds__(kGradThreads, 4) weights_peak_kernel(WeightsBackwardParams p) {
    using A = compute_t<E>;
    __shared__ double scratch[kGradThreads / 32];
    __shared__ int64_t scratch_integer[kGradThreads / 32];
    const int64_t video = this_video(), begin = blockIdx.x * int64_t{kGradPart};
    if (video >= p.videos) return;
    const int64_t n = valid_snippets(p, video), count = n - begin < kGradPart ? n - begin : kGradPart;
    if (count <= 0) return;
    const E* cas = static_cast<const E*>(p.cas) + video * p.cas_stride[0] + begin * p.cas_stride[1];
    const uint8_t* labels = p.labels == nullptr ? nullptr : p.labels + video * p.channels;
    const A* grad = static_cast<const A*>(p.grad_weights) + video * p.snippets + begin;
    const PeakScratch to(p, video);

    Found<double> found{-INFINITY, n};
    const auto take = [&](A m, int64_t k) {
        if (m == m) found.take(static_cast<double>(m), begin + k);
    };
    if (p.mean) {
        for (int64_t k = threadIdx.x; k < count; k += kGradThreads) {
            int64_t kept, channel;
            take(aggregate(cas + k * p.cas_stride[1], p.cas_stride[2], p.channels, labels, true, &kept, &channel), k);
        }
    } else {
        constexpr int kGroups = kGradThreads / kGradLanes;
        for (int64_t first = 0; first < count; first += kGroups) {
            const int64_t k = first + threadIdx.x / kGradLanes;
            const E* row = cas + (k < count ? k : count - 1) * p.cas_stride[1];
            const Found<A> channel = maximum(row, p.cas_stride[2], p.channels, labels);
            if (k >= count || threadIdx.x % kGradLanes != 0) continue;
            to.channel[begin + k] = channel.at;
            take(channel.value, k);
        }
    }
    double sum = 0;
    for (int64_t k = threadIdx.x; k < count; k += kGradThreads) sum += static_cast<double>(grad[k]);
    const double largest = block_reduce<kGradThreads / 32>(found.value, Max(), scratch);
    sum = block_reduce<kGradThreads / 32>(sum, Add(), scratch);
    // The first of equal peaks: the maximum of -k.
    const int64_t peak =
        -block_reduce<kGradThreads / 32>(found.value == largest ? -found.at : -n, Max(), scratch_integer);
    if (threadIdx.x == 0) to.largest[blockIdx.x] = largest, to.peak[blockIdx.x] = peak, to.sum[blockIdx.x] = sum;
}

template <typename E>
__global__ void __launch_bounds__(kGradThreads) weights_backward_kernel(WeightsBackwardParams p) {
    using A = compute_t<E>;
    __shared__ double grad_m[kGradPart];
    __shared__ int channels[kGradPart];
    const int64_t video = this_video(), begin = blockIdx.x * int64_t{kGradPart}, T = p.snippets, C = p.channels;
    if (video >= p.videos) return;
    const int64_t n = valid_snippets(p, video), parts = (n + kGradPart - 1) / kGradPart;
    const uint8_t* labels = p.labels == nullptr ? nullptr : p.labels + video * C;
    const A* grad = static_cast<const A*>(p.grad_weights) + video * T;
    const PeakScratch from(p, video);
    Found<double> found{-INFINITY, n};
    double sum = 0;
    for (int64_t i = 0; i < parts; ++i) {
        found.take(from.largest[i], from.peak[i]);
        sum += from.sum[i];
    }
    int64_t kept = 0;
    for (int64_t c = 0; c < C; ++c) kept += labels == nullptr || labels[c] != 0;
    const int64_t k = begin + threadIdx.x;
    if (threadIdx.x < kGradPart && k < T) {
        const bool weighs = k < n && kept > 0;
        const double grad_of = weighs ? (k == found.at ? sum : 0.0) - static_cast<double>(grad[k]) : 0.0;
        grad_m[threadIdx.x] = p.mean && weighs ? grad_of / static_cast<double>(kept) : grad_of;
        channels[threadIdx.x] = weighs && !p.mean ? static_cast<int>(from.channel[k]) : -1;
    }
    __syncthreads();
    // The block's gradients lie side by side.
    E* out = static_cast<E*>(p.grad_cas) + (video * T + begin) * C;
    const int64_t count = (T - begin < kGradPart ? T - begin : kGradPart) * C;
    for (int64_t e = threadIdx.x; e < count; e += kGradThreads) {
        const int row = static_cast<int>(static_cast<uint64_t>(e) / static_cast<uint64_t>(C)),
                  c = static_cast<int>(e - row * C);
        const bool takes = p.mean ? labels == nullptr || labels[c] != 0 : c == channels[row];
        store(out + e, takes ? static_cast<A>(grad_m[row]) : A(0));
    }
}

// ---- the continuous Eq. 5, in two launches: what a sample's weight does to all samples beyond it takes sums over them

// The scratch has three parts of (B, T). The first holds, for every sample, the sum of g_i / w(t_i) from the beginning of
// its part of the video. The others hold, for every part, that sum of all its samples, and the one in which sample i
// counts by its share (i + 0.5) / n of the cumulation axis.
struct SampleSums {
    double *cumulated, *total, *proportional;
    __device__ SampleSums(const TimestampsBackwardParams& p, int64_t video)
        : cumulated(p.scratch + video * p.snippets),
          total(p.scratch + (p.videos + video) * p.snippets),
          proportional(p.scratch + (2 * p.videos + video) * p.snippets) {}
};

template <typename A>
__global__ void __launch_bounds__(kBlock) sample_sums_kernel(TimestampsBackwardParams p) {
    __shared__ double scratch[kWarps];
    const int64_t video = this_video(), i = blockIdx.x * int64_t{kBlock} + threadIdx.x;
    if (video >= p.videos) return;
    const int64_t n = valid_snippets(p, video), row = video * p.snippets;
    if (blockIdx.x * int64_t{kBlock} >= n) return;
    const SampleSums to(p, video);
    double a = 0;
    if (i < n) {
        a = per_weight<A>(static_cast<const A*>(p.grad_timestamps)[row + i], static_cast<const A*>(p.weights) + row,
                          static_cast<const A*>(p.timestamps)[row + i], n);
    }
    double total;
    const double up_to_here = block_scan(a, &total, scratch);
    if (i < n) to.cumulated[i] = up_to_here;
    const double share = (static_cast<double>(i) + 0.5) / static_cast<double>(n);
    const double proportional = block_reduce(a * share, Add(), scratch);
    if (threadIdx.x == 0) to.total[blockIdx.x] = total, to.proportional[blockIdx.x] = proportional;
}

template <typename A>
__global__ void __launch_bounds__(kBlock) timestamps_backward_kernel(TimestampsBackwardParams p) {
    const int64_t video = this_video(), k = blockIdx.x * int64_t{kBlock} + threadIdx.x, T = p.snippets;
    if (video >= p.videos || k >= T) return;
    const int64_t n = valid_snippets(p, video), row = video * T, parts = (n + kBlock - 1) / kBlock;
    A* out = static_cast<A*>(p.grad_weights) + row;
    if (k >= n) {
        out[k] = 0;
        return;
    }
    const A* weights = static_cast<const A*>(p.weights) + row;
    const A* timestamps = static_cast<const A*>(p.timestamps) + row;
    const A* grad = static_cast<const A*>(p.grad_timestamps) + row;
    const Timestamps sorted = timestamps_of(p.timestamps, p.weights_dtype, video, T);
    const SampleSums from(p, video);

    // Samples whose left centre is k - 1 read the hat of k on its rising side, those whose left centre is k on its
    // falling side.
    const int64_t rising = k == 0 ? 0 : first_at_least(sorted, n, static_cast<double>(k - 1)),
                  falling = first_at_least(sorted, n, static_cast<double>(k)),
                  behind = k + 1 == n ? n : first_at_least(sorted, n, static_cast<double>(k + 1));
    double near = 0;
    for (int64_t i = rising; i < behind; ++i) {
        const HatIntegrals hats = hat_integrals(timestamps[i], n);
        near += per_weight<A>(grad[i], weights, timestamps[i], n) * (i < falling ? hats.at_right : hats.at_left);
    }
    // The samples beyond are the rest of one part, and whole parts.
    const int64_t part = behind == 0 ? -1 : (behind - 1) / kBlock;
    double past = part < 0 ? 0.0 : from.total[part] - from.cumulated[behind - 1], proportional = 0;
    for (int64_t other = 0; other < parts; ++other) {
        if (other > part) past += from.total[other];
        proportional += from.proportional[other];
    }
    out[k] = static_cast<A>(proportional - near - past);
}

}  // namespace

int64_t weights_backward(const WeightsBackwardParams& p, const Execution& on) {
    with_element(p.cas_dtype, [&](auto element) {
        using E = typename decltype(element)::type;
        const dim3 grid = video_grid(p.videos, (p.snippets + kGradPart - 1) / kGradPart);
        launch("weights_backward", weights_peak_kernel<E>, grid, kGradThreads, on, p);
        launch("weights_backward", weights_backward_kernel<E>, grid, kGradThreads, on, p);
    });
    return kFine;
}

int64_t timestamps_backward(const TimestampsBackwardParams& p, const Execution& on) {
    with_real(p.weights_dtype, [&](auto real) {
        using A = typename decltype(real)::type;
        const dim3 grid = video_grid(p.videos, (p.snippets + kBlock - 1) / kBlock);
        launch("timestamps_backward", sample_sums_kernel<A>, grid, kBlock, on, p);
        launch("timestamps_backward", timestamps_backward_kernel<A>, grid, kBlock, on, p);
    });
    return kFine;
}

}  // namespace amsx::cuda
