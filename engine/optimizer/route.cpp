#include "engine/optimizer/route.hpp"

#include "engine/optimizer/stage.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace polarscope {

namespace {

constexpr const char* kRest = "rest";

bool is_pattern(std::string_view target) { return target.find_first_of("*?") != std::string_view::npos; }

// What a star takes is settled once the next one is reached: at most |pattern| × |name| comparisons.
bool matches_pattern(std::string_view pattern, std::string_view name) {
  std::size_t p = 0, n = 0, star = std::string_view::npos, taken = 0; // the last star, and where what it takes ends
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      taken = n;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n])) {
      ++p;
      ++n;
    } else {
      if (star == std::string_view::npos) return false;
      p = star + 1;
      n = ++taken;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

// How special a target is for a parameter; 0: it does not match.
std::size_t rank(const std::string& target, const ParamInfo& p) {
  constexpr std::size_t kName = 1 << 20, kPattern = 100, kRole = 2;
  if (target == p.name) return kName;
  if (is_pattern(target)) return matches_pattern(target, p.name) ? kPattern + target.size() : 0;
  if (target == role_name(p.role)) return kRole;
  return target == kRest && p.role != ParamRole::matrix ? 1 : 0;
}

} // namespace

const char* role_name(ParamRole role) { return route_words()[static_cast<std::size_t>(role)].c_str(); }

std::optional<ParamRole> role_named(std::string_view word) {
  const auto& words = route_words();
  const auto it = std::find(words.begin(), words.end(), word);
  if (it == words.end() || *it == kRest) return std::nullopt;
  return static_cast<ParamRole>(it - words.begin());
}

bool is_target_of(const std::string& target, const ParamInfo& parameter) { return rank(target, parameter) > 0; }

const std::vector<std::string>& route_words() {
  static const std::vector<std::string> words = {"matrix", "vector", "embedding", "head", "router", kRest};
  return words;
}

const RouteSpec* route_of(const OptimizerSpec& spec, const ParamInfo& parameter) {
  const RouteSpec* best = nullptr;
  std::size_t most = 0;
  for (const RouteSpec& route : spec.routes)
    if (const std::size_t r = rank(route.target, parameter); r > most) {
      most = r;
      best = &route;
    }
  return best && best->recipe ? best : nullptr;
}

const RouteSpec* find_route(const OptimizerSpec& spec, std::string_view target) {
  for (const RouteSpec& route : spec.routes)
    if (route.target == target && route.recipe) return &route;
  return nullptr;
}

void set_route(OptimizerSpec& spec, RouteSpec route) {
  const auto it = std::lower_bound(spec.routes.begin(), spec.routes.end(), route,
                                   [](const RouteSpec& a, const RouteSpec& b) { return a.target < b.target; });
  if (it != spec.routes.end() && it->target == route.target) *it = std::move(route);
  else spec.routes.insert(it, std::move(route));
}

Result<void> check_routes(const OptimizerSpec& spec) {
  for (const RouteSpec& route : spec.routes) {
    if (route.target.empty())
      return bad_input(fmt::format("route.{}: a route's target is a parameter, a pattern of names or one of {}",
                                   route.target, fmt::join(route_words(), ", ")),
                       route.place);
    if (route.recipe)
      if (auto ok = check_optimizer(*route.recipe); !ok) return ok;
  }
  return {};
}

Result<void> check_routes_used(const OptimizerSpec& spec, const std::vector<ParamInfo>& parameters) {
  for (const RouteSpec& route : spec.routes) {
    if (!route.required) continue;
    const bool used = std::any_of(parameters.begin(), parameters.end(),
                                  [&](const ParamInfo& p) { return rank(route.target, p) > 0; });
    if (used) continue;
    std::vector<std::string> names, known = route_words();
    for (const ParamInfo& p : parameters) {
      names.push_back(fmt::format("{} ({})", p.name, role_name(p.role)));
      known.push_back(p.name);
    }
    const bool word = std::find(route_words().begin(), route_words().end(), route.target) != route_words().end();
    return bad_input(fmt::format("route.{} matches no parameter; there are {}{}", route.target, fmt::join(names, ", "),
                                 word ? "" : did_you_mean(route.target, known)),
                     route.place);
  }
  return {};
}

} // namespace polarscope
