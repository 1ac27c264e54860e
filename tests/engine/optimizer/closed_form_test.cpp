// The fastest decisive test of each plain, trust-ratio, projection-type, rotational and reparametrised method: a closed form
// that a wrong order, a wrong norm or a wrong factor would break.
#include "engine/optimizer/stage.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/optimizer_oracle.hpp"
#include "tests/support/optimizer_rig.hpp"
#include "tests/support/oracle.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

using namespace polarscope;
using namespace polarscope::test;

namespace {

ProgramRig started(const OptimizerSpec& spec, std::uint32_t rows, std::uint32_t cols, const std::vector<double>& w) {
  const auto program = program_for(spec, rows, cols);
  ProgramRig rig(program, hparams_of(*program, spec));
  rig.write("W", w);
  rig.start();
  return rig;
}

double moved(ProgramRig& rig, const std::vector<double>& g) {
  const auto before = rig.read("W");
  REQUIRE(rig.step(g));
  return norm(minus(rig.read("W"), before));
}

double row_norm(const std::vector<double>& w, std::size_t cols, std::size_t i) {
  return norm(
      std::vector<double>(w.begin() + static_cast<long>(i * cols), w.begin() + static_cast<long>((i + 1) * cols)));
}

} // namespace

TEST_CASE("signs: the step is as long as the root of the non-zero elements", "[catalogue]") {
  Dice dice(1);
  for (const char* preset : {"signum", "lion"}) {
    ProgramRig rig = started(preset_spec(preset), 3, 4, dice.normals(12));
    auto g = dice.normals(12);
    g[2] = g[7] = g[8] = 0;
    CHECK(moved(rig, g) == Approx(1e-4 * 3).epsilon(1e-9)); // √9 elements
  }
}

TEST_CASE("adaptive methods: the first step in closed form", "[catalogue]") {
  const std::vector<double> g = {2, -0.5, 3, 0.25};
  const auto first = [&](const char* preset) {
    ProgramRig rig = started(preset_spec(preset), 2, 2, {0, 0, 0, 0});
    REQUIRE(rig.step(g));
    return rig.read("W.update");
  };
  const double mu1 = 0.9 * (1 - 0.5 * std::pow(0.96, 0.004)), mu2 = 0.9 * (1 - 0.5 * std::pow(0.96, 0.008));
  for (std::size_t i = 0; i < g.size(); ++i) {
    const double sign = g[i] > 0 ? 1 : -1, size = std::abs(g[i]);
    CHECK(first("adagrad")[i] == Approx(sign * size / (size + 1e-10)).epsilon(1e-14));
    CHECK(first("rmsprop")[i] == Approx(sign * size / (0.1 * size + 1e-8)).epsilon(1e-14)); // √(1 − 0.99)
    const double ratio = sign * size / (size + 1e-8);
    CHECK(first("nadamw")[i] == Approx(ratio * ((1 - mu1) / (1 - mu1) + mu2 * 0.1 / (1 - mu1 * mu2))).epsilon(1e-12));
    CHECK(first("nadamw_optax")[i] == Approx(ratio * (0.1 / 0.1 + 0.9 * 0.1 / (1 - 0.81))).epsilon(1e-12));
  }
}

TEST_CASE("AdamC's decay follows the square of the scheduled rate", "[catalogue]") {
  OptimizerSpec spec = preset_spec("adamc");
  spec.hparams["weight_decay"] = 0.5;
  spec.schedules["lr"].kind = "linear";
  const auto program = program_for(spec, 2, 2, Precision::f64, 4);
  ProgramRig rig(program, hparams_of(*program, spec));
  rig.write("W", {1, 1, 1, 1});
  rig.start();
  double expected = 1;
  for (const double share : {1.0, 0.75, 0.5, 0.25}) {
    REQUIRE(rig.step({0, 0, 0, 0}));
    expected *= 1 - 1e-3 * share * share * 0.5;
    CHECK(rig.read("W")[0] == Approx(expected).epsilon(1e-15));
  }
}

TEST_CASE("decay alone shrinks the weight by its own rule", "[catalogue]") {
  Dice dice(21);
  const std::vector<std::pair<std::string, double>> keeps = {{"adamw", 1 - 1e-3 * 0.25},
                                                             {"adamw_independent", 0.75},
                                                             {"adamw_palm", 1 - 1e-6 * 0.25},
                                                             {"adamc", 1 - 1e-3 * 0.25},
                                                             {"adamwn", 1},
                                                             {"adamw_cautious", 1 - 1e-3 * 0.25},
                                                             {"adamp", 1 - 1e-3 * 0.25 * 0.1},
                                                             {"sgdp", 1 - 0.1 * 0.25 * 0.1 / (1 - 0.9)}};
  for (const auto& [preset, keep] : keeps) {
    CAPTURE(preset);
    OptimizerSpec spec = preset_spec(preset);
    spec.hparams["weight_decay"] = 0.25;
    ProgramRig rig = started(spec, 4, 9, dice.normals(36));
    const auto before = rig.read("W");
    for (int t = 0; t < 3; ++t) REQUIRE(rig.step(std::vector<double>(36, 0.0)));
    CHECK(norm(minus(rig.read("W"), scaled(before, std::pow(keep, 3)))) <= 4e-15 * norm(before));
  }
}

TEST_CASE("trust ratios: the step's length is a share of the weight's norm", "[catalogue]") {
  Dice dice(2);
  OptimizerSpec lars = preset_spec("lars");
  lars.hparams["momentum"] = 0;
  lars.hparams["lr"] = 0.7;
  ProgramRig rig = started(lars, 4, 5, dice.normals(20));
  for (int t = 0; t < 5; ++t) {
    const double size = norm(rig.read("W"));
    CHECK(moved(rig, dice.normals(20)) == Approx(0.7 * 1e-3 * size).epsilon(1e-12));
  }
  for (const char* preset : {"lamb", "lamb_debiased", "lamb_textbook"})
    for (const double size : {3.0, 40.0}) { // below and above trust_max
      const auto w = dice.normals(20);
      OptimizerSpec spec = preset_spec(preset);
      spec.hparams["weight_decay"] = 0.1;
      ProgramRig lamb = started(spec, 4, 5, scaled(w, size / norm(w)));
      for (int t = 1; t <= 3; ++t) {
        CAPTURE(preset, size, t);
        const double debias =
            std::string(preset) == "lamb_debiased" ? std::sqrt(1 - std::pow(0.999, t)) / (1 - std::pow(0.9, t)) : 1;
        const double before = norm(lamb.read("W"));
        CHECK(moved(lamb, dice.normals(20)) == Approx(1e-3 * std::min(before, 10.0) * debias).epsilon(1e-12));
      }
    }
}

TEST_CASE("AdamP and SGDP take the radial part off where gradient and weight are nearly orthogonal", "[catalogue]") {
  Dice dice(3);
  for (const char* preset : {"adamp", "sgdp", "sgdp_nesterov"}) {
    OptimizerSpec spec = preset_spec(preset);
    spec.hparams["weight_decay"] = 0;
    ProgramRig rig = started(spec, 3, 8, dice.normals(24));
    for (int t = 0; t < 4; ++t) {
      CAPTURE(preset, t);
      const Matrix w = matrix(rig.read("W"), 3, 8);
      Matrix g = matrix(dice.normals(24), 3, 8), tangent = g;
      for (int i = 0; i < 3; ++i) tangent.row(i) -= w.row(i) * (w.row(i).dot(g.row(i)) / w.row(i).squaredNorm());
      REQUIRE(rig.step(values(tangent)));
      const Matrix u = matrix(rig.read("W.update"), 3, 8);
      for (int i = 0; i < 3; ++i)
        CHECK(std::abs(u.row(i).dot(w.row(i))) <= 1e-7 * u.row(i).norm() * w.row(i).norm()); // ε of ŵ
      CHECK(rig.read("W.decay_factor")[0] == 0.1);
      REQUIRE(rig.step(values(w))); // a radial gradient: nothing is projected
      CHECK(rig.read("W.decay_factor")[0] == 1);
    }
    if (std::string(preset) == "sgdp") CHECK(rig.read("W.momentum") == rig.read("W.update"));
  }
}

TEST_CASE("Nero keeps rows centred and of norm one, each moving by the rate on average", "[catalogue]") {
  Dice dice(4);
  ProgramRig rig = started(preset_spec("nero"), 3, 16, dice.normals(48));
  for (int t = 0; t < 3; ++t) REQUIRE(rig.step(dice.normals(48)));
  const auto w = rig.read("W");
  for (std::size_t i = 0; i < 3; ++i) {
    double sum = 0;
    for (std::size_t j = 0; j < 16; ++j) sum += w[i * 16 + j];
    CHECK(std::abs(sum) <= 1e-14);
    CHECK(row_norm(w, 16, i) == Approx(1).epsilon(1e-14));
  }
  CHECK(rig.worst_promise() <= 1);
  // The first step of every row has norm one before the rate.
  ProgramRig first = started(preset_spec("nero"), 3, 16, dice.normals(48));
  REQUIRE(first.step(dice.normals(48)));
  for (std::size_t i = 0; i < 3; ++i) CHECK(row_norm(first.read("W.update"), 16, i) == Approx(1).epsilon(1e-12));
}

TEST_CASE("variance rescaling acts at its period and only from above", "[catalogue]") {
  Dice dice(5);
  OptimizerSpec spec = preset_spec("tvr");
  spec.hparams["lr"] = 0;
  const auto w = scaled(dice.normals(60), 0.5);
  ProgramRig rig = started(spec, 6, 10, w);
  const auto deviation = [](const std::vector<double>& x) {
    double mean = 0, square = 0;
    for (const double v : x) mean += v / double(x.size());
    for (const double v : x) square += (v - mean) * (v - mean);
    return std::sqrt(square / double(x.size() - 1));
  };
  for (int t = 1; t <= 49; ++t) REQUIRE(rig.step(std::vector<double>(60, 0.0)));
  CHECK(rig.read("W") == w);
  REQUIRE(rig.step(std::vector<double>(60, 0.0)));
  CHECK(deviation(rig.read("W")) == Approx(0.02).epsilon(1e-13));
  ProgramRig narrow = started(spec, 6, 10, scaled(dice.normals(60), 0.021));
  const auto before = narrow.read("W");
  for (int t = 1; t <= 50; ++t) REQUIRE(narrow.step(std::vector<double>(60, 0.0)));
  CHECK(narrow.read("W") == before);
}

TEST_CASE("rotational methods turn rows by the equilibrium's angle on average", "[catalogue]") {
  struct Case {
    const char* preset;
    double angle;
  };
  const double lr = 0.01, decay = 0.01, base = std::sqrt(2 * lr * decay);
  const double lion = std::sqrt(M_PI / 2) * base * std::sqrt(0.01 + 0.81 * 0.01 / 1.99);
  for (const Case& c : {Case{"rotational_sgd", base / std::sqrt(1.9)},
                        Case{"rotational_adamw", base * std::sqrt(0.1 / 1.9)}, Case{"rotational_lion", lion}}) {
    CAPTURE(c.preset);
    Dice dice(6);
    OptimizerSpec spec = preset_spec(c.preset);
    spec.hparams["lr"] = lr;
    spec.hparams["weight_decay"] = decay;
    ProgramRig rig = started(spec, 4, 64, dice.normals(256));
    const auto start = rig.read("W");
    double square = 0;
    int count = 0;
    for (int t = 0; t < 600; ++t) {
      const Matrix before = matrix(rig.read("W"), 4, 64);
      REQUIRE(rig.step(dice.normals(256)));
      const Matrix after = matrix(rig.read("W"), 4, 64);
      if (t < 50) continue;
      for (int i = 0; i < 4; ++i, ++count)
        square += std::pow(
            std::acos(std::min(1.0, before.row(i).dot(after.row(i)) / (before.row(i).norm() * after.row(i).norm()))),
            2);
    }
    CHECK(std::sqrt(square / count) == Approx(c.angle).epsilon(0.02));
    const auto end = rig.read("W");
    for (std::size_t i = 0; i < 4; ++i) CHECK(row_norm(end, 64, i) == Approx(row_norm(start, 64, i)).epsilon(1e-12));
    CHECK(rig.worst_promise() <= 1);
  }
}

TEST_CASE("weight normalisation: the direction part's norm never shrinks", "[catalogue]") {
  Dice dice(7);
  ProgramRig rig = started(preset_spec("weight_norm"), 3, 6, dice.normals(18));
  auto before = rig.read("W.direction_norm");
  for (int t = 0; t < 50; ++t) {
    REQUIRE(rig.step(dice.normals(18)));
    const auto now = rig.read("W.direction_norm");
    for (std::size_t i = 0; i < 3; ++i) CHECK(now[i] >= before[i] * (1 - 1e-15));
    before = now;
  }
}

TEST_CASE("spectral normalisation follows the largest singular value, and its gradient has no part along the weight",
          "[catalogue]") {
  Dice dice(8);
  OptimizerSpec spec = preset_spec("spectral_norm");
  spec.hparams["lr"] = 1e-4;
  ProgramRig rig = started(spec, 5, 8, dice.normals(40));
  for (int t = 0; t < 200; ++t) {
    const auto w = rig.read("W");
    REQUIRE(rig.step(dice.normals(40)));
    CHECK(std::abs(dot(rig.read("W.raw_gradient"), w)) <= 1e-2 * norm(w) * norm(rig.read("W.raw_gradient")));
  }
  const Matrix w = matrix(rig.read("W"), 5, 8);
  CHECK(Eigen::JacobiSVD<Matrix>(w).singularValues()(0) == Approx(1).epsilon(1e-3));
}

TEST_CASE("EDM2's rows stay near √n and its gradient near the tangent", "[catalogue]") {
  Dice dice(9);
  ProgramRig rig = started(preset_spec("edm2"), 3, 9, dice.normals(27));
  for (int t = 0; t < 20; ++t) {
    const Matrix w = matrix(rig.read("W"), 3, 9);
    REQUIRE(rig.step(dice.normals(27)));
    const Matrix g = matrix(rig.read("W.normalised_gradient"), 3, 9);
    for (int i = 0; i < 3; ++i) {
      CHECK(w.row(i).norm() == Approx(3).epsilon(3e-4));
      CHECK(std::abs(g.row(i).dot(w.row(i))) <= 1e-3 * g.row(i).norm() * w.row(i).norm());
    }
  }
}

TEST_CASE("magnitude–direction: what becomes of the start", "[catalogue]") {
  Dice dice(10);
  const auto w = dice.normals(240);
  OptimizerSpec spec = preset_spec("md_preserve_init");
  for (const char* name : {"lr", "gain_lr"}) spec.hparams[name] = 0;
  for (const char* gains : {"scalar", "row", "column", "row_column"}) {
    spec.part(Part::magnitude).options["gains"] = std::string(gains);
    CAPTURE(gains);
    spec.part(Part::magnitude).options["init"] = std::string("preserve");
    ProgramRig source = started(spec, 12, 20, w);
    CHECK(source.read("W") == w);
    REQUIRE(source.step(dice.normals(240)));
    // A wide matrix with row gains: ‖Ŵ‖ goes from √12 to √20; otherwise Ŵ is on its sphere from the start.
    const bool rows = std::string(gains).find("row") == 0;
    CHECK(norm(source.read("W")) / norm(w) == Approx(rows ? std::sqrt(20.0 / 12) : 1).epsilon(1e-12));
    spec.part(Part::magnitude).options["init"] = std::string("preserve_norm");
    ProgramRig ours = started(spec, 12, 20, w);
    REQUIRE(ours.step(dice.normals(240)));
    CHECK(norm(minus(ours.read("W"), w)) <= 1e-13 * norm(w));
  }
}

TEST_CASE(
    "magnitude–direction: a clamped direct gain destroys the direction when it changes sign, an exact one does not",
    "[catalogue]") {
  Dice dice(11);
  for (const char* preset : {"md_dense", "md_dense_clamped"}) {
    ProgramRig rig = started(preset_spec(preset), 4, 6, dice.normals(24));
    auto w = rig.read("W");
    for (std::size_t j = 0; j < 6; ++j) w[j] *= -0.001; // row 0 with its gain at −0.001
    rig.write("W", w);
    rig.write("W.row_gain", {-0.001, 1, 1, 1});
    const auto direction = rig.read("W.direction");
    REQUIRE(rig.step(std::vector<double>(24, 0.0)));
    const double apart = norm(minus(rig.read("W.direction"), direction)) / norm(direction);
    CAPTURE(preset);
    if (std::string(preset) == "md_dense") CHECK(apart <= 1e-12);
    else CHECK(apart > 0.5);
  }
}

TEST_CASE("magnitude–direction: a fixed gauge moves gains and not the weight", "[catalogue]") {
  Dice dice(12);
  for (const char* map : {"softplus", "direct", "offset", "exp"}) {
    CAPTURE(map);
    OptimizerSpec free = preset_spec("md_muon");
    free.part(Part::magnitude).options["gain_map"] = std::string(map);
    free.hparams["gain_lr"] = 0.05;
    OptimizerSpec balanced = free;
    balanced.part(Part::magnitude).options["gauge"] = std::string("balanced");
    const auto w = dice.normals(24), g = dice.normals(24);
    ProgramRig a = started(free, 4, 6, w), b = started(balanced, 4, 6, w);
    REQUIRE((a.step(g) && b.step(g)));
    CHECK(norm(minus(a.read("W"), b.read("W"))) <= 1e-13 * norm(w));
    const auto mean_log = [&](const char* slot) {
      double total = 0;
      const auto gains = b.read(slot);
      for (const double gain : gains) total += std::log(std::abs(gain)) / double(gains.size());
      return total;
    };
    CHECK(mean_log("W.row_gain_value") == Approx(mean_log("W.column_gain_value")).margin(1e-13));
    for (int t = 0; t < 10; ++t) REQUIRE(b.step(dice.normals(24)));
    CHECK(b.worst_promise() <= 1);
  }
}

TEST_CASE("fused queries, keys and values are orthogonalised one by one", "[catalogue]") {
  Dice dice(13);
  const auto w = dice.normals(48), g = dice.normals(48);
  ProgramRig rig = started(preset_spec("muown_qkv"), 12, 4, w);
  REQUIRE(rig.step(g));
  const Matrix q = 1.95 * matrix(rig.read("W.direction_gradient"), 12, 4), u = matrix(rig.read("W.update"), 12, 4);
  for (int k = 0; k < 3; ++k)
    CHECK((u.middleRows(4 * k, 4) - 0.2 * 2 * newton_schulz(q.middleRows(4 * k, 4), "kj", "add")).norm() <= 1e-12);
  // Other shapes are treated as a whole.
  ProgramRig one = started(preset_spec("muown_qkv"), 6, 8, w), other = started(preset_spec("muown"), 6, 8, w);
  REQUIRE((one.step(g) && other.step(g)));
  CHECK(one.read("W") == other.read("W"));
}

TEST_CASE("AngularMuown: rows of norm one times signed lengths, and a turning that fades", "[catalogue]") {
  Dice dice(14);
  OptimizerSpec spec = preset_spec("angular_muown");
  spec.hparams["fade"] = 0.5;
  auto w = dice.normals(40);
  std::fill(w.begin(), w.begin() + 8, 0.0); // a row without a direction
  ProgramRig rig = started(spec, 5, 8, w);
  CHECK(rig.read("W.magnitude")[0] == Approx(std::sqrt(0.33)).epsilon(1e-15));
  OptimizerSpec steady = spec;
  steady.hparams["fade"] = 0;
  ProgramRig other = started(steady, 5, 8, w);
  const auto g = dice.normals(40);
  REQUIRE((rig.step(g) && other.step(g)));
  CHECK(rig.read("W") == other.read("W")); // κ = 1 in the first step
  CHECK(row_norm(rig.read("W"), 8, 0) == Approx(std::abs(rig.read("W.magnitude")[0])).epsilon(1e-14));
  REQUIRE((rig.step(g) && other.step(g)));
  CHECK(norm(minus(scaled(other.read("W.update"), 1 / 1.5), rig.read("W.update"))) <= 1e-12);
  CHECK(rig.worst_promise() <= 1);
}

TEST_CASE("Muown's lengths: fixed, by descent, by signs, and NeMo's decay of them alone", "[catalogue]") {
  Dice dice(15);
  const auto w = dice.normals(40), g = dice.normals(40);
  const auto lengths_after = [&](const char* preset, double decay) {
    OptimizerSpec spec = preset_spec(preset);
    spec.hparams["weight_decay"] = decay;
    ProgramRig rig = started(spec, 5, 8, w);
    const auto before = rig.read("W.magnitude");
    REQUIRE(rig.step(g));
    return std::pair(minus(rig.read("W.magnitude"), before), rig.read("W.magnitude_gradient"));
  };
  CHECK(norm(lengths_after("muown_fixed", 0).first) == 0);
  const auto [descent, slope] = lengths_after("muown_sgd", 0);
  CHECK(norm(minus(descent, scaled(slope, -1e-3))) <= 1e-14);
  for (const char* preset : {"muown_signum", "muown_lion"})
    for (const double step : lengths_after(preset, 0).first) CHECK(std::abs(step) == Approx(1e-3).epsilon(1e-9));
  OptimizerSpec nemo = preset_spec("muown_nemo");
  ProgramRig plain = started(nemo, 5, 8, w);
  nemo.hparams["weight_decay"] = 0.5;
  ProgramRig decayed = started(nemo, 5, 8, w);
  REQUIRE((plain.step(g) && decayed.step(g)));
  CHECK(norm(minus(decayed.read("W"), scaled(plain.read("W"), 1 - 3e-4 * 0.5))) <= 1e-14 * norm(w));
}
