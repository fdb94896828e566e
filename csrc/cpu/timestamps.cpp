// Eq. 4 and 5 on the CPU: sampling weights, and their cumulation inverted at
// uniform points; both adjoints.
#include <algorithm>
#include <atomic>
#include <vector>

#include "../dispatch.h"
#include "checks.h"
#include "parallel.h"

namespace amsx::cpu {
namespace {

// Keeps the fault of the lowest video, whatever order the threads find them in.
class FirstFault {
  public:
    void set(int64_t video, Fault fault) {
        int64_t code = video * 8 + fault, seen = code_.load();
        while ((seen == kFine || code < seen) && !code_.compare_exchange_weak(seen, code)) {
        }
    }
    int64_t get() const { return code_.load(); }

  private:
    std::atomic<int64_t> code_{kFine};
};

template <typename T, typename A>
Fault weigh(const SamplingParams& p, int64_t video, int64_t n, A* weights) {
    const T* cas = static_cast<const T*>(p.cas) + video * p.cas_stride[0];
    const uint8_t* labels = p.labels == nullptr ? nullptr : p.labels + video * p.channels;
    if (labels != nullptr && std::none_of(labels, labels + p.channels, [](uint8_t l) { return l != 0; })) {
        std::fill(weights, weights + n, static_cast<A>(uniform_weight(p.eta)));
        return kFine;
    }
    A largest = 0;
    bool all_finite = true;
    for (int64_t i = 0; i < n; ++i) {
        int64_t kept, argmax;
        const A m = aggregate(cas + i * p.cas_stride[1], p.cas_stride[2], p.channels, labels, p.mean, &kept, &argmax);
        all_finite &= finite(m);
        weights[i] = m;
        largest = i == 0 ? m : std::max(largest, m);
    }
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
    auto integer = [&](int64_t i) { return fixed_point(weights[std::clamp<int64_t>(i, 0, n - 1)], scale); };

    int64_t total = 0;
    Neighbourhood w{integer(-1), integer(0), integer(1)};
    for (int64_t k = 0; k < n; ++k) {
        total += snippet_mass(w, interp_factor);
        w = {w.here, w.after, integer(k + 2)};
    }

    // The points come in order: walk through the snippets beside them.
    w = {integer(-1), integer(0), integer(1)};
    int64_t k = 0, before = 0, mass = snippet_mass(w, interp_factor);
    for (int64_t i = 0; i < n; ++i) {
        const Point point = cumulation_point(i, n, total);
        while (before + mass < point.ceil()) {
            before += mass;
            w = {w.here, w.after, integer(k + 2)};
            ++k;
            mass = snippet_mass(w, interp_factor);
        }
        timestamps[i] = static_cast<A>(timestamp_in_snippet(k, w, point, before, interp_factor));
    }
    return kFine;
}

}  // namespace

int64_t sampling(const SamplingParams& p, const Execution& on) {
    const int64_t T = p.shape.snippets;
    FirstFault fault;
    const int threads = threads_for(p.shape.videos * T * (p.channels + 8) * 8, on.threads);
    with_real(p.weights_dtype, [&](auto real) {
        using A = typename decltype(real)::type;
        parallel_for(p.shape.videos, threads, [&](int64_t video) {
            if (!length_is_valid(p.shape, video)) return fault.set(video, kBadLength);
            const int64_t n = valid_snippets(p.shape, video);
            A* weights = static_cast<A*>(p.weights) + video * T;
            Fault found = kFine;
            if (p.cas != nullptr) {
                found = with_element(p.cas_dtype, [&](auto element) {
                    using T_ = typename decltype(element)::type;
                    if constexpr (std::is_same_v<compute_t<T_>, A>) return weigh<T_>(p, video, n, weights);
                    return kBadCas;  // unreachable: the weights have the CAS's
                                     // compute type
                });
                std::fill(weights + n, weights + T, A(0));
            }
            if (found == kFine && p.timestamps != nullptr) {
                A* timestamps = static_cast<A*>(p.timestamps) + video * T;
                found = invert(weights, n, p.interp_factor, timestamps);
                std::fill(timestamps + n, timestamps + T, A(0));
            }
            if (found != kFine) fault.set(video, found);
        });
    });
    return fault.get();
}

int64_t weights_backward(const WeightsBackwardParams& p, const Execution& on) {
    const int64_t T = p.shape.snippets, C = p.channels;
    const int threads = threads_for(p.shape.videos * T * C * 8, on.threads);
    with_element(p.cas_dtype, [&](auto element) {
        using E = typename decltype(element)::type;
        using A = compute_t<E>;
        parallel_for(p.shape.videos, threads, [&](int64_t video) {
            const int64_t n = valid_snippets(p.shape, video);
            const E* cas = static_cast<const E*>(p.cas) + video * p.cas_stride[0];
            const uint8_t* labels = p.labels == nullptr ? nullptr : p.labels + video * C;
            const A* grad = static_cast<const A*>(p.grad_weights) + video * T;
            E* out = static_cast<E*>(p.grad_cas) + video * T * C;
            std::fill(out, out + T * C, E{});

            // w_k = m_peak - m_k + eta: every weight's gradient also reaches
            // the peak (the first of equals).
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
    const int64_t T = p.shape.snippets;
    const int threads = threads_for(p.shape.videos * T * 64, on.threads);
    with_real(p.dtype, [&](auto real) {
        using A = typename decltype(real)::type;
        parallel_for(p.shape.videos, threads, [&](int64_t video) {
            const int64_t n = valid_snippets(p.shape, video), row = video * T;
            const A* weights = static_cast<const A*>(p.weights) + row;
            const A* timestamps = static_cast<const A*>(p.timestamps) + row;
            const A* grad = static_cast<const A*>(p.grad_timestamps) + row;
            A* out = static_cast<A*>(p.grad_weights) + row;

            // near[k]: samples within a snippet of centre k, each times its hat
            // integral; past[k]: samples between centres k and k + 1, which
            // have all of the hats before k behind them.
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
