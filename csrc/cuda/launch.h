// Every kernel launch of the library goes through launch(): one place to guard the device and to check for errors.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
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

template <typename... Params>
void launch(const char* name, void (*kernel)(Params...), dim3 grid, dim3 block, const Execution& on,
            const std::decay_t<Params>&... params) {
    if (grid.x == 0 || grid.y == 0) return;
    DeviceGuard guard(on.device);
    void* arguments[] = {const_cast<Params*>(&params)...};
    check(cudaLaunchKernel(kernel, grid, block, arguments, 0, static_cast<cudaStream_t>(on.stream)), name);
}

// A block has `x` threads along a row's elements and `y` rows (or runs of rows); the grid covers all rows of all
// videos. At least `least` threads share a row.
struct RowGrid {
    dim3 grid, block;
};

constexpr int kRowThreads = 256;  // of a block

inline RowGrid row_grid(int64_t rows, int64_t elements, int64_t least = 1) {
    int64_t x = least;
    while (x < elements && x < kRowThreads) x *= 2;
    const int64_t y = kRowThreads / x, blocks = (rows + y - 1) / y;
    if (blocks > 2147483647) throw std::runtime_error("amsx: more rows than one CUDA grid holds");
    return {dim3(static_cast<unsigned>(blocks)), dim3(static_cast<unsigned>(x), static_cast<unsigned>(y))};
}

}  // namespace amsx::cuda
