// A fixed set of threads that share out numbered pieces of work. Which thread does a piece never matters to results.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace polarscope {

// Threads that the machine runs at once; at least 1.
int all_cores();

class ThreadPool {
public:
  // `threads` includes the caller of run(); 0 = one per core. Where the system gives fewer, threads() says how many.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }
  // Calls work(item, thread) for every item in [0, items), thread in [0, threads()); returns when all are done.
  void run(int items, const std::function<void(int item, int thread)>& work);

private:
  // The threads of one round on different cores, while there are enough: the system wakes two on one core at times, though
  // another idles, and leaves them there for many milliseconds.
  void take_core(std::uint64_t round);
  void work_on(int thread);
  void worker(int thread);

  std::mutex mutex_;
  std::condition_variable begin_, end_;
  const std::function<void(int, int)>* work_ = nullptr;
  std::atomic<int> next_{0};
  int items_ = 0;
  std::uint64_t round_ = 0;               // counts calls of run(), so that a late thread does not miss or repeat one
  static constexpr int kMostCores = 1024; // the system's name for them is below
  std::array<std::atomic<std::uint64_t>, kMostCores> taken_{}; // by core: the last round that a thread of it was there
  int busy_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> workers_;
};

} // namespace polarscope
