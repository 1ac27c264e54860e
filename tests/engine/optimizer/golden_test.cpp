// Golden vectors and closed forms of the directions, geometries and magnitudes, through compiled programs.
#include "engine/optimizer/recipe.hpp"
#include "engine/optimizer/stage.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/optimizer_oracle.hpp"
#include "tests/support/optimizer_rig.hpp"
#include "tests/support/oracle.hpp"

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

OptimizerSpec recipe(const std::string& geometry, const Options& options) {
  OptimizerSpec spec;
  spec.part(Part::geometry).kind = geometry;
  spec.part(Part::geometry).options = options;
  return spec;
}

// U of a recipe whose direction is the gradient.
std::vector<double> update_of(const OptimizerSpec& spec, const std::vector<double>& g, std::uint32_t rows,
                              std::uint32_t cols, Precision precision = Precision::f64) {
  const auto program = program_for(spec, rows, cols, precision);
  ProgramRig rig(program, hparams_of(*program, spec));
  rig.start();
  REQUIRE(rig.step(g));
  return rig.read("W.update");
}

std::vector<double> orthogonalised(const std::string& set, const std::string& form, long steps = 0) {
  return update_of(recipe("orthogonalise", {{"ns_coefficients", set}, {"ns_eps_form", form}, {"ns_steps", steps}}), kG,
                   2, 3);
}

void check_digits(const std::vector<double>& found, const std::vector<double>& expected, double unit = 0.6e-8) {
  REQUIRE(found.size() == expected.size());
  for (std::size_t k = 0; k < found.size(); ++k) {
    CAPTURE(k);
    CHECK(std::abs(found[k] - expected[k]) <= unit);
  }
}

} // namespace

TEST_CASE("orthogonalise gives the golden matrices", "[golden]") {
  check_digits(orthogonalised("exact", "none"), {-.63926170, .17587260, .74860758, .70629946, .51927532, .48113845});
  check_digits(orthogonalised("kj", "add"), {-.79162501, .11016395, .72971725, .63315021, .36808427, .25272102});
  check_digits(orthogonalised("kj", "clamp"), {-.79162501, .11016395, .72971724, .63315021, .36808426, .25272102});
  check_digits(orthogonalised("quintic", "add"), {-.63730700, .17285037, .74176368, .69856519, .51134040, .47174727});
  check_digits(orthogonalised("quintic", "clamp"), {-.63730700, .17285036, .74176367, .69856518, .51134038, .47174724});
  check_digits(orthogonalised("polar_express_safe", "add", 5),
               {-.56560972, .17632871, .70034246, .67141295, .51237915, .49175314});
  check_digits(orthogonalised("polar_express_safe", "scaled", 5),
               {-.57523654, .20201506, .75385197, .73374116, .57905441, .57243898});
  check_digits(orthogonalised("polar_express", "clamp", 5),
               {-.56623381, .17661042, .70127498, .67234932, .51316713, .49257353});
  check_digits(orthogonalised("polar_express_angular", "scaled"),
               {-.57054737, .19720767, .74191230, .72066816, .56625960, .55769716});
  const auto exact = orthogonalised("exact", "none");
  check_digits(orthogonalised("polar_express", "clamp", 8), exact, 1e-8);
  check_digits(orthogonalised("polar_express_safe", "scaled", 10), exact, 1e-8);
}

TEST_CASE("normalize and sign give the golden matrices", "[golden]") {
  const auto along = [](const char* granularity) {
    return update_of(recipe("normalize", {{"granularity", std::string(granularity)}}), kG, 2, 3);
  };
  check_digits(along("row"), {.26726124, .53452248, .80178373, .43839730, .54799662, .71239561});
  check_digits(along("column"), {.24253563, .37139068, .41905818, .97014250, .92847669, .90795938});
  check_digits(along("matrix"), scaled(kG, 1 / norm(kG)), 1e-15);
  CHECK(update_of(recipe("sign", {}), {0, -2, 3, 0, 1e-300, -1e-300}, 2, 3) == std::vector<double>{0, -1, 1, 0, 1, -1});
}

TEST_CASE("hyperball makes the golden step and turns by the golden angle", "[golden]") {
  OptimizerSpec spec = recipe("orthogonalise", {{"ns_coefficients", std::string("exact")}});
  spec.part(Part::magnitude).kind = "hyperball";
  spec.hparams["lr"] = 0.1;
  const auto program = program_for(spec, 2, 3);
  ProgramRig rig(program, hparams_of(*program, spec));
  rig.write("W", kW);
  rig.start();
  REQUIRE(rig.step(kG));
  check_digits(rig.read("W"), {.58994757, -1.03967753, .15913220, .92749691, .69695146, -.56983997});
  CHECK(angle(rig.read("W"), kW) == Approx(.0994315717).epsilon(1e-9));
  CHECK(rig.worst_promise() <= 1);
}

TEST_CASE("magnitude–direction makes the golden step", "[golden]") {
  OptimizerSpec spec =
      recipe("orthogonalise", {{"ns_coefficients", std::string("exact")}, {"shape_scale", std::string("shape_up")}});
  spec.part(Part::magnitude).kind = "md";
  spec.hparams = {{"lr", 0.1}, {"gain_lr", 0.01}};
  const auto program = program_for(spec, 2, 3);
  ProgramRig rig(program, hparams_of(*program, spec));
  rig.write("W", {.6, -.8, 1, .4, 1, -.2});
  rig.start();
  const auto hat = rig.read("W");
  check_digits(hat, {.58094750, -.77459667, .96824584, .38729833, .96824584, -.19364917});
  CHECK(softplus(rig.read("W.row_gain")[0]) == Approx(1).epsilon(1e-15));
  const std::vector<double> row = {1.5, .5}, column = {2, .8, 1.25};
  std::vector<double> fused;
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 3; ++j) fused.push_back(row[i] * hat[3 * i + j] * column[j]);
  check_digits(fused, {1.74284251, -.92951600, 1.81546094, .38729833, .38729833, -.12103073});
  rig.write("W", fused);
  rig.write("W.row_gain", {softplus_inverse(1.5), softplus_inverse(.5)});
  rig.write("W.column_gain", {softplus_inverse(2), softplus_inverse(.8), softplus_inverse(1.25)});
  REQUIRE(rig.step(kG));
  check_digits(rig.read("W.row_gain_gradient"), {3.55346222, 5.39797054});
  check_digits(rig.read("W.column_gain_gradient"), {1.64601792, .09682458, 3.72774647});
  check_digits(rig.read("W.direction_gradient"), {3, 2.4, 5.625, 4, 2, 4.0625}, 1e-14);
  check_digits(rig.read("W.direction"), {.62430923, -.84758333, .89007696, .27882074, .98803391, -.21366209});
  check_digits(rig.read("W.row_gain"), {1.23751754, -.44275213});
  check_digits(rig.read("W.column_gain"), {1.84458654, .19338232, .90242043});
  check_digits(rig.read("W"), {1.85518846, -1.00488897, 1.65079743, .27543808, .38941990, -.13173595});
}

TEST_CASE("muown makes the golden step", "[golden]") {
  OptimizerSpec spec = preset_spec("muown");
  spec.part(Part::geometry).options["ns_coefficients"] = std::string("exact");
  spec.part(Part::geometry).options["ns_steps"] = 0L;
  spec.hparams["lr"] = 0.01;
  const auto program = program_for(spec, 2, 3);
  ProgramRig rig(program, hparams_of(*program, spec));
  rig.write("W", kW);
  rig.start();
  REQUIRE(rig.step(kG));
  check_digits(rig.read("W.magnitude_gradient"), {-.65465367, 3.34251609});
  check_digits(rig.read("W.direction_gradient"),
               {1.28571429, 1.42857143, 3.14285714, 1.51724138, 3.13793103, 7.74137931});
  check_digits(rig.read("W"), {.50133638, -1.01029229, .25196072, .99238795, .74279728, -.49909171});
}

TEST_CASE("exact polar factors agree with a singular value decomposition", "[golden]") {
  Dice dice(5);
  const OptimizerSpec spec = recipe("orthogonalise", {{"ns_coefficients", std::string("exact")}});
  for (const auto& [rows, cols] :
       std::vector<std::pair<int, int>>{{1, 1}, {1, 2}, {2, 1}, {3, 3}, {7, 12}, {20, 9}, {33, 33}, {40, 64}}) {
    CAPTURE(rows, cols);
    std::vector<double> g = dice.normals(static_cast<std::size_t>(rows * cols));
    const Matrix expected = exact_msign(matrix(g, rows, cols));
    const auto m = static_cast<std::uint32_t>(rows), n = static_cast<std::uint32_t>(cols);
    CHECK((matrix(update_of(spec, g, m, n), rows, cols) - expected).norm() <= 1e-11 * expected.norm());
    CHECK((matrix(update_of(spec, g, m, n, Precision::f32), rows, cols) - expected).norm() <= 1e-3 * expected.norm());
  }
  // Rank one, and zero: directions without a singular value get 0.
  check_digits(update_of(spec, {1, 2, 3, 2, 4, 6}, 2, 3), values(matrix({1, 2, 3, 2, 4, 6}, 2, 3) / std::sqrt(70.0)),
               1e-14);
  CHECK(update_of(spec, std::vector<double>(6, 0.0), 2, 3) == std::vector<double>(6, 0.0));
}

TEST_CASE("schedules follow their closed forms", "[schedule]") {
  const long total = 200;
  const auto run = [&](const ScheduleSpec& schedule) {
    OptimizerSpec spec;
    spec.hparams["lr"] = 0.3;
    spec.schedules["lr"] = schedule;
    const auto program = program_for(spec, 1, 2, Precision::f64, total);
    ProgramRig rig(program, hparams_of(*program, spec));
    rig.write("W", {1, 1});
    rig.start();
    std::vector<double> factors;
    for (long t = 0; t < total; ++t) {
      REQUIRE(rig.step({0, 0}));
      factors.push_back(rig.hparam("lr") / 0.3);
    }
    return factors;
  };
  const auto schedule = [](const char* kind, double warmup, double cooldown, const char* shape, double final_value) {
    ScheduleSpec s;
    s.kind = kind;
    s.warmup = warmup;
    s.cooldown = cooldown;
    s.shape = shape;
    s.final_value = final_value;
    return s;
  };
  const auto constant = run(schedule("constant", 0, 0, "sqrt", 0)), warm = run(schedule("constant", 10, 0, "sqrt", 0));
  const auto linear = run(schedule("linear", 0, 0, "sqrt", 0)), cosine = run(schedule("cosine", 0.1, 0, "sqrt", 0.2));
  const auto wsd = run(schedule("wsd", 0, 0.2, "sqrt", 0)), cbrt = run(schedule("wsd", 0, 50, "cbrt", 0.1));
  const auto inverse = run(schedule("inverse_power", 16, 0, "sqrt", 0));
  for (long s = 0; s < total; ++s) {
    CAPTURE(s);
    const std::size_t k = static_cast<std::size_t>(s);
    const double x = double(s) / total;
    CHECK(constant[k] == Approx(1).epsilon(1e-15));
    CHECK(warm[k] == Approx(s < 10 ? (s + 1) / 10.0 : 1).epsilon(1e-14));
    CHECK(linear[k] == Approx(1 - x).epsilon(1e-12));
    const double y = (s - 20.0) / 180;
    CHECK(cosine[k] == Approx(s < 20 ? (s + 1) / 20.0 : 0.2 + 0.8 * (1 + std::cos(M_PI * y)) / 2).epsilon(1e-12));
    CHECK(wsd[k] == Approx(s < 160 ? 1 : 1 - std::sqrt((s - 160) / 40.0)).epsilon(1e-12));
    CHECK(cbrt[k] == Approx(s < 150 ? 1 : 0.1 + 0.9 * (1 - std::cbrt((s - 150) / 50.0))).epsilon(1e-12));
    CHECK(inverse[k] == Approx(s < 16 ? (s + 1) / 16.0 : std::sqrt(16.0 / (s + 1))).epsilon(1e-12));
  }
}

TEST_CASE("a linear schedule stays at its floor: max(1 − t/T, floor/η) of the rate", "[schedule]") {
  constexpr long kTotal = 100, kBeyond = 20; // steps after T: a run may be longer than its schedule
  constexpr double kRate = 0.3;
  for (const auto precision : {Precision::f64, Precision::f32})
    for (const double floor : {1e-8, 0.06, 0.5}) // at the end, on the way, above the rate itself
      for (const double warmup : {0.0, 10.0}) {
        OptimizerSpec spec;
        spec.hparams["lr"] = kRate;
        ScheduleSpec& schedule = spec.schedules["lr"];
        schedule.kind = "linear";
        schedule.warmup = warmup;
        schedule.floor = floor;
        const auto program = program_for(spec, 1, 2, precision, kTotal);
        ProgramRig rig(program, hparams_of(*program, spec));
        rig.start();
        for (long s = 0; s < kTotal + kBeyond; ++s) {
          REQUIRE(rig.step({0, 0}));
          const double done = double(s);
          const double expected =
              done + 1 < warmup ? kRate * (done + 1) / warmup
                                : kRate * std::max(1 - std::max(done - warmup, 0.0) / (kTotal - warmup), floor / kRate);
          CAPTURE(floor, warmup, s);
          CHECK(rig.hparam("lr") == Approx(expected).epsilon(precision == Precision::f64 ? 1e-12 : 1e-5));
        }
      }
}

TEST_CASE("a tangential step of fixed size grows the norm by Pythagoras and turns by its arc tangent", "[golden]") {
  OptimizerSpec spec = preset_spec("normalized_sgd");
  spec.hparams["lr"] = 0.6;
  for (const double r0 : {1.0, 4.0}) {
    const auto program = program_for(spec, 1, 2);
    ProgramRig rig(program, hparams_of(*program, spec));
    rig.write("W", {r0 * std::cos(1.2), r0 * std::sin(1.2)});
    rig.start();
    for (int t = 1; t <= 1000; ++t) {
      const auto w = rig.read("W");
      REQUIRE(rig.step({-0.3 * w[1], 0.3 * w[0]})); // tangential, any size
      const double r = norm(w);
      CHECK(angle(rig.read("W"), w) == Approx(std::atan(0.6 / r)).epsilon(1e-12));
      CHECK(norm(rig.read("W")) == Approx(std::sqrt(r0 * r0 + t * 0.36)).epsilon(1e-12));
      if (t == 1) CHECK(norm(rig.read("W")) == Approx(r0 == 1 ? 1.16619 : 4.04475).epsilon(1e-5));
      if (t == 1) CHECK(angle(rig.read("W"), w) == Approx(r0 == 1 ? .54042 : .14889).epsilon(2e-5));
    }
  }
}

TEST_CASE("on the sphere every tangential step turns by the same angle; an oblique one by the closed form",
          "[golden]") {
  OptimizerSpec spec;
  spec.part(Part::magnitude).kind = "hyperball";
  spec.hparams["lr"] = 0.3;
  const auto program = program_for(spec, 3, 4);
  ProgramRig rig(program, hparams_of(*program, spec));
  Dice dice(3);
  rig.write("W", dice.normals(12));
  rig.start();
  for (int t = 0; t < 100; ++t) {
    const auto w = rig.read("W"), z = dice.normals(12);
    const auto tangent = minus(z, scaled(w, dot(z, w) / dot(w, w)));
    const auto g = t % 2 ? tangent : z;
    REQUIRE(rig.step(g));
    const double phi = angle(w, g);
    CHECK(angle(rig.read("W"), w) == Approx(std::atan2(0.3 * std::sin(phi), 1 - 0.3 * std::cos(phi))).epsilon(1e-11));
  }
  CHECK(rig.worst_promise() <= 1);
}
