// Rows are read and written 16 bytes at a time where alignment allows, else element by element.
#pragma once

#include "../element.h"

namespace amsx::cuda {

template <typename E, int kWidth>
struct alignas(sizeof(E) * kWidth) Pack {
    E element[kWidth];
};

template <typename E>
constexpr int kWide = 16 / sizeof(E);

inline bool aligned(const void* pointer) { return reinterpret_cast<uintptr_t>(pointer) % 16 == 0; }

// Whether rows of `dims` elements at these strides can all be read in packs.
template <typename E>
bool packs(int64_t dims, const void* base, int64_t stride0, int64_t stride1) {
    constexpr int64_t width = kWide<E>;
    return dims % width == 0 && aligned(base) && stride0 % width == 0 && stride1 % width == 0;
}

template <int kWidth, typename E>
__device__ Pack<E, kWidth> read_pack(const E* from) {
    return *reinterpret_cast<const Pack<E, kWidth>*>(from);
}

template <int kWidth, typename E>
__device__ void write_pack(E* to, const Pack<E, kWidth>& pack) {
#if defined(__CUDA_ARCH__)
    if constexpr (sizeof pack == 16) {  // in assembly, because nvcc left to itself takes some of these stores apart
        uint4 words;
        memcpy(&words, &pack, sizeof words);
        asm volatile("st.global.v4.u32 [%0], {%1, %2, %3, %4};" ::"l"(__cvta_generic_to_global(to)), "r"(words.x),
                     "r"(words.y), "r"(words.z), "r"(words.w));
        return;
    }
#endif
    *reinterpret_cast<Pack<E, kWidth>*>(to) = pack;
}

// from + fraction * (next - from)
template <typename E, int kWidth>
__device__ Pack<E, kWidth> mix(const Pack<E, kWidth>& from, const Pack<E, kWidth>& next, compute_t<E> fraction) {
    Pack<E, kWidth> mixed;
#pragma unroll
    for (int e = 0; e < kWidth; ++e) {
        store(&mixed.element[e], lerp<compute_t<E>>(load(from.element[e]), load(next.element[e]), fraction));
    }
    return mixed;
}

template <typename E, int kWidth>
__device__ void add(compute_t<E> (&sum)[kWidth], compute_t<E> scale, const Pack<E, kWidth>& row) {
#pragma unroll
    for (int e = 0; e < kWidth; ++e) sum[e] = sum[e] + scale * load(row.element[e]);
}

template <typename E, int kWidth>
__device__ Pack<E, kWidth> packed(const compute_t<E> (&sum)[kWidth]) {
    Pack<E, kWidth> result;
#pragma unroll
    for (int e = 0; e < kWidth; ++e) store(&result.element[e], sum[e]);
    return result;
}

// to[d] = from[d] + fraction * (next[d] - from[d]); thread x of a row takes every blockDim.x-th pack.
template <int kWidth, typename E>
__device__ void lerp_row(const E* from, const E* next, compute_t<E> fraction, E* to, int64_t dims) {
    for (int64_t d = threadIdx.x * kWidth; d < dims; d += blockDim.x * kWidth) {
        write_pack(to + d, mix(read_pack<kWidth>(from + d), read_pack<kWidth>(next + d), fraction));
    }
}

template <int kWidth, typename E>
__device__ void zero_row(E* to, int64_t dims) {
    for (int64_t d = threadIdx.x * kWidth; d < dims; d += blockDim.x * kWidth) write_pack(to + d, Pack<E, kWidth>{});
}

// to[d] = sum over i in [begin, end) of weight(i) * rows[i * stride + d], in the order of i; weight 0 skips a row.
template <int kWidth, typename E, typename Weight>
__device__ void sum_rows(const E* rows, int64_t stride, int64_t begin, int64_t end, const Weight& weight, E* to,
                         int64_t dims) {
    for (int64_t d = threadIdx.x * kWidth; d < dims; d += blockDim.x * kWidth) {
        compute_t<E> sum[kWidth] = {};
        for (int64_t i = begin; i < end; ++i) {
            const double taken = weight(i);
            if (taken != 0) add(sum, static_cast<compute_t<E>>(taken), read_pack<kWidth>(rows + i * stride + d));
        }
        write_pack(to + d, packed<E>(sum));
    }
}

// The row, among all videos' rows, that this thread works on; the caller skips rows beyond the last.
__device__ inline int64_t this_row() { return static_cast<int64_t>(blockIdx.x) * blockDim.y + threadIdx.y; }

}  // namespace amsx::cuda
