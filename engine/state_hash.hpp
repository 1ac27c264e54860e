// The state hash: 64 bits that are equal when two runs are equal to the bit.
//
// Covered are the persistent slots (roles hparam, param, state) in slot order, each element by element, row-major,
// without padding; an alias is covered once, by the slot whose memory it is. An element enters as the bits of its
// scalar (binary32 or binary64, every NaN as the one quiet NaN), so the device's layout and the neighbours in a
// group do not matter. The scene's hash is the hash of its runs' hashes in scene order; a single run's is
// the scene's as well.
#pragma once

#include "engine/backend.hpp"

#include <cstdint>
#include <span>

namespace polarscope {

std::uint64_t hash_member(const StepProgram& program, const MemberGroup& group, int member);
// Of one hash that hash itself, so that a run has the same in a scene of its own and as a sweep's member.
std::uint64_t hash_of_hashes(std::span<const std::uint64_t> hashes);

} // namespace polarscope
