// Routes: which recipe acts on which parameter.
//
// A target is a parameter's name, a pattern of names (* any text, ? one character), a role (matrix, vector, embedding,
// head, router), or `rest`: every parameter that is no matrix. The most special target that matches counts, in this order;
// of two patterns the longer. A parameter without a route, or with the route "same", is the run's own recipe's.
// Hyperparameters of a route's recipe are called <target>.<name>.
#pragma once

#include "engine/optimizer/spec.hpp"
#include "engine/program.hpp"
#include "engine/result.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace polarscope {

inline constexpr const char* kSameRecipe = "same"; // as the value of a route: the run's own recipe

// Role words in the order of ParamRole, then "rest".
const std::vector<std::string>& route_words();
const char* role_name(ParamRole role);
std::optional<ParamRole> role_named(std::string_view word); // "rest" is none
// Metadata of a recording: "role/<P>" is what the parameter P is in its network.
inline constexpr const char* kRoleKey = "role/";

// Whether a target means the parameter.
bool is_target_of(const std::string& target, const ParamInfo& parameter);

// The route that a parameter goes by, or null: the run's own recipe.
const RouteSpec* route_of(const OptimizerSpec& spec, const ParamInfo& parameter);

// The route with this target that has a recipe, or null.
const RouteSpec* find_route(const OptimizerSpec& spec, std::string_view target);

// Puts a route in, in place of one with the same target.
void set_route(OptimizerSpec& spec, RouteSpec route);

// Targets are well formed and every recipe is one; nothing is said about parameters.
Result<void> check_routes(const OptimizerSpec& spec);

// Every route that a scene asks for has a parameter that goes by it.
Result<void> check_routes_used(const OptimizerSpec& spec, const std::vector<ParamInfo>& parameters);

} // namespace polarscope
