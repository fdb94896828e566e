// Small kernels over what the emulation offers, right and wrong ones; test_built_ins.py says what is to become of each.
// Usage: built_ins NAME
#include <cuda_runtime.h>

#include <cstdio>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace {

constexpr unsigned kAll = 0xffffffffu;
constexpr int kThreads = 64;

// Each thread writes how many of the questions below had another answer than they should.
__global__ void __launch_bounds__(kThreads, 2) exchanges(int* out) {
    const int lane = threadIdx.x % 32;
    int wrong = 0;
    wrong += __shfl_sync(kAll, lane, 7) != 7;
    wrong += __shfl_xor_sync(kAll, lane, 5) != (lane ^ 5);
    wrong += __shfl_up_sync(kAll, double(lane), 3) != (lane < 3 ? lane : lane - 3);
    wrong += __shfl_down_sync(kAll, lane, 3) != (lane > 28 ? lane : lane + 3);
    const unsigned odd = __ballot_sync(kAll, lane % 2);
    wrong += odd != 0xaaaaaaaau || __popc(odd) != 16 || __ffs(odd) != 2 || __clz(odd) != 0;
    wrong += __any_sync(kAll, lane == 3) != 1 || __any_sync(kAll, 0) != 0;
    wrong += __all_sync(kAll, lane < 32) != 1 || __all_sync(kAll, lane == 3) != 0;
    wrong += __syncthreads_count(threadIdx.x < 40) != 40;
    wrong += __syncthreads_or(threadIdx.x == 9) != 1 || __syncthreads_or(0) != 0;
    wrong += __syncthreads_and(1) != 1 || __syncthreads_and(threadIdx.x != 9) != 0;
    out[blockIdx.x * kThreads + threadIdx.x] = wrong;
}

__global__ void shares(int* out) {
    extern __shared__ int grown[];
    __shared__ alignas(16) int mine[kThreads];
    mine[threadIdx.x] = threadIdx.x;
    __syncwarp();
    grown[threadIdx.x] = mine[threadIdx.x ^ 1];
    __syncthreads();
    const bool aligned = reinterpret_cast<uintptr_t>(mine) % 16 == 0;
    out[blockIdx.x * kThreads + threadIdx.x] =
        grown[kThreads - 1 - threadIdx.x] - ((kThreads - 1 - int(threadIdx.x)) ^ 1) + !aligned;
}

__global__ void uninitialised(int* out) {
    __shared__ int sum;
    if (threadIdx.x == 0) sum += 1;
    __syncthreads();
    out[blockIdx.x * kThreads + threadIdx.x] = sum - 1;
}

// Block b takes what block b - 1 has published and publishes one more.
template <bool kFenced>
__global__ void chain(int* out, int* values, int* flags) {
    if (threadIdx.x == 0) {
        int before = 0;
        if (blockIdx.x > 0) {
            while (atomicAdd(&flags[blockIdx.x - 1], 0) == 0) {
            }
            __threadfence();
            before = values[blockIdx.x - 1];
        }
        values[blockIdx.x] = before + 1;
        if (kFenced) __threadfence();
        atomicExch(&flags[blockIdx.x], 1);
        out[blockIdx.x] = before - int(blockIdx.x);
    }
}

__global__ void never(int* out) {
    while (atomicAdd(out, 0) == 0) {
    }
}

__global__ void counts(int* out, int* values, int* flags) {
    atomicAdd(&values[0], 1);
    atomicMax(&values[1], int(threadIdx.x));
    atomicMin(&values[2], -int(blockIdx.x));
    atomicOr(&values[3], 1 << blockIdx.x);
    if (atomicCAS(&flags[0], 0, 1) == 0) atomicAdd(&values[4], 1);
    __threadfence();
    if (atomicAdd(&flags[1], 1) != int(gridDim.x * blockDim.x) - 1) return;
    __threadfence();  // the last thread of all blocks knows what all have done
    out[0] = values[0] != int(gridDim.x * blockDim.x);
    out[1] = values[1] != kThreads - 1 || values[2] != 1 - int(gridDim.x);
    out[2] = values[3] != (1 << gridDim.x) - 1 || values[4] != 1;
}

// All blocks write the same: no value differs, and yet it is a race.
__global__ void in_place(int* out) { out[threadIdx.x] = 0; }

__global__ void writes(int* values) { values[blockIdx.x * kThreads + threadIdx.x] = 1; }
template <bool kWaits>
__global__ void reads(int* out, const int* values) {
    if (kWaits) cudaGridDependencySynchronize();
    const int i = blockIdx.x * kThreads + threadIdx.x;
    out[i] = values[i ^ 1] - 1;
}

__global__ void too_much(int* out) {
    __shared__ double much[4096];
    __shared__ double more[4096];
    much[threadIdx.x] = more[threadIdx.x] = 0;
    out[threadIdx.x] = 0;
}

template <typename... Params>
void launch(void (*kernel)(Params...), int blocks, int threads, size_t dynamic, Params... params) {
    void* arguments[] = {&params...};
    if (cudaLaunchKernel(kernel, dim3(blocks), dim3(threads), arguments, dynamic, nullptr) != cudaSuccess) {
        throw std::runtime_error("the launch was refused");
    }
}

// The kernel may begin before the one launched before it has ended.
template <typename... Params>
void launch_early(void (*kernel)(Params...), int blocks, Params... params) {
    cudaLaunchAttribute early{};
    early.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    early.val.programmaticStreamSerializationAllowed = 1;
    const cudaLaunchConfig_t config{dim3(blocks), dim3(kThreads), 0, nullptr, &early, 1};
    cudaLaunchKernelEx(&config, kernel, params...);
}

}  // namespace

int main(int, char** arguments) {
    constexpr int kBlocks = 5;
    std::vector<int> results(kBlocks * kThreads), more(kBlocks * kThreads), flags(kBlocks);
    int *out = results.data(), *values = more.data(), *flag = flags.data();
    const std::map<std::string, std::function<void()>> all = {
        {"exchanges", [&] { launch(exchanges, kBlocks, kThreads, 0, out); }},
        {"beyond launch bounds", [&] { launch(exchanges, 1, 2 * kThreads, 0, out); }},
        {"too many threads", [&] { launch(writes, 1, 1056, 0, values); }},
        {"shares", [&] { launch(shares, kBlocks, kThreads, kThreads * sizeof(int), out); }},
        {"dynamic memory too small", [&] { launch(shares, 1, kThreads, (kThreads - 1) * sizeof(int), out); }},
        {"too much shared memory", [&] { launch(too_much, 1, kThreads, 0, out); }},
        {"uninitialised", [&] { launch(uninitialised, kBlocks, kThreads, 0, out); }},
        {"chain", [&] { launch(chain<true>, kBlocks, kThreads, 0, out, values, flag); }},
        {"chain without a fence", [&] { launch(chain<false>, kBlocks, kThreads, 0, out, values, flag); }},
        {"never", [&] { launch(never, 1, kThreads, 0, out); }},
        {"counts", [&] { launch(counts, kBlocks, kThreads, 0, out, values, flag); }},
        {"in place", [&] { launch(in_place, kBlocks, kThreads, 0, out); }},
        {"early",
         [&] {
             launch(writes, kBlocks, kThreads, 0, values), launch_early(reads<true>, kBlocks, out, (const int*)values);
         }},
        {"too early",
         [&] {
             launch(writes, kBlocks, kThreads, 0, values), launch_early(reads<false>, kBlocks, out, (const int*)values);
         }},
    };
    try {
        all.at(arguments[1])();
    } catch (const std::exception& error) {
        std::printf("%s\n", error.what());
        return 1;
    }
    int wrong = 0;
    for (const int x : results) wrong += x != 0;
    std::printf("%d wrong\n", wrong);
    return wrong != 0;
}
