// Rows are read and written 16 bytes at a time where alignment allows, else element by element.
#pragma once

#include <type_traits>

#include "../element.h"
#include "block.cuh"

namespace amsx::cuda {

// So many elements side by side, as words: what is done with single elements of 16 bits takes words apart.
template <typename E, int kWidth>
struct alignas(sizeof(E) * kWidth) Pack {
    using Word = std::conditional_t<sizeof(E) * kWidth == 2, uint16_t, uint32_t>;
    Word word[sizeof(E) * kWidth / sizeof(Word)];
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

// 16 bytes are moved in assembly: nvcc left to itself takes some of the stores apart, and puts some of the loads off
// until their values are needed, where many should be under way at once.
template <int kWidth, typename E>
__device__ Pack<E, kWidth> read_pack(const E* from) {
#if defined(__CUDA_ARCH__)
    if constexpr (sizeof(Pack<E, kWidth>) == 16) {
        uint4 words;
        asm volatile("ld.global.v4.u32 {%0, %1, %2, %3}, [%4];"
                     : "=r"(words.x), "=r"(words.y), "=r"(words.z), "=r"(words.w)
                     : "l"(__cvta_generic_to_global(from)));
        Pack<E, kWidth> pack;
        memcpy(&pack, &words, sizeof words);
        return pack;
    }
#endif
    return *reinterpret_cast<const Pack<E, kWidth>*>(from);
}

template <int kWidth, typename E>
__device__ void write_pack(E* to, const Pack<E, kWidth>& pack) {
#if defined(__CUDA_ARCH__)
    if constexpr (sizeof pack == 16) {
        uint4 words;
        memcpy(&words, &pack, sizeof words);
        asm volatile("st.global.v4.u32 [%0], {%1, %2, %3, %4};" ::"l"(__cvta_generic_to_global(to)), "r"(words.x),
                     "r"(words.y), "r"(words.z), "r"(words.w));
        return;
    }
#endif
    *reinterpret_cast<Pack<E, kWidth>*>(to) = pack;
}

// Has the second cache fetch what lies there.
template <typename E>
__device__ void prefetch(const E* from) {
#if defined(__CUDA_ARCH__)
    asm volatile("prefetch.global.L2 [%0];" ::"l"(__cvta_generic_to_global(from)));
#else
    static_cast<void>(from);
#endif
}

// The values of a pack.
template <typename E, int kWidth>
__device__ void unpack(const Pack<E, kWidth>& pack, compute_t<E> (&value)[kWidth]) {
    if constexpr (std::is_same_v<E, BFloat16> && kWidth % 2 == 0) {
#pragma unroll
        for (int e = 0; e < kWidth; e += 2) {
            value[e] = float_of_bits(pack.word[e / 2] << 16);
            value[e + 1] = float_of_bits(pack.word[e / 2] & 0xffff0000u);
        }
    } else {
        E element[kWidth];
        memcpy(element, pack.word, sizeof element);
#pragma unroll
        for (int e = 0; e < kWidth; ++e) value[e] = load(element[e]);
    }
}

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
template <int kWidth>
__device__ void round_pairs(const float (&value)[kWidth], Pack<Half, kWidth>* to) {
#pragma unroll
    for (int e = 0; e < kWidth; e += 2) {
        asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(to->word[e / 2]) : "f"(value[e + 1]), "f"(value[e]));
    }
}

// The instruction's NaN is 0x7fff, that of `store` is 0x7fc0.
template <int kWidth>
__device__ void round_pairs(const float (&value)[kWidth], Pack<BFloat16, kWidth>* to) {
#pragma unroll
    for (int e = 0; e < kWidth; e += 2) {
        uint32_t& word = to->word[e / 2];
        asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(value[e + 1]), "f"(value[e]));
#if __CUDA_ARCH__ >= 900 && __CUDACC_VER_MAJOR__ >= 12
        asm("min.s16x2 %0, %0, %1;" : "+r"(word) : "r"(0x7fc07fc0u));  // of signed numbers, 0x7fff is the greatest
#else
        if (value[e] != value[e]) word = (word & 0xffff0000u) | 0x7fc0u;
        if (value[e + 1] != value[e + 1]) word = (word & 0xffffu) | 0x7fc00000u;
#endif
    }
}
#endif

// Rounds to the element type, two at a time where there is an instruction for that.
template <typename E, int kWidth>
__device__ Pack<E, kWidth> packed(const compute_t<E> (&value)[kWidth]) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    constexpr bool kPaired = sizeof(E) == 2 && kWidth % 2 == 0;
#else
    constexpr bool kPaired = false;
#endif
    Pack<E, kWidth> result;
    if constexpr (kPaired) {
        round_pairs(value, &result);
    } else {
        E element[kWidth];
#pragma unroll
        for (int e = 0; e < kWidth; ++e) store(&element[e], value[e]);
        memcpy(result.word, element, sizeof element);
    }
    return result;
}

// from + fraction * (next - from)
template <typename E, int kWidth>
__device__ Pack<E, kWidth> mix(const Pack<E, kWidth>& from, const Pack<E, kWidth>& next, compute_t<E> fraction) {
    compute_t<E> a[kWidth], b[kWidth];
    unpack(from, a);
    unpack(next, b);
#pragma unroll
    for (int e = 0; e < kWidth; ++e) a[e] = lerp<compute_t<E>>(a[e], b[e], fraction);
    return packed<E>(a);
}

template <typename E, int kWidth>
__device__ void add(compute_t<E> (&sum)[kWidth], compute_t<E> scale, const compute_t<E> (&row)[kWidth]) {
#pragma unroll
    for (int e = 0; e < kWidth; ++e) sum[e] = sum[e] + scale * row[e];
}

// A pack that is stored as it is read: a NaN of 16 bits becomes the one that they are stored with.
template <typename E, int kWidth>
__device__ Pack<E, kWidth> copied(const Pack<E, kWidth>& pack) {
    if constexpr (sizeof(E) > 2) return pack;
    compute_t<E> value[kWidth];
    unpack(pack, value);
    return packed<E>(value);
}

// to = the row at `from` mixed with the one after it, which lies `stride` elements on and is not read where the fraction
// is 0. Thread x of a row takes every blockDim.x-th pack.
template <int kWidth, typename E>
__device__ void lerp_row(const E* from, int64_t stride, compute_t<E> fraction, E* to, int64_t dims) {
    for (int64_t d = threadIdx.x * kWidth; d < dims; d += blockDim.x * kWidth) {
        const Pack<E, kWidth> row = read_pack<kWidth>(from + d);
        write_pack(to + d, fraction == 0 ? copied(row) : mix(row, read_pack<kWidth>(from + stride + d), fraction));
    }
}

template <int kWidth, typename E>
__device__ void zero_row(E* to, int64_t dims) {
    for (int64_t d = threadIdx.x * kWidth; d < dims; d += blockDim.x * kWidth) write_pack(to + d, Pack<E, kWidth>{});
}

// to[d] = sum over i in [begin, end) of weight(i) * rows[i * stride + d], in the order of i; weight 0 skips a row. A few
// rows are under way at once.
template <int kWidth, typename E, typename Weight>
__device__ void sum_rows(const E* rows, int64_t stride, int begin, int end, const Weight& weight, E* to, int64_t dims) {
    constexpr int kAhead = sizeof(E) == 2 ? 2 : 4;  // more of 16 bits spill registers
    for (int64_t d = threadIdx.x * kWidth; d < dims; d += blockDim.x * kWidth) {
        compute_t<E> sum[kWidth] = {};
#pragma unroll 1
        for (int i = begin; i < end; i += kAhead) {
            compute_t<E> taken[kAhead];
            Pack<E, kWidth> pack[kAhead];
#pragma unroll
            for (int a = 0; a < kAhead; ++a) {
                taken[a] = i + a < end ? static_cast<compute_t<E>>(weight(i + a)) : compute_t<E>(0);
                if (taken[a] != 0) pack[a] = read_pack<kWidth>(rows + (i + a) * stride + d);
            }
#pragma unroll
            for (int a = 0; a < kAhead; ++a) {
                if (taken[a] == 0) continue;
                compute_t<E> row[kWidth];
                unpack(pack[a], row);
                add<E>(sum, taken[a], row);
            }
        }
        write_pack(to + d, packed<E>(sum));
    }
}

// The row (or run of rows) of this_video() that this thread works on; the caller skips rows beyond the last.
__device__ inline int this_row() { return static_cast<int>(blockIdx.x * blockDim.y + threadIdx.y); }

}  // namespace amsx::cuda
