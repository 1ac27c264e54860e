// The generic tests T1–T5 of every optimizer, asked both of its oracle and of its compiled program, so that a wrong
// reading of a formula shows even where program and oracle share it.
#include "engine/optimizer/symmetry.hpp"

#include "engine/scene.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/optimizer_oracle.hpp"
#include "tests/support/optimizer_rig.hpp"

#include <cmath>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

using namespace polarscope;
using namespace polarscope::test;

namespace {

using Names = std::set<std::string>;

struct Subject {
  std::string name, kind; // "oracle" or "program"
  Walker walk;
};

Matrix matrix_of(const GivenMatrix& m) { return matrix(m.values, m.rows, m.cols); }
GivenMatrix given(const Matrix& m) {
  return {static_cast<std::uint32_t>(m.rows()), static_cast<std::uint32_t>(m.cols()), values(m)};
}

Subject oracle_subject(const std::string& name) {
  return {name, "oracle",
          [name](const std::map<std::string, double>& changes, const GivenMatrix& w,
                 const std::vector<GivenMatrix>& gradients) {
            const auto oracle = make_oracle(name);
            // For numbers that a source leaves to its user.
            const Hparams usual = {{"lr", 0.02},      {"momentum", 0.9},     {"beta1", 0.9},
                                   {"beta2", 0.99},   {"eps", 1e-8},         {"weight_decay", 0.01},
                                   {"gain_lr", 1e-3}, {"target_ratio", 1.0}, {"momentum_decay", 4e-3},
                                   {"alpha", 0.1},    {"slice_beta", 0.99}};
            oracle->hparams.insert(usual.begin(), usual.end());
            for (const auto& [key, value] : changes) oracle->hparams[key] = value;
            Matrix now = oracle->start(matrix_of(w));
            Walk walk = {given(now)};
            for (const GivenMatrix& g : gradients) walk.push_back(given(now = oracle->step(now, matrix_of(g))));
            return walk;
          }};
}

std::vector<Subject> subjects() {
  std::vector<Subject> all;
  for (const std::string& name : oracle_names()) all.push_back(oracle_subject(name));
  for (const std::string& name : preset_names()) all.push_back({name, "program", walker_of(preset_spec(name))});
  return all;
}

const std::vector<std::pair<std::uint32_t, std::uint32_t>> kShapes = {{4, 9}, {9, 4}, {6, 6}};

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
                           "ademamix",
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
                           "md_qkv",
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
  for (const Subject& subject : subjects())
    for (const auto& [rows, cols] : kShapes) {
      const double moved = measure(Symmetry::no_gradient, subject.walk, rows, cols, 1);
      CAPTURE(subject.kind, subject.name, rows, cols, moved);
      if (has(kNeverRests, subject.name)) CHECK(moved > 1e-4);
      else CHECK(moved <= (has(kNearlyRests, subject.name) ? 1e-2 : 4e-15));
    }
}

TEST_CASE("T2: a learning rate of zero leaves the weight alone", "[symmetry]") {
  for (const Subject& subject : subjects())
    for (const auto& [rows, cols] : kShapes) {
      const double moved = measure(Symmetry::no_rate, subject.walk, rows, cols, 2);
      CAPTURE(subject.kind, subject.name, rows, cols, moved);
      if (has(kMovesWithoutRate, subject.name)) continue;
      CHECK(moved <= (has(kNearlyRestsWithoutRate, subject.name) ? 1e-3 : 1e-14));
    }
}

TEST_CASE("T3: the gradient's size matters only where it should", "[symmetry]") {
  for (const Subject& subject : subjects())
    for (const auto& [rows, cols] : kShapes) {
      if (rows != cols ? has(kSquareOnly, subject.name) : subject.name == "manifold_muon")
        continue; // a square needs no dual
      const double change = measure(Symmetry::gradient_size, subject.walk, rows, cols, 3);
      CAPTURE(subject.kind, subject.name, rows, cols, change);
      // ε under Adam's root, Shampoo's start of 1e-4, LAMB's 1e-6 without bias correction
      if (has(kFeelsSize, subject.name)) CHECK(change > 2e-3);
      else CHECK(change <= (has(kNearlyScaleFree, subject.name) ? 0.2 : 2e-3));
    }
}

TEST_CASE("T4: rotations go through an optimizer where they should, and only there", "[symmetry]") {
  for (const Subject& subject : subjects())
    for (const auto& [rows, cols] : kShapes) {
      if (has(kDepends, subject.name) || has(rows == cols ? kWideOrTallOnly : kSquareOnly, subject.name)) continue;
      const double by_rows = measure(Symmetry::row_rotation, subject.walk, rows, cols, 4);
      const double by_columns = measure(Symmetry::column_rotation, subject.walk, rows, cols, 4);
      CAPTURE(subject.kind, subject.name, rows, cols, by_rows, by_columns);
      const bool both = has(kBothSides, subject.name) || has(kSquareOnly, subject.name);
      if (both || has(kRowsOnly, subject.name)) CHECK(by_rows <= 1e-7);
      else CHECK(by_rows > 1e-6);
      if (both || has(kColumnsOnly, subject.name)) CHECK(by_columns <= 1e-7);
      else CHECK(by_columns > 1e-6);
    }
}

TEST_CASE("T5: the transposed problem is solved alike where it should be", "[symmetry]") {
  for (const Subject& subject : subjects())
    for (const auto& [rows, cols] : kShapes) {
      if (rows == cols || has(kDepends, subject.name) || has(kSquareOnly, subject.name))
        continue; // shape scales are 1 in a square
      const double change = measure(Symmetry::transpose, subject.walk, rows, cols, 5);
      CAPTURE(subject.kind, subject.name, rows, cols, change);
      if (has(kTransposes, subject.name)) CHECK(change <= 1e-7);
      else CHECK(change > 1e-4);
    }
}

TEST_CASE("a run that is not finite has no symmetry", "[symmetry]") {
  const Walker lost = [](const std::map<std::string, double>&, const GivenMatrix& w, const std::vector<GivenMatrix>&) {
    return Walk{w};
  };
  for (const Symmetry symmetry : kSymmetries) CHECK(std::isnan(measure(symmetry, lost, 3, 4, 1)));
}
