// Schedules: how the current value of a hyperparameter follows from its base value and the completed steps.
#include "engine/optimizer/stage.hpp"
#include "engine/optimizer/theory_lines.hpp"

#include <fmt/format.h>

#include <cmath>

namespace polarscope {

namespace {

Setting warmup() {
  return number("warmup", 0, 0, 1e9, "Steps of linear rise from zero; below 1 a fraction of the scene's steps.");
}
Setting cooldown() {
  return number("cooldown", 0.2, 0, 1e9, "Steps of the last fall; below 1 a fraction of the scene's steps.");
}
Setting final_fraction() {
  return number("final", 0, 0, 1e3, "Value at the last step as a fraction of the base value.");
}
Setting floor_value() {
  return log_number(
      "floor", 0, 0, 1e9,
      "Smallest value after the warmup, not a fraction; 0 sets none. Magnitude–direction's recipes have 1e-8.");
}
Setting shape() {
  return word("shape", "sqrt",
              {{"sqrt", "falls like 1 − √x; power ½", "magnitude–direction recipes"},
               {"linear", "falls like 1 − x; power 1", ""},
               {"cbrt", "falls like 1 − ∛x; power ⅓", "magnitude–direction recipes"}},
              "How the value falls over the cooldown, or which power of the step it follows.");
}

Stage schedule(std::string kind, std::string meaning, std::string formula, std::vector<Setting> options) {
  Stage s;
  s.part = Part::schedule;
  s.kind = std::move(kind);
  s.meaning = std::move(meaning);
  s.formula = std::move(formula);
  s.source = "interface of schedules: s = t − 1 completed steps, w warmup, T the scene's steps, f the final fraction";
  s.options = std::move(options);
  return s;
}

std::uint32_t kind_code(const std::string& kind) {
  if (kind == "linear") return 1;
  if (kind == "cosine") return 2;
  if (kind == "wsd") return 3;
  if (kind == "inverse_power") return 4;
  return 0;
}

double exponent(const std::string& shape_word) {
  if (shape_word == "linear") return 1;
  return shape_word == "cbrt" ? 1.0 / 3 : 0.5;
}

} // namespace

Stage schedule_constant() {
  return schedule("constant", "Keeps the base value after the warmup.", "η(s) = η min(1, (s+1)/w)", {warmup()});
}
Stage schedule_linear() {
  return schedule("linear", "Falls in a straight line to the final value, or to the floor.",
                  "η(s) = max(η [f + (1−f)(1 − (s−w)/(T−w))], floor)", {warmup(), final_fraction(), floor_value()});
}
Stage schedule_cosine() {
  return schedule("cosine", "Falls along half a cosine to the final value.",
                  "η(s) = η [f + (1−f)(1 + cos π(s−w)/(T−w))/2]", {warmup(), final_fraction()});
}
Stage schedule_wsd() {
  return schedule("wsd", "Warms up, stays, and falls over the last part: warmup, stable, decay.",
                  "η(s) = η [f + (1−f)(1 − x^p)],  x = (s − (T−c))/c",
                  {warmup(), cooldown(), shape(), final_fraction()});
}
Stage schedule_inverse_power() {
  return schedule("inverse_power", "Falls like an inverse power of the step after the warmup.", "η(s) = η (w/(s+1))^p",
                  {warmup(), shape()});
}

void emit_schedule(ProgramBuilder& build, HparamId column, const std::string& name, const ScheduleSpec& spec,
                   long steps) {
  const double total = static_cast<double>(steps);
  const auto in_steps = [&](double length) { return length < 1 ? length * total : length; };
  const std::uint32_t constants = build.constants(
      {in_steps(spec.warmup), in_steps(spec.cooldown), total, exponent(spec.shape), spec.final_value, spec.floor});
  build.emit(make_op(OpCode::schedule, {}, {column}, constants, kind_code(spec.kind)),
             fmt::format("{} ← {}({}₀, t − 1)", name, spec.kind, name));
}

} // namespace polarscope
