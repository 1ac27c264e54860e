// Gains of magnitude–direction that are one per element and of low rank (algorithms.md §C5): Γ = max(φ(φ⁻¹(1) + A B), floor),
// which is max(1 + A B, floor) under the map offset. A is rows × rank and starts at random, B is rank × cols and starts at 0.
#pragma once

#include "engine/optimizer/stage.hpp"

#include <cstdint>

namespace polarscope {

// `map` as the kernels number the gain maps.
void start_low_rank(StageContext& c, std::uint32_t map);
// direction ← W/Γ, gradient ← Γ ∘ G, and the gradients of A and B; `divide`: the word of the times op.
void enter_low_rank(StageContext& c, std::uint32_t map, SlotId direction, SlotId gradient, std::uint32_t divide);
// A step of A and B with `rate`, then W ← Γ ∘ direction.
void leave_low_rank(StageContext& c, std::uint32_t map, SlotId direction, SlotId weight, HparamId rate);

} // namespace polarscope
