#include "kernels/emulate/fibre.hpp"

#include <cassert>
#include <cstdint>

namespace polarscope::kernels {

namespace {

constexpr std::size_t kStackBytes = 64 * 1024;

} // namespace

Fibres::Fibres(int count, Entry entry, void* argument)
    : entry_(entry), argument_(argument), fibres_(static_cast<std::size_t>(count)) {
  for (Fibre& f : fibres_) f.stack.reset(new std::byte[kStackBytes]);
}

// makecontext passes ints only: the pointer travels in two halves.
void Fibres::begin(unsigned high, unsigned low) {
  auto* self = reinterpret_cast<Fibres*>(static_cast<std::uintptr_t>(high) << 32 | low);
  const int fibre = self->current_;
  self->entry_(self->argument_, fibre);
  self->fibres_[static_cast<std::size_t>(fibre)].ended = true;
  _longjmp(self->scheduler_, 1);
}

// A context is entered once by setcontext; after that the switches are _setjmp and _longjmp, which make no system call.
void Fibres::resume(int fibre) {
  Fibre& f = fibres_[static_cast<std::size_t>(fibre)];
  assert(!f.ended);
  current_ = fibre;
  if (_setjmp(scheduler_)) return;
  if (f.started) _longjmp(f.place, 1);
  f.started = true;
  getcontext(&f.context);
  f.context.uc_stack.ss_sp = f.stack.get();
  f.context.uc_stack.ss_size = kStackBytes;
  f.context.uc_link = nullptr;
  const auto address = reinterpret_cast<std::uintptr_t>(this);
  makecontext(&f.context, reinterpret_cast<void (*)()>(begin), 2, static_cast<unsigned>(address >> 32),
              static_cast<unsigned>(address));
  setcontext(&f.context);
}

void Fibres::yield() {
  if (!_setjmp(fibres_[static_cast<std::size_t>(current_)].place)) _longjmp(scheduler_, 1);
}

} // namespace polarscope::kernels
