// float16 and bfloat16 rows with AVX2 and F16C: compilers do not vectorize these conversions by themselves.
#pragma once

#include <cstdint>

namespace amsx::cpu::half_rows {

// Whether this processor, and this build, has them. Elements below are the bits of float16 or bfloat16 values.
bool available();

void lerp_f16(const uint16_t* from, const uint16_t* to, float fraction, uint16_t* out, int64_t dims);
void lerp_bf16(const uint16_t* from, const uint16_t* to, float fraction, uint16_t* out, int64_t dims);
void sum_f16(const uint16_t* const* rows, const float* weights, int64_t count, uint16_t* out, int64_t dims);
void sum_bf16(const uint16_t* const* rows, const float* weights, int64_t count, uint16_t* out, int64_t dims);

}  // namespace amsx::cpu::half_rows
