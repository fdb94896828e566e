// The threads of a block as OS threads, all at once: what ThreadSanitizer needs to see a race.
// Included by block.h.
#pragma once

#include <semaphore.h>

#include <atomic>
#include <memory>
#include <thread>

namespace emulation {

// Worker i runs thread i of every block: to start a thread takes ThreadSanitizer a millisecond.
struct Worker {
    sem_t wake;
    Worker() { sem_init(&wake, 0, 0); }
};
struct Abandoned {};  // thrown out of a kernel that cannot go on

inline std::vector<std::unique_ptr<Worker>> workers;
inline thread_local Worker* worker;
inline Worker home;  // the thread that launches
inline std::atomic<size_t> running;
inline std::function<void()> work;
inline dim3 place[3];  // blockIdx, blockDim, gridDim

inline void sleep(Worker& one) {
    while (sem_wait(&one.wake) != 0) {
    }
}

// This thread has said where it stands; the last of them to stop lets go who can.
inline void stop() {
    if (running.fetch_sub(1) != 1) return;
    const std::vector<Thread*> released = settle();
    running = released.size();
    if (released.empty()) sem_post(&home.wake);
    for (Thread* t : released) sem_post(&workers[t - threads.data()]->wake);
}

inline void wait() {
    stop();
    sleep(*worker);
    if (!fault.empty()) throw Abandoned();
}

inline void serve(Worker* me, size_t i) {
    worker = me;
    for (;;) {
        {
            Unseen unseen;
            sleep(*me);
        }
        __tsan_acquire(&work);
        self = &threads[i];
        threadIdx = self->index, blockIdx = place[0], blockDim = place[1], gridDim = place[2];
        try {
            work();
        } catch (const Abandoned&) {
        }
        __tsan_release(&home);
        Unseen unseen;
        self->at = At::gone;
        stop();
    }
}

inline void run_block(const std::function<void()>& body) {
    fault.clear();
    work = body;
    place[0] = blockIdx, place[1] = blockDim, place[2] = gridDim;
    while (workers.size() < threads.size()) {
        workers.emplace_back(new Worker);
        std::thread(serve, workers.back().get(), workers.size() - 1).detach();
    }
    running = threads.size();
    __tsan_release(&work);
    {
        Unseen unseen;
        for (size_t i = 0; i < threads.size(); ++i) sem_post(&workers[i]->wake);
        sleep(home);
    }
    __tsan_acquire(&home);
}

}  // namespace emulation
