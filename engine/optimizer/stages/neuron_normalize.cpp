// Geometry: every slice is divided by the root of a running average of its own square norm.
#include "engine/optimizer/stages/shape_scale.hpp"

#include <fmt/format.h>

namespace polarscope {

namespace {

void start(StageContext& c) {
  const std::uint32_t slices = slices_count(c.word("granularity"), c.rows, c.cols);
  c.shared["moment"] =
      c.state("slice_second_moment", 1, slices, "running average of the square of each slice of the update");
}

void emit(StageContext& c) {
  const std::string granularity = c.word("granularity");
  const bool mean = c.word("measure") == "mean_square", corrected = c.flag("slice_bias_correction"),
             keep = c.flag("keep_norm");
  const std::uint32_t flags = (mean ? 4u : 0u) | (corrected ? 8u : 0u) | (keep ? 16u : 0u);
  const double scale = shape_scale(c.word("shape_scale"), c.rows, c.cols);
  c.build.emit(make_op(OpCode::slice_second_moment, {c.update, c.shared.at("moment")}, {c.hparam("slice_beta")},
                       c.build.constants({c.number("slice_eps"), scale}), slices_code(granularity) | flags),
               fmt::format("v ← βv + (1−β){} per {} ; U ← {:.4g} · U/(√{} + ε){}", mean ? "mean U²" : "‖U‖²",
                           granularity, scale, corrected ? "v̂" : "v", keep ? ", norm as before" : ""));
}

} // namespace

Stage geometry_neuron_normalize() {
  Stage s;
  s.part = Part::geometry;
  s.kind = "neuron_normalize";
  s.meaning = "Divides every slice by the root of a running average of its own square.";
  s.formula = "vᵢ ← βvᵢ + (1−β)‖uᵢ‖²,  uᵢ ← uᵢ/(√v̂ᵢ + ε)";
  s.source = "Nero 2102.07227; NorMuon; rotational variants 2305.17212";
  s.options = {word("granularity", "row",
                    {{"row", "each row", "jxbz/nero; kcc-lion/muown optim/normuown.py"},
                     {"column", "each column", ""},
                     {"matrix", "the whole matrix", "epfml/REQ, per tensor"}},
                    "What is divided by its own average."),
               word("measure", "square_norm",
                    {{"square_norm", "Σⱼ uᵢⱼ²: slices come to norm 1", "jxbz/nero; epfml/REQ"},
                     {"mean_square", "meanⱼ uᵢⱼ²: elements come to size 1", "NorMuon"}},
                    "What of a slice is averaged."),
               boolean("slice_bias_correction", true, "Divides the average by 1 − βᵗ, as it starts at zero."),
               boolean("keep_norm", false, "Gives the whole update the norm that it had before: NorMuon."),
               number("slice_eps", 0, 0, 1, "ε beside the root, and beside the norm that keep_norm divides by."),
               shape_scale_option()};
  Setting beta = number("slice_beta", 0.999, 0, 1 - 1e-9, "Share of the past in the slices' average square.");
  beta.formula = "v ← βv + (1−β)‖u‖²";
  s.hparams = {beta};
  s.own_size = true;
  s.start = start;
  s.emit = emit;
  return s;
}

} // namespace polarscope
