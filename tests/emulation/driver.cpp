// Runs every kernel, on the CPU and as emulated CUDA, for the sanitizers: inputs and outputs lie in heap buffers of
// exactly the size that the kernel may touch, and what both give is compared. Usage: driver [small] [operation ...]
#include <cuda_runtime.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "element.h"

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

// For ThreadSanitizer: several rounds of the scan, several blocks of a video, more snippets than shared memory holds, a
// padded block, and enough for the CPU to use several threads.
const std::vector<Size> kSmall = {{1, 514, 2, {}, 0, 0, false, kScans},
                                  {1, 2049, 1, {}, 0, 0, false, kScans},
                                  {2, 6, 3, {6, 2}, 1, 1, true},
                                  {5, 512, 70, {}, 0, 0, false, kCpuOnly}};
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

// Runs one operation for CUDA device 1 and a stream of its own while device 0 is current.
template <typename Run>
void on_second_device(const char* name, const Run& run) {
    static char stream;
    const auto before = emulation::launches.count;
    emulation::launches.stream = nullptr;
    run(Execution{{}, 1, &stream, 1});
    const emulation::Launches& last = emulation::launches;
    if (last.count == before) return;  // an empty batch
    if (last.device != 1 || emulation::current_device != 0) {
        failures += std::printf("%s: launched on device %d, and then device %d is current; expected 1 and 0\n", name,
                                last.device, emulation::current_device) > 0;
        emulation::current_device = 0;
    }
    if (last.stream != reinterpret_cast<cudaStream_t>(&stream))
        failures += std::printf("%s: on another stream\n", name) > 0;
}

// Runs one operation on both devices and compares what it writes to `out`: `count` elements of type Out.
template <typename Out, typename Run>
void compare(const char* name, const Run& run, void*& out, const Size& size, int64_t dims, double tolerance) {
    if (!wanted.empty() && wanted.count(name) == 0) return;
    const int64_t count = size.videos * size.snippets * dims, offset = size.videos == 2 ? 1 : 0;  // unaligned or not
    std::vector<Out> results[2] = {std::vector<Out>(offset + count), std::vector<Out>(offset + count)};
    out = results[0].data() + offset;
    const int64_t fault = run(Execution{{}, -1, nullptr, 3});
    out = results[1].data() + offset;
    if (size.kind != kCpuOnly) on_second_device(name, run);
    if (size.kind == kHostile) return;
    for (int64_t i = offset; i < offset + count && fault == kFine && size.kind != kCpuOnly; ++i) {
        const double a = load(results[0][i]), b = load(results[1][i]);
        if (a == b || std::abs(a - b) <= tolerance * (1 + std::abs(a))) continue;
        std::printf("%s: element %ld is %g on the CPU, %g on CUDA\n", name, static_cast<long>(i - offset), a, b);
        ++failures;
        return;
    }
    if (fault != kFine) failures += std::printf("%s: the CPU found fault %ld\n", name, static_cast<long>(fault)) > 0;
}

template <typename Out, typename Params>
void both(const char* name, Operation<Params>* cpu, Operation<Params>* cuda, Params p, void* Params::* out,
          const Size& size, int64_t dims, double tolerance = 0) {
    const auto run = [&](const Execution& on) { return (on.device < 0 ? cpu : cuda)(p, on); };
    compare<Out>(name, run, p.*out, size, dims, tolerance);
}

template <typename E, typename A, typename K>  // elements, weights, timestamps beside rows
void drive(const Size& size, Dtype dtype, Dtype real, Dtype stamp) {
    const int64_t B = size.videos, T = size.snippets, D = size.dims, C = D < 7 ? D : 7;
    const std::vector<int64_t> lengths = size.lengths;
    Shape shape{};
    shape.videos = B, shape.snippets = T, shape.lengths = lengths.empty() ? nullptr : lengths.data();
    const double tolerance = sizeof(E) == 2 ? 1e-2 : sizeof(A) == 4 ? 1e-4 : 1e-10;

    Rows<E> cas(size, C);
    std::vector<uint8_t> labels(B * C);
    for (uint8_t& l : labels) l = uniform() > 0.4;
    if (size.kind == kHostile) store(cas.data() + (B - 1) * cas.stride[0], static_cast<compute_t<E>>(kNan));
    std::vector<int64_t> scratch(2 * B * T), peaks(4 * B * T);
    std::vector<double> sums(3 * B * T);
    AggregateParams aggregated{};
    static_cast<Shape&>(aggregated) = shape;
    aggregated.cas = cas.data(), aggregated.cas_dtype = dtype, aggregated.channels = C;
    aggregated.cas_stride[0] = cas.stride[0], aggregated.cas_stride[1] = cas.stride[1], aggregated.cas_stride[2] = 1;
    SamplingParams sample{};
    static_cast<AggregateParams&>(sample) = aggregated;
    sample.eta = 0.75, sample.weights_dtype = real, sample.scratch = scratch.data();
    for (const bool mean : {false, true}) {
        if (mean && size.kind == kScans) continue;
        std::vector<A> weights(B * T);
        SamplingParams p = sample;
        p.mean = mean, p.labels = mean ? nullptr : labels.data();
        both<A>("sampling_weights", cpu::sampling, cuda::sampling, p, &SamplingParams::weights, size, 1);
        p.weights = weights.data();
        for (const int64_t factor : {0, size.dims % 2 ? 1 : 20}) {
            p.interp_factor = factor;
            both<A>("sampling", cpu::sampling, cuda::sampling, p, &SamplingParams::timestamps, size, 1);
        }
        std::vector<A> grad(B * T);
        for (A& g : grad) g = static_cast<A>(uniform() - 0.5);
        WeightsBackwardParams back{};
        static_cast<AggregateParams&>(back) = p;
        back.grad_weights = grad.data(), back.scratch = peaks.data();
        both<E>("weights_backward", cpu::weights_backward, cuda::weights_backward, back,
                &WeightsBackwardParams::grad_cas, size, C, tolerance);
    }

    // Of rows read at `timestamps`, without the output.
    const auto rows_of = [&](Rows<E>& source, const void* timestamps, Dtype timestamps_dtype) {
        RowsParams p{};
        static_cast<Shape&>(p) = shape;
        p.dims = D, p.source = source.data(), p.source_dtype = dtype;
        p.source_stride[0] = source.stride[0], p.source_stride[1] = source.stride[1];
        p.timestamps = timestamps, p.timestamps_dtype = timestamps_dtype;
        return p;
    };

    if (size.kind != kScans) {
        Rows<E> feats(size, D);
        std::vector<A> weights(B * T), stamps(B * T);
        SamplingParams p = sample;
        p.weights = weights.data(), p.timestamps = stamps.data(), p.interp_factor = 20;
        RowsParams read = rows_of(feats, stamps.data(), real);
        const auto run = [&](const Execution& on) {
            return (on.device < 0 ? cpu::adaptive_sample : cuda::adaptive_sample)(p, read, on);
        };
        compare<E>("adaptive_sample", run, read.out, size, D, 0);
    }

    std::vector<A> weights(B * T), stamps(B * T), grad(B * T);
    for (A& w : weights) w = static_cast<A>(uniform() * uniform() + 1e-3);
    for (A& g : grad) g = static_cast<A>(uniform() - 0.5);
    if (size.kind == kHostile) weights[0] = -1, weights[B * T - 1] = static_cast<A>(kNan);
    SamplingParams p{};
    static_cast<Shape&>(p) = shape;
    p.weights = weights.data(), p.weights_dtype = real, p.timestamps = stamps.data(), p.scratch = scratch.data();
    (size.kind == kHostile ? cuda::sampling : cpu::sampling)(p, {{}, 0, nullptr, 1});
    TimestampsBackwardParams back{};
    static_cast<Shape&>(back) = shape;
    back.weights = weights.data(), back.weights_dtype = real, back.timestamps = stamps.data();
    back.grad_timestamps = grad.data(), back.scratch = sums.data();
    both<A>("timestamps_backward", cpu::timestamps_backward, cuda::timestamps_backward, back,
            &TimestampsBackwardParams::grad_weights, size, 1, tolerance);

    if (size.kind == kScans) return;

    std::vector<K> timestamps(stamps.begin(), stamps.end());
    if (size.kind == kHostile) {  // in no order, far outside, NaN
        for (K& t : timestamps) t = static_cast<K>((uniform() - 0.3) * 4 * static_cast<double>(T));
        timestamps[B * T - 1] = static_cast<K>(kNan);
        timestamps[0] = std::numeric_limits<K>::infinity();
    }
    Rows<E> feats(size, D), up(size, D);
    const RowsParams forward = rows_of(feats, timestamps.data(), stamp),
                     backward = rows_of(up, timestamps.data(), stamp);
    RowsBackwardTimestampsParams to_timestamps{};
    static_cast<RowsParams&>(to_timestamps) = forward;
    to_timestamps.grad = up.data();
    to_timestamps.grad_stride[0] = up.stride[0], to_timestamps.grad_stride[1] = up.stride[1];
    void* RowsBackwardTimestampsParams::* const grad_timestamps = &RowsBackwardTimestampsParams::out;

    both<E>("gather", cpu::gather, cuda::gather, forward, &RowsParams::out, size, D);
    both<E>("gather_backward", cpu::gather_backward, cuda::gather_backward, backward, &RowsParams::out, size, D);
    both<K>("gather_backward_timestamps", cpu::gather_backward_timestamps, cuda::gather_backward_timestamps,
            to_timestamps, grad_timestamps, size, 1, 1e-4);
    both<E>("align", cpu::align, cuda::align, forward, &RowsParams::out, size, D);
    both<E>("align_backward", cpu::align_backward, cuda::align_backward, backward, &RowsParams::out, size, D);
    both<K>("align_backward_timestamps", cpu::align_backward_timestamps, cuda::align_backward_timestamps, to_timestamps,
            grad_timestamps, size, 1);
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
        const std::vector<Size>& sizes = small ? kSmall : kAll;
        for (const Size& size : sizes) drive_element<float>(size, Dtype::f32);
        for (const Size& size : sizes) {
            if (small && size.kind == kScans && size.snippets < 2048) continue;
            drive_element<BFloat16>(size, Dtype::bf16);
        }
        for (const Size& size : sizes) {
            if (small && size.kind != kValid) continue;
            drive_element<Half>(size, Dtype::f16);
            drive_element<double>(size, Dtype::f64);
        }
    } catch (const std::exception& error) {
        std::printf("%s\n", error.what());
        std::fflush(stdout);
        std::_Exit(1);  // fibers stand in the middle of a kernel: nothing is cleared away
    }
    std::printf("%d failures\n", failures);
    return failures != 0;
}
