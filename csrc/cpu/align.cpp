// Eq. 7 on the CPU: a CAS that is known at the timestamps is interpolated at the snippets' centres; and both adjoints.
// The snippets between two samples are one contiguous range, found by rounding, so no adjoint needs a search.
#include <algorithm>
#include <vector>

#include "../rows_at.h"
#include "checks.h"
#include "parallel.h"
#include "rows.h"

namespace amsx::cpu {
namespace {

constexpr int64_t kSnippets = 128;  // of one piece of work

// The last sample at or before snippet t: -1 if there is none.
int64_t last_at_or_before(const Timestamps& timestamps, int64_t n, int64_t t) {
    return first_after(timestamps, n, static_cast<double>(t)) - 1;
}

}  // namespace

int64_t align(const RowsParams& p, const Execution& on) {
    const int64_t T = p.snippets, C = p.dims;
    if (int64_t fault = check_timestamps(p)) return fault;
    with_element(p.source_dtype, [&](auto element) {
        using E = typename decltype(element)::type;
        const int threads = threads_for(2 * p.videos * T * C * static_cast<int64_t>(sizeof(E)), on.threads);
        parallel_blocks(p.videos, T, kSnippets, threads, [&](int64_t video, int64_t begin, int64_t end) {
            const int64_t n = valid_snippets(p, video), stop = std::min(end, n);
            const Timestamps timestamps = timestamps_of(p, video);
            const E* cas = static_cast<const E*>(p.source) + video * p.source_stride[0];
            E* out = static_cast<E*>(p.out) + video * T * C;
            int64_t i = begin < stop ? last_at_or_before(timestamps, n, begin) : 0;
            for (int64_t t = begin; t < stop; ++t) {
                while (i + 1 < n && timestamps[i + 1] <= static_cast<double>(t)) ++i;
                const Position at = bracket(timestamps, i, t, n);
                read_row(cas + at.row * p.source_stride[1], p.source_stride[1], at, out + t * C, C, false);
            }
            const int64_t tail = std::max(begin, n);
            if (tail < end) std::fill(out + tail * C, out + end * C, E{});
        });
    });
    return kFine;
}

int64_t align_backward(const RowsParams& p, const Execution& on) {
    const int64_t T = p.snippets, C = p.dims;
    with_element(p.source_dtype, [&](auto element) {
        using E = typename decltype(element)::type;
        const int threads = threads_for(2 * p.videos * T * C * static_cast<int64_t>(sizeof(E)), on.threads);
        parallel_blocks(p.videos, T, kSnippets, threads, [&](int64_t video, int64_t begin, int64_t end) {
            const int64_t n = valid_snippets(p, video);
            const Timestamps timestamps = timestamps_of(p, video);
            const E* grad = static_cast<const E*>(p.source) + video * p.source_stride[0];
            E* out = static_cast<E*>(p.out) + video * T * C;
            std::vector<const E*> sources;
            std::vector<compute_t<E>> weights;
            int64_t left = first_snippet(timestamps, begin - 1, n), middle = first_snippet(timestamps, begin, n);
            for (int64_t i = begin; i < std::min(end, n); ++i) {
                // Snippets [left, middle) lie between samples i - 1 and i, [middle, right) between i and i + 1.
                const int64_t right = first_snippet(timestamps, i + 1, n);
                sources.clear();
                weights.clear();
                for (int64_t t = left; t < right; ++t) {
                    const Position at = bracket_known(timestamps, t < middle ? i - 1 : i, t, n);
                    const auto taken = static_cast<compute_t<E>>(share(at, i));
                    if (taken == 0) continue;
                    sources.push_back(grad + t * p.source_stride[1]);
                    weights.push_back(taken);
                }
                sum_rows(sources.data(), weights.data(), static_cast<int64_t>(sources.size()), out + i * C, C, false);
                left = middle;
                middle = right;
            }
            const int64_t tail = std::max(begin, n);
            if (tail < end) std::fill(out + tail * C, out + end * C, E{});
        });
    });
    return kFine;
}

int64_t align_backward_timestamps(const RowsBackwardTimestampsParams& p, const Execution& on) {
    const int64_t T = p.snippets, C = p.dims;
    with_element(p.source_dtype, [&](auto element) {
        using E = typename decltype(element)::type;
        const int threads = threads_for(3 * p.videos * T * C * static_cast<int64_t>(sizeof(E)), on.threads);
        parallel_for(p.videos, threads, [&](int64_t video) {
            const int64_t n = valid_snippets(p, video);
            const Timestamps timestamps = timestamps_of(p, video);
            const E* grad = static_cast<const E*>(p.grad) + video * p.grad_stride[0];
            const E* cas = static_cast<const E*>(p.source) + video * p.source_stride[0];
            double from_left = 0;  // what sample i receives from the snippets between i - 1 and i
            for (int64_t i = 0; i < n; ++i) {
                const SlopePair pull = timestamp_pull(timestamps, cas + i * p.source_stride[1], p.source_stride[1],
                                                      grad, p.grad_stride[1], C, i, n);
                store_real(p.out, p.timestamps_dtype, video * T + i, from_left + pull.on_left);
                from_left = pull.on_right;
            }
            for (int64_t i = n; i < T; ++i) store_real(p.out, p.timestamps_dtype, video * T + i, 0);
        });
    });
    return kFine;
}

}  // namespace amsx::cpu
