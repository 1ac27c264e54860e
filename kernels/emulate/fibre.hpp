// Cooperative threads of one system thread: how the emulated block runs its lanes.
#pragma once

#include <csetjmp>
#include <cstddef>
#include <memory>
#include <ucontext.h>
#include <vector>

namespace polarscope::kernels {

// `count` fibres, each with its own stack. resume(i) runs fibre i until it calls yield() or its entry returns. Fibres
// that never returned are simply forgotten at the end: entries must not own anything that needs a destructor.
class Fibres {
public:
  using Entry = void (*)(void* argument, int fibre);

  Fibres(int count, Entry entry, void* argument);
  Fibres(const Fibres&) = delete;
  Fibres& operator=(const Fibres&) = delete;

  void resume(int fibre);
  void yield(); // from inside a fibre
  bool ended(int fibre) const { return fibres_[static_cast<std::size_t>(fibre)].ended; }

private:
  struct Fibre {
    std::unique_ptr<std::byte[]> stack;
    ucontext_t context;
    std::jmp_buf place; // valid once started
    bool started = false, ended = false;
  };
  static void begin(unsigned high, unsigned low);

  Entry entry_;
  void* argument_;
  std::vector<Fibre> fibres_;
  std::jmp_buf scheduler_;
  int current_ = -1;
};

} // namespace polarscope::kernels
