// One matrix under one recipe, stepped by hand with gradients that the caller gives: no scene, no session. For trying a
// composition out.
#pragma once

#include "engine/host_member.hpp"
#include "engine/optimizer/spec.hpp"
#include "engine/program.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace polarscope {

// Row-major numbers of a matrix.
struct GivenMatrix {
  std::uint32_t rows = 0, cols = 0;
  std::vector<double> values;
};

// Independent standard normal numbers; the same for the same seed, anywhere.
GivenMatrix random_matrix(std::uint64_t seed, std::uint32_t rows, std::uint32_t cols);

class GivenGradients {
public:
  // From this weight, projected as the recipe does at the start. `changes`: hyperparameters other than the recipe's own;
  // those that it does not have are left out. The spec has passed check_optimizer.
  GivenGradients(const OptimizerSpec& spec, Precision precision, const GivenMatrix& weight,
                 const std::map<std::string, double>& changes = {});

  bool step(const GivenMatrix& gradient); // false when the run has diverged
  GivenMatrix weight() const;
  const StepProgram& program() const { return member_.program(); }
  // The violation of promise number k of the program in the last step; NaN when it was not looked at.
  double violation(std::size_t k) const;

private:
  HostMember member_;
  SlotId weight_, gradient_;
};

} // namespace polarscope
