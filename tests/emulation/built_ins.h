// The built-in functions of device code.
#pragma once

namespace emulation {

// What a barrier, a shuffle or a vote needs to say where it is.
#define EMULATION_HERE const char *file = __builtin_FILE(), int line = __builtin_LINE()

inline char fences;  // one order for all of them: a fence sees whatever came before another fence

}  // namespace emulation

// ---- barriers and fences

inline void __syncthreads(EMULATION_HERE) { emulation::barrier(0, file, line); }
inline int __syncthreads_count(int vote, EMULATION_HERE) { return int(emulation::barrier(vote != 0, file, line)); }
inline int __syncthreads_or(int vote, EMULATION_HERE) { return emulation::barrier(vote != 0, file, line) != 0; }
inline int __syncthreads_and(int vote, EMULATION_HERE) { return emulation::barrier(vote == 0, file, line) == 0; }

inline void __syncwarp(unsigned mask = 0xffffffffu, EMULATION_HERE) {
    using emulation::self;
    char* order = &self->block->warp_orders[self->number / 32][self->warp_barriers++ % 2];
    __tsan_release(order);
    emulation::exchange(mask, 0, -1, file, line);
    __tsan_acquire(order);
}

inline void __threadfence() {
    __tsan_acquire(&emulation::fences);
    __tsan_release(&emulation::fences);
}

// ---- a warp's shuffles and votes, which order no memory

template <typename V>
V __shfl_sync(unsigned mask, V value, int source, int width = 32, EMULATION_HERE) {
    return emulation::shuffle(mask, value, source & 31, width, file, line);
}
template <typename V>
V __shfl_xor_sync(unsigned mask, V value, int step, int width = 32, EMULATION_HERE) {
    return emulation::shuffle(mask, value, emulation::lane() ^ step, width, file, line);
}
template <typename V>
V __shfl_up_sync(unsigned mask, V value, int step, int width = 32, EMULATION_HERE) {
    const int lane = emulation::lane();
    return emulation::shuffle(mask, value, lane < step ? lane : lane - step, width, file, line);
}
template <typename V>
V __shfl_down_sync(unsigned mask, V value, int step, int width = 32, EMULATION_HERE) {
    const int lane = emulation::lane();
    return emulation::shuffle(mask, value, lane + step > 31 ? lane : lane + step, width, file, line);
}
inline unsigned __ballot_sync(unsigned mask, int vote, EMULATION_HERE) {
    return static_cast<unsigned>(emulation::exchange(mask, vote != 0, -1, file, line));
}
inline int __any_sync(unsigned mask, int vote, EMULATION_HERE) {
    return emulation::exchange(mask, vote != 0, -1, file, line) != 0;
}
inline int __all_sync(unsigned mask, int vote, EMULATION_HERE) {
    return emulation::exchange(mask, vote == 0, -1, file, line) == 0;
}

// ---- atomics, relaxed as CUDA's are; the others go on first, so that whoever waits for a flag waits no longer

template <typename V>
V atomicAdd(V* address, V value) {
    emulation::give_way();
    if constexpr (std::is_integral_v<V>) return __atomic_fetch_add(address, value, __ATOMIC_RELAXED);
    V old, sum;
    __atomic_load(address, &old, __ATOMIC_RELAXED);
    do sum = old + value;
    while (!__atomic_compare_exchange(address, &old, &sum, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return old;
}
template <typename V>
V atomicMax(V* address, V value) {
    emulation::give_way();
    V old = __atomic_load_n(address, __ATOMIC_RELAXED);
    while (old < value &&
           !__atomic_compare_exchange_n(address, &old, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
    return old;
}
template <typename V>
V atomicMin(V* address, V value) {
    emulation::give_way();
    V old = __atomic_load_n(address, __ATOMIC_RELAXED);
    while (value < old &&
           !__atomic_compare_exchange_n(address, &old, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
    return old;
}
template <typename V>
V atomicOr(V* address, V value) {
    emulation::give_way();
    return __atomic_fetch_or(address, value, __ATOMIC_RELAXED);
}
template <typename V>
V atomicExch(V* address, V value) {
    emulation::give_way();
    return __atomic_exchange_n(address, value, __ATOMIC_RELAXED);
}
template <typename V>
V atomicCAS(V* address, V expected, V value) {
    emulation::give_way();
    __atomic_compare_exchange_n(address, &expected, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    return expected;
}

// ---- bits, and loads through other caches

inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz(static_cast<unsigned>(x)); }
template <typename V>
V __ldg(const V* address) {
    return *address;
}

// ---- a kernel that begins before the one before it has ended

inline void cudaGridDependencySynchronize() { __tsan_acquire(&emulation::finished); }
inline void cudaTriggerProgrammaticLaunchCompletion() {}
