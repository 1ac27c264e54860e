// A10–A11 and Mano of B3: normalised rows and columns.
#include "tests/support/oracle_parts.hpp"

#include <algorithm>
#include <cmath>

namespace polarscope::test {

namespace {

double rms_of_ones(long n) { return std::sqrt(static_cast<double>(n)); }

// torch.nn.functional.normalize along the rows: divided by max(‖·‖, 1e-12).
Matrix torch_rows(const Matrix& d) {
  Matrix out = d;
  for (long i = 0; i < d.rows(); ++i) out.row(i) /= std::max(d.row(i).norm(), 1e-12);
  return out;
}

Matrix rmnp_shaping(const Matrix& d) { return kj_scale(d) * torch_rows(d); }

// SRON, reconstructed: g_i/(‖g_i‖/√n + ε).
Direction sron() {
  return [](const Hparams&, const Matrix& g) {
    Matrix out = g;
    for (long i = 0; i < g.rows(); ++i) out.row(i) /= g.row(i).norm() / rms_of_ones(g.cols()) + 1e-8;
    return out;
  };
}

// SinkGD: five rounds of rows to √n, then columns to √m; zero rows and columns stay zero.
Matrix sinkhorn(const Matrix& g) {
  Matrix x = g;
  for (int round = 0; round < 5; ++round) {
    x = rms_of_ones(g.cols()) * row_normalised(x);
    x = rms_of_ones(g.rows()) * column_normalised(x);
  }
  return x;
}

// SWAN: rows standardised (the population's standard deviation), then whitened: (G̃G̃ᵀ)^(−1/2) G̃ is the polar factor
// where G̃G̃ᵀ has full rank, and so on the rows' span everywhere.
Matrix swan(const Matrix& g) {
  Matrix x = g.colwise() - g.rowwise().mean();
  for (long i = 0; i < x.rows(); ++i) {
    const double deviation = x.row(i).norm() / rms_of_ones(g.cols());
    x.row(i) *= deviation > 0 ? 1 / deviation : 0;
  }
  return exact_msign(x);
}

// Nora: each row of M made orthogonal to the matching row of W, then normalised.
Maker nora() {
  return rule({}, [d = momentum(Form::ema, false)](const Hparams& h, const Matrix& w, const Matrix& g) mutable {
    Matrix t = d(h, g);
    const Matrix unit = row_normalised(w);
    for (long i = 0; i < t.rows(); ++i) t.row(i) -= t.row(i).dot(unit.row(i)) * unit.row(i);
    if (w.cols() == 1) t = t.cwiseProduct((w.array() == 0).cast<double>().matrix()); // nothing is tangent to a number
    const double decay = h.count("weight_decay") ? h("weight_decay") : 0;
    return Matrix((1 - h("lr") * decay) * w - h("lr") * row_normalised(t));
  });
}

// Mano 2601.23000, mano.py and mano_v2.py: columns at the first step, then rows, and so on in turn.
Matrix mano_by_columns(const Matrix& d, const Matrix& w, bool second_version) {
  Matrix t = d;
  for (long j = 0; j < d.cols(); ++j) {
    Vector along = w.col(j);
    if (!second_version) along /= along.norm() > 0 ? along.norm() : 1;
    t.col(j) -= along * d.col(j).dot(along);
    const double norm = t.col(j).norm();
    t.col(j) /= second_version ? norm + 1e-8 : std::max(norm, 1e-8);
  }
  return 0.2 * rms_of_ones(d.rows()) * t;
}

Maker mano(bool second_version) {
  return rule({{"lr", 1e-3}, {"momentum", 0.95}, {"weight_decay", 0.1}},
              [=, d = momentum(Form::heavy_ball, second_version), t = 0](const Hparams& h, const Matrix& w,
                                                                         const Matrix& g) mutable {
                const Matrix direction = d(h, g);
                const Matrix u =
                    t++ % 2 == 0
                        ? mano_by_columns(direction, w, second_version)
                        : Matrix(mano_by_columns(direction.transpose(), w.transpose(), second_version).transpose());
                return Matrix((1 - h("lr") * h("weight_decay")) * w - h("lr") * u);
              });
}

} // namespace

void add_row_oracles(Makers& makers) {
  const Hparams rmnp = {{"lr", 0.02}, {"momentum", 0.95}, {"weight_decay", 0}};
  makers["rmnp"] = decoupled(rmnp, then(momentum(Form::heavy_ball, true), rmnp_shaping));
  // rmnp.py with nesterov=False normalises the raw gradient: the buffer is kept and never used.
  makers["rmnp_plain"] = decoupled(rmnp, then(raw_gradient(), rmnp_shaping));
  makers["rmnp_ema"] = decoupled(rmnp, then(momentum(Form::ema, true), rmnp_shaping)); // the paper's average
  makers["sron"] = plain({}, sron());
  makers["scale"] = plain({}, then(raw_gradient(), column_normalised)); // of a layer that is not the last: no momentum
  makers["scale_last"] = plain({}, then(momentum(Form::ema, false), column_normalised)); // of the last one
  makers["sinkgd"] = plain({}, then(raw_gradient(), sinkhorn));
  makers["swan"] = plain({}, then(raw_gradient(), swan));
  makers["nora"] = nora();
  makers["mano"] = mano(false);
  makers["mano_v2"] = mano(true);
}

} // namespace polarscope::test
