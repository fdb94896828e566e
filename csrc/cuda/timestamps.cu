// Eq. 4 and 5 on CUDA, and the adjoint of Eq. 5. Videos that fit into a block's shared memory take one launch: one block
// works on a video, or a few blocks that each invert a part of it, and all of them do the rest, which costs less than a
// second launch. Longer videos are spread over the card in parts, with one launch for each of weights, scan and inversion.
#include "../cumulation.h"
#include "../rows_at.h"
#include "block.cuh"
#include "labels.cuh"
#include "launch.h"

namespace amsx::cuda {
namespace {

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

// m of the snippets from 0 to n into `m`. Returns the largest that this thread has seen, or infinity if one of them is
// not finite.
template <typename E, typename A>
__device__ double aggregated(const SamplingParams& p, const E* cas, const uint8_t* labels, int64_t n, A* m) {
    if (!p.mean) return maxima(p, cas, labels, n, m);
    double largest = -INFINITY;
    for (int64_t k = threadIdx.x; k < n; k += kBlock) {
        int64_t kept, argmax;
        m[k] = aggregate(cas + k * p.cas_stride[1], p.cas_stride[2], p.channels, labels, true, &kept, &argmax);
        largest = Max()(largest, finite(m[k]) ? static_cast<double>(m[k]) : static_cast<double>(INFINITY));
    }
    return largest;
}

// The weight of a snippet of one of n. A non-finite m anywhere has made `largest` infinite: every weight becomes NaN.
template <typename A>
__device__ A weight_of(A m, double largest, double eta, bool labelled, int64_t n) {
    A w = labelled ? (static_cast<A>(largest) - m) + static_cast<A>(eta) : static_cast<A>(uniform_weight(eta));
    if (!finite(w)) w = static_cast<A>(NAN);
    return n == 1 && w == 0 ? A(1) : w;
}

// A weight for the search of the largest: infinite if it is not finite.
template <typename A>
__device__ double or_infinite(A weight) {
    return finite(weight) ? static_cast<double>(weight) : static_cast<double>(INFINITY);
}

// Eq. 4 for one video, into `weights`, which all threads may read afterwards, and into the output.
template <typename E, typename A>
__device__ void weigh(const SamplingParams& p, int64_t video, int64_t n, A* weights, double* scratch) {
    const E* cas = static_cast<const E*>(p.cas) + video * p.cas_stride[0];
    const uint8_t* labels = p.labels == nullptr ? nullptr : p.labels + video * p.channels;
    const bool labelled = has_label(labels, p.channels);
    double largest = labelled ? aggregated(p, cas, labels, n, weights) : -INFINITY;
    largest = block_reduce(largest, Max(), scratch);
    A* out = static_cast<A*>(p.weights) + video * p.snippets;
    const bool writes = blockIdx.y == 0;
    for (int64_t k = threadIdx.x; k < n; k += kBlock) {
        const A w = weight_of(weights[k], largest, p.eta, labelled, n);
        weights[k] = w;
        if (writes) out[k] = w;
    }
    for (int64_t k = n + threadIdx.x; k < p.snippets && writes; k += kBlock) out[k] = 0;
    __syncthreads();
}

// How a video's weights become integers.
struct Integers {
    bool uniform;  // all weights vanish, and count the same
    double scale;
    __device__ Integers(double largest, int64_t n, int64_t interp_factor)
        : uniform(vanishes(largest)), scale(uniform ? 1.0 : fixed_point_scale(largest, n, interp_factor)) {}
    __device__ int64_t operator()(double weight) const { return uniform ? int64_t(1) : fixed_point(weight, scale); }
};

// The first of the indices from `low` to `high` whose cumulated mass reaches `mass`; `high` if none before it does.
__device__ int64_t first_to_reach(const int64_t* cumulated, int64_t low, int64_t high, int64_t mass) {
    while (low < high) {
        const int64_t middle = (low + high) / 2;
        if (cumulated[middle] >= mass) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

// Eq. 5 and its inversion for one video. `held` has room for kHeld integer weights and then for their cumulated masses;
// `weights` may lie where the masses go.
template <typename A>
__device__ void invert(const SamplingParams& p, int64_t video, int64_t n, const A* weights, double* scratch,
                       int64_t* scratch_integer, int64_t* held) {
    A* timestamps = static_cast<A*>(p.timestamps) + video * p.snippets;
    int64_t* cumulated = held + kHeld;
    // The blocks of a video take turns at its samples.
    const int64_t first = static_cast<int64_t>(blockIdx.y) * kBlock + threadIdx.x,
                  step = static_cast<int64_t>(gridDim.y) * kBlock;
    double largest = 0;
    for (int64_t k = threadIdx.x; k < n; k += kBlock) largest = Max()(largest, or_infinite(weights[k]));
    largest = block_reduce(largest, Max(), scratch);
    for (int64_t i = n + first; i < p.snippets; i += step) timestamps[i] = 0;
    if (n == 0) return;
    if (!finite(largest)) {
        for (int64_t i = first; i < n; i += step) timestamps[i] = static_cast<A>(NAN);
        return;
    }

    const Integers integer_of(largest, n, p.interp_factor);
    for (int64_t k = threadIdx.x; k < n; k += kBlock) held[k] = integer_of(static_cast<double>(weights[k]));
    __syncthreads();  // also: the weights may lie where the masses go now
    const auto neighbourhood = [&](int64_t k) {
        return Neighbourhood{held[k > 0 ? k - 1 : 0], held[k], held[k + 1 < n ? k + 1 : n - 1]};
    };

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
        const int64_t low = first_to_reach(cumulated, 0, n - 1, point.ceil());
        const int64_t before = low == 0 ? 0 : cumulated[low - 1];
        timestamps[i] = static_cast<A>(timestamp_in_snippet(low, neighbourhood(low), point, before, p.interp_factor));
    }
}

template <typename E, typename A>
__global__ void __launch_bounds__(kBlock, 1) sampling_kernel(SamplingParams p) {
    __shared__ double scratch[kWarps];
    __shared__ int64_t scratch_integer[kWarps];
    __shared__ int64_t held[2 * kHeld];
    let_next_kernel_begin();
    const int64_t video = blockIdx.x, n = valid_snippets(p, video);
    A* weights = static_cast<A*>(p.weights) + video * p.snippets;
    if (p.cas != nullptr) {
        weights = reinterpret_cast<A*>(held + kHeld);
        weigh<E>(p, video, n, weights, scratch);
    }
    if (p.timestamps != nullptr) invert(p, video, n, weights, scratch, scratch_integer, held);
}

// ---- videos longer than kHeld: each block has a part of one

constexpr int kMostParts = 2048;  // of a video

// The snippets of a part: as many as a block has threads, or more of videos with more than a million.
__host__ __device__ int64_t part_of(int64_t snippets) {
    return kBlock * ((snippets + int64_t(kMostParts) * kBlock - 1) / (int64_t(kMostParts) * kBlock));
}

// What the other parts must know of one: of m where there is a CAS, else of the weights.
struct Summary {
    double largest;  // or infinity if one of them is not finite
    double least;
    double first, last;
};

// The first half of the scratch holds the masses that are cumulated within a part, the second half the summaries of a
// video's parts and then, at its end, the largest weight.
__device__ int64_t* masses_of(const SamplingParams& p, int64_t video) { return p.scratch + video * p.snippets; }
__device__ Summary* summaries_of(const SamplingParams& p, int64_t video) {
    return reinterpret_cast<Summary*>(p.scratch + (p.videos + video) * p.snippets);
}
__device__ double* largest_weight_of(const SamplingParams& p, int64_t video) {
    return reinterpret_cast<double*>(p.scratch + (p.videos + video + 1) * p.snippets - 1);
}

// m of a part's snippets, which take the place of their weights, and the summary.
template <typename E, typename A>
__global__ void __launch_bounds__(kBlock, 1) long_weigh_kernel(SamplingParams p, int64_t part) {
    __shared__ double scratch[kWarps];
    const int64_t video = this_video(), begin = blockIdx.x * part;
    if (video >= p.videos) return;
    const int64_t n = valid_snippets(p, video), count = n - begin < part ? n - begin : part;
    if (count <= 0) return;
    A* m = static_cast<A*>(p.weights) + video * p.snippets + begin;
    double largest = -INFINITY;
    if (p.cas != nullptr) {
        const E* cas = static_cast<const E*>(p.cas) + video * p.cas_stride[0] + begin * p.cas_stride[1];
        const uint8_t* labels = p.labels == nullptr ? nullptr : p.labels + video * p.channels;
        if (has_label(labels, p.channels)) {
            largest = aggregated(p, cas, labels, count, m);
        } else {
            for (int64_t k = threadIdx.x; k < count; k += kBlock) m[k] = 0;
        }
        __syncthreads();
    }
    double least = INFINITY;
    for (int64_t k = threadIdx.x; k < count; k += kBlock) {
        largest = Max()(largest, or_infinite(m[k]));
        least = -Max()(-least, -static_cast<double>(m[k]));
    }
    largest = block_reduce(largest, Max(), scratch);
    least = -block_reduce(-least, Max(), scratch);
    if (threadIdx.x == 0) {
        summaries_of(p, video)[blockIdx.x] = {largest, least, static_cast<double>(m[0]),
                                              static_cast<double>(m[count - 1])};
    }
}

// The weights of a part, and their masses cumulated within it.
template <typename A>
__global__ void __launch_bounds__(kBlock, 1) long_cumulate_kernel(SamplingParams p, int64_t part) {
    __shared__ double scratch[kWarps];
    __shared__ int64_t scratch_integer[kWarps];
    __shared__ int64_t integers[kBlock + 2];
    const int64_t video = this_video(), begin = blockIdx.x * part;
    if (video >= p.videos) return;
    const int64_t n = valid_snippets(p, video), end = begin + part < n ? begin + part : n,
                  parts = (n + part - 1) / part;
    A* weights = static_cast<A*>(p.weights) + video * p.snippets;
    if (p.cas != nullptr) {
        for (int64_t k = (begin < n ? n : begin) + threadIdx.x; k < begin + part && k < p.snippets; k += kBlock) {
            weights[k] = 0;
        }
    }
    if (begin >= n) return;

    const Summary* summaries = summaries_of(p, video);
    double largest = -INFINITY, least = INFINITY;
    for (int64_t i = threadIdx.x; i < parts; i += kBlock) {
        largest = Max()(largest, summaries[i].largest);
        least = -Max()(-least, -summaries[i].least);
    }
    largest = block_reduce(largest, Max(), scratch);
    least = -block_reduce(-least, Max(), scratch);
    const bool labelled =
        p.cas == nullptr || has_label(p.labels == nullptr ? nullptr : p.labels + video * p.channels, p.channels);
    const auto weight = [&](double m) {
        return p.cas == nullptr ? static_cast<A>(m) : weight_of(static_cast<A>(m), largest, p.eta, labelled, n);
    };
    // The smallest m has the largest weight.
    const double of_weights = p.cas == nullptr ? largest : or_infinite(weight(least));
    if (blockIdx.x == 0 && threadIdx.x == 0) *largest_weight_of(p, video) = Max()(0.0, of_weights);
    const Integers integer_of(Max()(0.0, of_weights), n, p.interp_factor);
    const auto integer = [&](double m) { return integer_of(static_cast<double>(weight(m))); };
    const bool inverts = p.timestamps != nullptr && finite(of_weights);
    int64_t* masses = masses_of(p, video);
    // Thread 0 keeps the integer weight of the snippet before the round; at the ends of the video it is the outermost.
    int64_t before = 0, total = 0;
    if (threadIdx.x == 0 && inverts) {
        before = integer(begin == 0 ? summaries[0].first : summaries[blockIdx.x - 1].last);
    }
    for (int64_t base = begin; base < end; base += kBlock) {
        const int64_t k = base + threadIdx.x, behind = base + kBlock < end ? base + kBlock : end;
        const A m = k < end ? weights[k] : A(0);
        if (inverts) {
            if (threadIdx.x == 0) integers[0] = before;
            if (k < end) integers[threadIdx.x + 1] = integer(static_cast<double>(m));
            if (k == behind - 1) {
                const double next = behind < end ? static_cast<double>(weights[behind])
                                    : behind < n ? summaries[blockIdx.x + 1].first
                                                 : static_cast<double>(m);
                integers[threadIdx.x + 2] = integer(next);
            }
            __syncthreads();
            const int64_t* mine = integers + threadIdx.x;
            const int64_t mass = k < end ? snippet_mass({mine[0], mine[1], mine[2]}, p.interp_factor) : 0;
            before = integers[kBlock];
            int64_t sum;
            const int64_t up_to_here = block_scan(mass, &sum, scratch_integer);
            if (k < end) masses[k] = total + up_to_here;
            total += sum;
        }
        if (k < end && p.cas != nullptr) weights[k] = weight(static_cast<double>(m));
    }
}

// The timestamps of a part's samples, from the masses of all parts.
template <typename A>
__global__ void __launch_bounds__(kBlock, 1) long_invert_kernel(SamplingParams p, int64_t part) {
    __shared__ int64_t scratch[kWarps];
    __shared__ int64_t cumulated[kMostParts];  // over parts
    let_next_kernel_begin();
    const int64_t video = this_video(), begin = blockIdx.x * part;
    if (video >= p.videos) return;
    const int64_t n = valid_snippets(p, video), parts = (n + part - 1) / part,
                  end = begin + part < p.snippets ? begin + part : p.snippets;
    A* timestamps = static_cast<A*>(p.timestamps) + video * p.snippets;
    const A* weights = static_cast<const A*>(p.weights) + video * p.snippets;
    const int64_t* masses = masses_of(p, video);
    const double largest = n > 0 ? *largest_weight_of(p, video) : 0.0;
    if (n <= begin || !finite(largest)) {
        for (int64_t i = begin + threadIdx.x; i < end; i += kBlock) timestamps[i] = i < n ? static_cast<A>(NAN) : A(0);
        return;
    }
    int64_t total = 0;
    for (int64_t base = 0; base < parts; base += kBlock) {
        const int64_t i = base + threadIdx.x, last = (i + 1) * part < n ? (i + 1) * part - 1 : n - 1;
        int64_t sum;
        const int64_t up_to_here = block_scan(i < parts ? masses[last] : int64_t(0), &sum, scratch);
        if (i < parts) cumulated[i] = total + up_to_here;
        total += sum;
    }
    __syncthreads();

    const Integers integer_of(largest, n, p.interp_factor);
    const auto integer = [&](int64_t k) {
        return integer_of(static_cast<double>(weights[k < 0 ? 0 : k >= n ? n - 1 : k]));
    };
    for (int64_t i = begin + threadIdx.x; i < end; i += kBlock) {
        if (i >= n) {
            timestamps[i] = 0;
            continue;
        }
        const Point point = cumulation_point(i, n, total);
        const int64_t at = first_to_reach(cumulated, 0, parts - 1, point.ceil()), start = at * part,
                      of_parts = at == 0 ? 0 : cumulated[at - 1],
                      k = first_to_reach(masses, start, (start + part < n ? start + part : n) - 1,
                                         point.ceil() - of_parts),
                      before = of_parts + (k == start ? 0 : masses[k - 1]);
        const Neighbourhood w{integer(k - 1), integer(k), integer(k + 1)};
        timestamps[i] = static_cast<A>(timestamp_in_snippet(k, w, point, before, p.interp_factor));
    }
}

dim3 one_block_a_video(const Shape& shape) { return dim3(static_cast<unsigned>(shape.videos)); }

// E: of the CAS, or where there is none, A.
template <typename E, typename A>
void sample(const SamplingParams& p, const Execution& on) {
    const char* name = p.cas == nullptr ? "sampling_timestamps" : "sampling_weights";
    if (p.snippets <= kHeld) {
        dim3 grid = one_block_a_video(p);
        if (p.timestamps != nullptr) {
            grid.y = static_cast<unsigned>(std::min<int64_t>(kParts, (p.snippets + kBlock - 1) / kBlock));
        }
        launch(name, sampling_kernel<E, A>, grid, kBlock, on, p);
        return;
    }
    const int64_t part = part_of(p.snippets);
    const dim3 grid = video_grid(p.videos, (p.snippets + part - 1) / part);
    launch(name, long_weigh_kernel<E, A>, grid, kBlock, on, p, part);
    launch(name, long_cumulate_kernel<A>, grid, kBlock, on, p, part);
    if (p.timestamps != nullptr) launch(name, long_invert_kernel<A>, grid, kBlock, on, p, part);
}

}  // namespace

int64_t sampling(const SamplingParams& p, const Execution& on) {
    if (p.cas == nullptr) {
        with_real(p.weights_dtype, [&](auto real) {
            using A = typename decltype(real)::type;
            sample<A, A>(p, on);
        });
    } else {
        with_element(p.cas_dtype, [&](auto element) {
            using E = typename decltype(element)::type;
            sample<E, compute_t<E>>(p, on);
        });
    }
    return kFine;
}

}  // namespace amsx::cuda
