// Waiting where no input can come: only wake() ends it early.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace polarscope {

class IdleWait {
public:
  // True if woken since the last call.
  bool wait(double timeout_seconds) {
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, std::chrono::duration<double>(timeout_seconds), [this] { return woken_; });
    const bool woken = woken_;
    woken_ = false;
    return woken;
  }
  void wake() {
    {
      std::lock_guard lock(mutex_);
      woken_ = true;
    }
    wake_.notify_one();
  }

private:
  std::mutex mutex_;
  std::condition_variable wake_;
  bool woken_ = false;
};

} // namespace polarscope
