#include "engine/problem/problem.hpp"

#include <algorithm>
#include <cassert>

namespace polarscope {

#define POLARSCOPE_PROBLEM(kind) Problem kind##_problem();
#include "engine/problem/problems.def"
#undef POLARSCOPE_PROBLEM

namespace {

std::vector<Problem> make_problems() {
  return {
#define POLARSCOPE_PROBLEM(kind) kind##_problem(),
#include "engine/problem/problems.def"
#undef POLARSCOPE_PROBLEM
  };
}

} // namespace

const std::vector<Problem>& problems() {
  static const std::vector<Problem> list = make_problems();
  return list;
}

const Problem* find_problem(std::string_view kind) {
  const std::vector<Problem>& list = problems();
  const auto it = std::find_if(list.begin(), list.end(), [&](const Problem& p) { return p.kind == kind; });
  return it == list.end() ? nullptr : &*it;
}

double ProblemValues::number(std::string_view key) const {
  const auto it = values.find(std::string(key));
  assert(it != values.end() && "a problem asks only for keys of its schema");
  if (const auto* whole = std::get_if<long>(&it->second)) return static_cast<double>(*whole);
  return std::get<double>(it->second);
}

long ProblemValues::integer(std::string_view key) const {
  const auto it = values.find(std::string(key));
  assert(it != values.end() && "a problem asks only for keys of its schema");
  return std::get<long>(it->second);
}

std::string ProblemValues::word(std::string_view key) const {
  const auto it = values.find(std::string(key));
  assert(it != values.end() && "a problem asks only for keys of its schema");
  return std::get<std::string>(it->second);
}

bool ProblemValues::flag(std::string_view key) const {
  const auto it = values.find(std::string(key));
  assert(it != values.end() && "a problem asks only for keys of its schema");
  return std::get<bool>(it->second);
}

} // namespace polarscope
