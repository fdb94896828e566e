// Eq. 4 and 5 on the CPU: the sampling weights, and their cumulation inverted at uniform points; and both adjoints.
#include <algorithm>
#include <type_traits>
#include <vector>

#include "../cumulation.h"
#include "checks.h"
#include "parallel.h"
#include "rows_avx2.h"

namespace amsx::cpu {
namespace {

// The maximum over contiguous channels at each of n snippets. Returns false, and promises nothing of `maxima`, if any
// value is not finite or if the instruction set in use has no quick way; the caller then takes the general way.
bool dense_maxima(const float* cas, int64_t stride, int64_t channels, int64_t n, float* maxima) {
    return avx2::in_use() && avx2::maxima(cas, stride, channels, n, maxima);
}
// 16-bit elements go through a buffer of float32, a few snippets at a time.
template <typename T>
bool dense_maxima(const T* cas, int64_t stride, int64_t channels, int64_t n, float* maxima) {
    if (!avx2::in_use()) return false;
    constexpr int64_t kBuffer = 4096;  // elements, if a snippet has no more
    const int64_t rows = std::max<int64_t>(kBuffer / channels, 1);
    std::vector<float> buffer(static_cast<size_t>(rows * channels));
    for (int64_t i = 0; i < n; i += rows) {
        const int64_t count = std::min(rows, n - i);
        const T* from = cas + i * stride;
        if (stride == channels) {
            avx2::widen(from, buffer.data(), count * channels);
        } else {
            for (int64_t r = 0; r < count; ++r) avx2::widen(from + r * stride, buffer.data() + r * channels, channels);
        }
        if (!dense_maxima(buffer.data(), channels, channels, count, maxima + i)) return false;
    }
    return true;
}
bool dense_maxima(const double*, int64_t, int64_t, int64_t, double*) { return false; }  // takes the general way

// `aggregate` of cumulation.h, over a list of channels instead of a mask.
template <typename T>
compute_t<T> reduce(const T* row, const std::vector<int64_t>& offsets, bool mean) {
    using A = compute_t<T>;
    A result = mean ? A(0) : load(row[offsets[0]]);
    for (const int64_t offset : offsets) {
        const A value = load(row[offset]);
        if (mean) {
            result = result + value;
        } else if (value > result || value != value) {
            result = value;
            if (value != value) return value;
        }
    }
    return mean ? result / static_cast<A>(offsets.size()) : result;
}

template <typename T, typename A>
Fault weigh(const SamplingParams& p, int64_t video, int64_t n, A* weights) {
    const T* cas = static_cast<const T*>(p.cas) + video * p.cas_stride[0];
    const uint8_t* labels = p.labels == nullptr ? nullptr : p.labels + video * p.channels;
    if (labels != nullptr && std::none_of(labels, labels + p.channels, [](uint8_t l) { return l != 0; })) {
        std::fill(weights, weights + n, static_cast<A>(uniform_weight(p.eta)));
        return kFine;
    }
    std::vector<int64_t> offsets;  // of the kept channels
    for (int64_t c = 0; c < p.channels; ++c) {
        if (labels == nullptr || labels[c] != 0) offsets.push_back(c * p.cas_stride[2]);
    }
    const bool contiguous = labels == nullptr && p.cas_stride[2] == 1 && !p.mean;
    bool all_finite = true;
    if (!contiguous || !dense_maxima(cas, p.cas_stride[1], p.channels, n, weights)) {
        for (int64_t i = 0; i < n; ++i) {
            weights[i] = reduce(cas + i * p.cas_stride[1], offsets, p.mean);
            all_finite &= finite(weights[i]);
        }
    }
    const A largest = *std::max_element(weights, weights + n);
    if (!all_finite) return kBadCas;
    bool any = false;
    for (int64_t i = 0; i < n; ++i) {
        weights[i] = (largest - weights[i]) + static_cast<A>(p.eta);
        all_finite &= finite(weights[i]);
        any |= weights[i] > 0;
    }
    if (!all_finite) return kBadCas;
    if (!any && n > 1) return kNoWeight;
    if (!any) weights[0] = 1;  // a single snippet is sampled whatever its weight
    return kFine;
}

template <typename A>
Fault invert(const A* weights, int64_t n, int64_t interp_factor, A* timestamps) {
    A largest = 0;
    for (int64_t i = 0; i < n; ++i) {
        if (!finite(weights[i]) || weights[i] < 0) return kBadWeight;
        largest = std::max(largest, weights[i]);
    }
    if (vanishes(largest)) return kNoWeight;
    const double scale = fixed_point_scale(largest, n, interp_factor);
    std::vector<int64_t> integers(static_cast<size_t>(n) + 2);  // held at both ends
    for (int64_t k = 0; k < n; ++k) integers[k + 1] = fixed_point(weights[k], scale);
    integers[0] = integers[1];
    integers[n + 1] = integers[n];
    auto neighbourhood = [&](int64_t k) { return Neighbourhood{integers[k], integers[k + 1], integers[k + 2]}; };

    int64_t total = 0;
    for (int64_t k = 0; k < n; ++k) total += snippet_mass(neighbourhood(k), interp_factor);

    // The points come in order: walk through the snippets beside them. Each point is the one before plus total / n.
    Point point = cumulation_point(0, n, total);
    const int64_t step = total / n, step_rest = 2 * (total % n);
    Neighbourhood w = neighbourhood(0);
    int64_t k = 0, before = 0, mass = snippet_mass(w, interp_factor);
    for (int64_t i = 0; i < n; ++i) {
        while (before + mass < point.ceil()) {
            before += mass;
            w = neighbourhood(++k);
            mass = snippet_mass(w, interp_factor);
        }
        timestamps[i] = static_cast<A>(timestamp_in_snippet(k, w, point, before, interp_factor));
        point.whole += step;
        point.rest += step_rest;
        if (point.rest >= point.parts) {
            point.rest -= point.parts;
            ++point.whole;
        }
    }
    return kFine;
}

}  // namespace

Fault sample_video(const SamplingParams& p, int64_t video) {
    if (!length_is_valid(p, video)) return kBadLength;
    const int64_t T = p.snippets, n = valid_snippets(p, video);
    Fault fault = kFine;
    with_real(p.weights_dtype, [&](auto real) {
        using A = typename decltype(real)::type;
        A* weights = static_cast<A*>(p.weights) + video * T;
        if (p.cas != nullptr) {
            fault = with_element(p.cas_dtype, [&](auto element) {
                using E = typename decltype(element)::type;
                if constexpr (std::is_same_v<compute_t<E>, A>) return weigh<E>(p, video, n, weights);
                return kBadCas;  // unreachable: the weights have the CAS's compute type
            });
            std::fill(weights + n, weights + T, A(0));
        }
        if (fault == kFine && p.timestamps != nullptr) {
            A* timestamps = static_cast<A*>(p.timestamps) + video * T;
            fault = invert(weights, n, p.interp_factor, timestamps);
            std::fill(timestamps + n, timestamps + T, A(0));
        }
    });
    return fault;
}

int64_t sampling(const SamplingParams& p, const Execution& on) {
    FirstFault fault;
    const int threads = threads_for(p.videos * p.snippets * (p.channels + 8) * 8, on.threads);
    parallel_for(p.videos, threads, [&](int64_t video) { fault.set(video, sample_video(p, video)); });
    return fault.get();
}

int64_t weights_backward(const WeightsBackwardParams& p, const Execution& on) {
    const int64_t T = p.snippets, C = p.channels;
    const int threads = threads_for(p.videos * T * C * 8, on.threads);
    with_element(p.cas_dtype, [&](auto element) {
        using E = typename decltype(element)::type;
        using A = compute_t<E>;
        parallel_for(p.videos, threads, [&](int64_t video) {
            const int64_t n = valid_snippets(p, video);
            const E* cas = static_cast<const E*>(p.cas) + video * p.cas_stride[0];
            const uint8_t* labels = p.labels == nullptr ? nullptr : p.labels + video * C;
            const A* grad = static_cast<const A*>(p.grad_weights) + video * T;
            E* out = static_cast<E*>(p.grad_cas) + video * T * C;
            std::fill(out, out + T * C, E{});

            // w_k = m_peak - m_k + eta: every weight's gradient also reaches the peak (the first of equals).
            int64_t peak = 0, kept = 0, argmax = 0;
            double sum = 0;
            A largest = 0;
            for (int64_t k = 0; k < n; ++k) {
                const A m = aggregate(cas + k * p.cas_stride[1], p.cas_stride[2], C, labels, p.mean, &kept, &argmax);
                if (k == 0 || m > largest) {
                    largest = m;
                    peak = k;
                }
                sum += grad[k];
            }
            if (kept == 0) return;
            for (int64_t k = 0; k < n; ++k) {
                const double grad_m = (k == peak ? sum : 0.0) - static_cast<double>(grad[k]);
                aggregate(cas + k * p.cas_stride[1], p.cas_stride[2], C, labels, p.mean, &kept, &argmax);
                if (!p.mean) {
                    store(out + k * C + argmax, static_cast<A>(grad_m));
                    continue;
                }
                for (int64_t c = 0; c < C; ++c) {
                    if (labels == nullptr || labels[c] != 0) {
                        store(out + k * C + c, static_cast<A>(grad_m / static_cast<double>(kept)));
                    }
                }
            }
        });
    });
    return kFine;
}

int64_t timestamps_backward(const TimestampsBackwardParams& p, const Execution& on) {
    const int64_t T = p.snippets;
    const int threads = threads_for(p.videos * T * 64, on.threads);
    with_real(p.weights_dtype, [&](auto real) {
        using A = typename decltype(real)::type;
        parallel_for(p.videos, threads, [&](int64_t video) {
            const int64_t n = valid_snippets(p, video), row = video * T;
            const A* weights = static_cast<const A*>(p.weights) + row;
            const A* timestamps = static_cast<const A*>(p.timestamps) + row;
            const A* grad = static_cast<const A*>(p.grad_timestamps) + row;
            A* out = static_cast<A*>(p.grad_weights) + row;

            // near[k] sums the samples within a snippet of centre k, each times its hat integral; past[k] sums the
            // samples between centres k and k + 1, which have all of the hats before k behind them.
            std::vector<double> near(n, 0.0), past(n, 0.0);
            double proportional = 0;
            for (int64_t i = 0; i < n; ++i) {
                const double a = per_weight<A>(grad[i], weights, timestamps[i], n);
                const HatIntegrals hats = hat_integrals(timestamps[i], n);
                proportional += a * ((static_cast<double>(i) + 0.5) / static_cast<double>(n));
                if (hats.left >= 0) {
                    near[hats.left] += a * hats.at_left;
                    past[hats.left] += a;
                }
                if (hats.left + 1 < n) near[hats.left + 1] += a * hats.at_right;
            }
            double behind = 0;
            for (int64_t k = n - 1; k >= 0; --k) {
                out[k] = static_cast<A>(proportional - near[k] - behind);
                behind += past[k];
            }
            std::fill(out + n, out + T, A(0));
        });
    });
    return kFine;
}

}  // namespace amsx::cpu
