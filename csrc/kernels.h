// One parameter struct and one declaration per operation and device. Raw pointers, sizes and strides in
// elements; no torch, no Python. Every output is allocated by the caller and written whole, padding (index >=
// length) as zeros.
#pragma once

#include <cstdint>

namespace amsx {

enum class Dtype : int32_t { f16 = 0, bf16 = 1, f32 = 2, f64 = 3 };

// What the CPU kernels found wrong with the values they read: 0, or video * 8 + one of these. The CUDA
// kernels report nothing (that would need a synchronisation); arithmetic.h says what they compute instead.
enum Fault : int64_t {
    kFine = 0,
    kBadLength = 1,  // lengths outside 1..T
    kBadCas = 2,     // NaN or infinity in a channel that is kept, or a range that overflows
    kBadWeight = 3,  // NaN, infinity or a negative weight
    kNoWeight = 4,   // all weights vanish
    kUnsorted = 5,   // timestamps that decrease, or NaN
};

struct Shape {
    int64_t videos, snippets;  // B, T
    const int64_t* lengths;    // (B,), or null: every video has T snippets
};

struct Execution {
    int threads;   // CPU: at most this many
    int device;    // CUDA: ordinal
    void* stream;  // CUDA: cudaStream_t
};

// Eq. 4 and 5. Weights from the CAS where `cas` is given (else `weights` is read), timestamps where asked
// for.
struct SamplingParams {
    Shape shape;
    const void* cas;  // (B, T, C), or null
    Dtype cas_dtype;
    int64_t cas_stride[3];
    int64_t channels;
    const uint8_t* labels;  // (B, C) contiguous, 0 or 1, or null: all channels
    double eta;
    bool mean;              // aggregate by mean instead of maximum
    void* weights;          // (B, T) contiguous, f32 or f64; on the CPU `timestamps` may take this place
    Dtype weights_dtype;    // also of the timestamps
    void* timestamps;       // (B, T) contiguous, or null
    int64_t interp_factor;  // H; 0: the continuous limit
    int64_t* scratch;       // (B, T), CUDA with timestamps only
};

// Adjoint of Eq. 4: gradient of the weights -> gradient of the CAS.
struct WeightsBackwardParams {
    Shape shape;
    const void* cas;
    Dtype cas_dtype;
    int64_t cas_stride[3];
    int64_t channels;
    const uint8_t* labels;
    bool mean;
    const void* grad_weights;  // (B, T) contiguous
    Dtype weights_dtype;
    void* grad_cas;  // (B, T, C) contiguous, cas_dtype
};

// Adjoint of the continuous Eq. 5: gradient of the timestamps -> gradient of the weights.
struct TimestampsBackwardParams {
    Shape shape;
    const void* weights;
    const void* timestamps;
    const void* grad_timestamps;
    void* grad_weights;  // all (B, T) contiguous, dtype f32 or f64
    Dtype dtype;
    double* scratch;  // (B, T), CUDA only
};

// Eq. 6: rows of `feats` interpolated at `timestamps`.
struct GatherParams {
    Shape shape;
    int64_t dims;       // D
    const void* feats;  // (B, T, D), last stride 1
    Dtype dtype;
    int64_t feats_stride[2];
    const void* timestamps;  // (B, T) contiguous
    Dtype timestamps_dtype;
    void* out;  // (B, T, D) contiguous
};

// Eq. 4 to 6 in one call: `gather` reads the timestamps that `sampling` writes.
struct AdaptiveSampleParams {
    SamplingParams sampling;
    GatherParams gather;
};

// Adjoint of Eq. 6 to the features. `grad` takes the place of the output.
struct GatherBackwardParams {
    Shape shape;
    int64_t dims;
    const void* grad;  // (B, T, D), last stride 1
    Dtype dtype;
    int64_t grad_stride[2];
    const void* timestamps;
    Dtype timestamps_dtype;
    void* grad_feats;  // (B, T, D) contiguous
};

// Adjoint of Eq. 6 to the timestamps.
struct GatherBackwardTimestampsParams {
    Shape shape;
    int64_t dims;
    const void* grad;
    const void* feats;  // both (B, T, D), last stride 1
    Dtype dtype;
    int64_t grad_stride[2];
    int64_t feats_stride[2];
    const void* timestamps;
    Dtype timestamps_dtype;
    void* grad_timestamps;  // (B, T) contiguous, timestamps_dtype
};

// Eq. 7: `cas`, known at `timestamps`, interpolated at 0 .. n-1.
struct AlignParams {
    Shape shape;
    int64_t channels;
    const void* cas;  // (B, T, C), last stride 1
    Dtype dtype;
    int64_t cas_stride[2];
    const void* timestamps;
    Dtype timestamps_dtype;
    void* out;  // (B, T, C) contiguous
};

// Adjoint of Eq. 7 to the CAS.
struct AlignBackwardParams {
    Shape shape;
    int64_t channels;
    const void* grad;  // (B, T, C), last stride 1
    Dtype dtype;
    int64_t grad_stride[2];
    const void* timestamps;
    Dtype timestamps_dtype;
    void* grad_cas;  // (B, T, C) contiguous
};

// Adjoint of Eq. 7 to the timestamps.
struct AlignBackwardTimestampsParams {
    Shape shape;
    int64_t channels;
    const void* grad;
    const void* cas;  // both (B, T, C), last stride 1
    Dtype dtype;
    int64_t grad_stride[2];
    int64_t cas_stride[2];
    const void* timestamps;
    Dtype timestamps_dtype;
    void* grad_timestamps;  // (B, T) contiguous, timestamps_dtype
};

#define AMSX_OPERATIONS(one)                                                                            \
    one(sampling, SamplingParams) one(weights_backward, WeightsBackwardParams)                          \
        one(timestamps_backward, TimestampsBackwardParams) one(gather, GatherParams)                    \
            one(adaptive_sample, AdaptiveSampleParams) one(gather_backward, GatherBackwardParams)       \
                one(gather_backward_timestamps, GatherBackwardTimestampsParams) one(align, AlignParams) \
                    one(align_backward, AlignBackwardParams)                                            \
                        one(align_backward_timestamps, AlignBackwardTimestampsParams)

#define AMSX_DECLARE(name, Params) int64_t name(const Params&, const Execution&);
namespace cpu {
AMSX_OPERATIONS(AMSX_DECLARE)
}
namespace cuda {  // defined where CUDA was compiled; throw std::runtime_error on a failed launch
AMSX_OPERATIONS(AMSX_DECLARE)
}
#undef AMSX_DECLARE

}  // namespace amsx
