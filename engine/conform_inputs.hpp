// What conform gives an op to work on where the state of a run would not tell a right result from a wrong one: broken
// promises for those that measure them, factors of full rank for those that take them apart.
#pragma once

#include "engine/host_member.hpp"

namespace polarscope {

// Of round 0, 1, … of one op.
enum class Inputs {
  of_the_run, // nothing to be made up: as they are
  made_up,    // the member has been changed
  none,       // no such round
};
// Ops whose result on the state of a run may be anything (eigenvectors of equal eigenvalues, roots of rounding) get made-up
// inputs from round 0 on.
Inputs make_inputs(HostMember& member, const Op& op, int round);

// Before a trajectory of a program that follows eigenvectors: factors of full rank in the middle of a run, so that rounding
// does not choose the basis.
void make_well_conditioned(HostMember& member);

} // namespace polarscope
