// What must hold for a stage at every shape: the size of the gradient, rotations and transposes, the lists for
// magnitude–direction and Muown, and the stages' promises. Whole optimizers: symmetry_test.cpp.
#include "engine/optimizer/stage.hpp"
#include "engine/scene.hpp"
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

ProgramRig started(const OptimizerSpec& spec, int rows, int cols, const std::vector<double>& w) {
  const auto program = program_for(spec, static_cast<std::uint32_t>(rows), static_cast<std::uint32_t>(cols));
  ProgramRig rig(program, hparams_of(*program, spec));
  rig.write("W", w);
  rig.start();
  return rig;
}

double distance(const std::vector<double>& a, const std::vector<double>& b) {
  return norm(minus(a, b)) / std::max(norm(b), 1e-300);
}

Matrix update(const OptimizerSpec& spec, const Matrix& g) {
  ProgramRig rig =
      started(spec, int(g.rows()), int(g.cols()), std::vector<double>(static_cast<std::size_t>(g.size()), 0.0));
  REQUIRE(rig.step(values(g)));
  return matrix(rig.read("W.update"), g.rows(), g.cols());
}

OptimizerSpec geometry(const std::string& kind, const std::map<std::string, SettingValue>& options) {
  OptimizerSpec spec;
  spec.part(Part::geometry).kind = kind;
  spec.part(Part::geometry).options = options;
  return spec;
}

Matrix random_matrix(Dice& dice, int rows, int cols) {
  return matrix(dice.normals(static_cast<std::size_t>(rows * cols)), rows, cols);
}
Matrix random_rotation(Dice& dice, int n) {
  return Eigen::HouseholderQR<Matrix>(random_matrix(dice, n, n)).householderQ();
}

OptimizerSpec md(const std::map<std::string, std::string>& words) {
  OptimizerSpec spec = preset_spec("md_muon");
  for (const auto& [key, value] : words) spec.part(Part::magnitude).options[key] = value;
  return spec;
}

} // namespace

TEST_CASE("the gradient's size does not matter to a normalised direction", "[property]") {
  Dice dice(3);
  const Matrix g = random_matrix(dice, 7, 12);
  const auto change = [&](const OptimizerSpec& spec, double c) {
    return (update(spec, c * g) - update(spec, g)).norm() / update(spec, g).norm();
  };
  for (const double c : {1e-3, 8.0, 1e3}) {
    CHECK(change(geometry("sign", {}), c) == 0);
    for (const char* granularity : {"matrix", "row", "column"})
      CHECK(change(geometry("normalize", {{"granularity", std::string(granularity)}}), c) <= 1e-14);
    CHECK(change(geometry("orthogonalise",
                          {{"ns_coefficients", std::string("quintic")}, {"ns_eps_form", std::string("clamp")}}),
                 c) <= 1e-12);
    CHECK(change(geometry("orthogonalise", {{"ns_coefficients", std::string("exact")}}), c) <= 1e-12);
  }
  const double added = change(geometry("orthogonalise", {{"ns_eps_form", std::string("add")}}), 1e-3);
  CHECK(added > 1e-9); // ε/‖G‖ shows
  CHECK(added < 1e-3);
}

TEST_CASE("rotations and transposes commute with a geometry where they should", "[property]") {
  Dice dice(4);
  for (const auto& [m, n] : std::vector<std::pair<int, int>>{{5, 8}, {8, 5}, {6, 6}}) {
    CAPTURE(m, n);
    const Matrix g = random_matrix(dice, m, n), q = random_rotation(dice, m), p = random_rotation(dice, n);
    for (const char* set : {"exact", "kj", "quintic", "polar_express", "polar_express_raw", "cubic"}) {
      CAPTURE(set);
      const OptimizerSpec spec =
          geometry("orthogonalise", {{"ns_coefficients", std::string(set)}, {"ns_eps_form", std::string("clamp")}});
      CHECK((update(spec, q * g * p) - q * update(spec, g) * p).norm() <= 1e-9);
      CHECK((update(spec, g.transpose()) - update(spec, g).transpose()).norm() <= 1e-10);
    }
    const OptimizerSpec rows = geometry("normalize", {{"granularity", std::string("row")}});
    const OptimizerSpec columns = geometry("normalize", {{"granularity", std::string("column")}});
    CHECK((update(rows, g * p) - update(rows, g) * p).norm() <= 1e-13);
    CHECK((update(rows, q * g) - q * update(rows, g)).norm() > 1e-3);
    CHECK((update(rows, g.transpose()) - update(columns, g).transpose()).norm() <= 1e-14);
  }
}

TEST_CASE("orthogonalised updates stay in their set's band and along the direction", "[property]") {
  Dice dice(6);
  const std::map<std::string, std::pair<double, double>> bands = {{"kj", {.682, 1.135}},
                                                                  {"quintic", {.977, 1.033}},
                                                                  {"polar_express_angular", {.86, 1.132}},
                                                                  {"polar_express", {.999, 1.001}}};
  for (const auto& [set, band] : bands)
    for (int k = 0; k < 8; ++k) {
      const int m = int(dice.integer(2, 12)), n = int(dice.integer(2, 40));
      const Matrix q = random_rotation(dice, m), p = random_rotation(dice, n);
      Matrix g = Matrix::Zero(m, n);
      for (int i = 0; i < std::min(m, n); ++i) g(i, i) = 0.05 + dice.uniform();
      g = q * g * p;
      const Matrix u =
          update(geometry("orthogonalise", {{"ns_coefficients", set}, {"ns_eps_form", std::string("clamp")}}), g);
      const Vector sigma = Eigen::JacobiSVD<Matrix>(u).singularValues();
      CAPTURE(set, m, n);
      CHECK(sigma.maxCoeff() <= band.second);
      CHECK(sigma.minCoeff() >= band.first);
      CHECK(u.cwiseProduct(g).sum() >= band.first * Eigen::JacobiSVD<Matrix>(g).singularValues().sum());
    }
}

TEST_CASE("promises are kept at random shapes, and a wrong weight breaks them", "[property]") {
  Dice dice(7);
  for (const std::string& preset : preset_names())
    for (int k = 0; k < 4; ++k) {
      const bool centred =
          preset.starts_with("rotational"); // a centred row of two numbers has no tangent: rounding is left
      const int m = int(dice.integer(1, 24)), n = int(dice.integer(centred ? 3 : 1, 24));
      CAPTURE(preset, m, n);
      ProgramRig rig = started(preset_spec(preset), m, n, dice.normals(static_cast<std::size_t>(m * n)));
      for (int t = 0; t < 20; ++t) {
        std::vector<double> g = dice.normals(static_cast<std::size_t>(m * n));
        if (t % 5 == 4) std::fill(g.begin(), g.begin() + n, 0.0); // a row without gradient
        REQUIRE(rig.step(g));
      }
      CHECK(rig.worst_promise() <= 1);
      CHECK(rig.padding_is_zero());
    }
  // The radius is state: a change of it between steps is held from then on, and is no violation of the new one.
  ProgramRig rig = started(preset_spec("muonh"), 3, 4, dice.normals(12));
  rig.write("W.radius", {7});
  REQUIRE(rig.step(dice.normals(12)));
  CHECK(norm(rig.read("W")) == Approx(7).epsilon(1e-14));
}

TEST_CASE("magnitude–direction: every sphere, target, gain and map keeps its norms", "[md]") {
  Dice dice(8);
  for (const char* sphere : {"matrix", "row", "column", "rowcol", "inv_rowcol", "equi", "balanced"})
    for (const char* target : {"initial", "sqrt_max", "unit", "matched", "value"})
      for (const char* gains : {"none", "scalar", "row", "column", "row_column", "low_rank"})
        for (const char* map : {"softplus", "direct", "offset", "exp"}) {
          CAPTURE(sphere, target, gains, map);
          OptimizerSpec spec = md({{"sphere", sphere}, {"target", target}, {"gains", gains}, {"gain_map", map}});
          spec.part(Part::magnitude).options["tangent"] = true;
          ProgramRig rig = started(spec, 4, 6, dice.normals(24));
          for (int t = 0; t < 4; ++t) REQUIRE(rig.step(dice.normals(24)));
          CHECK(rig.worst_promise() <= 1);
          CHECK(rig.padding_is_zero());
          if (std::string(sphere) != "balanced") continue;
          const Matrix hat = matrix(rig.read("W.direction"), 4, 6);
          for (int i = 0; i < 4; ++i) CHECK(hat.row(i).norm() == Approx(std::sqrt(6.0 / 4)).epsilon(1e-3));
          for (int j = 0; j < 6; ++j) CHECK(hat.col(j).norm() == Approx(1).epsilon(1e-2));
        }
}

TEST_CASE("magnitude–direction: start, scale of the start, and the free scale of rowcol", "[md]") {
  Dice dice(9);
  const auto w = dice.normals(24);
  const auto begun = [&](const OptimizerSpec& spec, double c) { return started(spec, 4, 6, scaled(w, c)).read("W"); };
  const OptimizerSpec flat = preset_spec("md_muon");
  CHECK(distance(begun(flat, 5), begun(flat, 1)) <= 1e-15);
  CHECK(norm(begun(flat, 5)) == Approx(std::sqrt(6.0)).epsilon(1e-15));
  const OptimizerSpec rowcol = md({{"sphere", "rowcol"}});
  CHECK(distance(begun(rowcol, 2), scaled(begun(rowcol, 1), 2)) <= 1e-13);
  const OptimizerSpec balanced = md({{"sphere", "balanced"}});
  CHECK(distance(begun(balanced, 2), begun(balanced, 1)) <= 1e-13);
}

TEST_CASE("decay on the sphere is a change of the learning rate", "[md]") {
  Dice dice(11);
  for (const char* sphere : {"matrix", "row", "column"}) {
    OptimizerSpec decayed = md({{"sphere", sphere}, {"gains", "none"}}), plain = decayed;
    const double lr = 0.05, decay = 0.7;
    decayed.hparams["lr"] = lr;
    decayed.hparams["weight_decay"] = decay;
    plain.hparams["lr"] = lr / (1 - lr * decay);
    const auto w = dice.normals(24);
    ProgramRig a = started(decayed, 4, 6, w), b = started(plain, 4, 6, w);
    for (int t = 0; t < 50; ++t) {
      const auto g = dice.normals(24);
      REQUIRE((a.step(g) && b.step(g)));
    }
    CAPTURE(sphere);
    CHECK(distance(a.read("W"), b.read("W")) <= 1e-12);
  }
}

TEST_CASE("gain gradients satisfy their identities", "[md]") {
  Dice dice(12);
  ProgramRig rig = started(preset_spec("md_muon"), 4, 6, dice.normals(24));
  for (int t = 0; t < 10; ++t) {
    const auto w = rig.read("W"), g = dice.normals(24);
    Numbers row, column;
    for (const double a : rig.read("W.row_gain")) row.push_back(softplus(a));
    for (const double a : rig.read("W.column_gain")) column.push_back(softplus(a));
    Numbers hat;
    for (std::size_t k = 0; k < 24; ++k) hat.push_back(w[k] / (row[k / 6] * column[k % 6]));
    REQUIRE(rig.step(g));
    CHECK(dot(rig.read("W.row_gain_gradient"), row) == Approx(dot(g, w)).epsilon(1e-12));
    CHECK(dot(rig.read("W.column_gain_gradient"), column) == Approx(dot(g, w)).epsilon(1e-12));
    CHECK(dot(rig.read("W.direction_gradient"), hat) == Approx(dot(g, w)).epsilon(1e-12));
  }
}

TEST_CASE("a floor under the gains holds", "[md]") {
  Dice dice(13);
  for (const char* map : {"softplus", "direct", "offset", "exp"}) {
    OptimizerSpec spec = md({{"gain_map", map}});
    spec.hparams["gain_lr"] = 0.5;
    spec.hparams["gain_min"] = 0.25;
    ProgramRig rig = started(spec, 4, 6, dice.normals(24));
    double least = 1e9;
    for (int t = 0; t < 30; ++t) {
      REQUIRE(rig.step(dice.normals(24)));
      for (const double gain : rig.read("W.row_gain_value")) least = std::min(least, gain);
    }
    CAPTURE(map);
    CHECK(least >= 0.25 * (1 - 1e-14));
    CHECK(least < 0.26);
  }
}

TEST_CASE("muown: tangential direction gradients, gauge of r, magnitudes through zero", "[muown]") {
  Dice dice(14);
  OptimizerSpec spec = preset_spec("muown");
  ProgramRig rig = started(spec, 5, 8, dice.normals(40));
  for (int t = 0; t < 20; ++t) {
    const Matrix w = matrix(rig.read("W"), 5, 8);
    REQUIRE(rig.step(dice.normals(40)));
    const Matrix v = matrix(rig.read("W.direction_gradient"), 5, 8);
    for (int i = 0; i < 5; ++i) CHECK(std::abs(v.row(i).dot(w.row(i))) <= 1e-13 * v.row(i).norm() * w.row(i).norm());
  }

  const auto w = dice.normals(40), g = dice.normals(40);
  ProgramRig one = started(spec, 5, 8, w), other = started(spec, 5, 8, w);
  other.write("W.direction_norm", scaled(other.read("W.direction_norm"), 3));
  other.set_hparam("lr", 3e-3);
  REQUIRE((one.step(g) && other.step(g)));
  CHECK((row_normalised(matrix(one.read("W"), 5, 8)) - row_normalised(matrix(other.read("W"), 5, 8))).norm() <= 1e-9);

  spec.hparams["lr"] = 0.7;
  ProgramRig wild = started(spec, 5, 8, w);
  bool crossed = false;
  for (int t = 0; t < 40; ++t) {
    REQUIRE(wild.step(g));
    for (const double length : wild.read("W.magnitude")) crossed = crossed || length < 0;
  }
  CHECK(crossed);
  CHECK(wild.worst_promise() <= 1);
}

TEST_CASE("muown's decay takes from the whole weight and measures the magnitudes again", "[muown]") {
  Dice dice(15);
  OptimizerSpec spec = preset_spec("muown");
  const auto w = dice.normals(40), g = dice.normals(40);
  ProgramRig plain = started(spec, 5, 8, w);
  spec.hparams["weight_decay"] = 0.5;
  ProgramRig decayed = started(spec, 5, 8, w);
  REQUIRE((plain.step(g) && decayed.step(g)));
  CHECK(distance(decayed.read("W"), minus(plain.read("W"), scaled(w, 1e-3 * 0.5))) <= 1e-15);
  const Matrix after = matrix(decayed.read("W"), 5, 8);
  for (int i = 0; i < 5; ++i)
    CHECK(decayed.read("W.magnitude")[static_cast<std::size_t>(i)] == Approx(after.row(i).norm()).epsilon(1e-14));
  CHECK(decayed.worst_promise() <= 1);
}

TEST_CASE("recipes whose parts would share a knob are refused", "[property]") {
  OptimizerSpec spec = preset_spec("muown");
  spec.part(Part::decay).kind = "decoupled";
  const auto checked = check_optimizer(spec);
  REQUIRE_FALSE(checked.ok());
  CHECK(checked.error().message.find("weight_decay") != std::string::npos);
}

TEST_CASE("a β that rounds to 1 in single precision still averages", "[property]") {
  // A constant gradient: after the bias correction m̂ = G and v̂ = G², whatever the β.
  const std::vector<double> gradient = {0.5, -2, 3, 0.25};
  for (const double beta : {0.0, 0.9, 1 - 1e-7, 1 - 1e-9}) {
    CAPTURE(beta);
    OptimizerSpec spec = preset_spec("adam");
    spec.hparams["beta1"] = spec.hparams["beta2"] = beta;
    const auto program = program_for(spec, 2, 2, Precision::f32);
    ProgramRig rig(program, hparams_of(*program, spec));
    rig.write("W", {1, 2, 3, 4});
    rig.start();
    for (int t = 0; t < 20; ++t) {
      REQUIRE(rig.step(gradient));
      const auto u = rig.read("W.update");
      for (std::size_t i = 0; i < u.size(); ++i) CHECK(u[i] == Approx(gradient[i] > 0 ? 1 : -1).epsilon(1e-5));
    }
  }
  // The lengths of Muown and the gains of magnitude–direction have an Adam of their own: both move.
  const auto moved = [&](OptimizerSpec spec, const std::string& prefix, const char* slot) {
    spec.hparams[prefix + "beta1"] = spec.hparams[prefix + "beta2"] = 1 - 1e-9;
    const auto program = program_for(spec, 2, 2, Precision::f32);
    ProgramRig rig(program, hparams_of(*program, spec));
    rig.write("W", {1, 2, 3, 4});
    rig.start();
    const auto before = rig.read(slot);
    REQUIRE(rig.step(gradient));
    return distance(rig.read(slot), before) > 1e-6;
  };
  CHECK(moved(preset_spec("muown"), "", "W.magnitude"));
  CHECK(moved(preset_spec("md_adam"), "gain_", "W.row_gain"));
}
