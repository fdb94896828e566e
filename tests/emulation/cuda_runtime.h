// Stands in for CUDA's <cuda_runtime.h>, so that csrc/cuda/*.cu compile as C++ and run without a GPU: blocks in
// sequence, the threads of a block as fibers of one OS thread (fibers.h), or, with EMULATION_THREADS, as one
// std::thread each for ThreadSanitizer (os_threads.h). A thread runs until it waits at a barrier or a shuffle, or
// leaves; when none runs any more, whoever can go on is released. If nobody can, the launch fails with a message
// instead of hanging.
//
// Stricter than a GPU: every barrier must be reached by all threads of the block, every shuffle by all 32 lanes of
// the warp, at the same place in the source; a thread that has left reaches neither. A shuffle orders no memory.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <utility>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __shared__ static  // one block runs at a time

// ---- the runtime's types and the few calls that launch.h makes

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};
enum cudaError_t { cudaSuccess, cudaErrorInvalidConfiguration, cudaErrorInvalidDevice };
using cudaStream_t = struct Stream*;

inline thread_local dim3 threadIdx, blockIdx, blockDim, gridDim;

inline cudaError_t cudaGetDevice(int* device) { return *device = 0, cudaSuccess; }
inline cudaError_t cudaSetDevice(int device) { return device == 0 ? cudaSuccess : cudaErrorInvalidDevice; }
inline const char* cudaGetErrorString(cudaError_t error) {
    return error == cudaSuccess ? "no error" : error == cudaErrorInvalidDevice ? "no such device" : "bad grid or block";
}

#include "block.h"

// ---- the built-ins of device code

inline void __syncthreads(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    static char orders[2];  // two in turn: who is slow to leave a barrier must not learn of the next
    char* order = &orders[emulation::self->barriers++ % 2];
    __tsan_release(order);
    {
        Unseen unseen;
        emulation::wait_at(emulation::At::barrier, file, line);
    }
    __tsan_acquire(order);
}

template <typename V>
V __shfl_xor_sync(unsigned mask, V value, int step, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return emulation::shuffle(mask, value, emulation::lane() ^ step, file, line);
}

template <typename V>
V __shfl_up_sync(unsigned mask, V value, int step, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    const int lane = emulation::lane();
    return emulation::shuffle(mask, value, lane < step ? lane : lane - step, file, line);
}

template <typename... Params, size_t... kIndex>
void call(void (*kernel)(Params...), void** arguments, std::index_sequence<kIndex...>) {
    kernel(*static_cast<const Params*>(arguments[kIndex])...);
}

template <typename... Params>
cudaError_t cudaLaunchKernel(void (*kernel)(Params...), dim3 grid, dim3 block, void** arguments, size_t, cudaStream_t) {
    const uint64_t count = uint64_t(block.x) * block.y * block.z, blocks = uint64_t(grid.x) * grid.y * grid.z;
    if (count == 0 || count > 1024 || blocks == 0 || grid.x > 2147483647u || grid.y > 65535 || grid.z > 65535) {
        return cudaErrorInvalidConfiguration;
    }
    blockDim = block, gridDim = grid;
    for (uint64_t b = 0; b < blocks; ++b) {
        blockIdx = dim3(b % grid.x, b / grid.x % grid.y, b / grid.x / grid.y);
        emulation::threads.assign(count, {});
        for (unsigned i = 0; i < count; ++i) {
            emulation::threads[i].index = dim3(i % block.x, i / block.x % block.y, i / block.x / block.y);
        }
        emulation::run_block([&] { call(kernel, arguments, std::index_sequence_for<Params...>()); });
        if (!emulation::fault.empty()) throw std::runtime_error("emulation: " + emulation::fault);
    }
    return cudaSuccess;
}
