// The threads of a block as fibers of one OS thread, one after the other: fast, and the same on every run.
// Included by block.h.
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

// Entered once by ucontext, then switched by the compiler's own jumps, which need no system call and are not
// intercepted by AddressSanitizer. Fiber i runs thread i of every block.
#define EMULATION_SWITCH __attribute__((noinline, no_sanitize("address")))
using Jump = void* [5];
struct Fiber {
    static constexpr size_t kStack = 64 * 1024;
    std::unique_ptr<char[]> stack{new char[kStack]};
    ucontext_t context;
    Jump resume;
    bool entered = false;
};

inline std::vector<std::unique_ptr<Fiber>> fibers;
inline thread_local Fiber* fiber;  // the one that runs
inline Jump home;
inline const void* home_stack;
inline size_t home_size;
inline std::function<void()> work;

// Apart from the functions that set a jump's target, as the compiler demands.
[[noreturn]] EMULATION_SWITCH inline void jump(Jump& to) { __builtin_longjmp(to, 1); }

EMULATION_SWITCH inline void wait() {
    void* fake;
    Fiber* me = fiber;
    __sanitizer_start_switch_fiber(&fake, home_stack, home_size);
    if (__builtin_setjmp(me->resume) == 0) jump(home);
    __sanitizer_finish_switch_fiber(fake, &home_stack, &home_size);
}

inline void enter() {
    __sanitizer_finish_switch_fiber(nullptr, &home_stack, &home_size);
    for (;;) {
        work();
        self->at = At::gone;
        wait();
    }
}

EMULATION_SWITCH inline void resume(Fiber* next) {
    void* fake;
    fiber = next;
    __sanitizer_start_switch_fiber(&fake, next->stack.get(), Fiber::kStack);
    if (__builtin_setjmp(home) == 0) {
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

inline void run_block(const std::function<void()>& body) {
    fault.clear();
    work = body;
    while (fibers.size() < threads.size()) fibers.emplace_back(new Fiber);
    // Threads in one order or the other: a result that depends on it lacks a barrier.
    const bool reversed = std::getenv("EMULATION_REVERSED") != nullptr;
    do {
        for (size_t k = 0; k < threads.size(); ++k) {
            const size_t i = reversed ? threads.size() - 1 - k : k;
            if (threads[i].at != At::running) continue;
            self = &threads[i];
            threadIdx = self->index;
            resume(fibers[i].get());
        }
    } while (!settle().empty() && fault.empty());
    if (!fault.empty()) fibers.clear();  // they stand in the middle of a kernel
}

}  // namespace emulation
