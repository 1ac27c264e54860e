// C: magnitude–direction decoupling with the direction part and the gains as parameters of their own; the code under
// test keeps the fused weight.
#include "tests/support/oracle_parts.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

namespace polarscope::test {

namespace {

struct GainMap {
  double (*value)(double raw);
  double (*slope)(double raw);
  double (*raw)(double gain);
};

double itself(double a) { return a; }
const GainMap kSoftplus = {softplus, [](double a) { return 1 / (1 + std::exp(-a)); }, softplus_inverse};
const GainMap kDirect = {itself, [](double) { return 1.0; }, itself};

Matrix raw_gains(const GainMap& map, const std::vector<double>& gains, long count) {
  Matrix raw = Matrix::Constant(count, 1, map.raw(1));
  for (std::size_t i = 0; i < gains.size(); ++i) raw(static_cast<long>(i), 0) = map.raw(gains[i]);
  return raw;
}

class MagnitudeDirection : public Oracle {
public:
  MagnitudeDirection(Hparams defaults, MdOptions o, Direction u)
      : o_(std::move(o)), map_(o_.direct ? kDirect : kSoftplus), direction_(std::move(u)) {
    hparams = std::move(defaults);
  }
  Matrix start(const Matrix& w) override {
    if (o_.start_at_row_norms) {
      const Vector norms = w.rowwise().norm();
      o_.start_rows.assign(norms.data(), norms.data() + norms.size());
    }
    hat_ = o_.start_at_row_norms ? row_normalised(w) : on_sphere(w);
    rows_ = raw_gains(map_, o_.start_rows, w.rows());
    columns_ = raw_gains(map_, o_.start_columns, w.cols());
    scalar_ = raw_gains(map_, {}, 1);
    return fused();
  }
  Matrix step(const Matrix&, const Matrix& g) override {
    // dL = Σ G_ij d(s r_i Ŵ_ij c_j), all gradients before any update
    const Vector r = gain(rows_), c = gain(columns_);
    const double s = gain(scalar_)(0);
    if (o_.clamped_unfuse) {
      const auto least = [](double x) { return 1 / std::max(x, 1e-8); };
      hat_ = Vector(r.unaryExpr(least)).asDiagonal() * fused() * Vector(c.unaryExpr(least)).asDiagonal();
    }
    const Matrix product = g.cwiseProduct(hat_);
    const Matrix to_rows = s * (product * c).cwiseProduct(slope(rows_));
    const Matrix to_columns = s * (product.transpose() * r).cwiseProduct(slope(columns_));
    const Matrix to_scalar = r.dot(product * c) * slope(scalar_);
    const Matrix inside = s * (r.asDiagonal() * g * c.asDiagonal());
    const double lr = hparams("lr"), decay = hparams.count("weight_decay") ? hparams("weight_decay") : 0;
    hat_ = on_sphere((1 - lr * decay) * hat_ - lr * direction_(hparams, inside));
    if (o_.row_gains) train(rows_, row_adam_, to_rows);
    if (o_.column_gains) train(columns_, column_adam_, to_columns);
    if (o_.scalar_gain) train(scalar_, scalar_adam_, to_scalar);
    return fused();
  }

private:
  Matrix on_sphere(const Matrix& w) const {
    if (o_.unit_rows) return row_normalised(w);
    return o_.qkv ? split_qkv(at_norm)(w) : at_norm(w);
  }
  static Matrix at_norm(const Matrix& w) {
    return std::sqrt(static_cast<double>(std::max(w.rows(), w.cols()))) * normalised(w);
  }
  Matrix gain(const Matrix& raw) const { return raw.unaryExpr(map_.value); }
  Matrix slope(const Matrix& raw) const { return raw.unaryExpr(map_.slope); }
  Matrix fused() const {
    return gain(scalar_)(0) * (Vector(gain(rows_)).asDiagonal() * hat_ * Vector(gain(columns_)).asDiagonal());
  }
  void train(Matrix& raw, Direction& ratio, const Matrix& gradient) {
    const double decay = hparams.count("gain_weight_decay") ? hparams("gain_weight_decay") : 0;
    raw *= 1 - hparams("gain_lr") * decay;
    raw -= hparams("gain_lr") * ratio(hparams, gradient);
  }

  MdOptions o_;
  GainMap map_;
  Direction direction_;
  Matrix hat_, rows_, columns_, scalar_; // Ŵ and the raw gains
  Direction row_adam_ = adam("gain_"), column_adam_ = adam("gain_"), scalar_adam_ = adam("gain_");
};

const Hparams kGains = {{"gain_lr", 1e-3}, {"gain_beta1", 0.9}, {"gain_beta2", 0.99}, {"gain_eps", 1e-8}};

Hparams with_gains(Hparams h) {
  h.insert(kGains.begin(), kGains.end());
  return h;
}

Direction recipe_muon() { return then(momentum(Form::ema, true), muon_shaping("quintic", "clamp", shape_up_scale)); }

} // namespace

Maker magnitude_direction(Hparams defaults, MdOptions options, Direction u) {
  return [=] { return std::make_unique<MagnitudeDirection>(defaults, options, u); };
}

void add_md_oracles(Makers& makers) {
  const auto md = [&](const std::string& name, Hparams h, MdOptions o, Direction u) {
    makers[name] = magnitude_direction(std::move(h), std::move(o), std::move(u));
  };
  const Hparams muon = with_gains({{"lr", 0.01}, {"momentum", 0.95}});
  const Hparams adam_numbers = {{"lr", 5e-3}, {"beta1", 0.9}, {"beta2", 0.99}, {"eps", 1e-8}};
  MdOptions direct, scalar, unit_rows;
  direct.direct = true;
  scalar.row_gains = scalar.column_gains = false;
  scalar.scalar_gain = true;
  unit_rows.unit_rows = true;
  unit_rows.row_gains = unit_rows.column_gains = false;
  md("md_muon", muon, {}, recipe_muon());
  md("md_adam", with_gains(adam_numbers), {}, adam());
  md("md_dense", muon, direct, recipe_muon());
  MdOptions clamped = direct, preserved;
  clamped.clamped_unfuse = true;
  preserved.start_at_row_norms = true;
  md("md_dense_clamped", muon, clamped, recipe_muon());
  md("md_preserve_init", muon, preserved, recipe_muon());
  MdOptions split;
  split.qkv = true;
  md("md_qkv", muon, split,
     then(momentum(Form::ema, true), split_qkv(muon_shaping("quintic", "clamp", shape_up_scale))));
  md("md_scalar", muon, scalar, recipe_muon());
  Hparams embedding = adam_numbers;
  embedding["lr"] = 3e-3;
  md("md_embedding", embedding, unit_rows, adam());
  // The router: unit rows, Muon.
  md("md_router", {{"momentum", 0.95}}, unit_rows, recipe_muon());
  md("md_rmnp", with_gains({{"momentum", 0.95}}), {},
     then(momentum(Form::heavy_ball, true), [](const Matrix& d) { return Matrix(kj_scale(d) * row_normalised(d)); }));
}

} // namespace polarscope::test
