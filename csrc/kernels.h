// The operations: the parameters of each, and one declaration per device. Raw pointers, sizes and strides in elements;
// no torch, no Python. Every output is allocated by the caller and written whole, with zeros where a snippet's index is
// not below its video's length.
#pragma once

#include <cstdint>

#if defined(__CUDACC__)
#define AMSX_HD __host__ __device__ __forceinline__
#else
#define AMSX_HD inline
#endif

namespace amsx {

enum class Dtype : int32_t { f16 = 0, bf16 = 1, f32 = 2, f64 = 3 };

// What the CPU kernels find wrong with the values they read: 0, or video * 8 + one of these.
//
// The CUDA kernels report nothing, because that would need a synchronisation. They clamp a length to 0..T. They give a
// video with a non-finite CAS or weight NaN timestamps, and so NaN features. They count negative weights as 0, and take
// weights that all vanish as uniform. Decreasing timestamps give them a gradient that is finite but wrong.
enum Fault : int64_t {
    kFine = 0,
    kBadLength = 1,  // a length outside 1..T
    kBadCas = 2,     // NaN or infinity in a channel that is kept, or a range that overflows
    kBadWeight = 3,  // NaN, infinity or a negative weight
    kNoWeight = 4,   // all weights vanish
    kUnsorted = 5,   // timestamps that decrease, or NaN
};

// ---- Parameters. The fields of a struct are listed once, in a macro that takes what to make of each: the struct
// declares them, and each_field(visit) calls visit(name, field) for all of them, the inherited ones first. So
// bindings.cpp fills every field from Python by its name.

template <int kAxes>
using Strides = int64_t[kAxes];

#define AMSX_DECLARE(type, name) type name
#define AMSX_VISIT(type, name) visit(#name, name)
#define AMSX_STRUCT(Base, FIELDS)         \
    FIELDS(AMSX_DECLARE)                  \
    template <typename Visit>             \
    void each_field(const Visit& visit) { \
        Base::each_field(visit);          \
        FIELDS(AMSX_VISIT)                \
    }

struct NoFields {
    template <typename Visit>
    void each_field(const Visit&) {}
};

// Where to run.
#define AMSX_EXECUTION(field)                         \
    field(int, device);   /* CUDA ordinal; -1: CPU */ \
    field(void*, stream); /* CUDA: cudaStream_t */    \
    field(int, threads);  /* CPU: at most this many */
struct Execution : NoFields {
    AMSX_STRUCT(NoFields, AMSX_EXECUTION)
};

// A padded batch of videos.
#define AMSX_SHAPE(field)                   \
    field(int64_t, videos);         /* B */ \
    field(int64_t, snippets);       /* T */ \
    field(const int64_t*, lengths); /* (B,), or null: every video has T valid snippets */
struct Shape : NoFields {
    AMSX_STRUCT(NoFields, AMSX_SHAPE)
};

AMSX_HD int64_t valid_snippets(const Shape& shape, int64_t video) {
    if (shape.lengths == nullptr) return shape.snippets;
    int64_t n = shape.lengths[video];
    return n < 0 ? 0 : n > shape.snippets ? shape.snippets : n;
}

// A CAS, and how Eq. 4 aggregates its channels.
#define AMSX_AGGREGATE(field)                                                          \
    field(const void*, cas); /* (B, T, C); null where Eq. 5 is wanted alone */         \
    field(Dtype, cas_dtype);                                                           \
    field(Strides<3>, cas_stride);                                                     \
    field(int64_t, channels);      /* C */                                             \
    field(const uint8_t*, labels); /* (B, C) contiguous, 0 or 1; null: all channels */ \
    field(bool, mean);             /* the mean of the kept channels, not the maximum */
struct AggregateParams : Shape {
    AMSX_STRUCT(Shape, AMSX_AGGREGATE)
};

// Eq. 4 and 5. The weights are computed where there is a CAS and read where there is none; timestamps are computed
// where there is room for them.
#define AMSX_SAMPLING(field)                                                                                 \
    field(double, eta);                                                                                      \
    field(void*, weights);         /* (B, T) contiguous, f32 or f64; the CPU lets timestamps overwrite it */ \
    field(Dtype, weights_dtype);   /* also of the timestamps */                                              \
    field(void*, timestamps);      /* (B, T) contiguous, or null */                                          \
    field(int64_t, interp_factor); /* H; 0: the continuous limit */                                          \
    field(int64_t*, scratch);      /* (2, B, T); CUDA only */
struct SamplingParams : AggregateParams {
    AMSX_STRUCT(AggregateParams, AMSX_SAMPLING)
};

// The adjoint of Eq. 4, from the gradient of the weights to that of the CAS.
#define AMSX_WEIGHTS_BACKWARD(field)                                                     \
    field(const void*, grad_weights); /* (B, T) contiguous, of the CAS's compute type */ \
    field(void*, grad_cas);           /* (B, T, C) contiguous, cas_dtype */              \
    field(int64_t*, scratch);         /* (4, B, T); CUDA only */
struct WeightsBackwardParams : AggregateParams {
    AMSX_STRUCT(AggregateParams, AMSX_WEIGHTS_BACKWARD)
};

// The adjoint of the continuous Eq. 5, from the gradient of the timestamps to that of the weights. All of them are
// (B, T), contiguous and of one type, f32 or f64.
#define AMSX_TIMESTAMPS_BACKWARD(field)  \
    field(const void*, weights);         \
    field(Dtype, weights_dtype);         \
    field(const void*, timestamps);      \
    field(const void*, grad_timestamps); \
    field(void*, grad_weights);          \
    field(double*, scratch); /* (3, B, T), double; CUDA only */
struct TimestampsBackwardParams : Shape {
    AMSX_STRUCT(Shape, AMSX_TIMESTAMPS_BACKWARD)
};

// Eq. 6 (gather) reads rows at timestamps. Eq. 7 (align) takes rows known at timestamps back to the snippets. Their
// adjoints take rows of the gradient and give those of the source's gradient.
#define AMSX_ROWS(field)                                                   \
    field(int64_t, dims);       /* D of features, C of a CAS */            \
    field(const void*, source); /* (B, T, dims), last stride 1 */          \
    field(Dtype, source_dtype); /* also of the output and of a gradient */ \
    field(Strides<2>, source_stride);                                      \
    field(const void*, timestamps); /* (B, T) contiguous */                \
    field(Dtype, timestamps_dtype); /* f32 or f64 */                       \
    field(void*, out);              /* (B, T, dims) contiguous */
struct RowsParams : Shape {
    AMSX_STRUCT(Shape, AMSX_ROWS)
};

// The adjoints of Eq. 6 and 7 to the timestamps: here `out` is (B, T), contiguous, of timestamps_dtype.
#define AMSX_ROWS_BACKWARD_TIMESTAMPS(field)                                   \
    field(const void*, grad); /* of the output: (B, T, dims), last stride 1 */ \
    field(Strides<2>, grad_stride);
struct RowsBackwardTimestampsParams : RowsParams {
    AMSX_STRUCT(RowsParams, AMSX_ROWS_BACKWARD_TIMESTAMPS)
};

// ---- The operations and the parameters of each. adaptive_sample is Eq. 4 to 6 in one call: its rows are read at the
// timestamps that its sampling writes.

#define AMSX_OPERATIONS(operation)                                       \
    operation(sampling, SamplingParams);                                 \
    operation(weights_backward, WeightsBackwardParams);                  \
    operation(timestamps_backward, TimestampsBackwardParams);            \
    operation(adaptive_sample, SamplingParams, RowsParams);              \
    operation(gather, RowsParams);                                       \
    operation(gather_backward, RowsParams);                              \
    operation(gather_backward_timestamps, RowsBackwardTimestampsParams); \
    operation(align, RowsParams);                                        \
    operation(align_backward, RowsParams);                               \
    operation(align_backward_timestamps, RowsBackwardTimestampsParams);

// Returns kFine or a fault.
template <typename... Params>
using Operation = int64_t(const Params&..., const Execution&);

#define AMSX_OPERATION(name, ...) Operation<__VA_ARGS__> name
namespace cpu {
AMSX_OPERATIONS(AMSX_OPERATION)

// The part of `sampling` that is one video's.
Fault sample_video(const SamplingParams& p, int64_t video);
}  // namespace cpu
namespace cuda {  // defined where CUDA was compiled; a failed launch throws std::runtime_error
AMSX_OPERATIONS(AMSX_OPERATION)
}  // namespace cuda

}  // namespace amsx
