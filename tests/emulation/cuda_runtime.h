// Stands in for CUDA's <cuda_runtime.h>, so that csrc/cuda/*.cu compile as C++ and run without a GPU. Every thread of a
// block is a fiber (fibers.h); a few blocks are under way at a time. A thread runs until it waits at a barrier or a
// shuffle, or leaves; when none of a block runs any more, whoever can go on is released. If nobody can, the launch
// fails with a message instead of hanging.
//
// Stricter than a GPU: every barrier must be reached by all threads of the block, every shuffle and vote by all 32
// lanes of the warp, at the same place in the source; a thread that has left reaches neither. A shuffle orders no
// memory. Shared memory starts as garbage. There are two devices, and a launch is remembered with its device and
// stream. What only CUDA's own compiler sees (`#if defined(__CUDA_ARCH__)`) is not emulated.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <utility>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline

// ---- the runtime's types

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};
enum cudaError_t { cudaSuccess, cudaErrorInvalidValue, cudaErrorInvalidConfiguration, cudaErrorInvalidDevice };
using cudaStream_t = struct Stream*;

inline dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace emulation {
inline char launched[2], finished;  // what orders the memory of the host and of kernels: of launches in turn; of ends
}  // namespace emulation

#include "block.h"
#include "built_ins.h"
#include "shared.h"

// ---- the runtime's calls

namespace emulation {

constexpr int kDevices = 2;
inline int current_device = 0;
struct Launches {
    uint64_t count = 0, blocks = 0;
    int device = 0;
    cudaStream_t stream = nullptr;
};
inline Launches launches;  // all of them, and where the last one went

// What each thread of a launch does.
template <typename... Params>
struct Call {
    void (*kernel)(Params...);
    void** arguments;
    char* before;  // the launch is ordered after what was released to this

    template <size_t... kIndex>
    static std::tuple<Params...> parameters(const Call& call, std::index_sequence<kIndex...>) {
        return {*static_cast<const Params*>(call.arguments[kIndex])...};
    }
    static void run(const void* context) {
        const auto [kernel, parameters, before] = [&] {
            Unseen unseen;
            const Call& call = *static_cast<const Call*>(context);
            return std::tuple(call.kernel, Call::parameters(call, std::index_sequence_for<Params...>()), call.before);
        }();
        __tsan_acquire(before);
        std::apply(kernel, parameters);
        __tsan_release(&finished);
    }
};

// Runs a kernel to its end. One that does not wait for the kernel before is ordered after what came before that.
template <typename... Params>
cudaError_t launch(void (*kernel)(Params...), dim3 grid, dim3 block, void** arguments, size_t dynamic_bytes,
                   cudaStream_t stream, bool waits) {
    const uint64_t count = uint64_t(block.x) * block.y * block.z, blocks = uint64_t(grid.x) * grid.y * grid.z;
    if (count == 0 || count > 1024 || block.z > 64 || blocks == 0 || grid.x > 2147483647u || grid.y > 65535 ||
        grid.z > 65535) {
        return cudaErrorInvalidConfiguration;
    }
    if (dynamic_bytes > kSharedLimit) return cudaErrorInvalidValue;
    blockDim = block, gridDim = grid;
    launches.device = current_device, launches.stream = stream;
    char* const now = &launched[launches.count % 2];
    const Call<Params...> call{kernel, arguments, waits ? now : &launched[(launches.count + 1) % 2]};
    launches.count += 1;
    const auto make = [&](uint64_t b) {
        std::unique_ptr<Block> made(new Block);
        made->index = dim3(b % grid.x, b / grid.x % grid.y, b / grid.x / grid.y);
        made->number = launches.blocks++;
        made->dynamic_bytes = dynamic_bytes;
        made->threads.resize(count);
        for (unsigned i = 0; i < count; ++i) {
            made->threads[i].block = made.get();
            made->threads[i].number = static_cast<int>(i);
            made->threads[i].index = dim3(i % block.x, i / block.x % block.y, i / block.x / block.y);
        }
        return made;
    };
    __tsan_release(now);
    run_blocks(blocks, make, Call<Params...>::run, &call);
    __tsan_acquire(&finished);
    if (!fault.empty()) {
        new Unseen;  // for good: what is freed from here on has no order with threads that stand in the kernel for ever
        throw std::runtime_error("emulation: " + fault);
    }
    return cudaSuccess;
}

}  // namespace emulation

inline cudaError_t cudaGetDevice(int* device) { return *device = emulation::current_device, cudaSuccess; }
inline cudaError_t cudaSetDevice(int device) {
    if (device < 0 || device >= emulation::kDevices) return cudaErrorInvalidDevice;
    return emulation::current_device = device, cudaSuccess;
}
inline const char* cudaGetErrorString(cudaError_t error) {
    constexpr const char* kTexts[] = {"no error", "a value that cannot be", "bad grid or block", "no such device"};
    return kTexts[error];
}

template <typename... Params>
cudaError_t cudaLaunchKernel(void (*kernel)(Params...), dim3 grid, dim3 block, void** arguments, size_t dynamic_bytes,
                             cudaStream_t stream) {
    return emulation::launch(kernel, grid, block, arguments, dynamic_bytes, stream, true);
}

// A launch with attributes: the one that is emulated lets the kernel begin before the one before it has ended.
enum cudaLaunchAttributeID { cudaLaunchAttributeProgrammaticStreamSerialization = 6 };
union cudaLaunchAttributeValue {
    int programmaticStreamSerializationAllowed;
};
struct cudaLaunchAttribute {
    cudaLaunchAttributeID id;
    cudaLaunchAttributeValue val;
};
struct cudaLaunchConfig_t {
    dim3 gridDim, blockDim;
    size_t dynamicSmemBytes;
    cudaStream_t stream;
    cudaLaunchAttribute* attrs;
    unsigned numAttrs;
};

template <typename... Params, typename... Given>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Params...), Given&&... given) {
    std::tuple<Params...> values(static_cast<Params>(given)...);
    void* arguments[sizeof...(Params)];
    size_t next = 0;
    std::apply([&](auto&... value) { ((arguments[next++] = &value), ...); }, values);
    bool waits = true;
    for (unsigned i = 0; i < config->numAttrs; ++i)
        waits &= !config->attrs[i].val.programmaticStreamSerializationAllowed;
    return emulation::launch(kernel, config->gridDim, config->blockDim, arguments, config->dynamicSmemBytes,
                             config->stream, waits);
}
