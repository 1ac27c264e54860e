// Geometry: the direction's singular values become one, exactly or by a Newton–Schulz polynomial (algorithms.md §A6–A8).
#include "engine/optimizer/stages/newton_schulz.hpp"
#include "engine/optimizer/stages/shape_scale.hpp"
#include "engine/optimizer/stages/split_blocks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace polarscope {

namespace {

constexpr int kCheckEvery = 10;

void emit_checked(StageContext& c, Op op, std::string text) {
  op.every = kCheckEvery;
  c.emit_check(op, std::move(text));
}

void emit(StageContext& c) {
  const Polynomial polynomial = polynomial_of(c);
  const std::uint32_t count = split_blocks(c), rows = c.rows / count;
  const double scale = shape_scale(c.word("shape_scale"), rows, c.cols);
  for (std::uint32_t k = 0; k < count; ++k) {
    const SlotId block = split_block(c, c.update, k);
    emit_polar(c, polynomial, block, block, scale, count == 1 ? "U" : fmt::format("U{}", k + 1));
  }
  if (polynomial.exact()) {
    if (count > 1) return; // blocks are isometries, the whole is not
    const double tolerance = c.build.precision() == Precision::f64 ? 1e-10 : 1e-4;
    const std::uint32_t column = c.promise(0, tolerance, kCheckEvery);
    emit_checked(c, make_op(OpCode::isometry_violation, {c.update}, {}, c.build.constants({scale}), column),
                 "check singular values 0 or 1");
    return;
  }
  const double top = polynomial.top() * std::sqrt(count); // of blocks on top of each other
  const std::uint32_t column = c.promise(1, 1e-3, kCheckEvery, false);
  emit_checked(c, make_op(OpCode::band_violation, {c.update}, {}, c.build.constants({scale, top}), column),
               fmt::format("check ‖U‖₂ ≤ {:.4g}", scale * top));
}

void motion(const StageContext& c, Motion& m) {
  if (split_blocks(c) > 1) return;
  const double few = std::min(c.rows, c.cols), many = std::max(c.rows, c.cols);
  m.shape = Motion::Shape::sliced;
  m.slice_length = many / few;
  // Polynomials of the better sets leave ‖U‖_F within 3 % of this; Keller Jordan's does not.
  if (c.word("ns_coefficients") != "kj")
    m.update_norm = shape_scale(c.word("shape_scale"), c.rows, c.cols) * std::sqrt(few);
}

} // namespace

Stage geometry_orthogonalise() {
  Stage s;
  s.part = Part::geometry;
  s.kind = "orthogonalise";
  s.meaning = "Makes the direction's singular values one, so that all its directions move alike.";
  s.formula = "U = s · msign(D) ≈ s · NS(D),  X ← aX + (bXXᵀ + c(XXᵀ)²)X";
  s.source = "KellerJordan/Muon muon.py; Polar Express 2505.16932";
  s.options = polynomial_options("kj", "add");
  s.options.push_back(shape_scale_option());
  s.options.push_back(split_option("kcc-lion/muown; fhueb/angular-muown; haeggee/Megatron-LM",
                                   "Whether fused queries, keys and values are treated apart."));
  s.promises = {{"singular values 0 or 1", "The exact polar factor is a partial isometry.", "isometry_error"},
                {"singular values below the band's top",
                 "No singular value of the update exceeds the polynomial's largest value on [0, 1].", "band_excess"}};
  s.own_size = true;
  s.emit = emit;
  s.motion = motion;
  return s;
}

} // namespace polarscope
