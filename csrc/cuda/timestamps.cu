// Eq. 4 and 5 on CUDA: weights, scan and inversion in one launch; and both adjoints. One block works on a video, or a
// few blocks that each invert a part of it: all of them do the rest, which costs less than a second launch.
#include "../cumulation.h"
#include "../rows_at.h"
#include "block.cuh"
#include "launch.h"

namespace amsx::cuda {
namespace {

__device__ bool has_label(const uint8_t* labels, int64_t channels) {
    if (labels == nullptr) return true;
    bool any = false;
    for (int64_t c = 0; c < channels; ++c) any |= labels[c] != 0;  // no read waits for the one before
    return any;
}

constexpr int kHeld = 2048;  // so many snippets of a video fit into the block's shared memory
constexpr int kParts = 4;    // at most so many blocks share a video: each cumulates all of it and inverts a part

constexpr int kLanes = 4;     // threads that share the channels of a snippet: what they read lies side by side
constexpr int kSnippets = 4;  // snippets of a thread whose loads are under way at once
template <typename A>
constexpr int kLoads = sizeof(A) == 8 ? 3 : 5;  // loads of each of them that are under way at once

// The larger, or a NaN.
template <typename A>
__device__ A larger(A a, A b) {
    return a != a || a >= b ? a : b;
}

// Writes the maximum over the kept channels of every snippet into `m`. Returns the largest that this thread has seen,
// or infinity if one of them is not finite.
template <typename E, typename A>
__device__ double maxima(const SamplingParams& p, const E* cas, const uint8_t* labels, int64_t n, A* m) {
    constexpr int kGroups = kBlock / kLanes;
    const int lane = threadIdx.x % kLanes, group = threadIdx.x / kLanes;
    double largest = -INFINITY;
    for (int64_t begin = 0; begin < n; begin += kSnippets * kGroups) {
        const E* row[kSnippets];
        A best[kSnippets];
#pragma unroll
        for (int s = 0; s < kSnippets; ++s) {
            const int64_t k = begin + s * kGroups + group;
            row[s] = cas + (k < n ? k : n - 1) * p.cas_stride[1];
            best[s] = -static_cast<A>(INFINITY);
        }
        for (int64_t first = lane; first < p.channels; first += kLanes * kLoads<A>) {
            A value[kSnippets][kLoads<A>];
#pragma unroll
            for (int l = 0; l < kLoads<A>; ++l) {
                const int64_t c = first + l * kLanes < p.channels ? first + l * kLanes : first;
#pragma unroll
                for (int s = 0; s < kSnippets; ++s) value[s][l] = load(row[s][c * p.cas_stride[2]]);
            }
#pragma unroll
            for (int l = 0; l < kLoads<A>; ++l) {
                const int64_t c = first + l * kLanes < p.channels ? first + l * kLanes : first;
                if (labels != nullptr && labels[c] == 0) continue;
#pragma unroll
                for (int s = 0; s < kSnippets; ++s) best[s] = larger(best[s], value[s][l]);
            }
        }
#pragma unroll
        for (int s = 0; s < kSnippets; ++s) {
            for (int step = 1; step < kLanes; step *= 2) {
                best[s] = larger(best[s], __shfl_xor_sync(kAllLanes, best[s], step));
            }
            const int64_t k = begin + s * kGroups + group;
            if (lane != 0 || k >= n) continue;
            m[k] = best[s];
            largest = Max()(largest, finite(best[s]) ? static_cast<double>(best[s]) : static_cast<double>(INFINITY));
        }
    }
    return largest;
}

// Eq. 4 for one video, into `weights`, which all threads may read afterwards, and into the output.
template <typename E, typename A>
__device__ void weigh(const SamplingParams& p, int64_t video, int64_t n, A* weights, double* scratch) {
    const E* cas = static_cast<const E*>(p.cas) + video * p.cas_stride[0];
    const uint8_t* labels = p.labels == nullptr ? nullptr : p.labels + video * p.channels;
    const bool labelled = has_label(labels, p.channels);
    double largest = -INFINITY;
    if (labelled && !p.mean) {
        largest = maxima(p, cas, labels, n, weights);
    } else if (labelled) {
        for (int64_t k = threadIdx.x; k < n; k += kBlock) {
            int64_t kept, argmax;
            const A m = aggregate(cas + k * p.cas_stride[1], p.cas_stride[2], p.channels, labels, true, &kept, &argmax);
            weights[k] = m;
            largest = Max()(largest, finite(m) ? static_cast<double>(m) : static_cast<double>(INFINITY));
        }
    }
    largest = block_reduce(largest, Max(), scratch);
    A* out = static_cast<A*>(p.weights) + video * p.snippets;
    const bool writes = blockIdx.y == 0;
    for (int64_t k = threadIdx.x; k < n; k += kBlock) {
        // A non-finite m anywhere has made `largest` infinite: every weight of the video becomes NaN.
        A w = labelled ? (static_cast<A>(largest) - weights[k]) + static_cast<A>(p.eta)
                       : static_cast<A>(uniform_weight(p.eta));
        if (!finite(w)) w = static_cast<A>(NAN);
        if (n == 1 && w == 0) w = 1;
        weights[k] = w;
        if (writes) out[k] = w;
    }
    for (int64_t k = n + threadIdx.x; k < p.snippets && writes; k += kBlock) out[k] = 0;
    __syncthreads();
}

// Eq. 5 and its inversion for one video. `held`, where it is not null, has room for kHeld integer weights and then for
// their cumulated masses; `weights` may lie where the masses go.
template <typename A>
__device__ void invert(const SamplingParams& p, int64_t video, int64_t n, const A* weights, double* scratch,
                       int64_t* scratch_integer, int64_t* held) {
    A* timestamps = static_cast<A*>(p.timestamps) + video * p.snippets;
    int64_t* cumulated = held != nullptr ? held + kHeld : p.scratch + video * p.snippets;
    // The blocks of a video take turns at its samples.
    const int64_t first = static_cast<int64_t>(blockIdx.y) * kBlock + threadIdx.x,
                  step = static_cast<int64_t>(gridDim.y) * kBlock;
    double largest = 0;
    for (int64_t k = threadIdx.x; k < n; k += kBlock) {
        const double w = weights[k];
        largest = Max()(largest, finite(w) ? w : static_cast<double>(INFINITY));
    }
    largest = block_reduce(largest, Max(), scratch);
    for (int64_t i = n + first; i < p.snippets; i += step) timestamps[i] = 0;
    if (n == 0) return;
    if (!finite(largest)) {
        for (int64_t i = first; i < n; i += step) timestamps[i] = static_cast<A>(NAN);
        return;
    }

    const bool uniform = vanishes(largest);
    const double scale = uniform ? 1.0 : fixed_point_scale(largest, n, p.interp_factor);
    const auto integer_of = [&](int64_t k) {
        return uniform ? int64_t(1) : fixed_point(static_cast<double>(weights[k]), scale);
    };
    if (held != nullptr) {
        for (int64_t k = threadIdx.x; k < n; k += kBlock) held[k] = integer_of(k);
        __syncthreads();  // also: the weights may lie where the masses go now
    }
    const auto integer = [&](int64_t k) {
        k = k < 0 ? 0 : k >= n ? n - 1 : k;
        return held != nullptr ? held[k] : integer_of(k);
    };
    const auto neighbourhood = [&](int64_t k) { return Neighbourhood{integer(k - 1), integer(k), integer(k + 1)}; };

    int64_t total = 0;
    for (int64_t base = 0; base < n; base += kBlock) {
        const int64_t k = base + threadIdx.x;
        const int64_t mass = k < n ? snippet_mass(neighbourhood(k), p.interp_factor) : 0;
        int64_t sum;
        const int64_t up_to_here = block_scan(mass, &sum, scratch_integer);
        if (k < n) cumulated[k] = total + up_to_here;
        total += sum;
    }
    __syncthreads();

    for (int64_t i = first; i < n; i += step) {
        const Point point = cumulation_point(i, n, total);
        int64_t low = 0, high = n - 1;  // meet at the first snippet whose cumulated mass reaches the point
        while (low < high) {
            const int64_t middle = (low + high) / 2;
            if (cumulated[middle] >= point.ceil()) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        const int64_t before = low == 0 ? 0 : cumulated[low - 1];
        timestamps[i] = static_cast<A>(timestamp_in_snippet(low, neighbourhood(low), point, before, p.interp_factor));
    }
}

template <typename E, typename A>
__global__ void __launch_bounds__(kBlock, 1) sampling_kernel(SamplingParams p) {
    __shared__ double scratch[kWarps];
    __shared__ int64_t scratch_integer[kWarps];
    __shared__ int64_t memory[2 * kHeld];
    const int64_t video = blockIdx.x, n = valid_snippets(p, video);
    int64_t* held = p.snippets <= kHeld ? memory : nullptr;
    A* weights = static_cast<A*>(p.weights) + video * p.snippets;
    if (p.cas != nullptr) {
        if (held != nullptr) weights = reinterpret_cast<A*>(held + kHeld);
        weigh<E>(p, video, n, weights, scratch);
    }
    if (p.timestamps != nullptr) invert(p, video, n, weights, scratch, scratch_integer, held);
}

template <typename E>
__global__ void __launch_bounds__(kBlock, 1) weights_backward_kernel(WeightsBackwardParams p) {
    using A = compute_t<E>;
    __shared__ double scratch[kWarps];
    __shared__ int64_t scratch_integer[kWarps];
    const int64_t video = blockIdx.x, T = p.snippets, C = p.channels, n = valid_snippets(p, video);
    const E* cas = static_cast<const E*>(p.cas) + video * p.cas_stride[0];
    const uint8_t* labels = p.labels == nullptr ? nullptr : p.labels + video * C;
    const A* grad = static_cast<const A*>(p.grad_weights) + video * T;
    E* out = static_cast<E*>(p.grad_cas) + video * T * C;
    const bool labelled = has_label(labels, C);

    double largest = -INFINITY, sum = 0;
    int64_t kept = 0, argmax = 0, peak = n;
    for (int64_t k = threadIdx.x; k < n; k += kBlock) {
        const double m = aggregate(cas + k * p.cas_stride[1], p.cas_stride[2], C, labels, p.mean, &kept, &argmax);
        if (m > largest) {
            largest = m;
            peak = k;
        }
        sum += static_cast<double>(grad[k]);
    }
    const double highest = block_reduce(largest, Max(), scratch);
    sum = block_reduce(sum, Add(), scratch);
    // The first of equal peaks: the maximum of -k.
    peak = -block_reduce(largest == highest ? -peak : -n, Max(), scratch_integer);

    for (int64_t k = threadIdx.x; k < T; k += kBlock) {
        for (int64_t c = 0; c < C; ++c) out[k * C + c] = E{};
        if (k >= n || !labelled) continue;
        const double grad_m = (k == peak ? sum : 0.0) - static_cast<double>(grad[k]);
        aggregate(cas + k * p.cas_stride[1], p.cas_stride[2], C, labels, p.mean, &kept, &argmax);
        if (!p.mean) {
            store(out + k * C + argmax, static_cast<A>(grad_m));
            continue;
        }
        for (int64_t c = 0; c < C; ++c) {
            if (labels == nullptr || labels[c] != 0) {
                store(out + k * C + c, static_cast<A>(grad_m / static_cast<double>(kept)));
            }
        }
    }
}

template <typename A>
__global__ void __launch_bounds__(kBlock, 1) timestamps_backward_kernel(TimestampsBackwardParams p) {
    __shared__ double scratch[kWarps];
    const int64_t video = blockIdx.x, T = p.snippets, n = valid_snippets(p, video), row = video * T;
    const A* weights = static_cast<const A*>(p.weights) + row;
    const A* timestamps = static_cast<const A*>(p.timestamps) + row;
    const A* grad = static_cast<const A*>(p.grad_timestamps) + row;
    A* out = static_cast<A*>(p.grad_weights) + row;
    const Timestamps sorted = timestamps_of(p.timestamps, p.weights_dtype, video, T);
    double* cumulated = p.scratch + row;  // sums of g_i / w(t_i)

    double proportional = 0, total = 0;
    for (int64_t base = 0; base < n; base += kBlock) {
        const int64_t i = base + threadIdx.x;
        const double a = i < n ? per_weight<A>(grad[i], weights, timestamps[i], n) : 0.0;
        double sum;
        const double up_to_here = block_scan(a, &sum, scratch);
        if (i < n) {
            cumulated[i] = total + up_to_here;
            proportional += a * ((static_cast<double>(i) + 0.5) / static_cast<double>(n));
        }
        total += sum;
    }
    proportional = block_reduce(proportional, Add(), scratch);
    __syncthreads();

    for (int64_t k = threadIdx.x; k < T; k += kBlock) {
        if (k >= n) {
            out[k] = 0;
            continue;
        }
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
        const double past = behind == 0 ? total : total - cumulated[behind - 1];
        out[k] = static_cast<A>(proportional - near - past);
    }
}

dim3 one_block_a_video(const Shape& shape) { return dim3(static_cast<unsigned>(shape.videos)); }

}  // namespace

int64_t sampling(const SamplingParams& p, const Execution& on) {
    dim3 grid = one_block_a_video(p);
    if (p.timestamps != nullptr && p.snippets <= kHeld) {
        grid.y = static_cast<unsigned>(std::min<int64_t>(kParts, (p.snippets + kBlock - 1) / kBlock));
    }
    if (p.cas == nullptr) {
        with_real(p.weights_dtype, [&](auto real) {
            using A = typename decltype(real)::type;
            launch("sampling_timestamps", sampling_kernel<A, A>, grid, kBlock, on, p);
        });
    } else {
        with_element(p.cas_dtype, [&](auto element) {
            using E = typename decltype(element)::type;
            launch("sampling_weights", sampling_kernel<E, compute_t<E>>, grid, kBlock, on, p);
        });
    }
    return kFine;
}

int64_t weights_backward(const WeightsBackwardParams& p, const Execution& on) {
    with_element(p.cas_dtype, [&](auto element) {
        using E = typename decltype(element)::type;
        launch("weights_backward", weights_backward_kernel<E>, one_block_a_video(p), kBlock, on, p);
    });
    return kFine;
}

int64_t timestamps_backward(const TimestampsBackwardParams& p, const Execution& on) {
    with_real(p.weights_dtype, [&](auto real) {
        using A = typename decltype(real)::type;
        launch("timestamps_backward", timestamps_backward_kernel<A>, one_block_a_video(p), kBlock, on, p);
    });
    return kFine;
}

}  // namespace amsx::cuda
