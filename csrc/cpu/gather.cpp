// Eq. 6 on the CPU: features are read at the timestamps; and both adjoints. Timestamps are sorted, so a row's readers
// are one contiguous range: the adjoint is a segmented sum in fixed order, and every output row is written once.
#include <algorithm>
#include <vector>

#include "../rows_at.h"
#include "checks.h"
#include "parallel.h"
#include "rows.h"

namespace amsx::cpu {
namespace {

constexpr int64_t kRows = 64;  // of one piece of work

int threads_of(const RowsParams& p, const Execution& on) {
    const int64_t bytes = p.source_dtype == Dtype::f64 ? 8 : p.source_dtype == Dtype::f32 ? 4 : 2;
    return threads_for(2 * p.videos * p.snippets * p.dims * bytes, on.threads);
}

// The snippets [begin, end) of one video, whose timestamps are in order.
void gather_snippets(const RowsParams& p, int64_t video, int64_t begin, int64_t end) {
    const int64_t T = p.snippets, D = p.dims, n = valid_snippets(p, video);
    const Timestamps timestamps = timestamps_of(p, video);
    with_element(p.source_dtype, [&](auto element) {
        using E = typename decltype(element)::type;
        const E* feats = static_cast<const E*>(p.source) + video * p.source_stride[0];
        E* out = static_cast<E*>(p.out) + video * T * D;
        const bool past_caches = goes_past_caches(p.videos * T * D * static_cast<int64_t>(sizeof(E)));
        for (int64_t i = begin; i < std::min(end, n); ++i) {
            const Position at = locate(timestamps[i], n);
            const E* from = feats + at.row * p.source_stride[1];
            read_row(from, p.source_stride[1], at, out + i * D, D, past_caches);
        }
        finish_rows(past_caches);
        const int64_t tail = std::max(begin, n);
        if (tail < end) std::fill(out + tail * D, out + end * D, E{});
    });
}

}  // namespace

int64_t gather(const RowsParams& p, const Execution& on) {
    if (int64_t fault = check_timestamps(p)) return fault;
    parallel_blocks(p.videos, p.snippets, kRows, threads_of(p, on),
                    [&](int64_t video, int64_t begin, int64_t end) { gather_snippets(p, video, begin, end); });
    return kFine;
}

int64_t adaptive_sample(const SamplingParams& sample, const RowsParams& read, const Execution& on) {
    const Blocks blocks{read.videos, read.snippets, kRows};
    FirstFault fault;
    parallel_two(
        read.videos, [&](int64_t video) { fault.set(video, sample_video(sample, video)); },  //
        blocks.count(),
        [&](int64_t i) {
            if (fault.get() != kFine) return;  // not every timestamp was written
            blocks.visit(i,
                         [&](int64_t video, int64_t begin, int64_t end) { gather_snippets(read, video, begin, end); });
        },
        threads_of(read, on));
    return fault.get();
}

int64_t gather_backward(const RowsParams& p, const Execution& on) {
    const int64_t T = p.snippets, D = p.dims;
    with_element(p.source_dtype, [&](auto element) {
        using E = typename decltype(element)::type;
        const int64_t bytes = p.videos * T * D * static_cast<int64_t>(sizeof(E));
        const int threads = threads_for(2 * bytes, on.threads);
        const bool past_caches = goes_past_caches(bytes);
        parallel_blocks(p.videos, T, kRows, threads, [&](int64_t video, int64_t begin, int64_t end) {
            const int64_t n = valid_snippets(p, video);
            const Timestamps timestamps = timestamps_of(p, video);
            const E* grad = static_cast<const E*>(p.source) + video * p.source_stride[0];
            E* out = static_cast<E*>(p.out) + video * T * D;
            std::vector<const E*> sources;
            std::vector<compute_t<E>> weights;
            const int64_t stop = std::min(end, n);
            // Samples [below, here) lie between centres row - 1 and row, [here, above) between row and row + 1.
            int64_t below = first_reader(timestamps, begin - 1, n), here = first_reader(timestamps, begin, n);
            for (int64_t row = begin; row < stop; ++row) {
                int64_t above = row + 1 < n ? here : n;
                while (above < n && timestamps[above] < static_cast<double>(row + 1)) ++above;
                sources.clear();
                weights.clear();
                for (int64_t i = below; i < above; ++i) {
                    const auto taken = static_cast<compute_t<E>>(share(locate(timestamps[i], n), row));
                    if (taken == 0) continue;
                    sources.push_back(grad + i * p.source_stride[1]);
                    weights.push_back(taken);
                }
                sum_rows(sources.data(), weights.data(), static_cast<int64_t>(sources.size()), out + row * D, D,
                         past_caches);
                below = here;
                here = above;
            }
            finish_rows(past_caches);
            const int64_t tail = std::max(begin, n);
            if (tail < end) std::fill(out + tail * D, out + end * D, E{});
        });
    });
    return kFine;
}

int64_t gather_backward_timestamps(const RowsBackwardTimestampsParams& p, const Execution& on) {
    const int64_t T = p.snippets, D = p.dims;
    with_element(p.source_dtype, [&](auto element) {
        using E = typename decltype(element)::type;
        const int threads = threads_for(3 * p.videos * T * D * static_cast<int64_t>(sizeof(E)), on.threads);
        parallel_blocks(p.videos, T, kRows, threads, [&](int64_t video, int64_t begin, int64_t end) {
            const int64_t n = valid_snippets(p, video);
            const Timestamps timestamps = timestamps_of(p, video);
            const E* grad = static_cast<const E*>(p.grad) + video * p.grad_stride[0];
            const E* feats = static_cast<const E*>(p.source) + video * p.source_stride[0];
            for (int64_t i = begin; i < end; ++i) {
                store_real(p.out, p.timestamps_dtype, video * T + i, 0);
                if (i >= n) continue;
                const Position at = locate(timestamps[i], n);
                if (!at.moves) continue;
                const E* g = grad + i * p.grad_stride[1];
                const E* from = feats + at.row * p.source_stride[1];
                const E* to = from + p.source_stride[1];
                double sum = 0;
                for (int64_t d = 0; d < D; ++d) {
                    sum += static_cast<double>(load(g[d])) *
                           (static_cast<double>(load(to[d])) - static_cast<double>(load(from[d])));
                }
                store_real(p.out, p.timestamps_dtype, video * T + i, sum);
            }
        });
    });
    return kFine;
}

}  // namespace amsx::cpu
