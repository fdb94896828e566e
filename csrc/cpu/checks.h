// What the CPU kernels check of the values they read.
#pragma once

#include <atomic>

#include "../arithmetic.h"

namespace amsx::cpu {

// Keeps the fault of the lowest video, whatever order the threads find them in.
class FirstFault {
  public:
    void set(int64_t video, Fault fault) {
        if (fault == kFine) return;
        int64_t code = video * 8 + fault, seen = code_.load();
        while ((seen == kFine || code < seen) && !code_.compare_exchange_weak(seen, code)) {
        }
    }
    int64_t get() const { return code_.load(); }

  private:
    std::atomic<int64_t> code_{kFine};
};

inline bool length_is_valid(const Shape& shape, int64_t video) {
    return shape.lengths == nullptr || (shape.lengths[video] >= 1 && shape.lengths[video] <= shape.snippets);
}

// Every video's length in 1..T and its timestamps in order.
inline int64_t check_timestamps(const Shape& shape, const void* timestamps, Dtype dtype) {
    for (int64_t video = 0; video < shape.videos; ++video) {
        if (!length_is_valid(shape, video)) return video * 8 + kBadLength;
        const Timestamps row = timestamps_of(timestamps, dtype, video, shape.snippets);
        const int64_t n = valid_snippets(shape, video);
        bool sorted = n == 0 || row[0] == row[0];
        for (int64_t i = 1; i < n; ++i) sorted &= row[i - 1] <= row[i];
        if (!sorted) return video * 8 + kUnsorted;
    }
    return kFine;
}

}  // namespace amsx::cpu
