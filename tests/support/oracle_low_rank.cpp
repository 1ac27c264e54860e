// C5: gains 1 + A B, floored, with the direction part, A and B as parameters of their own; the code under test keeps the
// fused weight.
#include "tests/support/oracle_parts.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

namespace polarscope::test {

namespace {

// Philox 4×32-10 (Salmon et al. 2011), counter (index, stream, 0, 0), key (1, 0): the seed of every test here is 1.
std::array<std::uint32_t, 4> random_block(std::uint32_t index, std::uint32_t stream) {
  std::array<std::uint32_t, 4> c = {index, stream, 0, 0};
  std::uint32_t key[2] = {1, 0};
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = 0xD2511F53ull * c[0], b = 0xCD9E8D57ull * c[2];
    const auto high = [](std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32); };
    const auto low = [](std::uint64_t x) { return static_cast<std::uint32_t>(x & 0xFFFFFFFFull); };
    c = {high(b) ^ c[1] ^ key[0], low(b), high(a) ^ c[3] ^ key[1], low(a)};
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  return c;
}

// Box and Muller's numbers, four to a block along the rows, from 24 bits each.
Matrix seeded_normals(std::uint32_t stream, long rows, long cols) {
  const auto uniform = [](std::uint32_t bits) { return (static_cast<double>(bits / 256) + 0.5) / 16777216.0; };
  const long blocks = (cols + 3) / 4;
  Matrix z(rows, cols);
  for (long i = 0; i < rows; ++i)
    for (long j = 0; j < cols; ++j) {
      const auto bits = random_block(static_cast<std::uint32_t>(i * blocks + j / 4), stream);
      const auto pair = static_cast<std::size_t>(j % 4 / 2 * 2);
      const double radius = std::sqrt(-2 * std::log(uniform(bits[pair]))), turn = 2 * M_PI * uniform(bits[pair + 1]);
      z(i, j) = radius * (j % 2 == 0 ? std::cos(turn) : std::sin(turn));
    }
  return z;
}

class LowRankGains : public Oracle {
public:
  LowRankGains() {
    hparams = {{"lr", 0.01},         {"momentum", 0.95}, {"gain_lr", 1e-3}, {"gain_beta1", 0.9},
               {"gain_beta2", 0.99}, {"gain_eps", 1e-8}, {"gain_min", 1e-2}};
  }
  Matrix start(const Matrix& w) override {
    const long rank = std::min({4l, static_cast<long>(w.rows()), static_cast<long>(w.cols())});
    hat_ = on_sphere(w);
    a_ = seeded_normals(4096, w.rows(), rank) / std::sqrt(static_cast<double>(rank));
    b_ = Matrix::Zero(rank, w.cols());
    return hat_;
  }
  Matrix step(const Matrix&, const Matrix& g) override {
    // dL = Σ G_ij d(γ_ij Ŵ_ij), all gradients before any update
    const double floor = hparams("gain_min");
    const Matrix product = a_ * b_, gains = gains_of(product);
    Matrix inside = g.cwiseProduct(hat_);
    for (long i = 0; i < g.rows(); ++i)
      for (long j = 0; j < g.cols(); ++j)
        if (1 + product(i, j) < floor) inside(i, j) = 0;
    const Matrix to_a = inside * b_.transpose(), to_b = a_.transpose() * inside;
    const double lr = hparams("lr"), decay = value_or_zero("weight_decay");
    hat_ = on_sphere((1 - lr * decay) * hat_ - lr * direction_(hparams, g.cwiseProduct(gains)));
    train(a_, adam_a_, to_a);
    train(b_, adam_b_, to_b);
    return gains_of(a_ * b_).cwiseProduct(hat_);
  }

private:
  static Matrix on_sphere(const Matrix& w) {
    return std::sqrt(static_cast<double>(std::max(w.rows(), w.cols()))) * normalised(w);
  }
  double value_or_zero(const char* name) const { return hparams.count(name) ? hparams(name) : 0; }
  Matrix gains_of(const Matrix& product) const {
    const double floor = hparams("gain_min");
    return product.unaryExpr([=](double x) { return std::max(1 + x, floor); });
  }
  void train(Matrix& factor, Direction& ratio, const Matrix& gradient) {
    factor *= 1 - hparams("gain_lr") * value_or_zero("gain_weight_decay");
    factor -= hparams("gain_lr") * ratio(hparams, gradient);
  }

  Matrix hat_, a_, b_; // Ŵ and the two factors
  Direction direction_ = then(momentum(Form::ema, true), muon_shaping("quintic", "clamp", shape_up_scale));
  Direction adam_a_ = adam("gain_"), adam_b_ = adam("gain_");
};

} // namespace

void add_low_rank_oracles(Makers& makers) {
  makers["md_low_rank"] = [] { return std::make_unique<LowRankGains>(); };
}

} // namespace polarscope::test
