#include "engine/program_cost.hpp"

#include <algorithm>
#include <iterator>

namespace polarscope {

namespace {

bool touches(const Op& op, SlotId slot) {
  return slot != kNone && std::find(std::begin(op.slot), std::end(op.slot), slot) != std::end(op.slot);
}

// W₋ ← W, for metrics: costs no flops.
bool sets_weight_aside(const StepProgram& program, const Op& op) {
  return op.code == OpCode::copy &&
         std::any_of(program.parameters().begin(), program.parameters().end(),
                     [&](const ParamInfo& p) { return touches(op, p.weight) && touches(op, p.previous); });
}

// The first operation of the parameters' updates: problems neither set a weight aside nor keep state of a parameter.
std::size_t first_of_updates(const StepProgram& program) {
  const std::vector<OpText>& text = program.step_text();
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i].phase == Phase::schedule || text[i].phase == Phase::metric) continue;
    if (text[i].phase != Phase::gradient) return i;
    const Op& op = program.step_ops()[i];
    const bool keeps = std::any_of(std::begin(op.slot), std::end(op.slot), [&](SlotId s) {
      return s != kNone && program.slots()[s].role == Role::state && program.slots()[s].parameter >= 0;
    });
    if (keeps || sets_weight_aside(program, op)) return i;
  }
  return text.size();
}

void add(Flops& sum, const Flops& one) {
  sum.count += one.count;
  sum.kind = std::max(sum.kind, one.kind);
}

void add_state(ProgramCost& cost, const StepProgram& program) {
  for (std::size_t s = 0; s < program.slots().size(); ++s) {
    const SlotInfo& slot = program.slots()[s];
    if (!is_optimizer_state(program, static_cast<SlotId>(s))) continue;
    const std::string name = slot.name.substr(slot.name.find('.') + 1);
    auto at = std::find_if(cost.state.begin(), cost.state.end(), [&](const KeptState& k) { return k.name == name; });
    if (at == cost.state.end()) at = cost.state.insert(at, {name, slot.meaning, 0, 0});
    const double numbers = double(slot.rows) * slot.cols;
    at->numbers += numbers;
    ++at->parameters;
    cost.state_numbers += numbers;
  }
  std::stable_sort(cost.state.begin(), cost.state.end(),
                   [](const KeptState& a, const KeptState& b) { return a.numbers > b.numbers; });
}

} // namespace

std::vector<StageRange> stage_ranges(const StepProgram& program) {
  std::vector<StageRange> ranges;
  const std::size_t updates = first_of_updates(program);
  for (std::size_t i = 0; i < program.step_text().size(); ++i) {
    Phase stage = program.step_text()[i].phase;
    if (stage == Phase::gradient && i >= updates)
      stage = sets_weight_aside(program, program.step_ops()[i]) ? Phase::metric : Phase::magnitude;
    if (!ranges.empty() && ranges.back().stage == stage) ++ranges.back().last;
    else ranges.push_back({stage, static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(i + 1)});
  }
  return ranges;
}

const char* stage_title(Phase stage) {
  switch (stage) {
  case Phase::schedule: return "schedules";
  case Phase::gradient: return "loss and gradient";
  case Phase::clip: return "clip, coupled decay";
  case Phase::direction: return "direction";
  case Phase::geometry: return "geometry";
  case Phase::magnitude: return "magnitude";
  case Phase::apply: return "decay and step";
  case Phase::retract: return "retract";
  case Phase::metric: return "metrics and checks";
  }
  return "";
}

ProgramCost program_cost(const StepProgram& program) {
  ProgramCost cost;
  cost.number_bytes = program.scalar_bytes();
  for (const ParamInfo& p : program.parameters()) cost.weights += double(p.rows) * p.cols;
  for (const StageRange& range : stage_ranges(program)) {
    auto at = std::find_if(cost.stages.begin(), cost.stages.end(),
                           [&](const StageCost& s) { return s.stage >= range.stage; });
    if (at == cost.stages.end() || at->stage != range.stage) at = cost.stages.insert(at, {range.stage, {}, 0});
    for (std::uint32_t i = range.first; i < range.last; ++i) {
      const Op& op = program.step_ops()[i];
      Flops flops = op_flops(program, op);
      flops.count /= std::max<int>(1, op.every);
      add(at->flops, flops);
      ++at->operations;
    }
  }
  for (const StageCost& stage : cost.stages) {
    add(cost.step, stage.flops);
    add(stage.stage == Phase::gradient ? cost.problem
        : stage.stage == Phase::metric ? cost.metrics
                                       : cost.optimizer,
        stage.flops);
  }
  add_state(cost, program);
  return cost;
}

} // namespace polarscope
