// The instruction sets that the rows have code for. All of them give the same bits; they differ in speed alone.
//
// A function is compiled for one of them by the attribute below, which every GCC and Clang has, and called only where
// the processor has it. So one library serves all processors, without ifuncs and without flags for single files.
#pragma once

#include <string>
#include <vector>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(AMSX_SCALAR)
#define AMSX_X86
#define AMSX_AVX2 __attribute__((target("avx2,f16c")))  // every processor with AVX2 has F16C
#define AMSX_AVX512 __attribute__((target("avx512f,avx512bw,avx512cd,avx512dq,avx512vl")))
#endif

namespace amsx::cpu {

// From the least to the most. `scalar` is what every processor of the architecture has: SSE2 on x86-64.
enum class Isa { scalar, avx2, avx512 };

// The one in use: the most that this processor and this build have, unless use_isa has chosen another.
extern Isa isa;

const char* name_of(Isa isa);

// Those that this processor and this build have.
std::vector<Isa> available_isas();

// Makes `name` the one in use. Throws std::invalid_argument if it is unknown or not available. Not to be called while an
// operation runs.
void use_isa(const std::string& name);

}  // namespace amsx::cpu
