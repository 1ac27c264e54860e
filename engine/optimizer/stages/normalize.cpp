// Geometry: the whole matrix, its rows or its columns are divided by their Euclidean norms.
#include "engine/optimizer/stages/shape_scale.hpp"

#include <fmt/format.h>

#include <cmath>

namespace polarscope {

namespace {

constexpr double kTorchGuard = 1e-12; // torch.nn.functional.normalize: max(norm, 1e-12)

double slice_length(const StageContext& c, const std::string& granularity) {
  return static_cast<double>(c.rows) * c.cols / slices_count(granularity, c.rows, c.cols);
}

// The norm that every slice is given, where it is the same in every step.
double slice_norm(const StageContext& c) {
  const double root = c.word("measure") == "norm" ? 1 : std::sqrt(slice_length(c, c.word("granularity")));
  return c.number("update_scale") * shape_scale(c.word("shape_scale"), c.rows, c.cols) * root;
}

double guard(const StageContext& c) {
  const std::string form = c.word("norm_guard");
  return form == "tiny" ? 0 : form == "torch" ? kTorchGuard : c.number("norm_eps");
}

void emit(StageContext& c) {
  const std::string granularity = c.word("granularity"), measure = c.word("measure"), form = c.word("norm_guard");
  const double scale = c.number("update_scale") * shape_scale(c.word("shape_scale"), c.rows, c.cols);
  const std::uint32_t slices = slices_code(granularity);
  const std::uint32_t word =
      slices | (form == "add" ? 4u : 0u) | (measure != "norm" ? 8u : 0u) | (measure == "rms" ? 16u : 0u);
  c.build.emit(make_op(OpCode::to_norms, {c.update, c.update}, {}, c.build.constants({guard(c), scale}), word),
               fmt::format("U ← {:.4g} · U/{} per {}", scale, measure == "norm" ? "‖U‖" : "rms(U)", granularity));
  // The guard shortens slices shorter than itself; they keep the promise only without it.
  if (form != "tiny" || granularity == "alternate") return;
  const std::uint32_t column = c.promise(0, c.rounding());
  c.emit_check(
      make_op(OpCode::norm_violation, {c.update}, {}, c.build.constants({slice_norm(c)}), column << 2 | slices),
      fmt::format("check ‖U‖ = {:.4g} per {}", slice_norm(c), granularity));
}

void motion(const StageContext& c, Motion& m) {
  const std::string granularity = c.word("granularity");
  if (granularity == "alternate") return;
  const double slices = slices_count(granularity, c.rows, c.cols);
  m.shape = granularity == "matrix" ? Motion::Shape::scaled : Motion::Shape::sliced;
  m.update_norm = slice_norm(c) * std::sqrt(slices);
  m.slice_length = slice_length(c, granularity);
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
                     {"column", "each column by its own norm", ""},
                     {"alternate", "columns in the first step, rows in the second, and so on", "Mano 2601.23000"}},
                    "What is divided by its own norm."),
               word("measure", "norm",
                    {{"norm", "every slice gets norm 1", ""},
                     {"rms", "every slice gets root mean square 1; the guard is on that", "Scion; SRON"},
                     {"rms_by_norm", "the same with the guard on the norm", "Mano 2601.23000"}},
                    "What is one afterwards, times the scales."),
               log_number("update_scale", 1, 1e-6, 1e6, "Factor on the update."),
               shape_scale_option(),
               word("norm_guard", "tiny",
                    {{"tiny", "a slice of norm zero stays zero, every other has the full norm", "house rule"},
                     {"torch", "divides by max(norm, 1e-12)", "torch.nn.functional.normalize; Dominator-Index/RMNP"},
                     {"clamp", "divides by max(norm, norm_eps)", "Mano mano.py"},
                     {"add", "divides by norm + norm_eps", "Scion; Mano mano_v2.py"}},
                    "How slices of norm zero are kept from 0/0."),
               log_number("norm_eps", 1e-8, 0, 1, "The number of the guards clamp and add.")};
  s.promises = {{"update norms fixed", "Every non-zero slice of the update has the same norm.", "update_norm_error"}};
  s.own_size = true;
  s.emit = emit;
  s.motion = motion;
  return s;
}

} // namespace polarscope
