// Runs every kernel, on the CPU and as emulated CUDA, for the sanitizers: inputs and outputs lie in heap buffers of
// exactly the size that the kernel may touch, and what both give is compared. Usage: driver [small] [operation ...]
#include <cmath>
#include <cstdio>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "dispatch.h"

using namespace amsx;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

enum Kind {
    kValid,
    kHostile,  // values that the CPU refuses and CUDA must survive
    kScans,    // only the operations that scan a video
    kCpuOnly,
};

struct Size {
    int64_t videos, snippets, dims;
    std::vector<int64_t> lengths;  // or empty: null
    int64_t offset, gap;           // elements before the first, and between rows: unaligned, non-contiguous
    bool wide;                     // float64 timestamps beside any element type
    Kind kind = kValid;
};

// For ThreadSanitizer: several rounds of the scan, a padded block, and enough for the CPU to use several threads.
const std::vector<Size> kSmall = {
    {1, 514, 2, {}, 0, 0, false, kScans}, {2, 6, 3, {6, 2}, 1, 1, true}, {5, 512, 70, {}, 0, 0, false, kCpuOnly}};
const std::vector<Size> kAll = {
    {1, 1, 1, {}, 0, 0, false},
    {3, 1, 16, {1, 1, 1}, 0, 0, true},
    {2, 2, 3, {2, 1}, 1, 1, true},
    {3, 33, 8, {33, 1, 32}, 1, 0, false},
    {3, 31, 16, {30, 31, 1}, 0, 16, true},
    {2, 12, 16, {}, 0, 0, false},
    {1, 129, 65, {128}, 1, 3, false},
    {1, 2, 1030, {}, 0, 2, false},
    {1, 2, 2064, {}, 0, 0, false},
    {1, 512, 1, {}, 0, 0, false},
    {1, 1100, 2, {1099}, 0, 0, true},
    {1, 2048, 7, {}, 1, 1, false, kScans},  // the most that shared memory holds, and one more
    {1, 2049, 2, {}, 0, 0, false, kScans},
    {3, 700, 129, {}, 1, 1, false, kCpuOnly},
    {3, 9, 8, {0, -3, 40}, 0, 0, false, kHostile},
    {2, 1, 5, {}, 0, 1, true, kHostile},
    {2, 2, 4, {}, 0, 0, false, kHostile},
    {1, 600, 3, {}, 1, 1, true, kHostile},
};

std::set<std::string> wanted;
int failures = 0;

double uniform() {
    static uint64_t state = 1;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<double>(state >> 40) / (1 << 24);
}

// (B, T, D) at the strides of `size`, ending with the last row's last element.
template <typename E>
struct Rows {
    std::vector<E> memory;
    int64_t offset, stride[2];
    Rows(const Size& size, int64_t dims)
        : offset(size.offset), stride{size.snippets * (dims + size.gap) + size.gap, dims + size.gap} {
        memory.resize(offset + (size.videos - 1) * stride[0] + (size.snippets - 1) * stride[1] + dims);
        memory.shrink_to_fit();
        for (E& x : memory) store(&x, static_cast<compute_t<E>>(uniform()));
    }
    E* data() { return memory.data() + offset; }
};

// One operation on both devices; its output, `count` elements of type Out, goes where `place(params, to)` says.
template <typename Out, typename Params, typename Place>
void compare(const char* name, int64_t (*cpu)(const Params&, const Execution&),
             int64_t (*cuda)(const Params&, const Execution&), Params p, const Place& place, const Size& size,
             int64_t dims, double tolerance) {
    if (!wanted.empty() && wanted.count(name) == 0) return;
    const int64_t count = size.videos * size.snippets * dims, offset = size.videos == 2 ? 1 : 0;  // unaligned or not
    std::vector<Out> results[2] = {std::vector<Out>(offset + count), std::vector<Out>(offset + count)};
    place(p, results[0].data() + offset);
    const int64_t found = cpu(p, {3, -1, nullptr});
    place(p, results[1].data() + offset);
    if (size.kind != kCpuOnly) cuda(p, {1, 0, nullptr});
    if (size.kind == kHostile) return;
    for (int64_t i = offset; i < offset + count && found == kFine && size.kind != kCpuOnly; ++i) {
        const double a = load(results[0][i]), b = load(results[1][i]);
        if (a == b || std::abs(a - b) <= tolerance * (1 + std::abs(a))) continue;
        std::printf("%s: element %ld is %g on the CPU, %g on CUDA\n", name, static_cast<long>(i - offset), a, b);
        ++failures;
        return;
    }
    if (found != kFine) failures += std::printf("%s: the CPU found fault %ld\n", name, static_cast<long>(found)) > 0;
}

template <typename Out, typename Params>
void both(const char* name, int64_t (*cpu)(const Params&, const Execution&),
          int64_t (*cuda)(const Params&, const Execution&), Params p, void* Params::* out, const Size& size,
          int64_t dims, double tolerance = 0) {
    compare<Out>(name, cpu, cuda, p, [out](Params& params, void* to) { params.*out = to; }, size, dims, tolerance);
}

template <typename E, typename A, typename K>  // elements, weights, timestamps beside rows
void drive(const Size& size, Dtype dtype, Dtype real, Dtype stamp) {
    const int64_t B = size.videos, T = size.snippets, D = size.dims, C = D < 7 ? D : 7;
    const std::vector<int64_t> lengths = size.lengths;
    const Shape shape{B, T, lengths.empty() ? nullptr : lengths.data()};
    const double tolerance = sizeof(E) == 2 ? 1e-2 : sizeof(A) == 4 ? 1e-4 : 1e-10;

    Rows<E> cas(size, C);
    std::vector<uint8_t> labels(B * C);
    for (uint8_t& l : labels) l = uniform() > 0.4;
    if (size.kind == kHostile) store(cas.data() + (B - 1) * cas.stride[0], static_cast<compute_t<E>>(kNan));
    std::vector<int64_t> scratch(B * T);
    std::vector<double> sums(B * T);
    for (const bool mean : {false, true}) {
        if (mean && size.kind == kScans) continue;
        std::vector<A> weights(B * T);
        SamplingParams p{shape,
                         cas.data(),
                         dtype,
                         {cas.stride[0], cas.stride[1], 1},
                         C,
                         mean ? nullptr : labels.data(),
                         0.75,
                         mean,
                         nullptr,
                         real,
                         nullptr,
                         0,
                         scratch.data()};
        both<A>("sampling_weights", cpu::sampling, cuda::sampling, p, &SamplingParams::weights, size, 1);
        p.weights = weights.data();
        for (const int64_t factor : {0, size.dims % 2 ? 1 : 20}) {
            p.interp_factor = factor;
            both<A>("sampling", cpu::sampling, cuda::sampling, p, &SamplingParams::timestamps, size, 1);
        }
        std::vector<A> grad(B * T);
        for (A& g : grad) g = static_cast<A>(uniform() - 0.5);
        both<E>("weights_backward", cpu::weights_backward, cuda::weights_backward,
                WeightsBackwardParams{shape,
                                      cas.data(),
                                      dtype,
                                      {cas.stride[0], cas.stride[1], 1},
                                      C,
                                      p.labels,
                                      mean,
                                      grad.data(),
                                      real,
                                      nullptr},
                &WeightsBackwardParams::grad_cas, size, C, tolerance);
    }

    if (size.kind != kScans) {
        Rows<E> feats(size, D);
        std::vector<A> weights(B * T), stamps(B * T);
        const SamplingParams chosen{shape,
                                    cas.data(),
                                    dtype,
                                    {cas.stride[0], cas.stride[1], 1},
                                    C,
                                    nullptr,
                                    0.75,
                                    false,
                                    weights.data(),
                                    real,
                                    stamps.data(),
                                    20,
                                    scratch.data()};
        const GatherParams read{shape,         D,    feats.data(), dtype, {feats.stride[0], feats.stride[1]},
                                stamps.data(), real, nullptr};
        compare<E>(
            "adaptive_sample", cpu::adaptive_sample, cuda::adaptive_sample, AdaptiveSampleParams{chosen, read},
            [](AdaptiveSampleParams& params, void* to) { params.gather.out = to; }, size, D, 0);
    }

    std::vector<A> weights(B * T), stamps(B * T), grad(B * T);
    for (A& w : weights) w = static_cast<A>(uniform() * uniform() + 1e-3);
    for (A& g : grad) g = static_cast<A>(uniform() - 0.5);
    if (size.kind == kHostile) weights[0] = -1, weights[B * T - 1] = static_cast<A>(kNan);
    SamplingParams p{shape, nullptr,        dtype, {0, 0, 0},     0, nullptr,       0,
                     false, weights.data(), real,  stamps.data(), 0, scratch.data()};
    (size.kind == kHostile ? cuda::sampling : cpu::sampling)(p, {1, 0, nullptr});
    both<A>("timestamps_backward", cpu::timestamps_backward, cuda::timestamps_backward,
            TimestampsBackwardParams{shape, weights.data(), stamps.data(), grad.data(), nullptr, real, sums.data()},
            &TimestampsBackwardParams::grad_weights, size, 1, tolerance);

    if (size.kind == kScans) return;

    std::vector<K> timestamps(stamps.begin(), stamps.end());
    if (size.kind == kHostile) {  // in no order, far outside, NaN
        for (K& t : timestamps) t = static_cast<K>((uniform() - 0.3) * 4 * static_cast<double>(T));
        timestamps[B * T - 1] = static_cast<K>(kNan);
        timestamps[0] = std::numeric_limits<K>::infinity();
    }
    Rows<E> feats(size, D), up(size, D);

    both<E>("gather", cpu::gather, cuda::gather,
            GatherParams{
                shape, D, feats.data(), dtype, {feats.stride[0], feats.stride[1]}, timestamps.data(), stamp, nullptr},
            &GatherParams::out, size, D);
    both<E>("gather_backward", cpu::gather_backward, cuda::gather_backward,
            GatherBackwardParams{
                shape, D, up.data(), dtype, {up.stride[0], up.stride[1]}, timestamps.data(), stamp, nullptr},
            &GatherBackwardParams::grad_feats, size, D);
    both<K>("gather_backward_timestamps", cpu::gather_backward_timestamps, cuda::gather_backward_timestamps,
            GatherBackwardTimestampsParams{shape,
                                           D,
                                           up.data(),
                                           feats.data(),
                                           dtype,
                                           {up.stride[0], up.stride[1]},
                                           {feats.stride[0], feats.stride[1]},
                                           timestamps.data(),
                                           stamp,
                                           nullptr},
            &GatherBackwardTimestampsParams::grad_timestamps, size, 1, 1e-4);
    both<E>("align", cpu::align, cuda::align,
            AlignParams{
                shape, D, feats.data(), dtype, {feats.stride[0], feats.stride[1]}, timestamps.data(), stamp, nullptr},
            &AlignParams::out, size, D);
    both<E>("align_backward", cpu::align_backward, cuda::align_backward,
            AlignBackwardParams{
                shape, D, up.data(), dtype, {up.stride[0], up.stride[1]}, timestamps.data(), stamp, nullptr},
            &AlignBackwardParams::grad_cas, size, D);
    both<K>("align_backward_timestamps", cpu::align_backward_timestamps, cuda::align_backward_timestamps,
            AlignBackwardTimestampsParams{shape,
                                          D,
                                          up.data(),
                                          feats.data(),
                                          dtype,
                                          {up.stride[0], up.stride[1]},
                                          {feats.stride[0], feats.stride[1]},
                                          timestamps.data(),
                                          stamp,
                                          nullptr},
            &AlignBackwardTimestampsParams::grad_timestamps, size, 1);
}

template <typename E>
void drive_element(const Size& size, Dtype dtype) {
    const Dtype real = dtype == Dtype::f64 ? Dtype::f64 : Dtype::f32;
    if (size.wide) {
        drive<E, compute_t<E>, double>(size, dtype, real, Dtype::f64);
    } else {
        drive<E, compute_t<E>, float>(size, dtype, real, Dtype::f32);
    }
}

}  // namespace

int main(int count, char** arguments) {
    bool small = false;
    for (int i = 1; i < count; ++i) {
        if (std::string(arguments[i]) == "small") {
            small = true;
        } else {
            wanted.insert(arguments[i]);
        }
    }
    try {
        for (const Size& size : small ? kSmall : kAll) {
            drive_element<float>(size, Dtype::f32);
            if (small) continue;  // the element type changes nothing in how threads meet
            drive_element<double>(size, Dtype::f64);
            drive_element<Half>(size, Dtype::f16);
            drive_element<BFloat16>(size, Dtype::bf16);
        }
    } catch (const std::exception& error) {
        std::printf("%s\n", error.what());
        return 1;
    }
    std::printf("%d failures\n", failures);
    return failures != 0;
}
