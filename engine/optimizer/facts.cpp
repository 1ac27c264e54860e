#include "engine/optimizer/facts.hpp"

#include "engine/docs.hpp"
#include "engine/optimizer/recipe.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

namespace polarscope {

namespace {

// Two shapes that swap their sides tell what a slot's sides follow.
constexpr std::uint32_t kFew = 60, kMany = 84;

std::string side_name(std::uint32_t wide, std::uint32_t tall) {
  if (wide == kFew && tall == kMany) return "m";
  if (wide == kMany && tall == kFew) return "n";
  if (wide == kFew && tall == kFew) return "min(m,n)";
  if (wide == kMany && tall == kMany) return "max(m,n)";
  return fmt::format("{}", wide);
}

std::string kind_of(const std::string& rows, const std::string& cols) {
  if (rows != "1") return "matrix";
  return cols == "1" ? "scalar" : cols == "m" ? "column" : "row";
}

// "2mn + m² + 3m + 1": numbers before sides, equal products counted together, matrices first, then rows and columns, then numbers.
std::string sum_of(const std::vector<std::pair<std::string, std::string>>& sides) {
  std::vector<std::pair<std::string, int>> terms;
  for (auto [rows, cols] : sides) {
    int count = 1;
    for (std::string* side : {&rows, &cols}) {
      if (side->find_first_not_of("0123456789") != std::string::npos) continue;
      count *= std::stoi(*side); // a side that the shape does not change
      *side = "1";
    }
    std::string product = rows == "1" ? cols : cols == "1" ? rows : rows == cols ? rows + "²" : rows + cols;
    const auto found = std::find_if(terms.begin(), terms.end(), [&](const auto& t) { return t.first == product; });
    if (found == terms.end()) terms.emplace_back(std::move(product), count);
    else found->second += count;
  }
  const auto rank = [](const auto& t) { return t.first == "1" ? 2 : t.first.size() == 1 ? 1 : 0; };
  std::stable_sort(terms.begin(), terms.end(), [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
  std::string out;
  for (const auto& [product, count] : terms) {
    out += out.empty() ? "" : " + ";
    if (product == "1") out += fmt::format("{}", count);
    else out += count == 1 ? product : fmt::format("{}{}", count, product);
  }
  return out.empty() ? "0" : out;
}

void add_state(OptimizerFacts& facts, const OptimizerSpec& spec, const StepProgram& program) {
  const auto wide = recipe_program(spec, kFew, kMany, Precision::f32),
             tall = recipe_program(spec, kMany, kFew, Precision::f32);
  std::vector<std::pair<std::string, std::string>> sides;
  double numbers = 0;
  for (std::size_t s = 0; s < program.slots().size(); ++s) {
    if (!is_optimizer_state(program, static_cast<SlotId>(s))) continue;
    const SlotInfo& slot = program.slots()[s];
    const SlotId in_wide = wide->find_slot(slot.name), in_tall = tall->find_slot(slot.name);
    StateFact fact{slot.name.substr(slot.name.find('.') + 1), "", "", slot.meaning, slot.rows, slot.cols};
    std::string rows = fmt::format("{}", slot.rows), cols = fmt::format("{}", slot.cols);
    if (in_wide != kNone && in_tall != kNone) {
      rows = side_name(wide->slots()[in_wide].rows, tall->slots()[in_tall].rows);
      cols = side_name(wide->slots()[in_wide].cols, tall->slots()[in_tall].cols);
    }
    fact.shape = fmt::format("{} × {}", rows, cols);
    fact.kind = kind_of(rows, cols);
    sides.emplace_back(rows, cols);
    numbers += double(slot.rows) * slot.cols;
    facts.state.push_back(std::move(fact));
  }
  facts.memory = sum_of(sides);
  facts.bytes_per_weight = 4 * numbers / (double(facts.rows) * facts.cols);
}

std::vector<CostFact> costs_of(const StepProgram& program) {
  std::vector<CostFact> costs;
  for (std::size_t k = 0; k < program.step_ops().size(); ++k) {
    const OpText& text = program.step_text()[k];
    if (text.phase == Phase::metric) continue;
    const Op& op = program.step_ops()[k];
    Flops flops = op_flops(program, op);
    flops.count /= std::max<int>(1, op.every);
    if (flops.count > 0) costs.push_back({text.phase, text.text, flops});
  }
  std::stable_sort(costs.begin(), costs.end(),
                   [](const CostFact& a, const CostFact& b) { return a.flops.count > b.flops.count; });
  return costs;
}

Flops total(const std::vector<CostFact>& costs) {
  Flops sum;
  for (const CostFact& c : costs) {
    sum.count += c.flops.count;
    sum.kind = std::max(sum.kind, c.flops.kind);
  }
  return sum;
}

// 4.25, 19, 67,700: three digits and their thousands.
std::string few_digits(double value) {
  if (value < 1000) return fmt::format("{:.3g}", value);
  const double unit = std::pow(10.0, std::floor(std::log10(value)) - 2);
  std::string out = fmt::format("{:.0f}", std::round(value / unit) * unit);
  for (std::size_t k = out.size(); k > 3; k -= 3) out.insert(k - 3, ",");
  return out;
}

} // namespace

OptimizerFacts optimizer_facts(const OptimizerSpec& spec, std::uint32_t rows, std::uint32_t cols) {
  OptimizerFacts facts;
  facts.rows = rows;
  facts.cols = cols;
  const auto program = recipe_program(spec, rows, cols, Precision::f32);
  add_state(facts, spec, *program);
  facts.costs = costs_of(*program);
  facts.step = total(facts.costs);
  facts.flops_per_weight = facts.step.count / (double(rows) * cols);
  constexpr std::uint32_t kLarger = 4;
  const double larger = total(costs_of(*recipe_program(spec, kLarger * rows, kLarger * cols, Precision::f32))).count /
                        (double(kLarger) * rows * kLarger * cols);
  facts.rises_with_size = larger > 1.5 * facts.flops_per_weight;
  for (const InvariantColumn& promise : program->invariants())
    facts.promises.push_back({promise.name, promise.meaning, promise.tolerance, promise.exact});
  return facts;
}

std::string state_text(const OptimizerFacts& facts) {
  std::string out;
  for (const StateFact& s : facts.state) out += fmt::format("{}{} ({})", out.empty() ? "" : ", ", s.name, s.shape);
  return out.empty() ? "none" : out;
}

std::string memory_text(const OptimizerFacts& facts) {
  if (facts.state.empty()) return "none";
  return fmt::format("{} numbers, {} bytes per weight at {} × {}", facts.memory, few_digits(facts.bytes_per_weight),
                     facts.rows, facts.cols);
}

std::string cost_text(const OptimizerFacts& facts) {
  const bool exact = facts.step.kind == Flops::Kind::exact;
  const std::string kind = exact ? "" : std::string(flops_kind_name(facts.step.kind)) + " ";
  std::string out = fmt::format("{}{} flops per weight at {} × {}{}", kind, few_digits(facts.flops_per_weight),
                                facts.rows, facts.cols, facts.rises_with_size ? ", more for larger matrices" : "");
  if (facts.costs.size() < 2) return out;
  const CostFact& dearest = facts.costs.front();
  return out + fmt::format("; {:.0f} % in {}: {}", 100 * dearest.flops.count / facts.step.count,
                           phase_name(dearest.phase), dearest.text);
}

} // namespace polarscope
