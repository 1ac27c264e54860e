// What a report of the command line says of a run as a whole, at any step: so that the window shows the same.
#pragma once

#include "engine/frame.hpp"

namespace polarscope {

struct RunNumbers {
  // Of all parameters as one vector: Frobenius norms, and the angle by which the step turned it, radians.
  double start_norm, norm, angular_update;
  double accuracy; // share of held-out samples, as last measured
};

// NaN: not recorded. Of a run that diverged before `step` those that it ended with.
RunNumbers run_numbers(const RunFrame& run, long step);

bool measures_accuracy(const RunFrame& run);

} // namespace polarscope
