// Reductions, scans and searches of one block, in a fixed order, which gives the same bits on every run.
#pragma once

#include <cstdint>

namespace amsx::cuda {

constexpr int kBlock = 512;  // threads of the kernels that give one block to a video
constexpr int kWarps = kBlock / 32;
constexpr unsigned kAllLanes = 0xffffffffu;

// The video that a block of video_grid() works on; the caller skips those beyond the last.
__device__ inline int64_t this_video() { return static_cast<int64_t>(blockIdx.z) * gridDim.y + blockIdx.y; }

// The number of this thread in its block.
__device__ inline int this_thread() { return static_cast<int>(threadIdx.y * blockDim.x + threadIdx.x); }

// Where kernels overlap (launch.h): lets the next kernel on the stream begin, and waits until the one before has ended.
__device__ inline void let_next_kernel_begin() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}
__device__ inline void wait_for_kernel_before() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

struct Add {
    template <typename V>
    __device__ V operator()(V a, V b) const {
        return a + b;
    }
};
struct Max {
    template <typename V>
    __device__ V operator()(V a, V b) const {
        return b > a ? b : a;
    }
};

template <typename V, typename Op>
__device__ V warp_reduce(V value, Op op) {
    for (int step = 16; step > 0; step /= 2) value = op(value, __shfl_xor_sync(kAllLanes, value, step));
    return value;
}

// The reduction of the values of a block of so many warps; every thread returns it. `scratch` holds a value for each warp.
template <int kWarpsOfBlock = kWarps, typename V, typename Op>
__device__ V block_reduce(V value, Op op, V* scratch) {
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    value = warp_reduce(value, op);
    __syncthreads();  // the scratch may still be read from the call before
    if (lane == 0) scratch[warp] = value;
    __syncthreads();
    value = scratch[0];
    for (int w = 1; w < kWarpsOfBlock; ++w) value = op(value, scratch[w]);
    return value;
}

// The sum up to and including this thread; `total` becomes the sum over the block. `scratch` holds kWarps values.
template <typename V>
__device__ V block_scan(V value, V* total, V* scratch) {
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    for (int step = 1; step < 32; step *= 2) {
        const V below = __shfl_up_sync(kAllLanes, value, step);
        if (lane >= step) value = below + value;
    }
    __syncthreads();
    if (lane == 31) scratch[warp] = value;
    __syncthreads();
    V before = 0, sum = 0;
    for (int w = 0; w < kWarps; ++w) {
        if (w == warp) before = sum;
        sum = sum + scratch[w];
    }
    *total = sum;
    return before + value;
}

// Where in [0, n] `below` ends to hold, of which it holds for a first part of the indices and for no others. A whole
// warp searches: every round of reads that wait for each other leaves a 32nd of the range.
template <typename Below>
__device__ int warp_partition(int n, const Below& below) {
    const int lane = this_thread() % 32;
    int low = 0, high = n;
    while (low < high) {
        const int step = (high - low + 31) / 32, probe = low + lane * step;
        const int held = __popc(__ballot_sync(kAllLanes, probe < high && below(probe)));
        if (held == 0) return low;
        high = low + held * step < high ? low + held * step : high;
        low += (held - 1) * step + 1;
    }
    return low;
}

}  // namespace amsx::cuda
