// Stands in for libgomp, which ThreadSanitizer cannot see into: a parallel region is as many std::threads.
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace {

// Where the threads of the one region that runs at a time wait for each other.
class Barrier {
  public:
    void wait(int team) {
        std::unique_lock<std::mutex> lock(mutex_);
        const int round = round_;
        if (++waiting_ == team) {
            waiting_ = 0;
            ++round_;
            all_here_.notify_all();
        } else {
            all_here_.wait(lock, [&] { return round_ != round; });
        }
    }

  private:
    std::mutex mutex_;
    std::condition_variable all_here_;
    int waiting_ = 0, round_ = 0;
};

thread_local int number = 0, size = 1;
Barrier barrier;

}  // namespace

extern "C" {

int omp_get_thread_num() { return number; }
int omp_get_num_threads() { return size; }
void GOMP_barrier() { barrier.wait(size); }

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
