// From a run-time element type to a template argument.
#pragma once

#include <stdexcept>

#include "arithmetic.h"

namespace amsx {

template <typename T>
struct Type {
    using type = T;
};

// Calls body(Type<T>{}) for the element type of features and CASs.
template <typename Body>
auto with_element(Dtype dtype, const Body& body) {
    switch (dtype) {
        case Dtype::f16:
            return body(Type<Half>{});
        case Dtype::bf16:
            return body(Type<BFloat16>{});
        case Dtype::f32:
            return body(Type<float>{});
        case Dtype::f64:
            return body(Type<double>{});
    }
    throw std::invalid_argument("amsx: unknown element type");
}

// The same for weights and timestamps, which are float32 or float64.
template <typename Body>
auto with_real(Dtype dtype, const Body& body) {
    if (dtype == Dtype::f64) return body(Type<double>{});
    if (dtype == Dtype::f32) return body(Type<float>{});
    throw std::invalid_argument("amsx: weights and timestamps are float32 or float64");
}

}  // namespace amsx
