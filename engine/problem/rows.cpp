// A matrix whose rows are invariant one by one: each row looks for a direction of its own.
#include "engine/problem/emit.hpp"
#include "engine/problem/problem.hpp"
#include "engine/problem/random.hpp"

#include <algorithm>
#include <cmath>

namespace polarscope {

Problem rows_problem();

namespace {

void normalize(double* v, std::size_t n) {
  double square = 0;
  for (std::size_t j = 0; j < n; ++j) square += v[j] * v[j];
  for (std::size_t j = 0; j < n; ++j) v[j] /= std::sqrt(square);
}

SlotContents unit_rows(std::uint64_t seed, Stream stream, std::size_t rows, std::size_t cols) {
  SlotContents u = normal_numbers(seed, stream, rows * cols);
  for (std::size_t i = 0; i < rows; ++i) normalize(&u[i * cols], cols);
  return u;
}

// Two orthonormal directions for each row: rows 2i and 2i + 1.
SlotContents planes(std::uint64_t seed, std::size_t rows, std::size_t cols) {
  SlotContents e = normal_numbers(seed, Stream::planes, 2 * rows * cols);
  for (std::size_t i = 0; i < rows; ++i) {
    double *first = &e[2 * i * cols], *second = first + cols;
    normalize(first, cols);
    for (int pass = 0; pass < 2; ++pass) { // twice: orthogonal to the last digit
      double along = 0;
      for (std::size_t j = 0; j < cols; ++j) along += first[j] * second[j];
      for (std::size_t j = 0; j < cols; ++j) second[j] -= along * first[j];
      normalize(second, cols);
    }
  }
  return e;
}

bool has_wells(const ProblemValues& values) { return values.word("landscape") == "wells"; }

void emit_rows(const ProblemValues& values, ProgramBuilder& build) {
  const auto rows = static_cast<std::uint32_t>(values.integer("rows"));
  const auto cols = static_cast<std::uint32_t>(values.integer("cols"));
  const auto loss = static_cast<std::uint32_t>(declare_loss(build));
  const int w = build.parameter("W", rows, cols, Invariance::row);
  build.parameter(w).reference =
      build.slot("W.reference", Role::data, rows, cols, "unit directions the rows look for", w);
  const ParamInfo p = build.parameter(w);
  build.set_parameter(w);
  if (has_wells(values)) {
    const SlotId e =
        build.slot("W.planes", Role::data, 2 * rows, cols, "two orthonormal directions per row: its plane", w);
    build.begin_loss();
    build.emit(make_op(OpCode::rows_wells_loss, {p.weight, p.gradient, e}, {}, circle_constants(build), loss),
               "L = mean of 1 − Σ A e^(κ(⟨ŵᵢ,μᵢ⟩−1)) ; G = ∂L/∂W");
  } else {
    build.begin_loss();
    build.emit(make_op(OpCode::rows_cosine_loss, {p.weight, p.gradient, p.reference}, {}, 0, loss),
               "L = mean of 1 − cos(wᵢ, uᵢ) ; G = ∂L/∂W");
  }
  build.end_loss();
  emit_tangent_noise(build, w, values.number("noise"));
  emit_gradient_invariant(build, w);
}

std::map<std::string, SlotContents> rows_data(const ProblemValues& values, std::uint64_t seed) {
  const auto rows = static_cast<std::size_t>(values.integer("rows")),
             cols = static_cast<std::size_t>(values.integer("cols"));
  if (!has_wells(values)) return {{"W.reference", unit_rows(seed, Stream::reference, rows, cols)}};
  const SlotContents e = planes(seed, rows, cols);
  SlotContents deepest(rows * cols);
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < cols; ++j)
      deepest[i * cols + j] = std::cos(kCircleWells[0].angle) * e[2 * i * cols + j] +
                              std::sin(kCircleWells[0].angle) * e[(2 * i + 1) * cols + j];
  return {{"W.reference", deepest}, {"W.planes", e}};
}

std::map<std::string, SlotContents> rows_start(const ProblemValues& values, std::uint64_t seed) {
  return {{"W", unit_rows(seed, Stream::start, static_cast<std::size_t>(values.integer("rows")),
                          static_cast<std::size_t>(values.integer("cols")))}};
}

} // namespace

Problem rows_problem() {
  Problem p;
  p.kind = "rows";
  p.title = "Rows";
  p.meaning = "Each row of a matrix looks for a direction of its own; the loss ignores every row's norm.";
  p.formula = "cosine: L = (1/m) Σᵢ (1 − cos(wᵢ, uᵢ));  wells: the circle's loss in a random plane of each row";
  p.keys = {integer("rows", 8, 1, kMostRows, "Rows of the weight."),
            integer("cols", 16, 2, kMostRows, "Columns of the weight: numbers in a row."), noise_setting(0.02),
            word("landscape", "cosine",
                 {{"cosine", "one well per row, at a random unit direction"},
                  {"wells", "the circle's three wells in a random plane of each row"}},
                 "Shape of each row's loss as a function of its direction.")};
  p.elements = [](const ProblemValues& v) { return (has_wells(v) ? 2 : 1) * v.number("rows") * v.number("cols"); };
  p.emit = emit_rows;
  p.data = rows_data;
  p.start = rows_start;
  return p;
}

} // namespace polarscope
