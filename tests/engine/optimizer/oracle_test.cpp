// Every preset against a slow float64 optimizer written from its source's formula, and those optimizers against golden
// vectors and invariants by themselves.
#include "engine/optimizer/stage.hpp"
#include "engine/scene.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/optimizer_oracle.hpp"
#include "tests/support/optimizer_rig.hpp"
#include "tests/support/oracle.hpp"
#include "tests/support/oracle_parts.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace polarscope;
using namespace polarscope::test;

namespace {

constexpr int kSteps = 50;

// What the gradients of a run look like.
enum class Gradients {
  varied,   // sizes from 0.1 to 10, one zero gradient, now and then a row of zeros
  low_rank, // of rank two, in the span of the same two columns; of small integers, so that single precision has it too
  jump,     // a million times larger for three steps
  tangent,  // every row orthogonal to the weight's, as of a loss that normalises its rows
};
const std::vector<std::pair<Gradients, std::string>> kGradients = {{Gradients::varied, "varied"},
                                                                   {Gradients::low_rank, "low rank"},
                                                                   {Gradients::jump, "jump"},
                                                                   {Gradients::tangent, "tangent"}};
// wide, tall, square, a row, a column, three square blocks
const std::vector<std::pair<int, int>> kShapes = {{6, 20}, {20, 6}, {12, 12}, {1, 9}, {9, 1}, {18, 6}};

// Where agreement to 1e-10 (f64) or 1e-5 (f32) is not to be had, and why.
constexpr double kNoDigits = 1e9; // only that nothing becomes infinite
bool any(int, int) { return true; }
bool square(int rows, int cols) { return rows == cols; }
bool not_square(int rows, int cols) { return rows != cols; }
bool one_column(int, int cols) { return cols == 1; }
struct Exception {
  std::vector<std::string> presets;
  std::string precision; // f64 | f32 | both
  double tolerance;
  std::string reason;
  std::string gradients = "all";
  bool (*shape)(int rows, int cols) = any;
};
const std::vector<Exception> kExceptions = {
    {{"muonh"}, "f32", 3e-5, "Newton–Schulz lifts the rounding of a rank-deficient buffer by up to 3.4⁵", "low rank"},
    {{"muon_cubic", "muon_polar_express", "muon_polar_express_raw", "muon_polar_express_safe", "muon_deepseek",
      "muon_sphere", "sso", "sso_accurate", "sso_dynamic"},
     "f32",
     2e-3,
     "longer sets lift it further: the first eight of deepseek by 2·10⁴",
     "low rank"},
    {{"rotational_adamw"},
     "f64",
     1e-8,
     "Adam's first steps are signs: of a row of equal ones centring leaves what ε and rounding make"},
    {{"rotational_adamw"}, "f32", 1e-3, "the same in single precision"},
    {{"weight_norm"}, "f32", 1e-4, "a length that passes near zero leaves its direction few digits", "varied"},
    {{"muown_sgd", "weight_norm"},
     "f32",
     kNoDigits,
     "lengths that the jump throws far through zero leave their directions none",
     "jump"},
    {{"muown", "muown_qkv", "muown_fixed", "muown_sgd", "muown_signum", "muown_lion", "normuown"},
     "f32",
     0.05,
     "rows of one number have no direction gradient but rounding, which is as large as the 1e-7 under Newton–Schulz",
     "all",
     one_column},
    {{"tvr"}, "f32", 5e-5, "50 steps of rounding after a jump, at the edge of 1e-5 by the compiler", "jump", one_column},
    {{"spel_nemo"}, "f32", 2e-4, "the second Newton–Schulz lifts what the first has lifted"},
    {{"shampoo_half"},
     "f64",
     1e-8,
     "sums without full rank beside a start of 1e-4: −1/2 a side loses half of the digits",
     "low rank"},
    {{"shampoo"},
     "f64",
     1e-5,
     "the squares of the jump leave small eigenvalues no digits: the condition is 10¹⁷",
     "jump"},
    {{"shampoo"}, "f32", 1e-3, "the same in single precision", "jump"},
    {{"shampoo_half"}, "f64", 1e-2, "the same, and −1/2 a side feels it more than −1/4", "jump"},
    {{"shampoo_half"},
     "f32",
     0.2,
     "eigenvalues at the start's 1e-4 beside those of the gradients: no digits in single precision"},
    {{"soap", "soap_nemo"},
     "both",
     kNoDigits,
     "the larger factor has a null space, whose basis is arbitrary; with full rank: soap_test.cpp",
     "all",
     not_square},
    {{"soap", "soap_nemo"}, "both", kNoDigits, "both factors have a null space, whose basis is arbitrary", "low rank"},
    {{"soap_nemo"},
     "f64",
     1e-5,
     "at the first step the rotated gradient is diagonal but for rounding, which Adam divides by ε",
     "all",
     square},
    {{"soap_nemo"}, "f32", 2e-2, "the same in single precision", "all", square},
    {{"soap"}, "f32", 1e-3, "eigenvectors of small eigenvalues turn with rounding", "all", square},
    {{"sso", "sso_accurate", "sso_dynamic"},
     "f64",
     1e-5,
     "h is steep where M + λΘ is nearly singular, and λ is sought to 1e-6",
     "jump"},
    {{"sso", "sso_accurate", "sso_dynamic"}, "f64", 1e-8, "the same, without a jump", "all", square},
    {{"sso", "sso_accurate", "sso_dynamic"}, "f32", 2e-3, "the same: another λ of that accuracy", "jump"},
    {{"macro_r3"},
     "both",
     kNoDigits,
     "h jumps where M + λN is singular: in a square at some λ, and at 0 where M has no full rank",
     "all",
     square},
    {{"macro_r3"}, "both", kNoDigits, "the same", "low rank"},
    {{"manifold_muon"}, "both", kNoDigits, "the dual of a gradient without full rank is not unique", "low rank"},
    {{"manifold_muon"},
     "f32",
     kNoDigits,
     "a gradient a million times larger leaves the dual's steps no digits",
     "jump",
     square},
    {{"spel_nemo"}, "f32", 1e-4, "two polynomials in a row, the outer one on a weight near its edge"},
    {{"sso"}, "f64", 1e-8, "λ is sought to 1e-6, and a square's h is steep", "tangent", square},
    {{"shampoo_half"}, "f64", 1e-9, "−1/2 a side of eigenvalues at the start's 1e-4", "low rank"},
    {{"manifold_muon"},
     "f32",
     2e-2,
     "the dual ascent stops at 1e-6 or after 100 steps, wherever rounding has it by then"},
    {{"angular_muown", "muown_nemo"},
     "f64",
     kNoDigits,
     "rows of one number have no tangent: what Newton–Schulz gets is rounding",
     "zero row",
     one_column},
    {{"manifold_muon", "spel"}, "f64", kNoDigits, "a singular start is no point of the manifold", "zero row", square},
};

double tolerance_of(const std::string& preset, Precision precision, const std::string& gradients, int rows, int cols) {
  const std::string word = precision == Precision::f64 ? "f64" : "f32";
  double tolerance = precision == Precision::f64 ? 1e-10 : 1e-5;
  for (const Exception& e : kExceptions)
    if (std::find(e.presets.begin(), e.presets.end(), preset) != e.presets.end() &&
        (e.precision == word || e.precision == "both") && (e.gradients == gradients || e.gradients == "all") &&
        e.shape(rows, cols))
      tolerance = std::max(tolerance, e.tolerance);
  return tolerance;
}

class GradientSource {
public:
  GradientSource(Gradients kind, int rows, int cols, Precision precision)
      : kind_(kind), rows_(rows), cols_(cols), precision_(precision),
        dice_(static_cast<unsigned long long>(10000 * static_cast<int>(kind) + 100 * rows + cols)) {
    basis_ = integers(rows, 2, 2);
  }
  std::vector<double> weight(bool zero_row) {
    std::vector<double> w = dice_.normals(static_cast<std::size_t>(rows_ * cols_));
    if (zero_row) std::fill(w.begin(), w.begin() + cols_, 0.0);
    return rounded(w);
  }
  // `w`: the weight at which the gradient is taken.
  std::vector<double> next(const Matrix& w) {
    const int t = ++t_;
    if (kind_ == Gradients::low_rank) return values(std::exp2(dice_.integer(-3, 3)) * basis_ * integers(2, cols_, 3));
    const double size = std::pow(10, 2 * dice_.uniform() - 1);
    Matrix g = size * matrix(dice_.normals(static_cast<std::size_t>(rows_ * cols_)), rows_, cols_);
    if (kind_ == Gradients::varied && t == 8) g.setZero();
    if (kind_ == Gradients::varied && t % 5 == 0) g.row(t % rows_).setZero();
    if (kind_ == Gradients::jump && t >= 20 && t <= 22) g *= 1e6;
    const Matrix unit = row_normalised(w);
    if (kind_ == Gradients::tangent) g -= g.cwiseProduct(unit).rowwise().sum().asDiagonal() * unit;
    return rounded(values(g));
  }

private:
  Matrix integers(int rows, int cols, long most) {
    Matrix m(rows, cols);
    for (int i = 0; i < rows; ++i)
      for (int j = 0; j < cols; ++j) m(i, j) = static_cast<double>(dice_.integer(-most, most));
    return m;
  }
  std::vector<double> rounded(std::vector<double> v) const {
    if (precision_ == Precision::f32)
      for (double& x : v) x = static_cast<float>(x);
    return v;
  }
  Gradients kind_;
  int rows_, cols_;
  Precision precision_;
  Dice dice_;
  Matrix basis_;
  int t_ = 0;
};

Hparams numbers_of(const OptimizerSpec& spec) {
  Hparams h;
  for (const Setting& setting : hparam_settings(spec)) h[setting.name] = spec.value_of(setting);
  return h;
}

struct Run {
  Gradients gradients = Gradients::varied;
  int rows = 0, cols = 0;
  Precision precision = Precision::f64;
  bool zero_row = false;        // in the first weight
  bool follow_schedule = false; // the oracle takes the rate that the engine has at each step
};

struct Outcome {
  double distance = 0; // worst, relative to the weight and in f64 also to the way gone, if that is shorter
  int step = 0;
  double promise = 0;
};

Outcome compare(const std::string& preset, const OptimizerSpec& spec, const Run& run) {
  const auto program = program_for(spec, static_cast<std::uint32_t>(run.rows), static_cast<std::uint32_t>(run.cols),
                                   run.precision, kSteps);
  ProgramRig rig(program, hparams_of(*program, spec));
  GradientSource source(run.gradients, run.rows, run.cols, run.precision);
  const std::vector<double> first = source.weight(run.zero_row);
  rig.write("W", first);
  rig.start();
  const auto reference = make_oracle(preset);
  for (const auto& [name, value] : numbers_of(spec)) reference->hparams[name] = value;
  reference->hparams["lr_peak"] = reference->hparams("lr");
  Matrix w = reference->start(matrix(first, run.rows, run.cols));
  const Matrix origin = w;
  Outcome outcome;
  const auto judge = [&](int step) {
    const double way = (w - origin).norm();
    const double unit = run.precision == Precision::f64 && way > 1e-12 * w.norm() ? std::min(way, w.norm())
                                                                                  : std::max(w.norm(), 1e-300);
    const double distance = (matrix(rig.read("W"), run.rows, run.cols) - w).norm() / unit;
    if (distance > outcome.distance || std::isnan(distance)) outcome.distance = distance, outcome.step = step;
  };
  judge(0);
  for (int t = 1; t <= kSteps && !std::isnan(outcome.distance); ++t) {
    const std::vector<double> g = source.next(w);
    REQUIRE(rig.step(g));
    if (run.follow_schedule) reference->hparams["lr"] = rig.hparam("lr");
    w = reference->step(w, matrix(g, run.rows, run.cols));
    judge(t);
  }
  CHECK(rig.padding_is_zero());
  outcome.promise = rig.worst_promise();
  return outcome;
}

// Presets that have an oracle; those that have none fail a test of their own.
std::vector<std::string> compared_presets() {
  std::vector<std::string> names;
  for (const std::string& name : preset_names())
    if (make_oracle(name)) names.push_back(name);
  return names;
}

void check_all(Precision precision) {
  for (const std::string& preset : compared_presets())
    for (const auto& [gradients, word] : kGradients)
      for (const auto& [rows, cols] : kShapes) {
        if (gradients == Gradients::tangent && cols == 1) continue; // nothing but rounding is left
        CAPTURE(preset, word, rows, cols);
        const Outcome o = compare(preset, preset_spec(preset), {gradients, rows, cols, precision});
        CAPTURE(o.step, o.distance);
        const double tolerance = tolerance_of(preset, precision, word, rows, cols);
        CHECK(o.distance <= tolerance);
        if (tolerance < kNoDigits) CHECK(o.promise <= 1);
      }
}

void check_digits(const Matrix& found, const std::vector<double>& expected) {
  REQUIRE(found.size() == static_cast<long>(expected.size()));
  CHECK((found - matrix(expected, found.rows(), found.cols())).cwiseAbs().maxCoeff() <= 0.6e-8);
}

const Matrix kG = matrix({1, 2, 3, 4, 5, 6.5}, 2, 3), kW = matrix({.5, -1, .25, 1, .75, -.5}, 2, 3);

Shaping exact(double (*scale)(const Matrix&)) {
  return [=](const Matrix& d) { return Matrix((scale ? scale(d) : 1) * exact_msign(d)); };
}

} // namespace

TEST_CASE("the oracles give the golden vectors", "[oracle]") {
  check_digits(exact_msign(kG), {-.63926170, .17587260, .74860758, .70629946, .51927532, .48113845});
  check_digits(newton_schulz(kG, "kj", "add"), {-.79162501, .11016395, .72971725, .63315021, .36808427, .25272102});
  check_digits(newton_schulz(kG, "kj", "clamp"), {-.79162501, .11016395, .72971724, .63315021, .36808426, .25272102});
  check_digits(newton_schulz(kG, "quintic", "add"),
               {-.63730700, .17285037, .74176368, .69856519, .51134040, .47174727});
  check_digits(newton_schulz(kG, "quintic", "clamp"),
               {-.63730700, .17285036, .74176367, .69856518, .51134038, .47174724});
  check_digits(newton_schulz(kG, "polar_express_safe", "add", 5),
               {-.56560972, .17632871, .70034246, .67141295, .51237915, .49175314});
  check_digits(newton_schulz(kG, "polar_express_safe", "scaled", 5),
               {-.57523654, .20201506, .75385197, .73374116, .57905441, .57243898});
  check_digits(newton_schulz(kG, "polar_express", "clamp", 5),
               {-.56623381, .17661042, .70127498, .67234932, .51316713, .49257353});
  check_digits(newton_schulz(kG, "polar_express_angular", "scaled"),
               {-.57054737, .19720767, .74191230, .72066816, .56625960, .55769716});
  CHECK((newton_schulz(kG, "polar_express", "clamp") - exact_msign(kG)).norm() <= 3e-8);
  CHECK((newton_schulz(kG, "polar_express_safe", "scaled", 10, 0) - exact_msign(kG)).norm() <= 3e-8);
  check_digits(row_normalised(kG), {.26726124, .53452248, .80178373, .43839730, .54799662, .71239561});
  check_digits(column_normalised(kG), {.24253563, .37139068, .41905818, .97014250, .92847669, .90795938});

  const auto ball = hyperball({{"lr", 0.1}}, then(raw_gradient(), exact(nullptr)))();
  check_digits(ball->step(kW, kG), {.58994757, -1.03967753, .15913220, .92749691, .69695146, -.56983997});

  const auto rows = row_lengths({{"lr", 0.01}, {"momentum", 0.95}, {"beta1", 0.9}, {"beta2", 0.95}, {"eps", 1e-8}},
                                then(momentum(Form::heavy_ball, true), exact(rms_scale)), adam())();
  check_digits(rows->step(rows->start(kW), kG), {.50133638, -1.01029229, .25196072, .99238795, .74279728, -.49909171});

  MdOptions gains;
  gains.start_rows = {1.5, .5};
  gains.start_columns = {2, .8, 1.25};
  const auto md = magnitude_direction(
      {{"lr", 0.1}, {"gain_lr", 0.01}, {"gain_beta1", 0.9}, {"gain_beta2", 0.99}, {"gain_eps", 1e-8}}, gains,
      then(raw_gradient(), exact(shape_up_scale)))();
  const Matrix fused = md->start(matrix({.6, -.8, 1, .4, 1, -.2}, 2, 3));
  check_digits(fused, {1.74284251, -.92951600, 1.81546094, .38729833, .38729833, -.12103073});
  check_digits(md->step(fused, kG), {1.85518846, -1.00488897, 1.65079743, .27543808, .38941990, -.13173595});
}

TEST_CASE("every preset has an oracle", "[oracle]") {
  std::string missing;
  for (const std::string& name : preset_names())
    if (!make_oracle(name)) missing += " " + name;
  CAPTURE(missing);
  CHECK(missing.empty());
}

TEST_CASE("the presets' numbers are their sources'", "[oracle]") {
  for (const std::string& preset : compared_presets()) {
    const Hparams ours = numbers_of(preset_spec(preset)), theirs = make_oracle(preset)->hparams;
    for (const auto& [name, value] : theirs) {
      CAPTURE(preset, name);
      const auto found = ours.find(name);
      REQUIRE(found != ours.end());
      CHECK(found->second == value);
    }
  }
}

TEST_CASE("every preset follows its source's formula in f64", "[oracle]") { check_all(Precision::f64); }
TEST_CASE("every preset follows its source's formula in f32", "[oracle]") { check_all(Precision::f32); }

TEST_CASE("every preset follows its formula with decay, other rates, and a falling rate", "[oracle]") {
  for (const std::string& preset : compared_presets()) {
    OptimizerSpec spec = preset_spec(preset);
    const Hparams numbers = numbers_of(spec);
    if (numbers.count("weight_decay")) spec.hparams["weight_decay"] = 0.3;
    if (numbers.count("gain_weight_decay")) spec.hparams["gain_weight_decay"] = 0.2;
    if (numbers.count("gain_lr")) spec.hparams["gain_lr"] = 0.02;
    if (numbers.count("momentum")) spec.hparams["momentum"] = 0.8;
    spec.schedules["lr"].kind = "linear";
    for (const auto& [rows, cols] : kShapes) {
      Run run{Gradients::varied, rows, cols};
      run.follow_schedule = true;
      CAPTURE(preset, rows, cols);
      const Outcome o = compare(preset, spec, run);
      CAPTURE(o.step, o.distance);
      CHECK(o.distance <= tolerance_of(preset, Precision::f64, "varied", rows, cols));
    }
  }
}

TEST_CASE("AdEMAMix's slow average rises as its source's does", "[oracle]") {
  OptimizerSpec spec = preset_spec("ademamix");
  for (const double steps : {1.0, 30.0, 1000.0}) { // no rise, one that ends within the run, one that does not
    spec.hparams["slow_warmup"] = steps;
    for (const double beta1 : {0.0, 0.9}) {
      spec.hparams["beta1"] = beta1;
      CAPTURE(steps, beta1);
      CHECK(compare("ademamix", spec, {Gradients::varied, 6, 20}).distance <= 1e-10);
    }
  }
}

TEST_CASE("every preset follows its formula from a weight with a row of zeros", "[oracle]") {
  for (const std::string& preset : compared_presets())
    for (const auto& [rows, cols] : kShapes) {
      Run run{Gradients::varied, rows, cols};
      run.zero_row = true;
      if (rows == 1) continue; // the whole weight would be zero
      CAPTURE(preset, rows, cols);
      const Outcome o = compare(preset, preset_spec(preset), run);
      CAPTURE(o.step, o.distance);
      CHECK(o.distance <= tolerance_of(preset, Precision::f64, "zero row", rows, cols));
    }
}
