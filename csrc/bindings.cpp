// The Python module amsx._C, and the only file that knows pybind11. An operation takes one dictionary, which
// amsx/ops/native.py makes: the value of every field of its parameters (kernels.h), by name. An unknown or missing name
// and a value of the wrong kind are errors.
#include <pybind11/pybind11.h>

#include <algorithm>
#include <cfloat>
#include <climits>
#include <cstdlib>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "cpu/isa.h"
#include "kernels.h"

namespace py = pybind11;
using namespace amsx;

namespace {

// ---- a field from a Python value: each `read` returns null, or else what it expected

bool read_integer(PyObject* value, int64_t least, int64_t most, int64_t& number) {
    if (!PyLong_Check(value) || PyBool_Check(value)) return false;
    int overflow = 0;
    number = PyLong_AsLongLongAndOverflow(value, &overflow);
    return overflow == 0 && number >= least && number <= most;
}

const char* read(PyObject* value, int64_t& field) {
    return read_integer(value, 0, INT64_MAX, field) ? nullptr : "an int >= 0";
}

const char* read(PyObject* value, int& field) {
    int64_t number = 0;
    if (!read_integer(value, -1, INT_MAX, number)) return "an int >= -1";
    field = static_cast<int>(number);
    return nullptr;
}

const char* read(PyObject* value, Dtype& field) {
    int64_t number = 0;
    if (!read_integer(value, 0, 3, number)) return "the number of an element type, 0 to 3";
    field = static_cast<Dtype>(number);
    return nullptr;
}

template <typename T>
const char* read(PyObject* value, T*& field) {
    int64_t address = 0;
    if (value != Py_None && !read_integer(value, 0, INT64_MAX, address)) return "an address or None";
    field = reinterpret_cast<T*>(address);
    return nullptr;
}

template <size_t kAxes>
const char* read(PyObject* value, int64_t (&field)[kAxes]) {
    bool valid = PyTuple_Check(value) && PyTuple_GET_SIZE(value) == static_cast<Py_ssize_t>(kAxes);
    for (size_t i = 0; valid && i < kAxes; ++i) {
        valid = read_integer(PyTuple_GET_ITEM(value, static_cast<Py_ssize_t>(i)), 0, INT64_MAX, field[i]);
    }
    return valid ? nullptr : kAxes == 2 ? "a tuple of 2 strides, ints >= 0" : "a tuple of 3 strides, ints >= 0";
}

const char* read(PyObject* value, double& field) {
    if (!PyFloat_Check(value)) return "a float";
    field = PyFloat_AS_DOUBLE(value);
    return nullptr;
}

const char* read(PyObject* value, bool& field) {
    if (!PyBool_Check(value)) return "True or False";
    field = value == Py_True;
    return nullptr;
}

// ---- structs from dictionaries

// The names of all fields, in the order of each_field. A name that several structs share is one value for all of them.
template <typename... Structs>
struct Names {
    std::vector<PyObject*> in_order;  // interned, and kept as long as the process lives
    std::set<std::string> different;
    Names() {
        const auto add = [this](const char* name, auto&) {
            in_order.push_back(PyUnicode_InternFromString(name));
            different.insert(name);
        };
        (Structs{}.each_field(add), ...);
    }
};

// Says which name in the dictionaries is no field or is there twice, if there is one.
void refuse_unknown(const std::string& operation, const py::tuple& groups, std::set<std::string> known) {
    std::set<std::string> seen;
    for (const auto& group : groups) {
        for (const auto& item : py::reinterpret_borrow<py::dict>(group)) {
            const std::string name = py::str(item.first);
            if (known.count(name) == 0) throw py::type_error(operation + ": there is no field '" + name + "'");
            if (!seen.insert(name).second)
                throw py::type_error(operation + ": the field '" + name + "' is given twice");
        }
    }
}

// The value of a field. `group` is the dictionary that held the field before, where this one is likely to be, too.
PyObject* find(PyObject* name, const py::tuple& groups, Py_ssize_t& group) {
    const Py_ssize_t count = PyTuple_GET_SIZE(groups.ptr());
    for (Py_ssize_t tried = 0; tried < count; ++tried, group = (group + 1) % count) {
        PyObject* value = PyDict_GetItemWithError(PyTuple_GET_ITEM(groups.ptr(), group), name);
        if (value != nullptr) return value;
    }
    return nullptr;
}

// Fills every field of the structs. Each must be in one of the dictionaries, and nothing else.
template <typename... Structs>
void fill(const std::string& operation, const py::tuple& groups, Structs&... structs) {
    static const Names<Structs...> names;
    size_t given = 0, i = 0;
    Py_ssize_t group = 0;
    for (const auto& each : groups) {
        if (!PyDict_Check(each.ptr())) throw py::type_error(operation + ": expected dictionaries of fields");
        given += PyDict_Size(each.ptr());
    }
    const auto take = [&](const char* name, auto& field) {
        PyObject* value = find(names.in_order[i++], groups, group);
        if (value == nullptr) {
            refuse_unknown(operation, groups, names.different);
            throw py::type_error(operation + ": the field '" + name + "' is missing");
        }
        if (const char* expected = read(value, field)) {
            const std::string text = py::repr(value);
            throw py::value_error(operation + ": the field '" + name + "' is " + text + "; expected " + expected);
        }
    };
    (structs.each_field(take), ...);
    if (given != names.different.size()) refuse_unknown(operation, groups, names.different);
}

// What is wrong with the environment variable AMSX_ISA, until use_isa is called; empty: nothing.
std::string wrong_isa;

void use_isa(const std::string& name) {
    cpu::use_isa(name);
    wrong_isa.clear();
}

void use_isa_of_the_environment() {
    const char* name = std::getenv("AMSX_ISA");
    if (name == nullptr || *name == 0) return;
    try {
        use_isa(name);
    } catch (const std::invalid_argument& error) {
        wrong_isa = std::string("the environment variable AMSX_ISA is ") + error.what();
    }
}

std::string isa_in_use() {
    if (!wrong_isa.empty()) throw py::value_error(wrong_isa);
    return cpu::name_of(cpu::isa);
}

// Runs an operation on the CPU, or on a CUDA device if the fields name one.
template <auto kCpu, auto kCuda, typename... Params>
int64_t run(const char* name, const py::tuple& groups) {
    Execution on{};
    std::tuple<Params...> params;
    std::apply([&](Params&... each) { fill(name, groups, on, each...); }, params);
    Operation<Params...>* const operation = on.device < 0 ? kCpu : kCuda;
    if (operation == nullptr) throw std::runtime_error("amsx was built without CUDA; `amsx info` says why");
    if (on.device < 0 && !wrong_isa.empty()) throw py::value_error(wrong_isa);
    py::gil_scoped_release release;
    return std::apply([&](const Params&... each) { return operation(each..., on); }, params);
}

// ---- structs from tensors: on tiny inputs a dictionary of fields costs more than the kernel

// A tensor on the CPU, as its Python attributes describe it.
struct CpuTensor {
    PyObject* object = nullptr;
    PyObject* dtype = nullptr;  // borrowed: torch keeps one object for each
    int64_t axes = 0, shape[3] = {}, stride[3] = {};

    // Returns false for what is not on the CPU or has no 1 to 3 axes.
    bool describe(PyObject* tensor) {
        static PyObject *const is_cpu = name("is_cpu"), *const dtype_ = name("dtype");
        static PyObject *const shape_ = name("shape"), *const stride_ = name("stride");
        object = tensor;
        if (attribute(is_cpu).ptr() != Py_True) return false;
        dtype = attribute(dtype_).ptr();
        const py::object sizes = attribute(shape_), strides = call(stride_);
        if (!PyTuple_Check(sizes.ptr()) || !PyTuple_Check(strides.ptr())) return false;
        axes = PyTuple_GET_SIZE(sizes.ptr());
        if (axes < 1 || axes > 3 || PyTuple_GET_SIZE(strides.ptr()) != axes) return false;
        for (int64_t i = 0; i < axes; ++i) {
            if (!read_integer(PyTuple_GET_ITEM(sizes.ptr(), i), 0, INT64_MAX, shape[i])) return false;
            if (!read_integer(PyTuple_GET_ITEM(strides.ptr(), i), 0, INT64_MAX, stride[i])) return false;
        }
        return true;
    }

    bool is_contiguous() const {
        int64_t expected = 1;
        for (int64_t i = axes - 1; i >= 0; expected *= shape[i--]) {
            if (shape[i] != 1 && stride[i] != expected) return false;
        }
        return true;
    }

    template <typename T>
    bool read_address(T*& field) const {
        static PyObject* const data_ptr = name("data_ptr");
        return read(call(data_ptr).ptr(), field) == nullptr;
    }

  private:
    static PyObject* name(const char* text) { return PyUnicode_InternFromString(text); }
    static py::object checked(PyObject* value) {
        if (value == nullptr) throw py::error_already_set();
        return py::reinterpret_steal<py::object>(value);
    }
    py::object attribute(PyObject* of) const { return checked(PyObject_GetAttr(object, of)); }
    py::object call(PyObject* method) const { return checked(PyObject_CallMethodNoArgs(object, method)); }
};

// torch's objects for float16, bfloat16, float32 and float64, in the order of Dtype, then bool and int64. They are kept
// as long as the process lives.
constexpr size_t kDtypes = 6, kBool = 4, kInt64 = 5;
PyObject* dtypes[kDtypes] = {};

void know_dtypes(const py::tuple& objects) {
    if (objects.size() != kDtypes) throw py::value_error("know_dtypes: expected 6 dtypes");
    for (size_t i = 0; i < kDtypes; ++i) dtypes[i] = py::object(objects[i]).release().ptr();
}

constexpr int64_t kMaxInterpFactor = 1024;  // of amsx/ops/contracts.py

bool read_dtype(const CpuTensor& tensor, Dtype& field) {
    const auto found = std::find(dtypes, dtypes + kBool, tensor.dtype);
    field = static_cast<Dtype>(found - dtypes);
    return found != dtypes + kBool;
}

// Fills what these tensors say of the parameters of adaptive_sample. Returns false for all that `amsx.ops.contracts` would
// refuse, and for what would have to be copied first.
bool fill(const py::tuple& tensors, SamplingParams& sample, RowsParams& rows) {
    CpuTensor feats, cas;
    if (!feats.describe(tensors[0].ptr()) || !cas.describe(tensors[1].ptr())) return false;
    if (feats.axes != 3 || cas.axes != 3 || feats.stride[2] != 1) return false;
    const int64_t B = feats.shape[0], T = feats.shape[1], D = feats.shape[2], C = cas.shape[2];
    if (cas.shape[0] != B || cas.shape[1] != T || T == 0 || D == 0 || C == 0) return false;
    if (!read_dtype(feats, rows.source_dtype) || !read_dtype(cas, sample.cas_dtype)) return false;
    if (!feats.read_address(rows.source) || !cas.read_address(sample.cas)) return false;

    if (PyObject* given = tensors[2].ptr(); given != Py_None) {
        CpuTensor labels;
        if (!labels.describe(given) || labels.dtype != dtypes[kBool] || labels.axes != 2 || !labels.is_contiguous())
            return false;
        if (labels.shape[0] != B || labels.shape[1] != C || !labels.read_address(sample.labels)) return false;
    }
    if (PyObject* given = tensors[3].ptr(); given != Py_None) {
        CpuTensor lengths;
        if (!lengths.describe(given) || lengths.dtype != dtypes[kInt64] || lengths.axes != 1 ||
            !lengths.is_contiguous())
            return false;
        if (lengths.shape[0] != B || !lengths.read_address(sample.lengths)) return false;
    }
    sample.videos = rows.videos = B;
    sample.snippets = rows.snippets = T;
    sample.channels = C;
    rows.dims = D;
    rows.lengths = sample.lengths;
    sample.weights_dtype = rows.timestamps_dtype = sample.cas_dtype == Dtype::f64 ? Dtype::f64 : Dtype::f32;
    std::copy(cas.stride, cas.stride + 3, sample.cas_stride);
    std::copy(feats.stride, feats.stride + 2, rows.source_stride);
    return true;
}

// Runs adaptive_sample on `tensors` = feats, cas, labels and lengths. `outputs` are the addresses of RowsParams::out and
// RowsParams::timestamps. Returns -1 where the arguments are not such that it can.
int64_t adaptive_sample_of(const py::tuple& tensors, double eta, bool mean, int64_t interp_factor,
                           const py::tuple& outputs, int threads) {
    SamplingParams sample{};
    RowsParams rows{};
    if (tensors.size() != 4 || outputs.size() != 2 || !fill(tensors, sample, rows)) return -1;
    if (read(outputs[0].ptr(), rows.out) || read(outputs[1].ptr(), sample.timestamps)) return -1;
    if (!(eta >= 0 && eta <= (sample.cas_dtype == Dtype::f64 ? DBL_MAX : FLT_MAX))) return -1;
    if (interp_factor < 0 || interp_factor > kMaxInterpFactor) return -1;
    if (!wrong_isa.empty()) throw py::value_error(wrong_isa);
    rows.timestamps = sample.weights = sample.timestamps;  // on the CPU the timestamps overwrite the weights
    sample.eta = eta;
    sample.mean = mean;
    sample.interp_factor = interp_factor;
    py::gil_scoped_release release;
    return cpu::adaptive_sample(sample, rows, Execution{{}, -1, nullptr, threads});
}

#ifdef AMSX_WITH_CUDA
#define AMSX_CUDA_TWIN(name) &cuda::name
#else
#define AMSX_CUDA_TWIN(name) nullptr
#endif
#define AMSX_DEFINE(name, ...)                                                                                     \
    m.def(                                                                                                         \
        #name,                                                                                                     \
        [](const py::tuple& groups) { return run<&cpu::name, AMSX_CUDA_TWIN(name), __VA_ARGS__>(#name, groups); }, \
        py::arg("groups"))

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
    py::list isas;
    for (const cpu::Isa each : cpu::available_isas()) isas.append(cpu::name_of(each));
    facts["isas"] = isas;
    return facts;
}

}  // namespace

PYBIND11_MODULE(_C, m) {
    m.doc() = "The native kernels of amsx: the fields of an operation's parameters in, a fault out (0: none).";
    m.def("build", &build, "What was compiled, with what, and why not the rest.");
    m.def("isa", &isa_in_use, "The instruction set that the CPU kernels use. ValueError if AMSX_ISA names none.");
    m.def("use_isa", &use_isa, py::arg("name"),
          "Makes the CPU kernels use one of build()['isas']. ValueError if it is none of them.");
    AMSX_OPERATIONS(AMSX_DEFINE)
    m.def("know_dtypes", &know_dtypes, py::arg("dtypes"),
          "Takes torch's float16, bfloat16, float32, float64, bool, int64.");
    m.def("adaptive_sample_of", &adaptive_sample_of, py::arg("tensors"), py::arg("eta"), py::arg("mean"),
          py::arg("interp_factor"), py::arg("outputs"), py::arg("threads"),
          "adaptive_sample on the CPU, from tensors; -1: they are not such as it takes.");
    use_isa_of_the_environment();
}
