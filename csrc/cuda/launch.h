// Every kernel launch of the library goes through launch(): one place to guard the device and to check for errors.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <mutex>
#include <stdexcept>
#include <string>

#include "../kernels.h"

namespace amsx::cuda {

inline void check(cudaError_t status, const char* what) {
    if (status != cudaSuccess) {
        throw std::runtime_error(std::string("amsx: ") + what + " failed: " + cudaGetErrorString(status));
    }
}

// Makes the tensors' device current for the launch, then the caller's again.
class DeviceGuard {
  public:
    explicit DeviceGuard(int device) {
        check(cudaGetDevice(&previous_), "cudaGetDevice");
        if (device != previous_) check(cudaSetDevice(device), "cudaSetDevice");
        changed_ = device != previous_;
    }
    ~DeviceGuard() {
        if (changed_) cudaSetDevice(previous_);
    }
    DeviceGuard(const DeviceGuard&) = delete;
    DeviceGuard& operator=(const DeviceGuard&) = delete;

  private:
    int previous_ = 0;
    bool changed_ = false;
};

// Whether a kernel can begin while the one before it on the stream still runs (programmatic dependent launch), and what
// its launch must know of the device then.
struct Overlap {
    bool possible = false;
    int multiprocessors = 0;
    int64_t cache = 0;  // bytes of the second cache
};

// It takes compute capability 9.0, code that was compiled for it, and a driver that also captures such launches into
// graphs. What the device answers is kept, and asking is allowed while a stream is captured.
template <typename... Params>
Overlap overlap_on(int device, void (*kernel)(Params...)) {
#if defined(CUDART_VERSION) && CUDART_VERSION >= 12040
    constexpr int kDevices = 64;
    static std::once_flag asked[kDevices];
    static Overlap answers[kDevices];
    if (device < 0 || device >= kDevices) return {};
    std::call_once(asked[device], [&] {
        cudaStreamCaptureMode mode = cudaStreamCaptureModeRelaxed;
        check(cudaThreadExchangeStreamCaptureMode(&mode), "cudaThreadExchangeStreamCaptureMode");
        DeviceGuard guard(device);
        int driver = 0, major = 0, cache = 0, multiprocessors = 0;
        cudaFuncAttributes code{};
        const bool answered =
            cudaDriverGetVersion(&driver) == cudaSuccess &&
            cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device) == cudaSuccess &&
            cudaDeviceGetAttribute(&cache, cudaDevAttrL2CacheSize, device) == cudaSuccess &&
            cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device) == cudaSuccess &&
            cudaFuncGetAttributes(&code, reinterpret_cast<const void*>(kernel)) == cudaSuccess;
        if (!answered) static_cast<void>(cudaGetLastError());  // the launch itself will say what is wrong
        answers[device] = {answered && driver >= 12040 && major >= 9 && code.ptxVersion >= 90, multiprocessors, cache};
        check(cudaThreadExchangeStreamCaptureMode(&mode), "cudaThreadExchangeStreamCaptureMode");
    });
    return answers[device];
#else
    static_cast<void>(device), static_cast<void>(kernel);
    return {};
#endif
}

template <typename... Params>
void launch(const char* name, void (*kernel)(Params...), dim3 grid, dim3 block, const Execution& on,
            const Overlap& overlap, const std::decay_t<Params>&... params) {
    if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
    DeviceGuard guard(on.device);
    const auto stream = static_cast<cudaStream_t>(on.stream);
    void* arguments[] = {const_cast<std::decay_t<Params>*>(&params)...};
#if defined(CUDART_VERSION) && CUDART_VERSION >= 12040
    if (overlap.possible) {
        cudaLaunchAttribute attribute{};
        attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
        attribute.val.programmaticStreamSerializationAllowed = 1;
        cudaLaunchConfig_t config{};
        config.gridDim = grid, config.blockDim = block, config.stream = stream;
        config.attrs = &attribute, config.numAttrs = 1;
        check(cudaLaunchKernelExC(&config, reinterpret_cast<const void*>(kernel), arguments), name);
        return;
    }
#endif
    static_cast<void>(overlap);
    check(cudaLaunchKernel(kernel, grid, block, arguments, 0, stream), name);
}

template <typename... Params>
void launch(const char* name, void (*kernel)(Params...), dim3 grid, dim3 block, const Execution& on,
            const std::decay_t<Params>&... params) {
    launch(name, kernel, grid, block, on, Overlap{}, params...);
}

// So many blocks for each video along the first axis, and the videos along the others: this_video() says which.
inline dim3 video_grid(int64_t videos, int64_t blocks) {
    const int64_t y = std::clamp<int64_t>(videos, 1, 65535), z = (videos + y - 1) / y;
    if (blocks > 2147483647 || z > 65535) throw std::runtime_error("amsx: more rows than one CUDA grid holds");
    return dim3(static_cast<unsigned>(blocks), static_cast<unsigned>(y), static_cast<unsigned>(z));
}

// A block has `x` threads along a row's elements and `y` rows (or runs of rows) of one video.
struct RowGrid {
    dim3 grid, block;
};

constexpr int kRowThreads = 256;        // of a block, if nothing else is said
constexpr int64_t kMostRows = 1 << 28;  // of a video, so that sums of a few row numbers fit into an int

// Which threads share a row: at least so many, and all of a block at most.
struct Sharing {
    int least = 1, block = kRowThreads;
};

inline RowGrid row_grid(int64_t videos, int64_t rows, int64_t elements, Sharing sharing = {}) {
    int64_t x = sharing.least;
    while (x < elements && x < sharing.block) x *= 2;
    int64_t y = sharing.block / x;
    while (y >= 2 * rows && x * y > 32) y /= 2;
    if (rows > kMostRows) throw std::runtime_error("amsx: more snippets in a video than CUDA kernels take");
    return {video_grid(videos, (rows + y - 1) / y), dim3(static_cast<unsigned>(x), static_cast<unsigned>(y))};
}

}  // namespace amsx::cuda
