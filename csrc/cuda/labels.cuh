// Which channels of a video's CAS count.
#pragma once

#include <cstdint>

namespace amsx::cuda {

__device__ inline bool has_label(const uint8_t* labels, int64_t channels) {
    if (labels == nullptr) return true;
    bool any = false;
    for (int64_t c = 0; c < channels; ++c) any |= labels[c] != 0;  // no read waits for the one before
    return any;
}

}  // namespace amsx::cuda
