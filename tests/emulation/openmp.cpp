// Stands in for libgomp, which ThreadSanitizer cannot see into: a parallel region is as many std::threads.
#include <thread>
#include <vector>

namespace {
thread_local int number = 0, size = 1;
}

extern "C" {

int omp_get_thread_num() { return number; }
int omp_get_num_threads() { return size; }

void GOMP_parallel(void (*body)(void*), void* data, unsigned threads, unsigned) {
    std::vector<std::thread> team;
    for (unsigned i = 0; i < threads; ++i) {
        team.emplace_back([=] {
            number = static_cast<int>(i), size = static_cast<int>(threads);
            body(data);
        });
    }
    for (std::thread& thread : team) thread.join();
}

}  // extern "C"
