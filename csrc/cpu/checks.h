// The faults that the CPU kernels look for in the values they read.
#pragma once

#include <atomic>

#include "../rows_at.h"

namespace amsx::cpu {

// Keeps the fault of the lowest video, in whatever order the threads meet them.
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

// The first fault among the videos: a length outside 1..T, or timestamps that are not in order.
inline int64_t check_timestamps(const RowsParams& p) {
    for (int64_t video = 0; video < p.videos; ++video) {
        if (!length_is_valid(p, video)) return video * 8 + kBadLength;
        const Timestamps row = timestamps_of(p, video);
        const int64_t n = valid_snippets(p, video);
        bool sorted = n == 0 || row[0] == row[0];
        for (int64_t i = 1; i < n; ++i) sorted &= row[i - 1] <= row[i];
        if (!sorted) return video * 8 + kUnsorted;
    }
    return kFine;
}

}  // namespace amsx::cpu
