// The threads of some blocks as fibers of one OS thread, which ThreadSanitizer takes for threads of their own: it sees
// a race of two of them by what orders their accesses, not by when they run. A few blocks are under way at a time, and
// take turns. Included by block.h.
#pragma once

#include <ucontext.h>

#include <cstdlib>
#include <memory>

namespace emulation {

#if defined(__SANITIZE_ADDRESS__)
extern "C" void __sanitizer_start_switch_fiber(void**, const void*, size_t);
extern "C" void __sanitizer_finish_switch_fiber(void*, const void**, size_t*);
#else
inline void __sanitizer_start_switch_fiber(void**, const void*, size_t) {}
inline void __sanitizer_finish_switch_fiber(void*, const void**, size_t*) {}
#endif
#if defined(__SANITIZE_THREAD__)
extern "C" void* __tsan_create_fiber(unsigned);
extern "C" void* __tsan_get_current_fiber();
extern "C" void __tsan_switch_to_fiber(void*, unsigned);
#else
inline void* __tsan_create_fiber(unsigned) { return nullptr; }
inline void* __tsan_get_current_fiber() { return nullptr; }
inline void __tsan_switch_to_fiber(void*, unsigned) {}
#endif
constexpr unsigned kNoOrder = 1;  // a switch orders no memory

constexpr size_t kResident = 3;        // blocks that are under way at a time
constexpr uint64_t kPatience = 10000;  // rounds in which all threads do nothing but wait for each other

// Entered once by ucontext, then switched by the compiler's own jumps, which need no system call and are not
// intercepted by the sanitizers.
#define EMULATION_SWITCH __attribute__((noinline, no_sanitize("address"), no_sanitize("thread")))
using Jump = void* [5];
struct Fiber {
    static constexpr size_t kStack = 64 * 1024;
    std::unique_ptr<char[]> stack{new char[kStack]};
    void* seen_as = __tsan_create_fiber(0);
    ucontext_t context;
    Jump resume;
    bool entered = false;
};

inline std::vector<std::unique_ptr<Fiber>> fibers[kResident];  // fiber i runs thread i of the blocks of its place
inline Fiber* fiber;                                           // the one that runs
inline Jump home;
inline void* home_seen_as;
inline const void* home_stack;
inline size_t home_size;
inline void (*work)(const void*);
inline const void* work_on;

// Apart from the functions that set a jump's target, as the compiler demands.
[[noreturn]] EMULATION_SWITCH inline void jump(Jump& to) { __builtin_longjmp(to, 1); }

EMULATION_SWITCH inline void wait() {
    void* fake;
    Fiber* me = fiber;
    __sanitizer_start_switch_fiber(&fake, home_stack, home_size);
    __tsan_switch_to_fiber(home_seen_as, kNoOrder);
    if (__builtin_setjmp(me->resume) == 0) jump(home);
    __sanitizer_finish_switch_fiber(fake, &home_stack, &home_size);
}

EMULATION_SWITCH inline void enter() {
    __sanitizer_finish_switch_fiber(nullptr, &home_stack, &home_size);
    for (;;) {
        work(work_on);
        self->at = At::gone;
        wait();
    }
}

EMULATION_SWITCH inline void resume(Fiber* next) {
    void* fake;
    fiber = next;
    __sanitizer_start_switch_fiber(&fake, next->stack.get(), Fiber::kStack);
    if (__builtin_setjmp(home) == 0) {
        __tsan_switch_to_fiber(next->seen_as, kNoOrder);
        if (next->entered) jump(next->resume);
        next->entered = true;
        getcontext(&next->context);
        next->context.uc_stack.ss_sp = next->stack.get();
        next->context.uc_stack.ss_size = Fiber::kStack;
        makecontext(&next->context, enter, 0);
        setcontext(&next->context);
    }
    __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
}

// Runs the threads of the block until each has stopped; says whether any did more than to let others go on.
EMULATION_MACHINERY inline bool advance(Block& block, bool reversed) {
    bool moved = false;
    blockIdx = block.index;
    Thread *const first = block.threads.data(), *const last = first + block.threads.size() - 1;
    for (Thread* t = reversed ? last : first; first <= t && t <= last; t += reversed ? -1 : 1) {
        if (t->at != At::running && t->at != At::turn) continue;
        t->at = At::running;
        self = t;
        threadIdx = t->index;
        resume(t->fiber);
        if (!fault.empty()) break;
        moved |= t->at != At::turn;
    }
    return moved;
}

// Runs `body(context)` once per thread of `count` blocks, the n-th of which `make(n)` returns.
template <typename Make>
void run_blocks(uint64_t count, const Make& make, void (*body)(const void*), const void* context) {
    Unseen unseen;
    fault.clear();
    work = body, work_on = context;
    home_seen_as = __tsan_get_current_fiber();
    // Threads in one order or the other: a result that depends on it lacks a barrier.
    const bool reversed = std::getenv("EMULATION_REVERSED") != nullptr;
    std::unique_ptr<Block> resident[kResident];
    uint64_t begun = 0, done = 0, idle = 0;
    while (done < count && fault.empty()) {
        bool moved = false;
        for (size_t place = 0; place < kResident && fault.empty(); ++place) {
            std::unique_ptr<Block>& block = resident[place];
            if (block == nullptr) {
                if (begun == count) continue;
                block = make(begun++);
                for (size_t i = 0; i < block->threads.size(); ++i) {
                    if (i == fibers[place].size()) fibers[place].emplace_back(new Fiber);
                    block->threads[i].fiber = fibers[place][i].get();
                }
            }
            moved |= advance(*block, reversed);
            if (!fault.empty()) break;
            moved |= settle(*block);
            Thread* const first = block->threads.data();
            if (!together(first, first + block->threads.size(), At::gone)) continue;
            block.reset();
            ++done;
            moved = true;
        }
        idle = moved ? 0 : idle + 1;
        if (idle > kPatience) fault = "threads that wait for each other for ever";
    }
    if (!fault.empty()) {  // fibers stand in the middle of a kernel
        for (auto& of_place : fibers) of_place.clear();
    }
}

}  // namespace emulation
