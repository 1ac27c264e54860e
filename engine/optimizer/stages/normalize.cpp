// Geometry: the whole matrix, its rows or its columns are divided by their Euclidean norms.
#include "engine/optimizer/stages/shape_scale.hpp"

#include <fmt/format.h>

#include <cmath>

namespace polarscope {

namespace {

constexpr double kTorchGuard = 1e-12; // torch.nn.functional.normalize: max(norm, 1e-12)

void emit(StageContext& c) {
  const std::string granularity = c.word("granularity");
  const double scale = shape_scale(c.word("shape_scale"), c.rows, c.cols);
  const bool torch = c.word("norm_guard") == "torch";
  const std::uint32_t slices = slices_code(granularity);
  c.build.emit(make_op(OpCode::to_norms, {c.update, c.update}, {}, c.build.constants({torch ? kTorchGuard : 0.0, scale}), slices),
               fmt::format("U ← {:.4g} · U/‖U‖ per {}", scale, granularity));
  // The guard shortens slices shorter than itself; they keep the promise only without it.
  if (torch) return;
  const std::uint32_t column = c.promise(0, c.rounding());
  c.build.emit(make_op(OpCode::norm_violation, {c.update}, {}, c.build.constants({scale}), column << 2 | slices),
               fmt::format("check ‖U‖ = {:.4g} per {}", scale, granularity));
}

void motion(const StageContext& c, Motion& m) {
  const std::string granularity = c.word("granularity");
  const double slices = slices_count(granularity, c.rows, c.cols);
  m.shape = granularity == "matrix" ? Motion::Shape::scaled : Motion::Shape::sliced;
  m.update_norm = shape_scale(c.word("shape_scale"), c.rows, c.cols) * std::sqrt(slices);
  m.slice_length = static_cast<double>(c.rows) * c.cols / slices;
}

} // namespace

Stage geometry_normalize() {
  Stage s;
  s.part = Part::geometry;
  s.kind = "normalize";
  s.meaning = "Divides the direction by its norm, as a whole or row by row or column by column.";
  s.formula = "U = s · D/‖D‖,  uᵢ = s · dᵢ/‖dᵢ‖";
  s.source = "normalised gradient descent; rows: Dominator-Index/RMNP rmnp/rmnp.py";
  s.options = {word("granularity", "matrix",
                    {{"matrix", "one norm for the whole matrix", ""},
                     {"row", "each row by its own norm, tall matrices too", "Dominator-Index/RMNP"},
                     {"column", "each column by its own norm", ""}},
                    "What is divided by its own norm."),
               shape_scale_option(),
               word("norm_guard", "tiny",
                    {{"tiny", "a slice of norm zero stays zero, every other has the full norm", "house rule"},
                     {"torch", "divides by max(norm, 1e-12)", "torch.nn.functional.normalize; Dominator-Index/RMNP"}},
                    "How slices of norm zero are kept from 0/0.")};
  s.promises = {{"update norms fixed", "Every non-zero slice of the update has the same norm.", "update_norm_error"}};
  s.own_size = true;
  s.emit = emit;
  s.motion = motion;
  return s;
}

} // namespace polarscope
