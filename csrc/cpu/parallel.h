// Loops over independent pieces of work, on at most the given number of threads.
#pragma once

#include <algorithm>
#include <cstdint>

namespace amsx::cpu {

// Below this many bytes moved a second thread costs more than it saves.
constexpr int64_t kBytesPerThread = 64 * 1024;

inline int threads_for(int64_t bytes, int threads) {
    return static_cast<int>(std::clamp<int64_t>(bytes / kBytesPerThread, 1, std::max(threads, 1)));
}

// Calls piece(i) for i in [0, count). With one thread no OpenMP region is entered, which a forked child relies on.
template <typename Piece>
void parallel_for(int64_t count, int threads, const Piece& piece) {
#ifdef _OPENMP
    if (threads > 1 && count > 1) {
#pragma omp parallel for num_threads(threads) schedule(static)
        for (int64_t i = 0; i < count; ++i) piece(i);
        return;
    }
#endif
    static_cast<void>(threads);
    for (int64_t i = 0; i < count; ++i) piece(i);
}

// Calls first(i) for all i in [0, count), then second(j) for all j in [0, second_count), in one OpenMP region.
template <typename First, typename Second>
void parallel_two(int64_t count, const First& first, int64_t second_count, const Second& second, int threads) {
#ifdef _OPENMP
    if (threads > 1 && second_count > 1) {
#pragma omp parallel num_threads(threads)
        {
#pragma omp for schedule(static)
            for (int64_t i = 0; i < count; ++i) first(i);
#pragma omp for schedule(static)
            for (int64_t j = 0; j < second_count; ++j) second(j);
        }
        return;
    }
#endif
    static_cast<void>(threads);
    for (int64_t i = 0; i < count; ++i) first(i);
    for (int64_t j = 0; j < second_count; ++j) second(j);
}

// Each video's snippets cut into blocks of at most `block`.
struct Blocks {
    int64_t videos, snippets, block;
    int64_t of_a_video() const { return (snippets + block - 1) / block; }
    int64_t count() const { return videos * of_a_video(); }
    // Calls piece(video, begin, end) for the i-th block.
    template <typename Piece>
    void visit(int64_t i, const Piece& piece) const {
        const int64_t begin = i % of_a_video() * block;
        piece(i / of_a_video(), begin, std::min(begin + block, snippets));
    }
};

template <typename Piece>
void parallel_blocks(int64_t videos, int64_t snippets, int64_t block, int threads, const Piece& piece) {
    const Blocks blocks{videos, snippets, block};
    parallel_for(blocks.count(), threads, [&](int64_t i) { blocks.visit(i, piece); });
}

}  // namespace amsx::cpu
