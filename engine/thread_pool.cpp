#include "engine/thread_pool.hpp"

#include <algorithm>
#include <system_error>

#if defined(__linux__)
#  include <sched.h>
#endif

namespace polarscope {

int all_cores() { return std::max(1, static_cast<int>(std::thread::hardware_concurrency())); }

ThreadPool::ThreadPool(int threads) {
  if (threads <= 0) threads = all_cores();
  workers_.reserve(static_cast<std::size_t>(threads) - 1);
  try {
    for (int i = 1; i < threads; ++i) workers_.emplace_back([this, i] { worker(i); });
  } catch (const std::system_error&) { // a limit on processes or memory: those that run are a pool as well
  }
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  begin_.notify_all();
  for (std::thread& t : workers_) t.join();
}

void ThreadPool::run(int items, const std::function<void(int, int)>& work) {
  if (items <= 1 || workers_.empty()) {
    for (int i = 0; i < items; ++i) work(i, 0);
    return;
  }
  {
    std::lock_guard lock(mutex_);
    work_ = &work;
    items_ = items;
    next_.store(0, std::memory_order_relaxed);
    busy_ = static_cast<int>(workers_.size());
    ++round_;
    take_core(round_);
  }
  begin_.notify_all();
  work_on(0);
  std::unique_lock lock(mutex_);
  end_.wait(lock, [this] { return busy_ == 0; });
}

void ThreadPool::take_core(std::uint64_t round) {
#if defined(__linux__)
  const auto takes = [&](int core) {
    return core >= 0 && core < kMostCores && taken_[static_cast<std::size_t>(core)].exchange(round) != round;
  };
  const int here = sched_getcpu();
  if (here < 0 || here >= kMostCores || takes(here)) return;
  cpu_set_t allowed, one;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  for (int core = 0; core < kMostCores; ++core) {
    if (!CPU_ISSET(core, &allowed) || !takes(core)) continue;
    CPU_ZERO(&one);
    CPU_SET(core, &one);
    (void)sched_setaffinity(0, sizeof one, &one); // moves this thread now; then it may be anywhere again
    (void)sched_setaffinity(0, sizeof allowed, &allowed);
    return;
  }
#else
  (void)round;
#endif
}

void ThreadPool::work_on(int thread) {
  for (int i; (i = next_.fetch_add(1, std::memory_order_relaxed)) < items_;) (*work_)(i, thread);
}

void ThreadPool::worker(int thread) {
  std::uint64_t done = 0;
  std::unique_lock lock(mutex_);
  for (;;) {
    begin_.wait(lock, [&] { return stopping_ || round_ != done; });
    if (stopping_) return;
    done = round_;
    lock.unlock();
    take_core(done);
    work_on(thread);
    lock.lock();
    if (--busy_ == 0) end_.notify_one();
  }
}

} // namespace polarscope
