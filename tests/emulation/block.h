// The blocks that run: where each of their threads stands, and who can go on when all of a block have stopped.
#pragma once

#include <cstdint>
#include <cstring>
#include <map>
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

// The machinery runs once per thread and barrier, and no sanitizer has to watch it.
#if defined(__clang__)
#define EMULATION_MACHINERY __attribute__((no_sanitize("address", "thread", "undefined")))
#else
#define EMULATION_MACHINERY __attribute__((no_sanitize("address", "thread", "undefined"), optimize("O2")))
#endif

namespace emulation {

enum class At {
    running,
    turn,     // lets the others go on first, as whoever waits for a flag does
    barrier,  // of the block
    warp,     // a shuffle, a vote or a barrier of the warp
    gone,
};

struct Block;
struct Fiber;

struct Thread {
    Block* block = nullptr;
    Fiber* fiber = nullptr;
    dim3 index;
    int number = 0;  // in its block
    At at = At::running;
    const char* file = "";  // where it waits
    int line = 0;
    int source = -1;                // the lane that a shuffle takes from; -1: a vote
    uint64_t given = 0, taken = 0;  // to and from the others at a barrier, a shuffle or a vote
    unsigned barriers = 0, warp_barriers = 0;
};

// Shared memory of one block: each variable has an allocation of its own.
struct Variable {
    void* allocation;
    void* address;
};

struct Block {
    dim3 index;
    uint64_t number = 0;  // counted over all launches
    std::vector<Thread> threads;
    std::map<const void*, Variable> shared;
    size_t shared_bytes = 0, dynamic_bytes = 0;  // of variables; that the launch asked for beside them
    char orders[2];           // of barriers, two in turn: who is slow to leave one must not learn of the next
    char warp_orders[32][2];  // the same of a warp's
    ~Block();
};

inline std::string fault;  // why the launch cannot go on
inline Thread* self;       // that runs

// Whether the threads from `begin` to `end` wait for the same, at the same place in the source.
EMULATION_MACHINERY inline bool together(const Thread* begin, const Thread* end, At at) {
    for (const Thread* t = begin; t < end; ++t) {
        if (t->at != at) return false;
        if (at == At::gone) continue;
        if (t->line != begin->line || (t->file != begin->file && std::strcmp(t->file, begin->file) != 0)) return false;
    }
    return true;
}

inline std::string places(const Block& block) {
    std::string text;
    for (size_t i = 0; i < block.threads.size(); ++i) {
        const Thread& t = block.threads[i];
        const char* what = t.at == At::gone ? "gone" : t.at == At::barrier ? "at the barrier " : "at the shuffle ";
        const std::string place = t.at == At::gone ? what : what + std::string(t.file) + ":" + std::to_string(t.line);
        if (text.find(place) == text.npos) text += " thread " + std::to_string(i) + " is " + place + ";";
    }
    return text;
}

// No thread of the block runs: lets go whoever can, and says whether there is anyone. Sets `fault` if there is nobody
// though some wait.
EMULATION_MACHINERY inline bool settle(Block& block) {
    Thread *const first = block.threads.data(), *const last = first + block.threads.size();
    if (together(first, last, At::barrier)) {
        uint64_t votes = 0;
        for (Thread* t = first; t < last; ++t) votes += t->given != 0;
        for (Thread* t = first; t < last; ++t) t->taken = votes, t->at = At::running;
        return true;
    }
    bool released = false;
    for (Thread* warp = first; warp + 32 <= last; warp += 32) {
        if (!together(warp, warp + 32, At::warp)) continue;
        uint64_t ballot = 0;
        for (int i = 0; i < 32; ++i) ballot |= uint64_t(warp[i].given != 0) << i;
        for (Thread* t = warp; t < warp + 32; ++t) {
            t->taken = t->source < 0 ? ballot : warp[t->source].given;
            t->at = At::running;
        }
        released = true;
    }
    if (released || together(first, last, At::gone)) return released;
    for (const Thread* t = first; t < last; ++t) {
        if (t->at == At::turn) return false;
    }
    fault = "divergent block:" + places(block);
    return false;
}

}  // namespace emulation

#include "fibers.h"

namespace emulation {

EMULATION_MACHINERY inline int lane() { return self->number % 32; }

EMULATION_MACHINERY inline void wait_at(At at, const char* file, int line) {
    self->file = file, self->line = line, self->at = at;
    wait();
}

// What cannot be emulated, or is forbidden: ends the launch with this message.
[[noreturn]] inline void fail(const char* why) {
    Unseen unseen;
    fault = why;
    for (;;) wait_at(At::gone, "", 0);
}

// Lets all other threads go on before this one does.
inline void give_way() { wait_at(At::turn, "", 0); }

// Waits for the block; returns in how many threads `vote` is not 0.
EMULATION_MACHINERY inline uint64_t barrier(uint64_t vote, const char* file, int line) {
    char* order = &self->block->orders[self->barriers++ % 2];
    __tsan_release(order);
    Thread* me = self;
    me->given = vote;
    wait_at(At::barrier, file, line);
    __tsan_acquire(order);
    return me->taken;
}

// Waits for the warp; returns what lane `source` gives, or, for -1, which lanes give something that is not 0.
EMULATION_MACHINERY inline uint64_t exchange(unsigned mask, uint64_t given, int source, const char* file, int line) {
    Thread* me = self;
    if (mask != 0xffffffffu) fail("a shuffle or vote of a part of the warp: only whole warps are emulated");
    me->given = given, me->source = source;
    wait_at(At::warp, file, line);
    return me->taken;
}

template <typename V>
EMULATION_MACHINERY V shuffle(unsigned mask, V value, int source, int width, const char* file, int line) {
    static_assert(sizeof(V) <= sizeof(uint64_t));
    if (width != 32) fail("a shuffle within a part of the warp: only whole warps are emulated");
    uint64_t word = 0;
    std::memcpy(&word, &value, sizeof value);
    word = exchange(mask, word, source, file, line);
    std::memcpy(&value, &word, sizeof value);
    return value;
}

}  // namespace emulation
