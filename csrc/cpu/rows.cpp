#include "rows.h"

// GCC on x86-64 Linux compiles each function for the baseline, AVX2 and AVX-512
// and picks one when the library loads.
#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define AMSX_CLONES __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define AMSX_CLONES
#endif

namespace amsx::cpu {

#define AMSX_LERP_ROW(T)                                                                                              \
    AMSX_CLONES void lerp_row(const T* from, const T* to, compute_t<T> fraction, T* __restrict__ out, int64_t dims) { \
        for (int64_t d = 0; d < dims; ++d) {                                                                          \
            store(out + d, lerp<compute_t<T>>(load(from[d]), load(to[d]), fraction));                                 \
        }                                                                                                             \
    }
#define AMSX_ADD_ROW(T)                                                                                         \
    AMSX_CLONES void add_row(const T* row, compute_t<T> weight, compute_t<T>* __restrict__ sum, int64_t dims) { \
        for (int64_t d = 0; d < dims; ++d) sum[d] = sum[d] + weight * load(row[d]);                             \
    }
#define AMSX_STORE_ROW(T)                                                                    \
    AMSX_CLONES void store_row(const compute_t<T>* sum, T* __restrict__ out, int64_t dims) { \
        for (int64_t d = 0; d < dims; ++d) store(out + d, sum[d]);                           \
    }

AMSX_EACH_ELEMENT(AMSX_LERP_ROW)
AMSX_EACH_ELEMENT(AMSX_ADD_ROW)
AMSX_EACH_ELEMENT(AMSX_STORE_ROW)

}  // namespace amsx::cpu
