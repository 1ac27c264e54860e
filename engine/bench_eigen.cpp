// Compiled once per instruction set, into namespaces of its own: else the linker would merge what Eigen compiles for
// AVX-512 here with its namesake elsewhere in the program.
#include "engine/bench_eigen.hpp"

#define POLARSCOPE_JOIN_(a, b) a##b
#define POLARSCOPE_JOIN(a, b) POLARSCOPE_JOIN_(a, b)
#define Eigen POLARSCOPE_JOIN(eigen_, POLARSCOPE_ISA)
#include <Eigen/Core>

namespace polarscope::POLARSCOPE_JOIN(bench_eigen_, POLARSCOPE_ISA) {

  void product(const EigenProduct& p);

  void product(const EigenProduct& p) {
    using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    const Eigen::OuterStride<> ld(p.ld);
    const Eigen::Map<const Matrix, Eigen::Aligned64, Eigen::OuterStride<>> a(p.a, p.n, p.n, ld), b(p.b, p.n, p.n, ld);
    Eigen::Map<Matrix, Eigen::Aligned64, Eigen::OuterStride<>> c(p.c, p.n, p.n, ld);
    if (p.symmetric) {
      c.triangularView<Eigen::Lower>().setZero();
      c.selfadjointView<Eigen::Lower>().rankUpdate(a);
    } else if (p.transpose_a) {
      c.noalias() = a.transpose() * b;
    } else if (p.transpose_b) {
      c.noalias() = a * b.transpose();
    } else {
      c.noalias() = a * b;
    }
  }

} // namespace polarscope::POLARSCOPE_JOIN(bench_eigen_,POLARSCOPE_ISA)
