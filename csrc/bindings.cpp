// The Python module amsx._C: pointers, sizes and strides as integers, nothing else. amsx/ops/native.py calls
// it.
#include <pybind11/pybind11.h>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "kernels.h"

namespace py = pybind11;
using namespace amsx;

namespace {

using Address = uintptr_t;

template <typename T>
T* at(Address address) {
    return reinterpret_cast<T*>(address);
}

Shape shape(int64_t videos, int64_t snippets, Address lengths) { return {videos, snippets, at<int64_t>(lengths)}; }

// Runs an operation on the CPU (device < 0) or on a CUDA device; the stream is a cudaStream_t.
template <typename Params>
int64_t run(int64_t (*cpu)(const Params&, const Execution&), int64_t (*cuda)(const Params&, const Execution&),
            int device, Address stream, int threads, const Params& params) {
    const Execution on{threads, device, at<void>(stream)};
    py::gil_scoped_release release;
    if (device < 0) return cpu(params, on);
    if (cuda == nullptr) throw std::runtime_error("amsx was built without CUDA; `amsx info` says why");
    return cuda(params, on);
}

#ifdef AMSX_WITH_CUDA
#define AMSX_RUN(name, ...) run(&cpu::name, &cuda::name, device, stream, threads, __VA_ARGS__)
#else
#define AMSX_RUN(name, ...) run(&cpu::name, decltype (&cpu::name)(nullptr), device, stream, threads, __VA_ARGS__)
#endif

py::dict build() {
    py::dict facts;
    facts["compiler"] = AMSX_COMPILER;
    facts["cuda"] = AMSX_CUDA_STATUS;
    facts["cuda_compiled"] = static_cast<bool>(AMSX_CUDA_COMPILED);
    facts["cuda_architectures"] = AMSX_CUDA_ARCHITECTURES;
#ifdef _OPENMP
    facts["openmp"] = static_cast<int>(_OPENMP);
#else
    facts["openmp"] = py::none();
#endif
    return facts;
}

}  // namespace

PYBIND11_MODULE(_C, m) {
    m.doc() = "Native kernels of amsx: raw pointers in, a fault code out (0: fine).";
    m.def("build", &build, "What was compiled, with what, and why not the rest.");

    m.def("sampling", [](int device, Address stream, int threads, int64_t videos, int64_t snippets, Address lengths,
                         Address cas, int cas_dtype, int64_t stride0, int64_t stride1, int64_t stride2,
                         int64_t channels, Address labels, double eta, bool mean, Address weights, int weights_dtype,
                         Address timestamps, int64_t interp_factor, Address scratch) {
        return AMSX_RUN(sampling, SamplingParams{shape(videos, snippets, lengths),
                                                 at<void>(cas),
                                                 Dtype(cas_dtype),
                                                 {stride0, stride1, stride2},
                                                 channels,
                                                 at<uint8_t>(labels),
                                                 eta,
                                                 mean,
                                                 at<void>(weights),
                                                 Dtype(weights_dtype),
                                                 at<void>(timestamps),
                                                 interp_factor,
                                                 at<int64_t>(scratch)});
    });
    // On the CPU neither weights nor scratch are needed: the timestamps' memory serves for the weights.
    m.def("adaptive_sample",
          [](int device, Address stream, int threads, int64_t videos, int64_t snippets, Address lengths, Address feats,
             int dtype, int64_t feats_stride0, int64_t feats_stride1, int64_t dims, Address cas, int cas_dtype,
             int64_t stride0, int64_t stride1, int64_t stride2, int64_t channels, Address labels, double eta, bool mean,
             int64_t interp_factor, Address out, Address timestamps, int timestamps_dtype, Address weights,
             Address scratch) {
              return AMSX_RUN(adaptive_sample, AdaptiveSampleParams{{shape(videos, snippets, lengths),
                                                                     at<void>(cas),
                                                                     Dtype(cas_dtype),
                                                                     {stride0, stride1, stride2},
                                                                     channels,
                                                                     at<uint8_t>(labels),
                                                                     eta,
                                                                     mean,
                                                                     at<void>(weights != 0 ? weights : timestamps),
                                                                     Dtype(timestamps_dtype),
                                                                     at<void>(timestamps),
                                                                     interp_factor,
                                                                     at<int64_t>(scratch)},
                                                                    {shape(videos, snippets, lengths),
                                                                     dims,
                                                                     at<void>(feats),
                                                                     Dtype(dtype),
                                                                     {feats_stride0, feats_stride1},
                                                                     at<void>(timestamps),
                                                                     Dtype(timestamps_dtype),
                                                                     at<void>(out)}});
          });
    m.def("weights_backward",
          [](int device, Address stream, int threads, int64_t videos, int64_t snippets, Address lengths, Address cas,
             int cas_dtype, int64_t stride0, int64_t stride1, int64_t stride2, int64_t channels, Address labels,
             bool mean, Address grad_weights, int weights_dtype, Address grad_cas) {
              return AMSX_RUN(weights_backward, WeightsBackwardParams{shape(videos, snippets, lengths),
                                                                      at<void>(cas),
                                                                      Dtype(cas_dtype),
                                                                      {stride0, stride1, stride2},
                                                                      channels,
                                                                      at<uint8_t>(labels),
                                                                      mean,
                                                                      at<void>(grad_weights),
                                                                      Dtype(weights_dtype),
                                                                      at<void>(grad_cas)});
          });
    m.def("timestamps_backward", [](int device, Address stream, int threads, int64_t videos, int64_t snippets,
                                    Address lengths, Address weights, Address timestamps, Address grad_timestamps,
                                    Address grad_weights, int dtype, Address scratch) {
        return AMSX_RUN(timestamps_backward,
                        TimestampsBackwardParams{shape(videos, snippets, lengths), at<void>(weights),
                                                 at<void>(timestamps), at<void>(grad_timestamps),
                                                 at<void>(grad_weights), Dtype(dtype), at<double>(scratch)});
    });

    // These four share a form: rows of (B, T, elements) read at strides, timestamps, one output.
    m.def("gather", [](int device, Address stream, int threads, int64_t videos, int64_t snippets, Address lengths,
                       int64_t dims, Address feats, int dtype, int64_t stride0, int64_t stride1, Address timestamps,
                       int timestamps_dtype, Address out) {
        return AMSX_RUN(gather, GatherParams{shape(videos, snippets, lengths),
                                             dims,
                                             at<void>(feats),
                                             Dtype(dtype),
                                             {stride0, stride1},
                                             at<void>(timestamps),
                                             Dtype(timestamps_dtype),
                                             at<void>(out)});
    });
    m.def("gather_backward", [](int device, Address stream, int threads, int64_t videos, int64_t snippets,
                                Address lengths, int64_t dims, Address grad, int dtype, int64_t stride0,
                                int64_t stride1, Address timestamps, int timestamps_dtype, Address grad_feats) {
        return AMSX_RUN(gather_backward, GatherBackwardParams{shape(videos, snippets, lengths),
                                                              dims,
                                                              at<void>(grad),
                                                              Dtype(dtype),
                                                              {stride0, stride1},
                                                              at<void>(timestamps),
                                                              Dtype(timestamps_dtype),
                                                              at<void>(grad_feats)});
    });
    m.def("align", [](int device, Address stream, int threads, int64_t videos, int64_t snippets, Address lengths,
                      int64_t channels, Address cas, int dtype, int64_t stride0, int64_t stride1, Address timestamps,
                      int timestamps_dtype, Address out) {
        return AMSX_RUN(align, AlignParams{shape(videos, snippets, lengths),
                                           channels,
                                           at<void>(cas),
                                           Dtype(dtype),
                                           {stride0, stride1},
                                           at<void>(timestamps),
                                           Dtype(timestamps_dtype),
                                           at<void>(out)});
    });
    m.def("align_backward", [](int device, Address stream, int threads, int64_t videos, int64_t snippets,
                               Address lengths, int64_t channels, Address grad, int dtype, int64_t stride0,
                               int64_t stride1, Address timestamps, int timestamps_dtype, Address grad_cas) {
        return AMSX_RUN(align_backward, AlignBackwardParams{shape(videos, snippets, lengths),
                                                            channels,
                                                            at<void>(grad),
                                                            Dtype(dtype),
                                                            {stride0, stride1},
                                                            at<void>(timestamps),
                                                            Dtype(timestamps_dtype),
                                                            at<void>(grad_cas)});
    });

    // And these two: rows of the gradient and of the values, timestamps, the timestamps' gradient.
    m.def("gather_backward_timestamps", [](int device, Address stream, int threads, int64_t videos, int64_t snippets,
                                           Address lengths, int64_t dims, Address grad, int dtype, int64_t grad_stride0,
                                           int64_t grad_stride1, Address feats, int64_t stride0, int64_t stride1,
                                           Address timestamps, int timestamps_dtype, Address grad_timestamps) {
        return AMSX_RUN(gather_backward_timestamps, GatherBackwardTimestampsParams{shape(videos, snippets, lengths),
                                                                                   dims,
                                                                                   at<void>(grad),
                                                                                   at<void>(feats),
                                                                                   Dtype(dtype),
                                                                                   {grad_stride0, grad_stride1},
                                                                                   {stride0, stride1},
                                                                                   at<void>(timestamps),
                                                                                   Dtype(timestamps_dtype),
                                                                                   at<void>(grad_timestamps)});
    });
    m.def("align_backward_timestamps",
          [](int device, Address stream, int threads, int64_t videos, int64_t snippets, Address lengths,
             int64_t channels, Address grad, int dtype, int64_t grad_stride0, int64_t grad_stride1, Address cas,
             int64_t stride0, int64_t stride1, Address timestamps, int timestamps_dtype, Address grad_timestamps) {
              return AMSX_RUN(align_backward_timestamps, AlignBackwardTimestampsParams{shape(videos, snippets, lengths),
                                                                                       channels,
                                                                                       at<void>(grad),
                                                                                       at<void>(cas),
                                                                                       Dtype(dtype),
                                                                                       {grad_stride0, grad_stride1},
                                                                                       {stride0, stride1},
                                                                                       at<void>(timestamps),
                                                                                       Dtype(timestamps_dtype),
                                                                                       at<void>(grad_timestamps)});
          });
}
