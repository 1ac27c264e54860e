// From frames to plane pictures, with series made by hand.
#include "app/projection_view.hpp"
#include "app/window.hpp"

#include "tests/support/catch.hpp"

#include <cmath>
#include <memory>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

using namespace polarscope;

namespace {

// Weights of one parameter W over steps; nothing else is recorded but one metric.
struct Recorded {
  std::shared_ptr<const StepProgram> program;
  std::unique_ptr<RunSeries> series;
};
Recorded record(std::uint32_t rows, std::uint32_t cols, const std::vector<std::vector<double>>& weights,
                Invariance invariance = Invariance::matrix) {
  ProgramBuilder build(Precision::f64);
  const int p = build.parameter("W", rows, cols, invariance);
  build.metric("loss", -1, ProgramBuilder::kScalar, 1);
  Recorded made{build.finish(), nullptr};
  made.series = std::make_unique<RunSeries>(made.program, std::size_t{1} << 26);
  const auto offset = static_cast<std::size_t>(made.program->record_offset_of_weight(p));
  std::vector<double> records(weights.size() * made.program->record_size());
  for (std::size_t i = 0; i < weights.size(); ++i)
    for (std::size_t k = 0; k < weights[i].size(); ++k)
      records[i * made.program->record_size() + offset + k] = weights[i][k];
  made.series->append(std::as_bytes(std::span<const double>(records)));
  return made;
}

RunFrame run_of(const Recorded& recorded, RunId id, const std::vector<double>& start) {
  RunFrame run;
  run.id = id;
  run.label = std::string("A");
  run.program = recorded.program;
  run.series = recorded.series->view();
  run.start = std::make_shared<Weights>(Weights{start});
  run.reference = std::make_shared<Weights>();
  return run;
}

Frame frame_of(std::vector<RunFrame> runs, long cursor) {
  Frame frame;
  frame.runs = std::move(runs);
  frame.selected = frame.runs.front().id;
  frame.head = frame.cursor = cursor;
  frame.steps = cursor;
  return frame;
}

struct Fixture {
  Fixture() {
    WindowOptions options;
    options.apply_theme = [](float) {};
    auto opened = Window::open(WindowKind::null, options);
    REQUIRE(opened.ok());
    window = std::move(*opened);
    auto made = Theme::make(ThemeName::dark, 1, Fonts{});
    REQUIRE(made.ok());
    theme = std::make_unique<Theme>(*made);
  }
  PlaneDrawing draw(const Frame& frame, const PlaneChoice& choice,
                    std::shared_ptr<const Driver::PlaneLoss> loss = nullptr) {
    return make_plane_drawing(
        *theme, frame, choice, [this](RunId id) { return id != hidden; }, loss, cache);
  }
  std::unique_ptr<Window> window;
  std::unique_ptr<Theme> theme;
  ProjectionCache cache;
  RunId hidden = 0;
};

// A point that turns by 0.1 per step while its norm grows.
std::vector<std::vector<double>> spiral(int steps) {
  std::vector<std::vector<double>> path;
  for (int i = 0; i <= steps; ++i) {
    const double a = 0.4 + 0.1 * i, r = 1 + 0.01 * i;
    path.push_back({r * std::cos(a), r * std::sin(a)});
  }
  return path;
}

} // namespace

TEST_CASE_METHOD(Fixture, "of a parameter of two elements the plane is itself and hides nothing") {
  const auto path = spiral(100);
  const Recorded recorded = record(1, 2, path);
  const auto drawing = draw(frame_of({run_of(recorded, 1, path[0])}, 100), {});
  REQUIRE(drawing.picture.trails.size() == 1);
  const PlaneTrail& trail = drawing.picture.trails[0];
  REQUIRE(trail.step.size() == 101);
  for (std::size_t i = 0; i <= 100; ++i) { // over more than one turn, unwrapped
    CHECK(trail.angle[i] == Approx(0.4 + 0.1 * static_cast<double>(i)).epsilon(1e-5));
    CHECK(trail.radius[i] == Approx(1 + 0.01 * static_cast<double>(i)).epsilon(1e-5));
  }
  CHECK(drawing.picture.whole_space);
  CHECK(drawing.picture.share == Approx(1));
  REQUIRE(drawing.picture.update);
  // from radius 1.99 to 2, turned by 0.1: radial part along the new direction
  CHECK(drawing.picture.update->radial == Approx(2 - 1.99 * std::cos(0.1)));
  CHECK(drawing.picture.update->tangential == Approx(1.99 * std::sin(0.1)));
}

TEST_CASE_METHOD(Fixture, "the path ends at the cursor, and before the first update there is no share") {
  const auto path = spiral(50);
  const Recorded recorded = record(1, 2, path);
  Frame frame = frame_of({run_of(recorded, 1, path[0])}, 50);
  frame.cursor = 20;
  CHECK(draw(frame, {}).picture.trails[0].step.back() == 20);
  frame.cursor = 0;
  const auto first = draw(frame, {});
  CHECK(first.picture.trails[0].step.size() == 1);
  CHECK(std::isnan(first.picture.share));
  CHECK_FALSE(first.picture.update);
  frame.cursor = 50;
  CHECK(draw(frame, {}).picture.trails[0].step.back() == 50);
}

TEST_CASE_METHOD(Fixture, "a plane of start and current direction holds both and shows the share of the update") {
  // three numbers: turns in a plane, and the last update leaves it
  std::vector<std::vector<double>> path{{2, 0, 0}, {1.5, 1, 0}, {1, 2, 0}, {1, 2, 2}};
  const Recorded recorded = record(1, 3, path);
  Frame frame = frame_of({run_of(recorded, 1, path[0])}, 2);
  const auto flat = draw(frame, {});
  CHECK(flat.picture.share == Approx(1));
  CHECK(flat.picture.trails[0].angle[0] == Approx(0).margin(1e-6));
  CHECK(flat.picture.trails[0].angle[2] == Approx(std::atan2(2, 1)));
  CHECK(flat.picture.trails[0].radius[2] == Approx(std::sqrt(5)));
  frame.cursor = 3;
  const auto current = draw(frame, {});
  // the update (0, 0, 2) in the plane of (1, 0, 0) and (0, 1, 1)/√2
  CHECK(current.picture.share == Approx(0.5));
  PlaneChoice choice;
  choice.kind = PlaneChoice::Kind::weight_update;
  CHECK(draw(frame, choice).picture.share == Approx(1));
  CHECK_FALSE(current.words.empty());
}

TEST_CASE_METHOD(Fixture, "one row is shown alone, with its own norm") {
  std::vector<std::vector<double>> path;
  for (int i = 0; i <= 10; ++i) path.push_back({5, 5, 5, 3 * std::cos(0.1 * i), 3 * std::sin(0.1 * i), 0});
  const Recorded recorded = record(2, 3, path);
  const Frame frame = frame_of({run_of(recorded, 1, path[0])}, 10);
  PlaneChoice choice;
  choice.row = 1;
  const auto drawing = draw(frame, choice);
  REQUIRE(drawing.picture.trails.size() == 1);
  CHECK(drawing.picture.trails[0].radius.back() == Approx(3));
  CHECK(drawing.picture.trails[0].angle.back() == Approx(1).epsilon(1e-5));
  REQUIRE(drawing.request);
  for (std::size_t i = 0; i < 3; ++i) CHECK(drawing.request->e1[i] == 0); // the other row stays out of it

  StartDrag drag;
  drag.angle = 0.5f, drag.radius = 2;
  const auto start = dragged_start(frame.runs[0], choice, cache.plane, drag);
  REQUIRE(start.size() == 6);
  for (std::size_t i = 0; i < 3; ++i) CHECK(start[i] == Approx(5));
  CHECK(std::hypot(start[3], start[4], start[5]) == Approx(2));
  CHECK(std::atan2(start[4], start[3]) == Approx(0.5).epsilon(1e-6));
}

TEST_CASE_METHOD(Fixture, "a recomputed path replaces the old one") {
  const auto path = spiral(30);
  const Recorded before = record(1, 2, path);
  auto other = path;
  for (auto& w : other) w[0] *= 2;
  const Recorded after = record(1, 2, other);
  draw(frame_of({run_of(before, 1, path[0])}, 30), {});
  const auto drawing = draw(frame_of({run_of(after, 1, other[0])}, 30), {});
  const PlaneTrail& trail = drawing.picture.trails[0];
  REQUIRE(trail.radius.size() == 31);
  for (std::size_t i = 0; i <= 30; ++i) CHECK(trail.radius[i] == Approx(std::hypot(other[i][0], other[i][1])));
}

TEST_CASE_METHOD(Fixture, "the loss field is taken only for its own plane") {
  std::vector<std::vector<double>> path{{2, 0, 0}, {1, 2, 0}, {1, 2, 2}};
  const Recorded recorded = record(1, 3, path);
  Frame frame = frame_of({run_of(recorded, 1, path[0])}, 1);
  auto answer = std::make_shared<Driver::PlaneLoss>();
  answer->request = *draw(frame, {}).request;
  answer->loss.assign(720, 0.25);
  answer->loss[0] = 0.5;
  const auto with = draw(frame, {}, answer);
  CHECK(with.picture.field.loss.size() == 720);
  CHECK(with.picture.field.high == Approx(0.5));
  frame.cursor = 2; // another plane
  CHECK(draw(frame, {}, answer).picture.field.empty());
  CHECK(draw(frame, {}, answer).picture.field_note.empty()); // it comes in a moment
  frame.playing = true, frame.steps = 2;
  CHECK(draw(frame, {}, answer).picture.field.empty());
  CHECK_FALSE(draw(frame, {}, answer).picture.field_note.empty());
  frame.playing = false;
  frame.cursor = 1;
  answer = std::make_shared<Driver::PlaneLoss>(*answer);
  answer->loss[7] = NAN;
  CHECK(draw(frame, {}, answer).picture.field.empty());
}

TEST_CASE_METHOD(Fixture, "hidden runs are left out and what cannot be drawn is said") {
  const auto path = spiral(5);
  const Recorded recorded = record(1, 2, path);
  Frame frame = frame_of({run_of(recorded, 1, path[0]), run_of(recorded, 2, path[0])}, 5);
  hidden = 2;
  CHECK(draw(frame, {}).runs == std::vector<RunId>{1});
  frame.runs.clear();
  CHECK_FALSE(draw(frame, {}).picture.empty_text.empty());
  PlaneChoice missing;
  missing.parameter = 3;
  CHECK_FALSE(draw(frame_of({run_of(recorded, 1, path[0])}, 5), missing).picture.empty_text.empty());
}

TEST_CASE("the sphere's loss is put together from planes through its poles") {
  SphereLoss collect;
  const auto loss_of = [](double x, double y, double z) { return 1 + 0.5 * x - 0.25 * y + 0.1 * z; };
  std::shared_ptr<const Driver::PlaneLoss> answer;
  int asked = 0;
  for (auto request = collect.update(7, 0, 1, answer); request; request = collect.update(7, 0, 1, answer)) {
    REQUIRE(++asked < 200);
    auto reply = std::make_shared<Driver::PlaneLoss>();
    reply->request = *request;
    for (int k = 0; k < request->samples; ++k) {
      const double a = 2 * std::numbers::pi * k / request->samples, c = std::cos(a), s = std::sin(a);
      reply->loss.push_back(loss_of(c * request->e1[0] + s * request->e2[0], c * request->e1[1] + s * request->e2[1],
                                    c * request->e1[2] + s * request->e2[2]));
    }
    answer = reply;
  }
  const SphereField& field = collect.field();
  REQUIRE_FALSE(field.empty());
  for (int r = 0; r < field.rows; r += 5)
    for (int c = 0; c < field.cols; c += 7) {
      const double polar = std::numbers::pi * r / (field.rows - 1), longitude = 2 * std::numbers::pi * c / field.cols;
      const double x = std::sin(polar) * std::cos(longitude), y = std::sin(polar) * std::sin(longitude),
                   z = std::cos(polar);
      CHECK(field.loss[static_cast<std::size_t>(r * field.cols + c)] == Approx(loss_of(x, y, z)));
      const double level = (loss_of(x, y, z) - field.low) / (field.high - field.low);
      CHECK(field.level({static_cast<float>(x), static_cast<float>(y), static_cast<float>(z)}) ==
            Approx(level).margin(2e-3));
    }
  CHECK(collect.update(7, 0, 2, nullptr)); // another scene: from the beginning
  CHECK(collect.field().empty());
}

TEST_CASE_METHOD(Fixture,
                 "before anything has turned the plane takes the first update, then the reference, and says so") {
  std::vector<std::vector<double>> path;
  for (int i = 0; i <= 10; ++i) path.push_back({1, 0, 0.1 * i});
  const Recorded recorded = record(1, 3, path);
  Frame frame = frame_of({run_of(recorded, 1, path[0])}, 10);
  frame.cursor = 0;
  const auto first = draw(frame, {});
  CHECK(first.picture.note.find("first update") != std::string::npos);
  REQUIRE(first.request);
  CHECK(first.request->e1 == std::vector<double>{1, 0, 0});
  CHECK(first.request->e2 == std::vector<double>{0, 0, 1});
  frame.cursor = 10;
  CHECK(draw(frame, {}).picture.note.empty());

  const Recorded start = record(1, 3, {{0, 2, 0}}); // nothing computed yet
  RunFrame run = run_of(start, 2, {0, 2, 0});
  run.reference = std::make_shared<Weights>(Weights{{3, 3, 0}});
  cache = {};
  const auto with_reference = draw(frame_of({run}, 0), {});
  CHECK(with_reference.picture.note.find("reference") != std::string::npos);
  CHECK(with_reference.request->e2[0] == Approx(1));
  run.reference = std::make_shared<Weights>();
  cache = {};
  CHECK(draw(frame_of({run}, 0), {}).picture.note.find("one axis") != std::string::npos);
}

TEST_CASE_METHOD(Fixture, "a diverged run ends at its last finite point and leaves the rings to the living") {
  const auto path = spiral(50);
  auto wild = path;
  for (int i = 0; i <= 50; ++i)
    wild[static_cast<std::size_t>(i)] =
        i < 20 ? std::vector<double>{std::pow(10.0, i), 0} : std::vector<double>{NAN, NAN};
  const Recorded a = record(1, 2, path), b = record(1, 2, wild);
  RunFrame dead = run_of(b, 2, wild[0]);
  dead.diverged = true, dead.diverged_at = 20;
  const auto drawing = draw(frame_of({run_of(a, 1, path[0]), dead}, 50), {});
  REQUIRE(drawing.picture.trails.size() == 2);
  CHECK_FALSE(drawing.picture.trails[0].ended);
  CHECK(drawing.picture.trails[1].ended);
  CHECK(drawing.picture.trails[1].step.back() == 19);
  CHECK(drawing.picture.radius_most == Approx(1.5));
  cache = {};
  CHECK(draw(frame_of({dead}, 50), {}).picture.radius_most > 1e18f); // alone it has them
}

TEST_CASE_METHOD(Fixture, "a run that diverged has turned: its plane is that of its last finite direction") {
  std::vector<std::vector<double>> path;
  for (int i = 0; i <= 50; ++i)
    path.push_back(i < 20 ? std::vector<double>{std::cos(0.3 * i), std::sin(0.3 * i), 0.1}
                          : std::vector<double>{NAN, NAN, NAN});
  const Recorded recorded = record(1, 3, path);
  RunFrame dead = run_of(recorded, 1, path[0]);
  dead.diverged = true, dead.diverged_at = 20;
  const auto drawing = draw(frame_of({dead}, 50), {});
  CHECK(drawing.picture.note.empty());
  REQUIRE(drawing.picture.trails.size() == 1);
  CHECK(drawing.picture.trails[0].step.back() == 19);
}

TEST_CASE_METHOD(Fixture, "the rings hold the path before an edit, unless it ran away") {
  const auto path = spiral(50);
  auto wide = path, wild = path;
  for (auto& w : wide)
    for (double& x : w) x *= 4;
  for (std::size_t i = 0; i < wild.size(); ++i) wild[i] = {std::pow(10.0, static_cast<double>(i)), 0};
  const Recorded recorded = record(1, 2, path), before = record(1, 2, wide), away = record(1, 2, wild);
  RunFrame run = run_of(recorded, 1, path[0]);
  run.ghost = before.series->view();
  CHECK(draw(frame_of({run}, 50), {}).picture.radius_most == Approx(6));
  cache = {};
  run.ghost = away.series->view();
  CHECK(draw(frame_of({run}, 50), {}).picture.radius_most == Approx(1.5));
}

TEST_CASE_METHOD(Fixture, "the cursor moves along a path that is kept, and the path is the same as made anew") {
  const auto path = spiral(3000);
  const Recorded recorded = record(1, 2, path);
  Frame frame = frame_of({run_of(recorded, 1, path[0])}, 3000);
  draw(frame, {});
  for (long cursor : {2999L, 1234L, 1L, 0L, 2500L}) {
    frame.cursor = cursor;
    const PlaneTrail kept = draw(frame, {}).picture.trails[0];
    const ProjectionCache before = std::exchange(cache, {});
    const PlaneTrail fresh = draw(frame, {}).picture.trails[0];
    cache = before;
    INFO(cursor);
    CHECK(kept.step.back() == cursor);
    CHECK(kept.step == fresh.step);
    CHECK(kept.angle == fresh.angle);
    CHECK(kept.radius == fresh.radius);
    CHECK(kept.step.size() <= 601);
  }
}

TEST_CASE_METHOD(Fixture, "a plane that turns about the start takes the kept path with it") {
  std::vector<std::vector<double>>
      path; // in eleven dimensions, so that the plane through start and current direction turns
  for (int i = 0; i <= 400; ++i) {
    std::vector<double> w(11, 0.1);
    w[0] = 2;
    for (std::size_t k = 1; k < 11; ++k) w[k] += std::sin(0.01 * i * static_cast<double>(k));
    path.push_back(w);
  }
  const Recorded recorded = record(1, 11, path);
  Frame frame = frame_of({run_of(recorded, 1, path[0])}, 400);
  draw(frame, {});
  for (long cursor : {399L, 150L, 300L, 2L, 400L}) {
    frame.cursor = cursor;
    const PlaneTrail kept = draw(frame, {}).picture.trails[0];
    const ProjectionCache before = std::exchange(cache, {});
    const PlaneTrail fresh = draw(frame, {}).picture.trails[0];
    cache = before;
    INFO(cursor);
    REQUIRE(kept.step == fresh.step);
    for (std::size_t i = 0; i < kept.step.size(); ++i) {
      CHECK(kept.angle[i] == Approx(fresh.angle[i]).margin(1e-5));
      CHECK(kept.radius[i] == Approx(fresh.radius[i]).epsilon(1e-6));
    }
  }
}

TEST_CASE_METHOD(Fixture, "the field of a loss that depends on the norm says at which norm it is drawn") {
  for (const Invariance invariance : {Invariance::none, Invariance::matrix}) {
    cache = {};
    const auto path = spiral(50);
    const Recorded recorded = record(1, 2, path, invariance);
    const Frame frame = frame_of({run_of(recorded, 1, path[0])}, 50);
    auto answer = std::make_shared<Driver::PlaneLoss>();
    answer->request = *draw(frame, {}).request;
    answer->loss.assign(720, 1.0);
    answer->step = 20;
    const PlaneField field = draw(frame, {}, answer).picture.field;
    REQUIRE_FALSE(field.empty());
    CHECK(field.norm.has_value() == (invariance == Invariance::none));
    if (field.norm) CHECK(*field.norm == Approx(1.2));
    CHECK(field_words(field) == (field.norm ? "loss at norm 1.2" : "loss"));
  }
}
