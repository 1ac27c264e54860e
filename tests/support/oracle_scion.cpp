// A12: Scion, steps to or along the point of a norm ball that the average gradient points away from.
#include "tests/support/oracle_parts.hpp"

#include <cmath>

namespace polarscope::test {

namespace {

Matrix by_rows(const Matrix& b) { // b_i/(‖b_i‖√n + 1e-8)
  Matrix out = b;
  for (long i = 0; i < b.rows(); ++i) out.row(i) /= b.row(i).norm() * std::sqrt(static_cast<double>(b.cols())) + 1e-8;
  return out;
}

Matrix by_columns(const Matrix& b) { // B_:j/(rms(B_:j) + 1e-8)
  Matrix out = b;
  for (long j = 0; j < b.cols(); ++j) out.col(j) /= b.col(j).norm() / std::sqrt(static_cast<double>(b.rows())) + 1e-8;
  return out;
}

// BiasRMS: the root mean square over the whole vector; a matrix is one long vector here.
Matrix by_rms(const Matrix& b) { return b / (b.norm() / std::sqrt(static_cast<double>(b.size())) + 1e-8); }

// `rho` is the source's scale; α, its argument momentum, is the share of the new gradient.
Maker scion(Hparams defaults, bool constrained, Shaping lmo) {
  return rule(std::move(defaults), [=, b = Matrix()](const Hparams& h, const Matrix& w, const Matrix& g) mutable {
    if (b.size() == 0) b = Matrix::Zero(g.rows(), g.cols());
    b = (1 - h("alpha")) * b + h("alpha") * g;
    return Matrix((constrained ? 1 - h("lr") : 1) * w - h("lr") * h("radius") * lmo(b));
  });
}

} // namespace

void add_scion_oracles(Makers& makers) {
  const Hparams epfl = {{"lr", 1e-3}, {"alpha", 1}, {"radius", 1}},
                nemo = {{"lr", 3e-4}, {"alpha", 0.05}, {"radius", 1}};
  const Shaping spectral = muon_shaping("kj", "add", out_in_scale);
  makers["scion"] = scion(epfl, true, spectral);
  makers["scion_unconstrained"] = scion(epfl, false, spectral);
  makers["scion_sign"] =
      scion(epfl, true, [](const Matrix& b) { return Matrix(sign(b) / static_cast<double>(b.cols())); });
  makers["scion_row"] = scion(epfl, true, by_rows);
  makers["scion_column"] = scion(epfl, true, by_columns);
  makers["scion_bias"] = scion(epfl, true, by_rms);
  makers["scion_nemo"] = scion(nemo, true, muon_shaping("quintic", "clamp", out_in_scale));
}

} // namespace polarscope::test
