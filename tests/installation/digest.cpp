// Prints a digest of what every CPU kernel writes over a few thousand cases, one line for each instruction set that this
// processor and this build have: its name, the number of cases, the digest. All lines of all builds have the same one.
//
// Inputs come from integer arithmetic. Which NaN float32 and float64 hold is the processor's choice: all count as one.
#include <cstdio>
#include <cstring>
#include <vector>

#include "cpu/isa.h"
#include "element.h"

using namespace amsx;

namespace {

struct Size {
    int64_t videos, snippets, dims, channels, gap;  // `gap`: elements between rows
};
const std::vector<Size> kSizes = {{1, 1, 1, 1, 0},      {2, 2, 3, 2, 1},      {3, 7, 16, 5, 0},
                                  {2, 33, 65, 8, 3},    {1, 129, 8, 20, 0},   {3, 40, 130, 9, 0},
                                  {2, 64, 1023, 17, 0}, {1, 300, 33, 100, 5}, {2, 66, 64, 7, 0}};
const Size kPastCaches = {1, 3080, 1024, 20, 0};  // more than 12 MiB of float32

enum Kind { kRandom, kTies, kConstant, kSpiky, kHostile };  // kHostile: features of any bits, NaN among them

uint64_t state = 1;
uint64_t random_bits() {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return state >> 24;
}
double uniform() { return static_cast<double>(random_bits() % (1 << 20)) / (1 << 20); }

uint64_t digest = 0;
int64_t cases = 0;

void add(uint64_t bits) {
    digest = (digest ^ bits) * 1099511628211u;
    digest ^= digest >> 29;
}
template <typename T>
void add(const std::vector<T>& values) {
    ++cases;
    for (const T& value : values) {
        uint64_t bits = 0;
        std::memcpy(&bits, &value, sizeof value);
        if constexpr (sizeof(T) > 2) {
            if (value != value) bits = 1;
        }
        add(bits);
    }
}

template <typename E>
std::vector<E> values(int64_t count, Kind kind) {
    std::vector<E> all(static_cast<size_t>(count));
    for (E& each : all) {
        const double x = uniform();
        store(&each, static_cast<compute_t<E>>(kind == kTies       ? static_cast<double>(static_cast<int>(x * 4)) / 4
                                               : kind == kConstant ? 0.3
                                               : kind == kSpiky    ? (x > 0.9 ? 1e3 : 0.0)
                                                                   : x - 0.25));
        if (kind == kHostile) {
            const uint64_t bits = random_bits() ^ (random_bits() << 32);
            std::memcpy(&each, &bits, sizeof each);
        }
    }
    return all;
}

template <typename E>
struct Rows {
    std::vector<E> memory;
    int64_t stride[2];
    Rows(const Size& size, int64_t dims, Kind kind)
        : memory(values<E>(size.videos * size.snippets * (dims + size.gap), kind)),
          stride{size.snippets * (dims + size.gap), dims + size.gap} {}
};

// All operations on one batch. E: features and CAS; A: weights; K: timestamps beside the features.
template <typename E, typename A, typename K>
void run(const Size& size, Kind kind, bool mean, bool padded, int64_t factor, double eta, int threads, Dtype dtype,
         Dtype real, Dtype stamp) {
    const int64_t B = size.videos, T = size.snippets, D = size.dims, C = size.channels;
    const Execution on{{}, -1, nullptr, threads};
    std::vector<int64_t> lengths;
    for (int64_t b = 0; b < B; ++b) lengths.push_back(1 + static_cast<int64_t>(random_bits()) % T);
    std::vector<uint8_t> labels(static_cast<size_t>(B * C));
    for (uint8_t& label : labels) label = random_bits() % 2;
    const Rows<E> cas(size, C, kind == kHostile ? kRandom : kind), feats(size, D, kind == kHostile ? kind : kRandom);
    const Rows<E> grad(size, D, kRandom);

    SamplingParams sample{};
    sample.videos = B, sample.snippets = T, sample.lengths = padded ? lengths.data() : nullptr;
    sample.cas = cas.memory.data(), sample.cas_dtype = dtype, sample.channels = C, sample.mean = mean;
    sample.cas_stride[0] = cas.stride[0], sample.cas_stride[1] = cas.stride[1], sample.cas_stride[2] = 1;
    sample.labels = padded ? labels.data() : nullptr;
    sample.eta = eta, sample.interp_factor = factor, sample.weights_dtype = real;
    std::vector<A> weights(static_cast<size_t>(B * T)), timestamps(weights.size()), grads(weights.size());
    sample.weights = weights.data(), sample.timestamps = timestamps.data();
    add(static_cast<uint64_t>(cpu::sampling(sample, on)));
    add(weights), add(timestamps);
    for (A& each : grads) each = static_cast<A>(uniform() - 0.5);

    std::vector<A> grad_weights(weights.size());
    TimestampsBackwardParams inverse{};
    static_cast<Shape&>(inverse) = sample;
    inverse.weights = weights.data(), inverse.weights_dtype = real, inverse.timestamps = timestamps.data();
    inverse.grad_timestamps = grads.data(), inverse.grad_weights = grad_weights.data();
    cpu::timestamps_backward(inverse, on), add(grad_weights);

    std::vector<E> grad_cas(static_cast<size_t>(B * T * C));
    WeightsBackwardParams weigh{};
    static_cast<AggregateParams&>(weigh) = sample;
    weigh.grad_weights = grads.data(), weigh.grad_cas = grad_cas.data();
    cpu::weights_backward(weigh, on), add(grad_cas);

    std::vector<E> out(static_cast<size_t>(B * T * D));
    std::vector<K> stamps(timestamps.begin(), timestamps.end()), grad_stamps(stamps.size());
    RowsBackwardTimestampsParams rows{};
    static_cast<Shape&>(rows) = sample;
    rows.dims = D, rows.source = feats.memory.data(), rows.source_dtype = dtype;
    rows.source_stride[0] = feats.stride[0], rows.source_stride[1] = feats.stride[1];
    rows.timestamps = timestamps.data(), rows.timestamps_dtype = real, rows.out = out.data();
    rows.grad = grad.memory.data(), rows.grad_stride[0] = grad.stride[0], rows.grad_stride[1] = grad.stride[1];
    cpu::adaptive_sample(sample, rows, on), add(out), add(timestamps);
    rows.timestamps = stamps.data(), rows.timestamps_dtype = stamp;
    for (const auto operation : {&cpu::gather, &cpu::gather_backward, &cpu::align, &cpu::align_backward}) {
        operation(rows, on), add(out);
    }
    rows.out = grad_stamps.data();
    for (const auto operation : {&cpu::gather_backward_timestamps, &cpu::align_backward_timestamps}) {
        operation(rows, on), add(grad_stamps);
    }
}

template <typename E, typename A, typename K>
void run_all(Dtype dtype, Dtype real, Dtype stamp) {
    const Kind kinds[] = {kRandom, kTies, kConstant, kSpiky, kHostile};
    const int64_t factors[] = {0, 1, 2, 7, 20};
    int turn = 0;
    for (const Size& size : kSizes) {
        for (const Kind kind : kinds) {
            ++turn;
            run<E, A, K>(size, kind, turn % 3 == 0, turn % 2 == 0, factors[turn % 5], 0.75, 1 + turn % 3, dtype, real,
                         stamp);
        }
    }
    if (sizeof(E) == 8 || sizeof(K) == 8) return;
    Size large = kPastCaches;
    large.snippets *= static_cast<int64_t>(4 / sizeof(E));
    run<E, A, K>(large, kRandom, false, false, 20, 0.1, 2, dtype, real, stamp);
}

}  // namespace

int main() {
    for (const cpu::Isa isa : cpu::available_isas()) {
        cpu::use_isa(cpu::name_of(isa));
        state = 1, digest = 14695981039346656037u, cases = 0;
        run_all<Half, float, float>(Dtype::f16, Dtype::f32, Dtype::f32);
        run_all<Half, float, double>(Dtype::f16, Dtype::f32, Dtype::f64);
        run_all<BFloat16, float, float>(Dtype::bf16, Dtype::f32, Dtype::f32);
        run_all<BFloat16, float, double>(Dtype::bf16, Dtype::f32, Dtype::f64);
        run_all<float, float, float>(Dtype::f32, Dtype::f32, Dtype::f32);
        run_all<float, float, double>(Dtype::f32, Dtype::f32, Dtype::f64);
        run_all<double, double, double>(Dtype::f64, Dtype::f64, Dtype::f64);
        run_all<double, double, float>(Dtype::f64, Dtype::f64, Dtype::f32);
        std::printf("%-6s %ld outputs %016lx\n", cpu::name_of(isa), static_cast<long>(cases),
                    static_cast<unsigned long>(digest));
    }
}
