// The block that runs: where each of its threads stands, and who can go on when all have stopped.
#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

// ---- what ThreadSanitizer is told: nothing of the machinery below, and of barriers that they order memory

#if defined(__SANITIZE_THREAD__)
extern "C" void AnnotateIgnoreSyncBegin(const char*, int), AnnotateIgnoreSyncEnd(const char*, int),
    AnnotateIgnoreReadsBegin(const char*, int), AnnotateIgnoreReadsEnd(const char*, int),
    AnnotateIgnoreWritesBegin(const char*, int), AnnotateIgnoreWritesEnd(const char*, int), __tsan_acquire(void*),
    __tsan_release(void*);
struct Unseen {
    Unseen() {
        AnnotateIgnoreSyncBegin(__FILE__, __LINE__);
        AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
        AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
    }
    ~Unseen() {
        AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
        AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
        AnnotateIgnoreSyncEnd(__FILE__, __LINE__);
    }
};
#else
struct Unseen {
    Unseen() {}
};
inline void __tsan_acquire(void*) {}
inline void __tsan_release(void*) {}
#endif

namespace emulation {

enum class At { running, barrier, shuffle, gone };

struct Thread {
    dim3 index;
    At at = At::running;
    const char* file = "";  // where it waits
    int line = 0;
    int source = 0;  // a shuffle's lane to take from
    uint64_t given = 0, taken = 0;
    unsigned barriers = 0;
};

inline std::vector<Thread> threads;  // of the block that runs
inline std::string fault;            // why it cannot go on
inline thread_local Thread* self;

inline bool together(size_t begin, size_t end, At at) {
    for (size_t i = begin; i < end; ++i) {
        const Thread &one = threads[i], &first = threads[begin];
        if (one.at != at) return false;
        if (at != At::gone && (one.line != first.line || std::strcmp(one.file, first.file) != 0)) return false;
    }
    return true;
}

inline std::string places() {
    std::string text;
    for (size_t i = 0; i < threads.size(); ++i) {
        const Thread& t = threads[i];
        const char* what = t.at == At::gone ? "gone" : t.at == At::barrier ? "at the barrier " : "at the shuffle ";
        const std::string place = t.at == At::gone ? what : what + std::string(t.file) + ":" + std::to_string(t.line);
        if (text.find(place) == text.npos) text += " thread " + std::to_string(i) + " is " + place + ";";
    }
    return text;
}

// No thread runs: lets go whoever can, and returns them; sets `fault` if there is nobody though some wait.
inline const std::vector<Thread*>& settle() {
    static std::vector<Thread*> released;
    released.clear();
    const size_t count = threads.size();
    if (together(0, count, At::gone)) return released;
    if (together(0, count, At::barrier)) {
        for (Thread& t : threads) released.push_back(&t);
    }
    for (size_t warp = 0; warp + 32 <= count; warp += 32) {
        if (!together(warp, warp + 32, At::shuffle)) continue;
        for (size_t i = warp; i < warp + 32; ++i) {
            threads[i].taken = threads[warp + threads[i].source].given;
            released.push_back(&threads[i]);
        }
    }
    if (released.empty()) {
        fault = "divergent block:" + places();
        for (Thread& t : threads) {
            if (t.at != At::gone) released.push_back(&t);
        }
    }
    for (Thread* t : released) t->at = At::running;
    return released;
}

}  // namespace emulation

// The back ends. run_block(body) runs `body` once per thread; wait() returns when its thread may go on.
#ifdef EMULATION_THREADS
#include "os_threads.h"
#else
#include "fibers.h"
#endif

namespace emulation {

inline int lane() { return static_cast<int>((self - threads.data()) % 32); }

inline void wait_at(At at, const char* file, int line) {
    self->file = file, self->line = line, self->at = at;
    wait();
}

template <typename V>
V shuffle(unsigned mask, V value, int source, const char* file, int line) {
    static_assert(sizeof(V) <= sizeof(uint64_t));
    Unseen unseen;
    Thread* me = self;
    if (mask != 0xffffffffu) throw std::logic_error("emulation: shuffles of whole warps only");
    std::memcpy(&me->given, &value, sizeof value);
    me->source = source;
    wait_at(At::shuffle, file, line);
    std::memcpy(&value, &me->taken, sizeof value);
    return value;
}

}  // namespace emulation
