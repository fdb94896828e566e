// Shared memory: toolchain.py makes `auto& x = emulation::shared<T[n]>(...)` of `__shared__ T x[n];`. Each block has
// its own, which starts as garbage; each variable has an allocation of its own, aligned no better than its type asks,
// so that AddressSanitizer sees what lies beside it.
#pragma once

#include <cstdlib>

#if defined(__SANITIZE_ADDRESS__)
extern "C" void __asan_poison_memory_region(const void volatile*, size_t);
extern "C" void __asan_unpoison_memory_region(const void volatile*, size_t);
#else
inline void __asan_poison_memory_region(const void volatile*, size_t) {}
inline void __asan_unpoison_memory_region(const void volatile*, size_t) {}
#endif

namespace emulation {

constexpr size_t kSharedLimit = 48 * 1024;  // bytes of a block, beyond which a GPU wants to be asked first

// Not a number in any floating-point type; small and negative in all; large and positive in most.
constexpr unsigned char kGarbage[] = {0xff, 0xa5, 0x7e};

inline Variable allocate_shared(size_t bytes, size_t alignment, uint64_t block) {
    constexpr size_t kLine = 64;
    Variable made{};
    if (posix_memalign(&made.allocation, kLine, 2 * kLine + bytes) != 0) std::abort();
    char* address = static_cast<char*>(made.allocation) + kLine + (alignment < 8 ? 8 : alignment) % kLine;
    made.address = address;
    std::memset(address, kGarbage[block % sizeof kGarbage], bytes);
    __asan_poison_memory_region(made.allocation, address - static_cast<char*>(made.allocation));
    __asan_poison_memory_region(address + bytes, kLine - (address - static_cast<char*>(made.allocation) - kLine));
    return made;
}

inline Block::~Block() {
    for (auto& [key, variable] : shared) {
        __asan_unpoison_memory_region(variable.allocation,
                                      static_cast<char*>(variable.address) - static_cast<char*>(variable.allocation));
        std::free(variable.allocation);
    }
}

inline void* shared_at(const void* key, size_t bytes, size_t alignment) {
    Unseen unseen;
    Block& block = *self->block;
    const auto known = block.shared.find(key);
    if (known != block.shared.end()) return known->second.address;
    block.shared_bytes += bytes;
    if (block.shared_bytes > kSharedLimit) fail("more than 48 KB of shared memory in a block");
    return (block.shared[key] = allocate_shared(bytes, alignment, block.number)).address;
}

// The place in the source, and what its template is instantiated with, are the type of `Place`.
template <typename T, typename Place>
T& shared(const Place&, size_t alignment = alignof(T)) {
    static const char key = 0;
    return *static_cast<T*>(shared_at(&key, sizeof(T), alignment));
}

// What a launch asked for beside that.
template <typename T>
T* dynamic_shared(size_t alignment = alignof(T)) {
    static const char key = 0;
    return static_cast<T*>(shared_at(&key, self->block->dynamic_bytes, alignment));
}

// The first statement of a kernel with launch bounds.
inline void launch_bounds(uint64_t threads, int = 0) {
    if (self->block->threads.size() > threads) fail("a block larger than the launch bounds of its kernel");
}

}  // namespace emulation
