// A loop over independent pieces, on at most the given number of threads.
#pragma once

#include <algorithm>
#include <cstdint>

namespace amsx::cpu {

// Below this many bytes moved a second thread costs more than it saves.
constexpr int64_t kBytesPerThread = 64 * 1024;

inline int threads_for(int64_t bytes, int threads) {
    return static_cast<int>(std::clamp<int64_t>(bytes / kBytesPerThread, 1, std::max(threads, 1)));
}

// Calls piece(i) for i in [0, count). With one thread no OpenMP region is entered, which a forked child
// relies on.
template <typename Piece>
void parallel_for(int64_t count, int threads, const Piece& piece) {
#ifdef _OPENMP
    if (threads > 1 && count > 1) {
#pragma omp parallel for num_threads(threads) schedule(static)
        for (int64_t i = 0; i < count; ++i) piece(i);
        return;
    }
#endif
    for (int64_t i = 0; i < count; ++i) piece(i);
}

// Each video's snippets cut into blocks of at most `block`: piece(video, begin, end).
template <typename Piece>
void parallel_blocks(int64_t videos, int64_t snippets, int64_t block, int threads, const Piece& piece) {
    const int64_t blocks = (snippets + block - 1) / block;
    parallel_for(videos * blocks, threads, [&](int64_t i) {
        const int64_t begin = i % blocks * block;
        piece(i / blocks, begin, std::min(begin + block, snippets));
    });
}

}  // namespace amsx::cpu
