// B4–B6: the spectral sphere, Stiefel manifolds, and the three readings of MACRO.
#include "tests/support/oracle_parts.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace polarscope::test {

namespace {

struct Top { // the largest singular value with its vectors
  double sigma;
  Vector u, v;
};

// sso.py: v from ones, five times v ← N(Wᵀ(Wv)), then u = N(Wv) and σ = uᵀWv.
Top power_iteration(const Matrix& w) {
  Vector v = Vector::Ones(w.cols());
  for (int k = 0; k < 5; ++k) v = normalised(w.transpose() * (w * v));
  const Vector u = normalised(w * v);
  return {u.dot(w * v), u, v};
}

Top exact_top(const Matrix& w) {
  const Eigen::JacobiSVD<Matrix> svd(w, Eigen::ComputeThinU | Eigen::ComputeThinV);
  return {svd.singularValues()(0), svd.matrixU().col(0), svd.matrixV().col(0)};
}

Matrix polar_express(const Matrix& m) { return newton_schulz(m, "polar_express", "clamp"); }

// λ* with h(λ) = ⟨Θ, msign(M + λΘ)⟩ = 0 as sso.py searches for it, from the λ of the step before.
double solve_lambda(const std::function<double(double)>& h, double guess) {
  const double tolerance = 1e-6;
  double low = guess, at_low = h(guess);
  if (std::abs(at_low) < tolerance) return guess;
  double stride = at_low < 0 ? 1e-3 : -1e-3, high = low, at_high = at_low;
  bool found = false;
  for (int k = 0; k < 10 && !found; ++k, stride *= 2) {
    low = high, at_low = at_high;
    high = low + stride, at_high = h(high);
    found = (at_low <= 0) != (at_high <= 0);
  }
  if (!found) return guess;
  if (at_low > 0) std::swap(low, high), std::swap(at_low, at_high); // h(low) ≤ 0 ≤ h(high)
  double best = std::abs(at_low) < std::abs(at_high) ? low : high,
         at_best = std::min(std::abs(at_low), std::abs(at_high));
  for (int k = 0; k < 20 && at_best > tolerance; ++k) {
    const double middle = 0.5 * (low + high), there = h(middle);
    if (std::abs(there) < at_best) best = middle, at_best = std::abs(there);
    (there < 0 ? low : high) = middle;
  }
  return best;
}

struct SphereOptions {
  bool exact_top = false, dynamic = false, dual = true;
};

// B4: decay and retraction come before the update is made; R = c√(m/n), c is the code's radius_scaler. The dynamic mode
// moves the weight towards R instead, at the decay's rate, which decays nothing else then: W ← (1 + λη·sign(R − σ))W.
Maker spectral_sphere(SphereOptions o) {
  return rule(
      {{"lr", 0.02}, {"momentum", 0.9}, {"radius", 1}, {"weight_decay", 0}},
      [=, m = momentum(Form::ema, true), lambda = 0.0](const Hparams& h, const Matrix& w, const Matrix& g) mutable {
        const double lr = h("lr"), decay = h("weight_decay"), radius = h("radius") * out_in_scale(w);
        Matrix next = (o.dynamic ? 1 : 1 - lr * decay) * w;
        const Matrix d = m(h, g), unit = d / std::max(d.norm(), 1e-7);
        const Top top = o.exact_top ? exact_top(next) : power_iteration(next);
        next *= o.dynamic ? 1 + decay * lr * (top.sigma > radius ? -1 : 1) : radius / (top.sigma + 1e-7);
        const Matrix theta = top.u * top.v.transpose();
        if (o.dual)
          lambda = solve_lambda([&](double at) { return inner(theta, polar_express(unit + at * theta)); }, lambda);
        return Matrix(next - lr * radius * polar_express(unit + lambda * theta));
      });
}

// X − W sym(WᵀX) for a tall W with orthonormal columns; a wide one is treated transposed.
Matrix stiefel_tangent(const Matrix& w, const Matrix& x) {
  if (w.rows() < w.cols()) return stiefel_tangent(w.transpose(), x.transpose()).transpose();
  const Matrix product = w.transpose() * x;
  return x - w * (0.5 * (product + product.transpose()));
}

Matrix manifolds_msign(const Matrix& m) { return newton_schulz(m, "polar_express_safe", "scaled", 10, 0); }

// thinking-machines-lab/manifolds: dual ascent for the tangent direction of steepest descent; α = 0.01, S = 100.
Matrix manifold_muon_step(const Matrix& w, const Matrix& g, double lr) {
  if (w.rows() < w.cols()) return manifold_muon_step(w.transpose(), g.transpose(), lr).transpose();
  Matrix dual = -0.25 * (w.transpose() * g + g.transpose() * w), a;
  for (int s = 0; s < 100; ++s) {
    a = manifolds_msign(g + 2 * w * dual);
    const Matrix h = w.transpose() * a + a.transpose() * w;
    if (h.norm() / std::sqrt(static_cast<double>(h.size())) < 1e-6) break;
    dual -= 0.01 * (1 - s / 100.0) * h;
  }
  return manifolds_msign(w - lr * a);
}

// 2601.21487 in the paper's form, on the Stiefel manifold from its first weight on.
Maker spel() {
  return rule(
      {},
      [m = momentum(Form::ema, false)](const Hparams& h, const Matrix& w, const Matrix& g) mutable {
        return exact_msign(w - h("lr") * exact_msign(stiefel_tangent(w, m(h, g))));
      },
      exact_msign);
}

// spel.py of NVIDIA-NeMo/Emerging-Optimizers: no tangent projection, two Newton–Schulz.
Maker nemo_spel() {
  return rule({{"lr", 3e-4}, {"momentum", 0.95}, {"weight_decay", 0.1}},
              [m = momentum(Form::ema, false)](const Hparams& h, const Matrix& w, const Matrix& g) mutable {
                const auto orthogonal = [](const Matrix& x) { return newton_schulz(x, "quintic", "clamp"); };
                return orthogonal((1 - h("lr") * h("weight_decay")) * w - h("lr") * orthogonal(m(h, g)));
              });
}

// The λ at which a non-decreasing h crosses 0, bisected to the last digit.
double crossing(const std::function<double(double)>& h, double bound) {
  double low = -bound, high = bound;
  for (int k = 0; k < 200; ++k) {
    const double middle = 0.5 * (low + high);
    (h(middle) < 0 ? low : high) = middle;
  }
  return 0.5 * (low + high);
}

// B6: N is the unit normal of the set at W.
enum class Set { frobenius, spectral, oblique };

Matrix tangent(Set set, const Matrix& w, const Matrix& x) {
  if (set == Set::oblique) {
    const Matrix unit = row_normalised(w);
    if (w.cols() == 1)
      return x.cwiseProduct((w.array() == 0).cast<double>().matrix()); // nothing is tangent to a number
    return x - scale_rows(unit, x.cwiseProduct(unit).rowwise().sum());
  }
  if (set == Set::frobenius) {
    const Matrix unit = normalised(w);
    return x - inner(x, unit) * unit;
  }
  const Top top = exact_top(w);
  const Matrix theta = top.u * top.v.transpose();
  return x - inner(x, theta) * theta;
}

Matrix retracted(Set set, const Matrix& w, const Matrix& start) {
  if (set == Set::oblique) return scale_rows(row_normalised(w), start.rowwise().norm());
  if (set == Set::frobenius) return start.norm() * normalised(w);
  return exact_top(start).sigma / exact_top(w).sigma * w;
}

Maker macro(Set set, int reading) {
  return rule({{"lr", 0.01}}, [=, m = momentum(Form::ema, false), start = Matrix()](const Hparams& h, const Matrix& w,
                                                                                    const Matrix& g) mutable {
    if (start.size() == 0) start = w;
    const Matrix average = m(h, g), unit = normalised(w);
    Matrix d = exact_msign(tangent(set, w, average));
    if (reading == 2) d = tangent(set, w, d);
    if (reading == 3) {
      const double nuclear = Eigen::JacobiSVD<Matrix>(average).singularValues().sum();
      const double lambda =
          crossing([&](double at) { return inner(unit, exact_msign(average + at * unit)); }, 2 * nuclear);
      d = exact_msign(average + lambda * unit);
    }
    return retracted(set, w - h("lr") * d, start);
  });
}

} // namespace

void add_spectral_oracles(Makers& makers) {
  makers["sso"] = spectral_sphere({});
  makers["sso_accurate"] = spectral_sphere({.exact_top = true});
  makers["sso_dynamic"] = spectral_sphere({.dynamic = true});
  makers["muon_sphere"] = spectral_sphere({.dual = false});
  makers["manifold_muon"] = rule(
      {}, [](const Hparams& h, const Matrix& w, const Matrix& g) { return manifold_muon_step(w, g, h("lr")); },
      manifolds_msign);
  makers["spel"] = spel();
  makers["spel_nemo"] = nemo_spel();
  makers["macro"] = macro(Set::frobenius, 1);
  makers["macro_r2"] = macro(Set::frobenius, 2);
  makers["macro_r3"] = macro(Set::frobenius, 3);
  makers["macro_spectral"] = macro(Set::spectral, 1);
  makers["macro_oblique"] = macro(Set::oblique, 1);
}

} // namespace polarscope::test
