// Closed forms and golden vectors of the orthogonalising and constrained stages, through compiled programs.
#include "engine/optimizer/stage.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/optimizer_oracle.hpp"
#include "tests/support/optimizer_rig.hpp"
#include "tests/support/oracle.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

using namespace polarscope;
using namespace polarscope::test;

namespace {

const std::vector<double> kG = {1, 2, 3, 4, 5, 6.5};
const std::vector<double> kW = {.5, -1, .25, 1, .75, -.5};

using Options = std::map<std::string, SettingValue>;
SettingValue text(const char* word) { return std::string(word); }

ProgramRig started(const OptimizerSpec& spec, int rows, int cols, const std::vector<double>& w) {
  const auto program = program_for(spec, static_cast<std::uint32_t>(rows), static_cast<std::uint32_t>(cols));
  ProgramRig rig(program, hparams_of(*program, spec));
  rig.write("W", w);
  rig.start();
  return rig;
}

OptimizerSpec with_geometry(std::vector<PartSpec> chain) {
  OptimizerSpec spec;
  spec.chain(Part::geometry) = std::move(chain);
  return spec;
}

// U of the first step from kW along kG.
std::vector<double> golden_update(const OptimizerSpec& spec) {
  ProgramRig rig = started(spec, 2, 3, kW);
  REQUIRE(rig.step(kG));
  CHECK(rig.worst_promise() <= 1);
  return rig.read("W.update");
}

void check_digits(const std::vector<double>& found, const std::vector<double>& expected, double unit = 0.6e-8) {
  REQUIRE(found.size() == expected.size());
  for (std::size_t k = 0; k < found.size(); ++k) {
    CAPTURE(k);
    CHECK(std::abs(found[k] - expected[k]) <= unit);
  }
}

double spectral_norm(const std::vector<double>& w, int rows, int cols) {
  return Eigen::JacobiSVD<Matrix>(matrix(w, rows, cols)).singularValues()(0);
}

// B with orthonormal rows or columns, whichever are fewer.
double orthonormality_error(const Matrix& b) {
  const Matrix gram = b.rows() > b.cols() ? Matrix(b.transpose() * b) : Matrix(b * b.transpose());
  return (gram - Matrix::Identity(gram.rows(), gram.cols())).norm();
}

} // namespace

TEST_CASE("tangents of the spheres have the golden parts", "[constrained]") {
  check_digits(golden_update(with_geometry({{"tangent", {{"set", text("matrix")}}}})), {.4, 3.2, 2.7, 2.8, 4.1, 7.1},
               1e-14);
  check_digits(golden_update(with_geometry({{"tangent", {{"set", text("spectral")}}}})),
               {1.52777791, 2.92611152, 2.54328265, 3.01383795, 3.26954479, 7.35338418});
}

TEST_CASE("orthogonalising the tangent part leaves it by the golden amount", "[constrained]") {
  const PartSpec exact{"orthogonalise", {{"ns_coefficients", text("exact")}}};
  const auto frobenius = golden_update(with_geometry({{"tangent", {{"set", text("matrix")}}}, exact}));
  CHECK(std::abs(dot(frobenius, kW)) / (norm(kW) * std::sqrt(2.0)) == Approx(.37599647).epsilon(1e-7));
  const std::vector<double> theta = {-.21474840, -.37682700, .18583445, .40126105, .70410768, -.34723485};
  const auto spectral = golden_update(with_geometry({{"tangent", {{"set", text("spectral")}}}, exact}));
  CHECK(std::abs(dot(spectral, theta)) == Approx(.61885832).epsilon(1e-7));
}

TEST_CASE("the dual direction has the golden multiplier", "[constrained]") {
  for (const char* set : {"polar_express", "exact"}) {
    ProgramRig rig =
        started(with_geometry({{"dual_orthogonalise", {{"normal", text("spectral")}, {"ns_coefficients", text(set)}}}}),
                2, 3, kW);
    REQUIRE(rig.step(kG));
    CAPTURE(set);
    CHECK(rig.read("W.multiplier")[0] == Approx(-.07830869).epsilon(1e-6));
    check_digits(rig.read("W.update"), {-.51751115, .82433571, .22946208, .65429283, .20840343, .72695867}, 2e-8);
    CHECK(rig.worst_promise() <= 1);
  }
}

TEST_CASE("a step on the spectral sphere leaves it by the square of the rate", "[constrained]") {
  Dice dice(21);
  const auto w = dice.normals(12 * 20), g = dice.normals(12 * 20);
  std::vector<double> drift;
  for (const double lr : {.1, .05, .025, .0125}) {
    OptimizerSpec spec = preset_spec("sso_accurate");
    spec.hparams["lr"] = lr;
    spec.part(Part::geometry).options["solver"] = text("tight");
    ProgramRig rig = started(spec, 12, 20, w);
    REQUIRE(rig.step(g));
    drift.push_back(spectral_norm(rig.read("W"), 12, 20) / std::sqrt(12.0 / 20) - 1);
  }
  for (std::size_t k = 1; k < drift.size(); ++k) CHECK(std::log2(drift[k - 1] / drift[k]) == Approx(2).margin(0.2));
}

TEST_CASE("Shampoo without accumulation is the polar factor", "[constrained]") {
  Dice dice(22);
  for (const auto& [m, n] : std::vector<std::pair<int, int>>{{6, 6}, {5, 9}, {9, 4}}) {
    OptimizerSpec spec = preset_spec("shampoo");
    spec.part(Part::direction).options["accumulate"] = text("none");
    spec.hparams["eps"] = 0;
    const auto w = dice.normals(static_cast<std::size_t>(m * n)), g = dice.normals(static_cast<std::size_t>(m * n));
    ProgramRig rig = started(spec, m, n, w);
    REQUIRE(rig.step(g));
    CAPTURE(m, n);
    CHECK((matrix(rig.read("W.update"), m, n) - exact_msign(matrix(g, m, n))).norm() <= 1e-8);
  }
}

TEST_CASE("SOAP without bases is Adam one call late, and its bases are orthonormal", "[constrained]") {
  Dice dice(23);
  OptimizerSpec flat = preset_spec("soap"), adam = preset_spec("adam");
  flat.part(Part::direction).options["max_precond_dim"] = 0L;
  flat.hparams["weight_decay"] = 0;
  for (const char* name : {"lr", "beta1", "beta2"}) adam.hparams[name] = flat.hparams.at(name);
  const auto w = dice.normals(24);
  ProgramRig late = started(flat, 4, 6, w), plain = started(adam, 4, 6, w);
  REQUIRE(late.step(dice.normals(24)));
  CHECK(late.read("W") == w);
  for (int k = 1; k <= 30; ++k) {
    const auto g = dice.normals(24);
    plain.set_hparam("eps", 1e-8 / std::sqrt(1 - std::pow(0.95, k))); // ε before the bias correction
    REQUIRE((late.step(g) && plain.step(g)));
  }
  CHECK(norm(minus(late.read("W"), plain.read("W"))) <= 1e-12);

  ProgramRig rotated = started(preset_spec("soap"), 7, 7, dice.normals(49));
  for (int k = 0; k < 25; ++k) REQUIRE(rotated.step(dice.normals(49)));
  CHECK(orthonormality_error(matrix(rotated.read("W.left_basis"), 7, 7)) <= 1e-12);
  CHECK(orthonormality_error(matrix(rotated.read("W.right_basis"), 7, 7)) <= 1e-12);
  CHECK(rotated.worst_promise() <= 1);
}

TEST_CASE("the orthonormal sets are kept", "[constrained]") {
  Dice dice(24);
  for (const auto& [m, n] : std::vector<std::pair<int, int>>{{6, 15}, {15, 6}}) {
    for (const auto& [preset, bound] :
         std::vector<std::pair<std::string, double>>{{"manifold_muon", 1e-9}, {"spel", 1e-11}}) {
      ProgramRig rig = started(preset_spec(preset), m, n, dice.normals(90));
      for (int t = 0; t < 20; ++t) REQUIRE(rig.step(dice.normals(90)));
      CAPTURE(preset, m, n);
      CHECK(orthonormality_error(matrix(rig.read("W"), m, n)) <= bound);
    }
    ProgramRig nemo = started(preset_spec("spel_nemo"), m, n, dice.normals(90));
    for (int t = 0; t < 20; ++t) REQUIRE(nemo.step(dice.normals(90)));
    const Vector sigma = Eigen::JacobiSVD<Matrix>(matrix(nemo.read("W"), m, n)).singularValues();
    CHECK((sigma.array() - 1).abs().maxCoeff() <= .032);
  }
}

TEST_CASE("constrained Scion never leaves its ball, unconstrained Scion does", "[constrained]") {
  Dice dice(25);
  for (const char* preset : {"scion", "scion_sign", "scion_row", "scion_column", "scion_bias", "scion_nemo"}) {
    CAPTURE(preset);
    OptimizerSpec spec = preset_spec(preset);
    spec.hparams["lr"] = 0.1;
    ProgramRig rig = started(spec, 6, 10, scaled(dice.normals(60), 5));
    for (int t = 0; t < 200; ++t) REQUIRE(rig.step(dice.normals(60)));
    CHECK(rig.worst_promise() <= 1);
    CHECK(rig.read("W.norm_bound")[0] <= 1.21); // the start's share is gone; what the polynomial reaches near 0 is left
    if (std::string(preset) == "scion") CHECK(spectral_norm(rig.read("W"), 6, 10) * std::sqrt(10.0 / 6) <= 1.14);
  }
  OptimizerSpec free = preset_spec("scion_unconstrained");
  free.hparams["lr"] = 0.1;
  ProgramRig rig = started(free, 6, 10, std::vector<double>(60, 0.0));
  const auto g = dice.normals(60);
  for (int t = 0; t < 50; ++t) REQUIRE(rig.step(g));
  CHECK(spectral_norm(rig.read("W"), 6, 10) * std::sqrt(10.0 / 6) > 2);
}

TEST_CASE("Mano's slices are unit and tangent, columns first", "[constrained]") {
  Dice dice(26);
  ProgramRig rig = started(preset_spec("mano"), 5, 8, dice.normals(40));
  for (int t = 0; t < 4; ++t) {
    const Matrix w = matrix(rig.read("W"), 5, 8);
    REQUIRE(rig.step(dice.normals(40)));
    const Matrix u = matrix(rig.read("W.update"), 5, 8);
    const bool columns = t % 2 == 0;
    for (int k = 0; k < (columns ? 8 : 5); ++k) {
      const Vector slice = columns ? Vector(u.col(k)) : Vector(u.row(k).transpose()),
                   along = columns ? Vector(w.col(k)) : Vector(w.row(k).transpose());
      CHECK(slice.norm() == Approx(0.2 * std::sqrt(columns ? 5.0 : 8.0)).epsilon(1e-13));
      CHECK(std::abs(slice.dot(along)) <= 1e-13 * along.norm());
    }
  }
  CHECK(rig.worst_promise() <= 1);
}

TEST_CASE("many rounds of row and column norms settle both", "[constrained]") {
  Dice dice(27);
  ProgramRig rig = started(with_geometry({{"sinkhorn", {{"rounds", 50L}}}}), 6, 9, dice.normals(54));
  REQUIRE(rig.step(dice.normals(54)));
  const Matrix u = matrix(rig.read("W.update"), 6, 9);
  for (int i = 0; i < 6; ++i) CHECK(u.row(i).norm() == Approx(3).epsilon(1e-9));
  for (int j = 0; j < 9; ++j) CHECK(u.col(j).norm() == Approx(std::sqrt(6.0)).epsilon(1e-12));
}

TEST_CASE("MACRO holds its norm, and its second and third readings are tangent", "[constrained]") {
  Dice dice(28);
  for (const char* preset : {"macro", "macro_r2", "macro_r3", "macro_spectral", "macro_oblique"}) {
    CAPTURE(preset);
    ProgramRig rig = started(preset_spec(preset), 6, 14, dice.normals(84));
    for (int t = 0; t < 15; ++t) {
      const auto w = rig.read("W");
      REQUIRE(rig.step(dice.normals(84)));
      if (std::string(preset) == "macro_r2" || std::string(preset) == "macro_r3")
        CHECK(std::abs(dot(rig.read("W.update"), w)) <= 1e-9 * norm(w) * norm(rig.read("W.update")));
    }
    CHECK(rig.worst_promise() <= 1);
  }
}
