// The largest singular value of a weight and its vectors, as stages keep them: used by tangents and by retractions.
#pragma once

#include "engine/optimizer/stage.hpp"

#include <string>

namespace polarscope {

// Slots `<name>.left`, `.right`, `.value` and `.normal` (Θ = u vᵀ) in the stage's shared map.
void start_top_pair(StageContext& c, const std::string& name, bool normal = true);
// Fills them from a weight: exactly for 0 iterations, else by so many cold power iterations.
void emit_top_pair(StageContext& c, const std::string& name, SlotId weight, long iterations, bool normal = true);

// The options sigma and sigma_steps, and the number of iterations that they mean.
std::vector<Setting> sigma_options();
long sigma_iterations(const StageContext& c);

} // namespace polarscope
