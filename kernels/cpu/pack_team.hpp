// The team of a pack: one member to a vector lane, so that a step of many tiny members costs about what one member's does.
#pragma once

#include "kernels/context.hpp"
#include "kernels/cpu/execute_packs.hpp"
#include "kernels/cpu/pack.hpp"

#include <cassert>
#include <cstddef>

POLARSCOPE_KERNELS_BEGIN

class PackTeam {
public:
  using Real = Pack;
  using Acc = Pack; // a sum has few terms: the slots are tiny

  PackTeam(Pack* scratch, std::size_t size) : arena_(scratch), size_(size) {}

  POLARSCOPE_FN int lanes() const { return 1; }
  POLARSCOPE_FN int pad(int n) const { return n; }
  template <class F> POLARSCOPE_FN void for_each(int n, F f) {
    for (int i = 0; i < n; ++i) f(i);
  }
  template <class F> POLARSCOPE_FN void rows(int m, F f) {
    for (int i = 0; i < m; ++i) f(*this, i);
  }
  template <class F> POLARSCOPE_FN Acc sum(int n, F f) {
    Acc total = 0;
    for (int i = 0; i < n; ++i) total += f(i);
    return total;
  }
  template <class F> POLARSCOPE_FN auto sums(int n, F f) {
    decltype(f(0)) total = {};
    for (int i = 0; i < n; ++i) {
      const auto terms = f(i);
      for (int k = 0; k < static_cast<int>(sizeof(terms.of) / sizeof(terms.of[0])); ++k) total.of[k] += terms.of[k];
    }
    return total;
  }
  template <class F> POLARSCOPE_FN Pack max(int n, F f) {
    Pack top = 0;
    for (int i = 0; i < n; ++i) top = max_(Pack(f(i)), top);
    return top;
  }
  template <class F> POLARSCOPE_FN void single(F f) { f(); }
  POLARSCOPE_FN void sync() {}
  POLARSCOPE_FN Mat<Pack> scratch(int rows, int cols) {
    Mat<Pack> m{arena_ + used_, rows, cols, cols};
    used_ += static_cast<std::size_t>(m.size());
    assert(used_ <= size_ && "program.scratch_size is too small for this op");
    return m;
  }
  POLARSCOPE_FN void release_scratch() { used_ = 0; }

private:
  Pack* arena_;
  std::size_t size_;
  std::size_t used_ = 0;
};

template <OpCode code> inline constexpr bool kRunsOn<PackTeam, code> = runs_in_packs(code);

POLARSCOPE_KERNELS_END
