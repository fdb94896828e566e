// GCC on x86-64 Linux compiles a function marked so for the baseline, AVX2 and AVX-512, and picks one when the library
// loads: one wheel for all. Elsewhere, and under sanitizers (which run before the choice is made), the mark is empty.
#pragma once

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define AMSX_CLONES __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define AMSX_CLONES
#endif
