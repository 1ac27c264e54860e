// What an operation costs, as its line in kernels/ops.def states it, in terms of the operation `c`: shapes of its slots, word
// and constants. Additions, multiplications, divisions, roots and values of other functions count one each, comparisons and
// copies nothing; terms of lower order may be left out. A test counts the operations of every body and compares.
#pragma once

#include "engine/program.hpp"

namespace polarscope {

struct Flops {
  // What depends on the numbers is marked. about: a typical number of rounds; at_most: every round that is allowed.
  enum class Kind { exact, about, at_most };

  double count = 0;
  Kind kind = Kind::exact;

  Flops() = default;
  Flops(double n, Kind k = Kind::exact) : count(n), kind(k) {}
};

const char* flops_kind_name(Flops::Kind kind); // "exactly", "about", "at most"

// Of one call. Symmetric products count half, padding does not count.
Flops op_flops(const StepProgram& program, const Op& op);

// Is the slot state that an optimizer keeps of a parameter? What only metrics and checks use is no part of how weights move.
bool is_optimizer_state(const StepProgram& program, SlotId slot);

} // namespace polarscope
