// No loss of its own: the gradients were recorded elsewhere and are fed step by step.
#include "engine/trace.hpp"

#include "engine/problem/problem.hpp"

#include <algorithm>

namespace polarscope {

Problem trace_problem();

namespace {

void emit_trace(const ProblemValues& values, ProgramBuilder& build) {
  const Trace& trace = *values.trace;
  const auto window = static_cast<std::uint32_t>(trace_window(trace));
  for (std::size_t k = 0; k < trace.parameters().size(); ++k) {
    const TraceParameter& t = trace.parameters()[k];
    const int w = build.parameter(t.name, t.rows, t.cols, Invariance::none, t.vector);
    build.parameter(w).role = t.role;
    const ParamInfo p = build.parameter(w);
    const SlotId fed = build.slot(t.name + ".recorded_gradients", Role::data, window * t.rows, t.cols,
                                  "recorded gradients of this step and those around it, below each other", w);
    build.feed({fed, window, w});
    build.set_parameter(w);
    build.emit(make_op(OpCode::fed_rows, {fed, p.gradient}), "G ← recorded gradient of step t");
  }
}

std::map<std::string, SlotContents> trace_start(const ProblemValues& values, std::uint64_t) {
  std::map<std::string, SlotContents> out;
  for (const TraceParameter& p : values.trace->parameters()) out[p.name] = p.start;
  return out;
}

double trace_elements(const ProblemValues& values) {
  double most = 0;
  if (values.trace)
    for (const TraceParameter& p : values.trace->parameters())
      most = std::max(most, double(p.rows) * p.cols * static_cast<double>(trace_window(*values.trace)));
  return most;
}

} // namespace

Problem trace_problem() {
  Problem p;
  p.kind = "trace";
  p.title = "Recorded gradients";
  p.meaning = "Weights and gradients recorded from another run, pushed through the optimizer: no loss, the path does "
              "not change the gradients.";
  p.formula = "Gₜ as recorded, t = 1 … T";
  p.keys = {free_text("file", "A .safetensors file with gradient/<P> and weight/<P>, beside the scene or by path."),
            free_text("run", "Label of one run, of a recording of several.")};
  p.elements = trace_elements;
  p.emit = emit_trace;
  p.start = trace_start;
  p.from_trace = true;
  return p;
}

} // namespace polarscope
