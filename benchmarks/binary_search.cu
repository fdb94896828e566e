// A rival in the manner of nerfacc: one thread per output element, each of which searches the cumulated weights of its
// video on its own; the adjoint adds atomically into zeros. Built and called by binary_search.py.
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstdint>

namespace {

struct Place {
    int64_t row;
    float fraction;
    bool pair;
};

// Where the point (i + 0.5) / T of the cumulation axis falls among T snippets.
__device__ Place locate(const float* cumulated, int64_t i, int64_t T) {
    const float point = (i + 0.5f) / T * cumulated[T - 1];
    int64_t low = 0, high = T - 1;
    while (low < high) {
        const int64_t middle = (low + high) / 2;
        if (cumulated[middle] < point) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    const float before = low == 0 ? 0.f : cumulated[low - 1];
    float t = low + (point - before) / (cumulated[low] - before) - 0.5f;
    t = fminf(fmaxf(t, 0.f), T - 1.f);
    const int64_t row = static_cast<int64_t>(t);
    return {row, t - row, row + 1 < T};
}

template <typename E>
__global__ void forward_kernel(const E* feats, const float* cumulated, E* out, int64_t B, int64_t T, int64_t D) {
    const int64_t index = blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x;
    if (index >= B * T * D) return;
    const int64_t d = index % D, i = index / D % T, b = index / D / T;
    const Place at = locate(cumulated + b * T, i, T);
    const E* from = feats + (b * T + at.row) * D + d;
    const float x = static_cast<float>(from[0]), y = at.pair ? static_cast<float>(from[D]) : x;
    out[index] = static_cast<E>(x + at.fraction * (y - x));
}

template <typename E>
__global__ void backward_kernel(const E* grad, const float* cumulated, E* grad_feats, int64_t B, int64_t T, int64_t D) {
    const int64_t index = blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x;
    if (index >= B * T * D) return;
    const int64_t d = index % D, i = index / D % T, b = index / D / T;
    const Place at = locate(cumulated + b * T, i, T);
    E* to = grad_feats + (b * T + at.row) * D + d;
    const float g = static_cast<float>(grad[index]);
    atomicAdd(to, static_cast<E>(g * (1 - at.fraction)));
    if (at.pair) atomicAdd(to + D, static_cast<E>(g * at.fraction));
}

template <typename E>
int run(bool adjoint, const void* from, const void* cumulated, void* to, int64_t B, int64_t T, int64_t D,
        cudaStream_t stream) {
    constexpr int kThreads = 256;
    const auto blocks = static_cast<unsigned>((B * T * D + kThreads - 1) / kThreads);
    const auto* c = static_cast<const float*>(cumulated);
    if (adjoint) {
        const cudaError_t cleared = cudaMemsetAsync(to, 0, B * T * D * sizeof(E), stream);
        if (cleared != cudaSuccess) return cleared;
        backward_kernel<E>
            <<<blocks, kThreads, 0, stream>>>(static_cast<const E*>(from), c, static_cast<E*>(to), B, T, D);
    } else {
        forward_kernel<E>
            <<<blocks, kThreads, 0, stream>>>(static_cast<const E*>(from), c, static_cast<E*>(to), B, T, D);
    }
    return cudaGetLastError();
}

}  // namespace

// dtype: 0 float32, 1 float16, 2 bfloat16. Returns a cudaError_t.
extern "C" int binary_search(int adjoint, int dtype, const void* from, const void* cumulated, void* to, int64_t B,
                             int64_t T, int64_t D, void* stream) {
    const auto on = static_cast<cudaStream_t>(stream);
    if (dtype == 0) return run<float>(adjoint != 0, from, cumulated, to, B, T, D, on);
    if (dtype == 1) return run<__half>(adjoint != 0, from, cumulated, to, B, T, D, on);
    return run<__nv_bfloat16>(adjoint != 0, from, cumulated, to, B, T, D, on);
}
