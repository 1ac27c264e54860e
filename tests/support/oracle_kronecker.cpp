// A13–A14: Shampoo and SOAP.
#include "tests/support/oracle_parts.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace polarscope::test {

namespace {

// F^p of a symmetric positive matrix.
Matrix power(const Matrix& f, double p) {
  const Eigen::SelfAdjointEigenSolver<Matrix> eigen(f);
  return eigen.eigenvectors() * eigen.eigenvalues().array().pow(p).matrix().asDiagonal() *
         eigen.eigenvectors().transpose();
}

// PyPI pytorch-optimizer: both sides from G, −1/4 each. PyPI torch-optimizer: −1/2 each, and R from the G that L has
// already preconditioned. Sums start at εI.
Direction shampoo(bool half) {
  return [=, l = Matrix(), r = Matrix()](const Hparams& h, const Matrix& g) mutable {
    const double eps = h("eps");
    if (l.size() == 0) {
      l = eps * Matrix::Identity(g.rows(), g.rows());
      r = eps * Matrix::Identity(g.cols(), g.cols());
    }
    l += g * g.transpose();
    if (half) {
      const Matrix left = power(l, -0.5) * g;
      r += left.transpose() * left;
      return Matrix(left * power(r, -0.5));
    }
    r += g.transpose() * g;
    return Matrix(power(l, -0.25) * g * power(r, -0.25));
  };
}

Matrix descending_eigenvectors(const Matrix& f) {
  return Eigen::SelfAdjointEigenSolver<Matrix>(f).eigenvectors().rowwise().reverse();
}

Matrix orthonormal(const Matrix& f) {
  return Eigen::HouseholderQR<Matrix>(f).householderQ() * Matrix::Identity(f.rows(), f.cols());
}

// The order of columns of Q by QᵀFQ's diagonal, largest first.
std::vector<long> order_of(const Matrix& f, const Matrix& q) {
  const Vector estimate = (q.transpose() * f * q).diagonal();
  std::vector<long> order(static_cast<std::size_t>(q.cols()));
  std::iota(order.begin(), order.end(), 0L);
  std::stable_sort(order.begin(), order.end(), [&](long a, long b) { return estimate(a) > estimate(b); });
  return order;
}

Matrix columns(const Matrix& m, const std::vector<long>& order) {
  Matrix out(m.rows(), m.cols());
  for (long j = 0; j < m.cols(); ++j) out.col(j) = m.col(order[static_cast<std::size_t>(j)]);
  return out;
}

// nikhilvyas/SOAP. Signs of eigenvectors do not matter: they cancel between m, v and the way back.
class Soap : public Oracle {
public:
  Soap() {
    hparams = {{"lr", 3e-3},           {"beta1", 0.95}, {"beta2", 0.95},
               {"shampoo_beta", 0.95}, {"eps", 1e-8},   {"weight_decay", 0.01}};
  }
  explicit Soap(const SoapState& s) : Soap() {
    l_ = s.left_factor, r_ = s.right_factor, left_ = s.left_basis, right_ = s.right_basis;
    m_ = s.first, v_ = s.second, calls_ = s.steps;
  }
  Matrix step(const Matrix& w, const Matrix& g) override {
    const double lr = hparams("lr"), beta1 = hparams("beta1"), beta2 = hparams("beta2"), eps = hparams("eps");
    const double keep = hparams("shampoo_beta");
    if (calls_++ == 0) { // the first call only looks
      l_ = (1 - keep) * g * g.transpose();
      r_ = (1 - keep) * g.transpose() * g;
      left_ = descending_eigenvectors(l_);
      right_ = descending_eigenvectors(r_);
      m_ = v_ = Matrix::Zero(g.rows(), g.cols());
      return w;
    }
    const int k = calls_ - 1;
    const Matrix inside = left_.transpose() * g * right_;
    m_ = beta1 * m_ + (1 - beta1) * inside;
    v_ = beta2 * v_ + (1 - beta2) * inside.cwiseProduct(inside);
    const double correction = std::sqrt(1 - std::pow(beta2, k)) / (1 - std::pow(beta1, k));
    const Matrix u = m_.array() / (v_.array().sqrt() + eps) * correction;
    Matrix next = w - lr * left_ * u * right_.transpose();
    next -= lr * hparams("weight_decay") * next;
    const Matrix outside = left_ * m_ * right_.transpose();
    l_ = keep * l_ + (1 - keep) * g * g.transpose();
    r_ = keep * r_ + (1 - keep) * g.transpose() * g;
    if (k % 10 == 0) {
      const auto rows = order_of(l_, left_), cols = order_of(r_, right_);
      v_ = columns(columns(v_, cols).transpose(), rows).transpose();
      left_ = orthonormal(l_ * columns(left_, rows));
      right_ = orthonormal(r_ * columns(right_, cols));
    }
    m_ = left_.transpose() * outside * right_;
    return next;
  }

private:
  Matrix l_, r_, left_, right_, m_, v_;
  int calls_ = 0;
};

// NVIDIA-NeMo/Emerging-Optimizers legacy_soap.
class NemoSoap : public Oracle {
public:
  NemoSoap() {
    hparams = {{"beta1", 0.9}, {"beta2", 0.95}, {"shampoo_beta", 0.95}, {"eps", 1e-8}, {"weight_decay", 0.01}};
  }
  explicit NemoSoap(const SoapState& s) : NemoSoap() {
    l_ = s.left_factor, r_ = s.right_factor, left_ = s.left_basis, right_ = s.right_basis;
    m_ = s.first, v_ = s.second, t_ = s.steps;
  }
  Matrix step(const Matrix& w, const Matrix& g) override {
    const double lr = hparams("lr"), beta1 = hparams("beta1"), beta2 = hparams("beta2"),
                 shampoo_beta = hparams("shampoo_beta");
    if (++t_ == 1) {
      l_ = Matrix::Zero(g.rows(), g.rows());
      r_ = Matrix::Zero(g.cols(), g.cols());
      m_ = v_ = Matrix::Zero(g.rows(), g.cols());
    }
    const double keep = 1 - (1 - shampoo_beta) / (1 - std::pow(shampoo_beta, t_));
    l_ = keep * l_ + (1 - keep) * g * g.transpose();
    r_ = keep * r_ + (1 - keep) * g.transpose() * g;
    const Matrix outside = t_ == 1 ? m_ : Matrix(left_ * m_ * right_.transpose());
    left_ = t_ == 1 ? descending_eigenvectors(l_) : refreshed(l_, left_);
    right_ = t_ == 1 ? descending_eigenvectors(r_) : refreshed(r_, right_);
    const Matrix inside = left_.transpose() * g * right_;
    m_ = beta1 * (left_.transpose() * outside * right_) + (1 - beta1) * inside;
    v_ = beta2 * v_ + (1 - beta2) * inside.cwiseProduct(inside);
    const Eigen::ArrayXXd root = (v_.array() / (1 - std::pow(beta2, t_))).sqrt() + hparams("eps");
    const Matrix u = m_.array() / (1 - std::pow(beta1, t_)) / root;
    return (1 - lr * hparams("weight_decay")) * w - lr * left_ * u * right_.transpose();
  }

private:
  static Matrix refreshed(const Matrix& f, const Matrix& q) {
    const Matrix next = orthonormal(f * q);
    return columns(next, order_of(f, next));
  }
  Matrix l_, r_, left_, right_, m_, v_;
  int t_ = 0;
};

} // namespace

std::unique_ptr<Oracle> soap_from(bool nemo, const SoapState& state) {
  if (nemo) return std::make_unique<NemoSoap>(state);
  return std::make_unique<Soap>(state);
}

void add_kronecker_oracles(Makers& makers) {
  makers["shampoo"] = plain({{"eps", 1e-4}}, shampoo(false));
  makers["shampoo_half"] = plain({{"lr", 0.1}, {"eps", 1e-4}}, shampoo(true));
  makers["soap"] = [] { return std::make_unique<Soap>(); };
  makers["soap_nemo"] = [] { return std::make_unique<NemoSoap>(); };
}

} // namespace polarscope::test
