// Bodies of constraint sets: the top singular pair, tangent parts, retractions, and the two dual problems that are solved
// inside a step.
#pragma once

#include "kernels/ops/decompose.hpp"
#include "kernels/ops/rows.hpp"

POLARSCOPE_KERNELS_BEGIN

// X = A in wide orientation times a factor per place.
template <class R> struct Wide {
  Mat<R> a;
  bool tall;
  POLARSCOPE_FN explicit Wide(Mat<R> m) : a(m), tall(m.rows > m.cols) {}
  POLARSCOPE_FN int small() const { return tall ? a.cols : a.rows; }
  POLARSCOPE_FN int large() const { return tall ? a.rows : a.cols; }
  POLARSCOPE_FN R at(int i, int j) const { return tall ? a(j, i) : a(i, j); }
};

namespace ops {

// The largest singular value of W and its vectors, W v = σ u. word 0: exact, by one-sided Jacobi; k > 0: k power
// iterations v ← N(WᵀWv) from (1, …, 1), then u = N(Wv) and σ = uᵀWv, which never overestimates.  slots: W, u, v, σ
template <class T> POLARSCOPE_FN void top_singular(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto w = c.mat(op, 0), u = c.mat(op, 1), v = c.mat(op, 2), sigma = c.mat(op, 3);
  const int rows = w.rows, cols = w.cols;
  const auto unit = [&](Mat<R> a) {
    const Acc length = sqrt_(square_norm(c.t, a));
    const R inverse = length > Acc(Tiny<R>::value) ? static_cast<R>(Acc(1) / length) : R(0);
    const int n = a.cols;
    c.t.sync();
    c.t.for_each(n, [=](int j) { a.p[j] *= inverse; });
    c.t.sync();
    return length;
  };
  const auto through = [&] { // u ← W v
    c.t.rows(rows, [=](auto& sub, int i) {
      const R* x = w.row(i);
      const Acc dot = sub.sum(cols, [=](int j) { return Acc(x[j]) * Acc(v.p[j]); });
      sub.single([=] { u.p[i] = static_cast<R>(dot); });
    });
    c.t.sync();
  };
  if (op.word > 0) {
    c.t.for_each(cols, [=](int j) { v.p[j] = R(1); });
    c.t.sync();
    for (std::uint32_t k = 0; k < op.word; ++k) {
      through();
      unit(u);
      c.t.for_each(cols, [=](int j) {
        Acc total = 0;
        for (int i = 0; i < rows; ++i) total += Acc(w(i, j)) * Acc(u.p[i]);
        v.p[j] = static_cast<R>(total);
      });
      c.t.sync();
      unit(v);
    }
    through();
    const Acc length = unit(u); // = uᵀ W v for u = Wv/‖Wv‖
    c.t.single([=] { sigma.p[0] = static_cast<R>(length); });
    return;
  }
  const Wide<R> wide(w);
  const int small = wide.small(), large = wide.large();
  const auto x = c.t.scratch(small, large), q = c.t.scratch(small, small);
  const auto sizes = c.t.scratch(1, small), turned = c.t.scratch(1, small);
  const Acc norm = sqrt_(square_norm(c.t, w));
  const R inverse = norm > Acc(Tiny<R>::value) ? static_cast<R>(Acc(1) / norm) : R(0);
  c.t.sync();
  copy_wide(c.t, w, x, inverse);
  set_identity(c.t, q);
  c.t.sync();
  orthogonalise_rows(c.t, x, q, turned, kMostJacobiSweeps);
  for_each_norm(c.t, x, kRows, [=](auto size, int k) { sizes.p[k] = static_cast<R>(size); });
  c.t.sync();
  int top = 0;
  for (int k = 1; k < small; ++k)
    if (sizes.p[k] > sizes.p[top]) top = k;
  const Acc size = Acc(sizes.p[top]);
  const auto by_small = wide.tall ? v : u, by_large = wide.tall ? u : v;
  const R scale = size > Acc(0) ? static_cast<R>(Acc(1) / size) : R(0);
  c.t.for_each(small, [=](int j) { by_small.p[j] = scale > R(0) ? q(top, j) : R(0); });
  c.t.for_each(large, [=](int j) { by_large.p[j] = scale * x(top, j); });
  c.t.single([=] { sigma.p[0] = static_cast<R>(size * norm); });
}

// N ← u vᵀ.  slots: u, v, N
template <class T> POLARSCOPE_FN void outer_product(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  const auto u = c.mat(op, 0), v = c.mat(op, 1), d = c.mat(op, 2);
  const int cols = d.cols;
  c.t.rows(d.rows, [=](auto& sub, int i) {
    R* row = d.row(i);
    const R x = u.p[i];
    sub.for_each(cols, [=](int j) { row[j] = x * v.p[j]; });
  });
}

// U ← U − ⟨N, U⟩ N per slice: the tangent part for unit normals N, or what is left of it where N is not of norm 1.
// slots: N, U;  word: the slices, 3 columns and rows by turns
template <class T> POLARSCOPE_FN void remove_along(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto w = c.mat(op, 0), g = c.mat(op, 1);
  const int slices = slices_now(c, op.word), rows = w.rows, cols = w.cols;
  if (slices == kMatrix) {
    const R along = static_cast<R>(c.t.sum(w.size(), [=](int i) { return Acc(w.p[i]) * Acc(g.p[i]); }));
    c.t.sync();
    c.t.for_each(c.t.pad(w.size()), [=](int i) { g.p[i] -= along * w.p[i]; });
  } else if (slices == kRows) {
    c.t.rows(rows, [=](auto& sub, int i) {
      const R* x = w.row(i);
      R* y = g.row(i);
      const R along = static_cast<R>(sub.sum(cols, [=](int j) { return Acc(x[j]) * Acc(y[j]); }));
      sub.for_each(cols, [=](int j) { y[j] -= along * x[j]; });
    });
  } else {
    c.t.for_each(cols, [=](int j) {
      Acc dot = 0;
      for (int i = 0; i < rows; ++i) dot += Acc(w(i, j)) * Acc(g(i, j));
      const R along = static_cast<R>(dot);
      for (int i = 0; i < rows; ++i) g(i, j) -= along * w(i, j);
    });
  }
}

// Metric column word >> 2: the largest |⟨n, u⟩|/(‖n‖‖u‖) over the slices, word & 3 as in remove_along.  slots: N, U
template <class T> POLARSCOPE_FN void tangency_violation(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto w = c.mat(op, 0), g = c.mat(op, 1);
  const int slices = slices_now(c, op.word & 3), rows = w.rows, cols = w.cols;
  const int count = slices == kMatrix ? 1 : slices == kRows ? rows : cols;
  const auto errors = c.t.scratch(1, count);
  c.t.sync();
  const auto cosine = [](Acc dot, Acc first, Acc second) {
    const Acc below = sqrt_(first) * sqrt_(second);
    return sel(finite_(dot), sel(below > Acc(Tiny<R>::value), static_cast<R>(abs_(dot) / below), R(0)), R(1e30));
  };
  if (slices == kColumns) {
    c.t.for_each(cols, [=](int j) {
      Acc dot = 0, first = 0, second = 0;
      for (int i = 0; i < rows; ++i) {
        dot += Acc(w(i, j)) * Acc(g(i, j));
        first += Acc(w(i, j)) * Acc(w(i, j));
        second += Acc(g(i, j)) * Acc(g(i, j));
      }
      errors.p[j] = cosine(dot, first, second);
    });
  } else if (slices == kRows) {
    c.t.rows(rows, [=](auto& sub, int i) {
      const R *x = w.row(i), *y = g.row(i);
      const Acc dot = sub.sum(cols, [=](int j) { return Acc(x[j]) * Acc(y[j]); });
      const Acc first = sub.sum(cols, [=](int j) { return Acc(x[j]) * Acc(x[j]); });
      const Acc second = sub.sum(cols, [=](int j) { return Acc(y[j]) * Acc(y[j]); });
      sub.single([=] { errors.p[i] = cosine(dot, first, second); });
    });
  } else {
    const Acc dot = c.t.sum(w.size(), [=](int i) { return Acc(w.p[i]) * Acc(g.p[i]); });
    const Acc first = square_norm(c.t, w), second = square_norm(c.t, g);
    c.t.single([=] { errors.p[0] = cosine(dot, first, second); });
  }
  c.t.sync();
  const R worst = c.t.max(count, [=](int k) { return errors.p[k]; });
  R* out = c.block + c.program.slots[c.program.metric_slot].offset + (op.word >> 2);
  c.t.single([=] { out[0] = worst; });
}

// W ← R W/(σ + ε), or, word 1, W ← (1 + η λ sign(R − σ)) W.  slots: W, σ, R;  constant: ε;  hparams: η, λ
template <class T> POLARSCOPE_FN void retract_spectral(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  const auto w = c.mat(op, 0);
  const R sigma = c.ptr(op, 1)[0], radius = c.ptr(op, 2)[0];
  R scale;
  if (op.word == 1) {
    const R direction = sel(radius > sigma, R(1), sel(radius < sigma, R(-1), R(0)));
    scale = R(1) + c.hp(op, 0) * c.hp(op, 1) * direction;
  } else {
    const R below = sigma + static_cast<R>(c.constant(op, 0));
    scale = below > R(Tiny<R>::value) ? radius / below : R(0);
  }
  c.t.for_each(c.t.pad(w.size()), [=](int i) { w.p[i] *= scale; });
}

// The tangent part at an orthonormal W: U ← U − W sym(WᵀU), and on the smaller side for a wide W.  slots: W, U
template <class T> POLARSCOPE_FN void tangent_stiefel(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  const auto w = c.mat(op, 0), u = c.mat(op, 1);
  const int small = w.rows < w.cols ? w.rows : w.cols, large = w.rows < w.cols ? w.cols : w.rows;
  const auto x = c.t.scratch(small, large), y = c.t.scratch(small, large), rest = c.t.scratch(small, large);
  const auto cross = c.t.scratch(small, small), even = c.t.scratch(small, small);
  c.t.sync();
  copy_wide(c.t, w, x, R(1));
  copy_wide(c.t, u, y, R(1));
  c.t.sync();
  MatmulArgs<R> args;
  args.transpose_b = true;
  c.t.matmul(cross, y, x, args);
  c.t.sync();
  c.t.rows(small, [=](auto& sub, int i) {
    sub.for_each(small, [=](int j) { even(i, j) = R(-0.5) * (cross(i, j) + cross(j, i)); });
  });
  c.t.sync();
  MatmulArgs<R> last;
  last.beta = R(1);
  last.d = y.p;
  c.t.matmul(rest, even, x, last);
  c.t.sync();
  copy_back(c.t, rest, u, R(1));
}

// The orthogonalised direction without a part along N: U ← s NS(M̂ + λN) with ⟨N, NS(M̂ + λN)⟩ = 0 and
// M̂ = U/max(‖U‖, guard). The inner product rises with λ; the search starts at the λ of the step before, walks with
// doubling steps until the sign changes, then halves the interval. Without a change of sign λ stays; when halving ends
// above the tolerance, the best λ seen is taken.
// A polynomial of no steps stands for the exact polar factor.
// slots: U, N, λ;  word as newton_schulz;  constants: ε, s, guard, tolerance, first step, most doublings, most halvings,
// then a, b, c per step
template <class T> POLARSCOPE_FN void dual_polar(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto u = c.mat(op, 0), normal = c.mat(op, 1), kept = c.mat(op, 2);
  const Wide<R> direction(u), along(normal);
  const int small = direction.small(), large = direction.large();
  const auto x = c.t.scratch(small, large), next = c.t.scratch(small, large), unit = c.t.scratch(small, large);
  const auto gram = c.t.scratch(small, small), poly = c.t.scratch(small, small);
  const auto sizes = c.t.scratch(1, small), turned = c.t.scratch(1, small);
  const bool exact = polynomial_length(op) == 0;
  const Acc length = sqrt_(square_norm(c.t, u)), guard = static_cast<Acc>(c.constant(op, 2));
  const Acc below = length > guard ? length : guard;
  const Acc tolerance = static_cast<Acc>(c.constant(op, 3));
  const int doublings = static_cast<int>(c.constant(op, 5)), halvings = static_cast<int>(c.constant(op, 6));
  const Acc before = Acc(kept.p[0]);
  c.t.sync();
  copy_wide(c.t, u, unit, below > Acc(Tiny<R>::value) ? static_cast<R>(Acc(1) / below) : R(0));
  c.t.sync();

  // One loop with one evaluation in it: what is asked next depends on where the search stands.
  enum Phase { kStart, kWalk, kHalve, kLast };
  int phase = kStart, walked = 0, halved = 0;
  Acc lambda = before, low = 0, value_low = 0, high = 0, best = before, best_value = 0;
  Acc stride = 0;
  Mat<R> result = x;
  while (true) {
    const R shift = static_cast<R>(lambda);
    const Acc size = sqrt_(c.t.sum(small * large, [=](int k) {
      const int i = k / large, j = k % large;
      const Acc entry = Acc(unit(i, j)) + Acc(shift) * Acc(along.at(i, j));
      return entry * entry;
    }));
    const R scale = input_scale<R>(polynomial_form(op), size, static_cast<Acc>(c.constant(op, 0)));
    c.t.rows(small, [=](auto& sub, int i) {
      sub.for_each(large, [=](int j) { x(i, j) = scale * (unit(i, j) + shift * along.at(i, j)); });
    });
    c.t.sync();
    result = exact ? polar_rows(c.t, x, next, gram, sizes, turned)
                   : polynomial_steps(c, op, 7, polynomial_length(op), x, next, gram, poly);
    if (phase == kLast) break;
    const auto found = result;
    const Acc value = c.t.sum(small * large, [=](int k) {
      const int i = k / large, j = k % large;
      return Acc(found(i, j)) * Acc(along.at(i, j));
    });
    c.t.sync();
    if (phase == kStart || abs_(value) < abs_(best_value)) {
      best = lambda;
      best_value = value;
    }
    if (phase == kStart) {
      if (abs_(value) < tolerance) break;
      low = lambda;
      value_low = value;
      stride = value < Acc(0) ? Acc(c.constant(op, 4)) : -Acc(c.constant(op, 4));
      phase = kWalk;
      lambda = low + stride;
    } else if (phase == kWalk) {
      ++walked;
      if (value * value_low <= Acc(0)) {
        if (abs_(value) <= tolerance) break;
        high = lambda;
        phase = abs_(best_value) <= tolerance ? kLast : kHalve;
        lambda = phase == kLast ? best : Acc(0.5) * (low + high);
      } else if (walked >= doublings) {
        best = before;
        phase = kLast;
        lambda = best;
      } else {
        low = lambda;
        value_low = value;
        stride *= Acc(2);
        lambda = low + stride;
      }
    } else {
      ++halved;
      if (abs_(value) <= tolerance) break;
      if (value * value_low > Acc(0)) {
        low = lambda;
        value_low = value;
      } else {
        high = lambda;
      }
      if (halved >= halvings) {
        phase = kLast;
        lambda = best;
      } else {
        lambda = Acc(0.5) * (low + high);
      }
    }
  }
  c.t.sync();
  c.t.single([=] { kept.p[0] = static_cast<R>(lambda); });
  copy_back(c.t, result, u, static_cast<R>(c.constant(op, 1)));
}

// Manifold Muon's direction at an orthonormal W: A = NS(G + 2WΛ) with H = WᵀA + AᵀW brought to 0 by dual ascent,
// Λ ← Λ − α(1 − k/K)H from Λ = −¼(WᵀG + GᵀW); ends when ‖H‖/√numel(H) < tolerance.
// slots: W, U (in: G; out: A);  word as newton_schulz;  constants: ε, α, K, tolerance, then a, b, c per step
template <class T> POLARSCOPE_FN void stiefel_dual(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto u = c.mat(op, 1);
  const Wide<R> weight(c.mat(op, 0));
  const int small = weight.small(), large = weight.large();
  const auto w = c.t.scratch(small, large), g = c.t.scratch(small, large), x = c.t.scratch(small, large),
             next = c.t.scratch(small, large);
  const auto gram = c.t.scratch(small, small), poly = c.t.scratch(small, small), dual = c.t.scratch(small, small);
  const Acc rate = static_cast<Acc>(c.constant(op, 1)), most = static_cast<Acc>(c.constant(op, 2)),
            tolerance = static_cast<Acc>(c.constant(op, 3));
  c.t.sync();
  copy_wide(c.t, weight.a, w, R(1));
  copy_wide(c.t, u, g, R(1));
  c.t.sync();
  MatmulArgs<R> cross;
  cross.transpose_b = true;
  c.t.matmul(gram, g, w, cross); // the smaller side's WᵀG, transposed
  c.t.sync();
  c.t.rows(small, [=](auto& sub, int i) {
    sub.for_each(small, [=](int j) { dual(i, j) = R(-0.25) * (gram(i, j) + gram(j, i)); });
  });
  c.t.sync();
  Mat<R> result = x;
  for (Acc k = 0; k < most; k += Acc(1)) {
    MatmulArgs<R> shifted;
    shifted.alpha = R(2);
    shifted.beta = R(1);
    shifted.d = g.p;
    c.t.matmul(next, dual, w, shifted);
    c.t.sync();
    const R scale =
        input_scale<R>(polynomial_form(op), sqrt_(square_norm(c.t, next)), static_cast<Acc>(c.constant(op, 0)));
    c.t.sync();
    c.t.for_each(x.size(), [=](int i) { x.p[i] = scale * next.p[i]; });
    c.t.sync();
    result = polynomial_steps(c, op, 4, polynomial_length(op), x, next, gram, poly);
    c.t.matmul(gram, result, w, cross);
    c.t.sync();
    const Acc square = c.t.sum(small * small, [=](int e) {
      const Acc h = Acc(gram(e / small, e % small)) + Acc(gram(e % small, e / small));
      return h * h;
    });
    c.t.sync();
    if (sqrt_(square) / Acc(small) < tolerance) break;
    const R stride = static_cast<R>(rate * (Acc(1) - k / most));
    c.t.rows(small, [=](auto& sub, int i) {
      sub.for_each(small, [=](int j) { dual(i, j) -= stride * (gram(i, j) + gram(j, i)); });
    });
    c.t.sync();
  }
  copy_back(c.t, result, u, R(1));
}

// A norm in which Scion's directions have size 1 (algorithms.md §A12).
enum BallNorm : int { kBallSpectral = 0, kBallSign = 1, kBallRow = 2, kBallColumn = 3, kBallRms = 4 };

// ‖W‖ in that norm, of every entry, row or column the largest; for the spectral norm σ is given.
template <class T, class R> POLARSCOPE_FN auto ball_norm(T& t, Mat<R> w, int norm, R sigma) {
  using Acc = typename T::Acc;
  const int rows = w.rows, cols = w.cols;
  if (norm == kBallSpectral) return Acc(sigma);
  if (norm == kBallSign) return Acc(t.max(w.size(), [=](int i) { return abs_(w.p[i]); })) * Acc(cols);
  if (norm == kBallRms) return sqrt_(square_norm(t, w) / (Acc(rows) * Acc(cols)));
  const int count = norm == kBallRow ? rows : cols;
  const auto sizes = t.scratch(1, count);
  t.sync();
  for_each_norm(t, w, norm == kBallRow ? kRows : kColumns,
                [=](auto size, int k) { sizes.p[k] = static_cast<R>(size); });
  t.sync();
  const Acc largest = Acc(t.max(count, [=](int k) { return sizes.p[k]; }));
  return norm == kBallRow ? largest * sqrt_(Acc(cols)) : largest / sqrt_(Acc(rows));
}

// The norm that a constrained step cannot exceed: b ← ‖W‖ at the start, then b ← |1 − η| b + η ρ · top, top = constant 1,
// the largest norm of a direction. Constant 0: factor on σ.  slots: W, σ, b;  word: the norm;  hparams: η, ρ
template <class T> POLARSCOPE_FN void ball_bound(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto bound = c.mat(op, 2);
  if (!c.starting) {
    const Acc lr = Acc(c.hp(op, 0)), radius = Acc(c.hp(op, 1)), top = static_cast<Acc>(c.constant(op, 1));
    const Acc next = abs_(Acc(1) - lr) * Acc(bound.p[0]) + lr * radius * top;
    c.t.sync();
    c.t.single([=] { bound.p[0] = static_cast<R>(next); });
    return;
  }
  const R sigma = c.has(op, 1) ? c.ptr(op, 1)[0] * static_cast<R>(c.constant(op, 0)) : R(0);
  const Acc now = ball_norm(c.t, c.mat(op, 0), static_cast<int>(op.word), sigma);
  c.t.single([=] { bound.p[0] = static_cast<R>(now); });
}

// A ← (1 − ηλ) A.  slots: A;  hparams: η, λ
template <class T> POLARSCOPE_FN void shrink(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  const auto a = c.mat(op, 0);
  const R keep = R(1) - c.hp(op, 0) * c.hp(op, 1);
  c.t.for_each(c.t.pad(a.size()), [=](int i) { a.p[i] *= keep; });
}

// A ← s A.  slots: A;  constant: s
template <class T> POLARSCOPE_FN void scale_by(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  const auto a = c.mat(op, 0);
  const R scale = static_cast<R>(c.constant(op, 0));
  c.t.for_each(c.t.pad(a.size()), [=](int i) { a.p[i] *= scale; });
}

// U ← ρ U + W, so that W − ηU is (1 − η)W − ηρU; without W only ρ U.  slots: U, W;  hparam: ρ
template <class T> POLARSCOPE_FN void ball_step(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  const auto u = c.mat(op, 0);
  const R radius = c.hp(op, 0);
  if (!c.has(op, 1)) {
    c.t.for_each(c.t.pad(u.size()), [=](int i) { u.p[i] *= radius; });
    return;
  }
  const auto w = c.mat(op, 1);
  c.t.for_each(c.t.pad(u.size()), [=](int i) { u.p[i] = radius * u.p[i] + w.p[i]; });
}

// Decay as a part of the update: U ← (1 − ηλ) U + λW, so that W − ηU is (1 − ηλ)(W − ηU), but for the first step; or, word
// 1, U ← U + λW in every step, (1 − ηλ)W − ηU.  slots: U, W;  hparams: η, λ
template <class T> POLARSCOPE_FN void decay_in_update(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  if (op.word == 0 && c.step == 0) return;
  const auto u = c.mat(op, 0), w = c.mat(op, 1);
  const R decay = c.hp(op, 1), keep = op.word == 0 ? R(1) - c.hp(op, 0) * decay : R(1);
  c.t.for_each(c.t.pad(u.size()), [=](int i) { u.p[i] = keep * u.p[i] + decay * w.p[i]; });
}

// Metric column word >> 3: by how much ‖W‖ exceeds b, relative to b.  slots: W, σ, b;  word & 7: the norm;  constant: as
// ball_bound
template <class T> POLARSCOPE_FN void ball_violation(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const R sigma = c.has(op, 1) ? c.ptr(op, 1)[0] * static_cast<R>(c.constant(op, 0)) : R(0);
  const Acc now = ball_norm(c.t, c.mat(op, 0), static_cast<int>(op.word & 7), sigma), bound = Acc(c.ptr(op, 2)[0]);
  const Acc excess = bound > Acc(0) ? now / bound - Acc(1) : now;
  R* out = c.block + c.program.slots[c.program.metric_slot].offset + (op.word >> 3);
  c.t.single([=] { out[0] = finite_(excess) ? static_cast<R>(excess > Acc(0) ? excess : Acc(0)) : R(1e30); });
}

} // namespace ops
POLARSCOPE_KERNELS_END
