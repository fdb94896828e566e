#include "isa.h"

#include <stdexcept>

namespace amsx::cpu {
namespace {

// Whether processor, operating system and build have it.
bool has(Isa isa) {
#ifdef AMSX_X86
    __builtin_cpu_init();  // this may run before the compiler's own initialization
    if (isa == Isa::avx2) return __builtin_cpu_supports("avx2");
    if (isa == Isa::avx512) {
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("avx512f") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    }
#endif
    return isa == Isa::scalar;
}

}  // namespace

const char* name_of(Isa isa) { return isa == Isa::avx512 ? "avx512" : isa == Isa::avx2 ? "avx2" : "scalar"; }

std::vector<Isa> available_isas() {
    std::vector<Isa> available;
    for (const Isa each : {Isa::scalar, Isa::avx2, Isa::avx512}) {
        if (has(each)) available.push_back(each);
    }
    return available;
}

Isa isa = available_isas().back();

void use_isa(const std::string& name) {
    std::string available;
    for (const Isa each : available_isas()) {
        if (name == name_of(each)) {
            isa = each;
            return;
        }
        available += (available.empty() ? "" : ", ") + std::string(name_of(each));
    }
    const bool known = name == name_of(Isa::avx2) || name == name_of(Isa::avx512);
    throw std::invalid_argument("'" + name + "'" +
                                (known ? ", which this processor or this build of amsx does not have" : "") +
                                "; expected one of: " + available);
}

}  // namespace amsx::cpu
