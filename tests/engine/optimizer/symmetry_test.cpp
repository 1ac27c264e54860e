// The generic tests T1–T5 of every optimizer, asked both of its oracle and of its compiled program, so that a wrong
// reading of a formula shows even where program and oracle share it.
#include "engine/optimizer/stage.hpp"
#include "engine/scene.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/optimizer_oracle.hpp"
#include "tests/support/optimizer_rig.hpp"
#include "tests/support/oracle.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

using namespace polarscope;
using namespace polarscope::test;

namespace {

using Names = std::set<std::string>;
using Changes = std::map<std::string, double>;

// Weights after each step, the start (as the optimizer projects it) first.
using Walk = std::vector<Matrix>;
struct Subject {
  std::string name, kind; // "oracle" or "program"
  std::function<Walk(const Changes&, const Matrix& w, const std::vector<Matrix>& gradients)> walk;
};

Subject oracle_subject(const std::string& name) {
  return {name, "oracle", [name](const Changes& changes, const Matrix& w, const std::vector<Matrix>& gradients) {
            const auto oracle = make_oracle(name);
            // For numbers that a source leaves to its user.
            const Hparams usual = {{"lr", 0.02},      {"momentum", 0.9},     {"beta1", 0.9},
                                   {"beta2", 0.99},   {"eps", 1e-8},         {"weight_decay", 0.01},
                                   {"gain_lr", 1e-3}, {"target_ratio", 1.0}, {"momentum_decay", 4e-3},
                                   {"alpha", 0.1},    {"slice_beta", 0.99}};
            oracle->hparams.insert(usual.begin(), usual.end());
            for (const auto& [key, value] : changes) oracle->hparams[key] = value;
            Walk walk = {oracle->start(w)};
            for (const Matrix& g : gradients) walk.push_back(oracle->step(walk.back(), g));
            return walk;
          }};
}

Subject program_subject(const std::string& name) {
  return {name, "program", [name](const Changes& changes, const Matrix& w, const std::vector<Matrix>& gradients) {
            OptimizerSpec spec = preset_spec(name);
            for (const Setting& setting : hparam_settings(spec))
              if (changes.count(setting.name)) spec.hparams[setting.name] = changes.at(setting.name);
            const auto program =
                program_for(spec, static_cast<std::uint32_t>(w.rows()), static_cast<std::uint32_t>(w.cols()));
            ProgramRig rig(program, hparams_of(*program, spec));
            rig.write("W", values(w));
            rig.start();
            Walk walk = {matrix(rig.read("W"), w.rows(), w.cols())};
            for (const Matrix& g : gradients) {
              REQUIRE(rig.step(values(g)));
              walk.push_back(matrix(rig.read("W"), w.rows(), w.cols()));
            }
            return walk;
          }};
}

std::vector<Subject> subjects() {
  std::vector<Subject> all;
  for (const std::string& name : oracle_names()) all.push_back(oracle_subject(name));
  for (const std::string& name : preset_names()) all.push_back(program_subject(name));
  return all;
}

Matrix random_matrix(Dice& dice, long rows, long cols) {
  return matrix(dice.normals(static_cast<std::size_t>(rows * cols)), rows, cols);
}
Matrix random_rotation(Dice& dice, long n) {
  return Eigen::HouseholderQR<Matrix>(random_matrix(dice, n, n)).householderQ();
}
std::vector<Matrix> random_gradients(Dice& dice, long rows, long cols, int count) {
  std::vector<Matrix> g;
  for (int t = 0; t < count; ++t) g.push_back(random_matrix(dice, rows, cols));
  return g;
}

std::vector<Matrix> each(const std::vector<Matrix>& all, const std::function<Matrix(const Matrix&)>& f) {
  std::vector<Matrix> out;
  for (const Matrix& m : all) out.push_back(f(m));
  return out;
}

// How far two walks that should coincide are apart at their end, in units of the way gone.
double apart(const Walk& a, const Walk& b) {
  return (a.back() - b.back()).norm() / std::max((b.back() - b.front()).norm(), 1e-300);
}

const std::vector<std::pair<long, long>> kShapes = {{4, 9}, {9, 4}, {6, 6}};

// Constrained Scion shrinks the weight by 1 − η; two Newton–Schulz in a row do not leave a weight where it is; a cold
// power iteration's σ, or the 1e-7 under R/(σ + 1e-7), moves it at every retraction.
const Names kNeverRests = {"scion", "scion_sign", "scion_row", "scion_column", "scion_bias", "scion_nemo", "spel_nemo"};
const Names kNearlyRests = {"sso", "sso_accurate", "muon_sphere", "edm2", "spectral_norm"};
// The decay has a rate of its own.
const Names kMovesWithoutRate = {"adamw_independent", "spel_nemo"};
const Names kNearlyRestsWithoutRate = kNearlyRests;

// Sums of gradients, or decay added to them, or a dual variable beside them.
const Names kFeelsSize = {"sgd",           "momentum",    "nesterov",      "adam_l2",   "sgdp",
                          "sgdp_nesterov", "weight_norm", "manifold_muon", "muown_sgd", "spectral_norm"};

// Adam's first step is a sign; a row of equal signs has nothing but ε's share left when it is centred.
// Shampoo's sums start at 1e-4, which is felt along their smallest eigenvalues.
const Names kNearlyScaleFree = {"rotational_adamw", "shampoo"};

// Rotations of the rows' space (G → QG) and of the columns' (G → GP) that go through an optimizer.
const Names kBothSides = {"sgd",
                          "momentum",
                          "nesterov",
                          "normalized_sgd",
                          "lars",
                          "muon",
                          "muon_quintic",
                          "muon_polar_express",
                          "exact_muon",
                          "muon_out_in",
                          "muon_polar_express_raw",
                          "muon_polar_express_safe",
                          "muon_polar_express_angular",
                          "muon_modded_nanogpt",
                          "muon_deepseek",
                          "muon_cubic",
                          "torch_muon",
                          "torch_muon_match_rms",
                          "torch_muon_spectral",
                          "moonlight",
                          "scion",
                          "scion_unconstrained",
                          "scion_nemo",
                          "scion_bias",
                          "shampoo",
                          "shampoo_half",
                          "muonh",
                          "muonh_nemo",
                          "sso_accurate",
                          "manifold_muon",
                          "spel",
                          "spel_nemo",
                          "macro",
                          "macro_r2",
                          "macro_r3",
                          "macro_spectral",
                          "md_scalar"};
const Names kColumnsOnly = {"rmnp",        "rmnp_plain",    "rmnp_ema",      "rmnph",       "sron",
                            "scion_row",   "nora",          "normuon",       "muown",       "muown_qkv",
                            "muown_fixed", "muown_sgd",     "muown_signum",  "muown_lion",  "muown_nemo",
                            "normuown",    "angular_muown", "macro_oblique", "weight_norm", "md_router"};
// A power iteration from a fixed vector of columns knows its own axes.
const Names kRowsOnly = {"scale", "scale_last", "scion_column", "muon_sphere", "sso", "sso_dynamic"};
// The dual of a square matrix jumps where M + λN is singular.
const Names kWideOrTallOnly = {"macro_r3"};
// SOAP's bases are the gradient's own where they are determined: square matrices.
const Names kSquareOnly = {"soap", "soap_nemo"};
// What these do depends on whether a gradient was nearly orthogonal to the weight, or on how far an iteration has come.
const Names kDepends = {"sgdp", "sgdp_nesterov", "adamp", "spectral_norm"};

const Names kTransposes = {"sgd",
                           "momentum",
                           "nesterov",
                           "normalized_sgd",
                           "signsgd",
                           "signum",
                           "lion",
                           "rmsprop",
                           "adagrad",
                           "adam",
                           "adam_l2",
                           "adamw",
                           "nadamw",
                           "nadamw_optax",
                           "adamw_independent",
                           "adamw_palm",
                           "adamw_cautious",
                           "adamc",
                           "adamwn",
                           "lars",
                           "lamb",
                           "lamb_debiased",
                           "lamb_textbook",
                           "normalize_and_project",
                           "tvr",
                           "adamh",
                           "hyperball_adamw",
                           "muonh",
                           "muonh_nemo",
                           "moonlight",
                           "torch_muon_match_rms",
                           "scion_bias",
                           "md_muon",
                           "md_adam",
                           "md_dense",
                           "md_dense_clamped",
                           "md_scalar",
                           "manifold_muon",
                           "spel",
                           "spel_nemo",
                           "macro",
                           "macro_r2",
                           "macro_r3",
                           "macro_spectral",
                           "shampoo"};

bool has(const Names& names, const std::string& name) { return names.count(name) > 0; }

} // namespace

TEST_CASE("T1: no gradient and no history moves nothing", "[symmetry]") {
  Dice dice(1);
  for (const Subject& subject : subjects())
    for (const auto& [rows, cols] : kShapes) {
      const std::vector<Matrix> none(4, Matrix::Zero(rows, cols));
      // From the second step on: some sources project at their first one.
      const Walk walk = subject.walk({{"weight_decay", 0}}, random_matrix(dice, rows, cols), none);
      const double moved = (walk.back() - walk[1]).norm() / walk[1].norm();
      CAPTURE(subject.kind, subject.name, rows, cols, moved);
      if (has(kNeverRests, subject.name)) CHECK(moved > 1e-4);
      else CHECK(moved <= (has(kNearlyRests, subject.name) ? 1e-3 : 4e-15));
    }
}

TEST_CASE("T2: a learning rate of zero leaves the weight alone", "[symmetry]") {
  Dice dice(2);
  for (const Subject& subject : subjects())
    for (const auto& [rows, cols] : kShapes) {
      const Matrix w = random_matrix(dice, rows, cols);
      const Walk walk = subject.walk({{"lr", 0}, {"gain_lr", 0}}, w, random_gradients(dice, rows, cols, 4));
      const double moved = (walk.back() - walk[1]).norm() / walk[1].norm();
      CAPTURE(subject.kind, subject.name, rows, cols, moved);
      if (has(kMovesWithoutRate, subject.name)) continue;
      CHECK(moved <= (has(kNearlyRestsWithoutRate, subject.name) ? 1e-3 : 1e-14));
    }
}

TEST_CASE("T3: the gradient's size matters only where it should", "[symmetry]") {
  Dice dice(3);
  for (const Subject& subject : subjects())
    for (const auto& [rows, cols] : kShapes) {
      if (rows != cols ? has(kSquareOnly, subject.name) : subject.name == "manifold_muon")
        continue; // a square needs no dual
      const Matrix w = random_matrix(dice, rows, cols);
      const std::vector<Matrix> gradients = random_gradients(dice, rows, cols, 6);
      const auto larger = each(gradients, [](const Matrix& g) { return Matrix(1000 * g); });
      const double change = apart(subject.walk({}, w, larger), subject.walk({}, w, gradients));
      CAPTURE(subject.kind, subject.name, rows, cols, change);
      // ε under Adam's root, Shampoo's start of 1e-4, LAMB's 1e-6 without bias correction
      if (has(kFeelsSize, subject.name)) CHECK(change > 2e-3);
      else CHECK(change <= (has(kNearlyScaleFree, subject.name) ? 0.2 : 2e-3));
    }
}

TEST_CASE("T4: rotations go through an optimizer where they should, and only there", "[symmetry]") {
  Dice dice(4);
  for (const Subject& subject : subjects())
    for (const auto& [rows, cols] : kShapes) {
      if (has(kDepends, subject.name) || has(rows == cols ? kWideOrTallOnly : kSquareOnly, subject.name)) continue;
      const Matrix w = random_matrix(dice, rows, cols), q = random_rotation(dice, rows),
                   p = random_rotation(dice, cols);
      const std::vector<Matrix> gradients = random_gradients(dice, rows, cols, 6);
      const Walk straight = subject.walk({}, w, gradients);
      const Walk left = subject.walk({}, q * w, each(gradients, [&](const Matrix& g) { return Matrix(q * g); }));
      const Walk right = subject.walk({}, w * p, each(gradients, [&](const Matrix& g) { return Matrix(g * p); }));
      const double by_rows = apart(each(left, [&](const Matrix& m) { return Matrix(q.transpose() * m); }), straight);
      const double by_columns =
          apart(each(right, [&](const Matrix& m) { return Matrix(m * p.transpose()); }), straight);
      CAPTURE(subject.kind, subject.name, rows, cols, by_rows, by_columns);
      const bool both = has(kBothSides, subject.name) || has(kSquareOnly, subject.name);
      if (both || has(kRowsOnly, subject.name)) CHECK(by_rows <= 1e-7);
      else CHECK(by_rows > 1e-6);
      if (both || has(kColumnsOnly, subject.name)) CHECK(by_columns <= 1e-7);
      else CHECK(by_columns > 1e-6);
    }
}

TEST_CASE("T5: the transposed problem is solved alike where it should be", "[symmetry]") {
  Dice dice(5);
  for (const Subject& subject : subjects())
    for (const auto& [rows, cols] : kShapes) {
      if (rows == cols || has(kDepends, subject.name) || has(kSquareOnly, subject.name))
        continue; // shape scales are 1 in a square
      const Matrix w = random_matrix(dice, rows, cols);
      const std::vector<Matrix> gradients = random_gradients(dice, rows, cols, 6);
      const auto turned = [](const Matrix& m) { return Matrix(m.transpose()); };
      const double change =
          apart(each(subject.walk({}, w.transpose(), each(gradients, turned)), turned), subject.walk({}, w, gradients));
      CAPTURE(subject.kind, subject.name, rows, cols, change);
      if (has(kTransposes, subject.name)) CHECK(change <= 1e-7);
      else CHECK(change > 1e-4);
    }
}
