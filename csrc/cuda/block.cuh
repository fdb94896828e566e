// Reductions and scans over one block, in a fixed order, which gives the same bits on every run.
#pragma once

#include <cstdint>

namespace amsx::cuda {

constexpr int kBlock = 512;  // threads of the kernels that give one block to a video
constexpr int kWarps = kBlock / 32;
constexpr unsigned kAllLanes = 0xffffffffu;

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

// The reduction of all threads' values; every thread returns it. `scratch` holds kWarps values.
template <typename V, typename Op>
__device__ V block_reduce(V value, Op op, V* scratch) {
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    value = warp_reduce(value, op);
    __syncthreads();  // the scratch may still be read from the call before
    if (lane == 0) scratch[warp] = value;
    __syncthreads();
    value = scratch[0];
    for (int w = 1; w < kWarps; ++w) value = op(value, scratch[w]);
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

}  // namespace amsx::cuda
