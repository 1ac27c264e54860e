// The drawing library on the null back end: layout of labels, decimation, hit areas, and that everything draws at every
// theme and scale.
#include "app/plot.hpp"
#include "app/polar_parts.hpp"
#include "app/polar_plot.hpp"
#include "app/sphere_plot.hpp"
#include "app/unrolled_plot.hpp"
#include "app/widgets.hpp"
#include "tests/app/canvas.hpp"

#include "tests/support/catch.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>
#include <vector>

using namespace polarscope;
using namespace polarscope::testing;

namespace {

constexpr float kPi = std::numbers::pi_v<float>;

PlanePicture two_runs(const Theme& theme) {
  PlanePicture picture;
  picture.radius_least = 1, picture.radius_most = 4;
  for (int k = 0; k < 2; ++k) {
    PlaneTrail trail;
    trail.style = theme.run(k);
    trail.short_name = std::string(1, static_cast<char>('A' + k));
    trail.name = trail.short_name + "  SGD";
    trail.selected = k == 1;
    for (int i = 0; i <= 100; ++i) {
      trail.step.push_back(i);
      trail.angle.push_back(-2.35f - 0.012f * static_cast<float>(i) / static_cast<float>(k + 1));
      trail.radius.push_back(k == 0 ? 1.0f + 0.004f * static_cast<float>(i) : 4.0f);
    }
    trail.ghost_angle = {-2.35f, -2.5f}, trail.ghost_radius = {2, 2.1f};
    picture.trails.push_back(trail);
  }
  for (int i = 0; i < 720; ++i)
    picture.field.loss.push_back(0.5f - 0.5f * std::cos(2 * 2 * kPi * static_cast<float>(i) / 720));
  picture.field.generation = 1;
  set_field_range(picture.field);
  picture.update = PlaneUpdate{1, 0.01f, -0.03f, 0.1f, 0.4f};
  picture.share = 0.21;
  return picture;
}

} // namespace

TEST_CASE("in Show the disc keeps clear of the words in its corner") {
  for (const ImVec2 size : {ImVec2{717, 560}, {560, 560}, {420, 500}, {900, 600}}) {
    Canvas canvas(ThemeName::projector, 1, static_cast<int>(size.x), static_cast<int>(size.y));
    canvas.frame([&] {
      PolarOptions options;
      options.keys = false;
      options.rings_words = "rings: norm";
      const Box area = canvas.area();
      const PolarScale scale = polar_scale(canvas.theme(), area, 1, 4, options);
      const float reach = scale.outer + canvas.theme().px(5) + rim_height(canvas.theme(), scale.outer);
      const ImVec2 corner{area.min.x + canvas.theme().px(12) +
                              measure(canvas.theme(), text::kLabel, "of the last update").x,
                          area.max.y - canvas.theme().px(12 + 3 * 17)};
      CHECK(std::hypot(scale.centre.x - corner.x, scale.centre.y - corner.y) > reach);
      CHECK(scale.centre.x + reach <= area.max.x + 1);
      CHECK(scale.outer > 0.3f * std::min(size.x, size.y) / 2);
    });
  }
}

TEST_CASE("a decimated curve keeps every spike and at most two points per pixel") {
  auto values = noisy(100000, 2);
  values[61803] = 9; // one step
  values[31415] = -5;
  const auto [program, view] = make_series({values});
  const PlotAxis y{-6, 10, 400, 0, false};
  for (bool log : {false, true}) {
    const PlotAxis x{log ? 1.0 : 0.0, 99999, 0, 500, log};
    std::vector<ImVec2> points;
    trace_curve({view, 0}, x, y, points);
    REQUIRE(points.size() > 300);
    CHECK(points.size() <= 2 * 500 + 60);
    float least = 1e9f, most = -1e9f;
    for (const ImVec2& p : points) least = std::min(least, p.y), most = std::max(most, p.y);
    CHECK(least == Approx(y.pixel(9)));
    CHECK(most == Approx(y.pixel(-5)));
    for (std::size_t i = 1; i < points.size(); ++i) REQUIRE(points[i].x >= points[i - 1].x);
  }
}

TEST_CASE("few samples are drawn exactly where they are") {
  const auto [program, view] = make_series({{NAN, 1, 4, 9, 16}});
  const PlotAxis x{0, 4, 0, 400, false}, y{0, 20, 200, 0, false};
  std::vector<ImVec2> points;
  trace_curve({view, 0}, x, y, points);
  REQUIRE(points.size() == 4);
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(points[i].x == Approx(100 * static_cast<float>(i + 1)));
    CHECK(points[i].y == Approx(200 - 10 * static_cast<float>((i + 1) * (i + 1))));
  }
}

TEST_CASE("axes map values to pixels and back, with round ticks") {
  for (bool log : {false, true}) {
    const PlotAxis axis{0.02, 30, 300, 10, log};
    for (double v : {0.02, 0.5, 7.0, 30.0}) CHECK(axis.value(axis.pixel(v)) == Approx(v).epsilon(1e-4));
    const auto ticks = axis_ticks(axis, 5);
    CHECK(ticks.size() >= 3);
    CHECK(ticks.size() <= 5);
  }
  std::vector<std::string> words;
  for (const PlotTick& tick : axis_ticks({0, 2000, 0, 360, false}, 6)) words.push_back(tick.words);
  CHECK(words == std::vector<std::string>{"0", "500", "1,000", "1,500", "2,000"});
}

TEST_CASE("wells of the loss field are found with their depth") {
  PlaneField field;
  for (int i = 0; i < 720; ++i) {
    const float a = 2 * kPi * static_cast<float>(i) / 720;
    field.loss.push_back(1 - 0.6f * std::exp(-8 * (1 - std::cos(a - 1))) - 0.3f * std::exp(-8 * (1 - std::cos(a - 4))) +
                         0.001f * std::cos(60 * a));
  }
  set_field_range(field);
  const auto wells = find_wells(field, 4);
  REQUIRE(wells.size() == 2);
  CHECK(wells[0].angle == Approx(1).margin(0.06));
  CHECK(wells[0].loss == Approx(0.4).margin(0.01));
  CHECK(wells[1].angle == Approx(4).margin(0.06));
  CHECK(field.level(wells[0].angle) == Approx(0).margin(1e-3));
  CHECK(field.level(wells[0].angle - 2 * kPi) == Approx(0).margin(1e-3));
}

TEST_CASE("radius and pixels of the polar view are inverse, rings are round numbers") {
  Canvas canvas;
  PolarOptions options;
  for (bool log : {false, true}) {
    options.log = log;
    const PolarScale scale = polar_scale(canvas.theme(), canvas.area(), 0.9f, 4.2f, options);
    for (float r : {0.9f, 2.0f, 4.2f}) CHECK(scale.radius(scale.pixels(r)) == Approx(r).epsilon(1e-4));
    CHECK(scale.pixels(4.2f) < scale.outer);
    CHECK(scale.pixels(0.9f) > 0);
  }
  options.log = false;
  CHECK(polar_scale(canvas.theme(), canvas.area(), 1, 4.2f, options).most == Approx(5));
}

TEST_CASE("a start handle is hit, dragged and released with the position under the pointer") {
  Canvas canvas;
  const PlanePicture picture = two_runs(canvas.theme());
  PolarView view;
  PolarOptions options;
  PolarResult result;
  std::vector<StartDrag> drags;
  const auto draw = [&] {
    result = draw_polar(canvas.theme(), canvas.area(), picture, options, view);
    if (result.drag) drags.push_back(*result.drag);
  };
  const PolarScale scale =
      polar_scale(canvas.theme(), canvas.area(), picture.radius_least, picture.radius_most, options);
  const auto mouse = [&](ImVec2 at) { ImGui::GetIO().AddMousePosEvent(at.x, at.y); };
  canvas.frame(draw);
  const ImVec2 handle = scale.at(-2.35f, 4);
  mouse({handle.x + 3, handle.y - 2}); // not exactly on it: the grab keeps its offset
  canvas.frame(draw);
  ImGui::GetIO().AddMouseButtonEvent(0, true);
  canvas.frame(draw);
  CHECK(drags.empty()); // pressing alone moves nothing
  const ImVec2 to = scale.at(1.0f, 2.5f);
  mouse({to.x + 3, to.y - 2});
  canvas.frame(draw);
  REQUIRE(drags.size() == 1);
  CHECK(drags.back().trail == 1);
  CHECK(drags.back().angle == Approx(1).margin(1e-3));
  CHECK(drags.back().radius == Approx(2.5).epsilon(1e-3));
  CHECK_FALSE(drags.back().released);
  ImGui::GetIO().AddMouseButtonEvent(0, false);
  canvas.frame(draw);
  REQUIRE(drags.size() == 2);
  CHECK(drags.back().released);
  CHECK(drags.back().radius == Approx(2.5).epsilon(1e-3));
  canvas.frame(draw);
  CHECK(drags.size() == 2);
  // a click without motion is no drag
  mouse(handle);
  canvas.frame(draw);
  ImGui::GetIO().AddMouseButtonEvent(0, true);
  canvas.frame(draw);
  ImGui::GetIO().AddMouseButtonEvent(0, false);
  canvas.frame(draw);
  CHECK(drags.size() == 2);
}

TEST_CASE("the pointer finds the nearest point of a trail") {
  Canvas canvas;
  const PlanePicture picture = two_runs(canvas.theme());
  PolarView view;
  PolarResult result;
  const auto draw = [&] { result = draw_polar(canvas.theme(), canvas.area(), picture, {}, view); };
  const PolarScale scale = polar_scale(canvas.theme(), canvas.area(), picture.radius_least, picture.radius_most, {});
  const ImVec2 at = scale.at(picture.trails[1].angle[60], 4);
  ImGui::GetIO().AddMousePosEvent(at.x + 1, at.y);
  for (int i = 0; i < 3; ++i) canvas.frame(draw);
  CHECK(result.hovered == 1);
  CHECK(std::abs(result.hovered_step - 60) <= 1);
}

TEST_CASE("field and sphere meshes are kept until something changes") {
  Canvas canvas;
  PlanePicture picture = two_runs(canvas.theme());
  MeshCache mesh;
  const std::array<double, 2> a{1, 2}, b{1, 3};
  CHECK(mesh.stale(a));
  CHECK_FALSE(mesh.stale(a));
  CHECK(mesh.stale(b));
  PolarView view;
  canvas.frame([&] { draw_polar(canvas.theme(), canvas.area(), picture, {}, view); });
  CHECK(view.field.vertices() > 720);
}

TEST_CASE("the exact stored sample is found and values that a log axis cannot show are counted") {
  Canvas canvas(ThemeName::dark, 1, 500, 300);
  auto values = noisy(501, 5);
  values[100] = -1, values[200] = 0;
  const auto [program, view] = make_series({values});
  PlotCurve curve;
  curve.style = canvas.theme().run(0);
  curve.name = "A";
  curve.sources = {{view, 0}};
  PlotSpec spec;
  spec.id = "##loss";
  spec.title = "Loss";
  spec.log_y = true;
  PlotShared shared;
  shared.to = 500, shared.steps = 500, shared.head = 500, shared.cursor = 250;
  PlotCache cache;
  PlotResult result;
  const auto draw = [&] {
    result = draw_plot(canvas.theme(), {0, 0}, {500, 300}, spec, std::span<const PlotCurve>(&curve, 1), shared, cache);
  };
  canvas.frame(draw);
  CHECK(result.not_shown == 2);
  CHECK_FALSE(result.range);
  ImGui::GetIO().AddMousePosEvent(260, 150);
  canvas.frame(draw);
  canvas.frame(draw);
  REQUIRE(result.hovered == 0);
  REQUIRE(result.hover_step);
  CHECK(result.focused);
  ImGui::GetIO().AddMouseButtonEvent(0, true);
  canvas.frame(draw);
  ImGui::GetIO().AddMouseButtonEvent(0, false);
  canvas.frame(draw);
  REQUIRE(result.copied);
  CHECK(*result.copied == values[static_cast<std::size_t>(*result.hover_step)]);
}

TEST_CASE("the wheel zooms the shared range around the pointer and a double click resets it") {
  Canvas canvas(ThemeName::dark, 1, 500, 300);
  const auto [program, view] = make_series({noisy(501, 5)});
  PlotCurve curve;
  curve.style = canvas.theme().run(0);
  curve.sources = {{view, 0}};
  PlotSpec spec;
  spec.id = "##zoom";
  PlotShared shared;
  shared.to = 500, shared.steps = 500, shared.head = 500;
  PlotCache cache;
  bool reset = false;
  const auto draw = [&] {
    const auto result =
        draw_plot(canvas.theme(), {0, 0}, {500, 300}, spec, std::span<const PlotCurve>(&curve, 1), shared, cache);
    if (result.range) shared.from = result.range->first, shared.to = result.range->second;
    reset |= result.reset_range;
  };
  ImGui::GetIO().AddMousePosEvent(260, 150);
  for (int i = 0; i < 3; ++i) canvas.frame(draw);
  ImGui::GetIO().AddMouseWheelEvent(0, 3);
  for (int i = 0; i < 3; ++i) canvas.frame(draw);
  CHECK(shared.from > 1);
  CHECK(shared.to < 499);
  for (bool down : {true, false, true, false}) {
    ImGui::GetIO().AddMouseButtonEvent(0, down);
    canvas.frame(draw);
  }
  CHECK(reset);
}

TEST_CASE("widgets answer to the mouse") {
  Canvas canvas;
  bool on = false;
  int chosen = 0, clicks = 0;
  double value = 0.01;
  const char* words[] = {"from here", "from step 0"};
  ImVec2 button_at, toggle_at, switch_at;
  const auto centre = [] {
    const ImVec2 a = ImGui::GetItemRectMin(), b = ImGui::GetItemRectMax();
    return ImVec2{(a.x + b.x) * 0.5f, (a.y + b.y) * 0.5f};
  };
  const auto draw = [&] {
    ImGui::SetCursorScreenPos({20, 20});
    clicks += button(canvas.theme(), "Fork");
    button_at = centre();
    toggle(canvas.theme(), "log y", &on);
    toggle_at = centre();
    CHECK(ImGui::GetItemRectSize().y >= 24); // hit area, though drawn smaller
    segmented(canvas.theme(), "edits", words, &chosen);
    switch_at = {ImGui::GetItemRectMax().x - 8, centre().y};
    SliderSpec spec{"lr", 1e-4, 1, true};
    spec.default_mark = 0.02, spec.differs = true;
    slider(canvas.theme(), spec, &value, 280);
  };
  const auto click = [&](ImVec2 at) {
    ImGui::GetIO().AddMousePosEvent(at.x, at.y);
    canvas.frame(draw);
    for (bool down : {true, false}) {
      ImGui::GetIO().AddMouseButtonEvent(0, down);
      canvas.frame(draw);
    }
  };
  canvas.frame(draw);
  click(button_at);
  CHECK(clicks == 1);
  click({toggle_at.x, toggle_at.y + 11});
  CHECK(on);
  click(switch_at);
  CHECK(chosen == 1);
  CHECK(value == 0.01);
}

TEST_CASE("everything draws in every theme and scale") {
  std::vector<std::vector<double>> columns;
  for (unsigned k = 0; k < 8; ++k) columns.push_back(noisy(400, k));
  const auto [program, view] = make_series(columns);
  for (ThemeName name : {ThemeName::dark, ThemeName::light, ThemeName::projector})
    for (float scale : {0.75f, 1.0f, 2.0f, 3.0f}) {
      Canvas canvas(name, scale);
      const Theme& theme = canvas.theme();
      const PlanePicture picture = two_runs(theme);
      SpherePicture sphere;
      sphere.field.rows = 9, sphere.field.cols = 16, sphere.field.generation = 1;
      for (int i = 0; i < 9 * 16; ++i) sphere.field.loss.push_back(std::cos(0.3f * static_cast<float>(i)));
      set_field_range(sphere.field);
      sphere.trails.push_back({theme.run(0),
                               "A",
                               "A",
                               true,
                               false,
                               false,
                               {0, 1, 2},
                               {Point3{1, 0, 0}, {0.5f, 0.9f, 0.2f}, {-0.6f, -1, 0.1f}}});
      std::vector<PlotCurve> curves(2);
      for (int c = 0; c < 8; ++c) curves[0].sources.push_back({view, c});
      curves[1].sources = {{view, 0}}, curves[1].ghost = PlotSource{view, 1}, curves[1].name = "B",
      curves[0].name = "A";
      std::vector<Sample> expected{{1, 1.0}, {200, 1.1}, {399, 1.2}};
      PlotSpec spec;
      spec.id = "##all";
      spec.expected.push_back({theme.run(1), expected, "dotted: B expected"});
      spec.targets.push_back({1.0, "target 1"});
      PlotShared shared{0, 600, true, 200, 399, 600, 100};
      PolarView polar;
      UnrolledView unrolled;
      SphereView ball;
      PlotCache cache;
      const Box area = canvas.area();
      const ImVec2 half{area.max.x * 0.5f, area.max.y * 0.5f};
      int vertices = 0;
      for (int frame = 0; frame < 2; ++frame)
        vertices = canvas.frame([&] {
          draw_polar(theme, {{0, 0}, half}, picture, {}, polar);
          draw_unrolled(theme, {{half.x, 0}, {area.max.x, half.y}}, picture, true, unrolled);
          draw_sphere(theme, {{0, half.y}, {half.x, area.max.y}}, sphere, true, ball);
          draw_plot(theme, half, {area.max.x, area.max.y - 40}, spec, curves, shared, cache);
        });
      CHECK(vertices > 5000);
    }
}

TEST_CASE("nothing to draw is said in words, not asserted") {
  Canvas canvas;
  const PlanePicture picture;
  PolarView polar;
  UnrolledView unrolled;
  SphereView ball;
  PlotCache cache;
  canvas.frame([&] {
    draw_polar(canvas.theme(), canvas.area(), picture, {}, polar);
    draw_unrolled(canvas.theme(), canvas.area(), picture, true, unrolled);
    draw_sphere(canvas.theme(), canvas.area(), {}, true, ball);
    PlotSpec spec;
    spec.id = "##empty";
    draw_plot(canvas.theme(), {0, 0}, {300, 200}, spec, {}, {}, cache);
  });
}

TEST_CASE("nothing of a path or of a ghost is drawn outside the disc") {
  Canvas canvas;
  PlanePicture picture = two_runs(canvas.theme());
  picture.trails.pop_back();
  PlaneTrail& trail = picture.trails.front();
  trail.radius.assign(trail.radius.size(), 1);
  trail.ghost_angle = {-2.35f, -2.0f, 0.5f, 0.6f}, trail.ghost_radius = {1, 40, 40, 3};
  trail.radius[50] = 1e9f; // a leap of the path itself
  picture.radius_most = 4.2f;
  picture.update.reset();
  PolarView view;
  canvas.frame([&] {
    const PolarScale scale = polar_scale(canvas.theme(), canvas.area(), picture.radius_least, picture.radius_most, {});
    const PolarFrame d{ImGui::GetWindowDrawList(), canvas.theme(), scale, picture};
    const int before = d.list->VtxBuffer.Size;
    draw_trails(d, view);
    CHECK(d.list->VtxBuffer.Size > before + 100);
    for (int i = before; i < d.list->VtxBuffer.Size; ++i) {
      const ImVec2 at = d.list->VtxBuffer[i].pos;
      REQUIRE(std::hypot(at.x - scale.centre.x, at.y - scale.centre.y) < scale.outer + 4); // a stroke's width
    }
    REQUIRE(ghost_point(d, trail));
    const ImVec2 end = *ghost_point(d, trail);
    CHECK(std::hypot(end.x - scale.centre.x, end.y - scale.centre.y) == Approx(scale.pixels(3)).epsilon(1e-4));
    const ImVec2 now = now_point(d, trail);
    CHECK(std::hypot(now.x - scale.centre.x, now.y - scale.centre.y) <= scale.outer + 1e-3f);
  });
}

TEST_CASE("starts that stand together are told apart: one for those at a point, one glow among neighbours") {
  Canvas canvas;
  std::vector<StartLook> looks;
  start_looks(canvas.theme(), std::vector<ImVec2>{{100, 100}, {100.5f, 100}, {118, 100}, {400, 400}}, looks);
  REQUIRE(looks.size() == 4);
  CHECK(looks[0].drawn);
  CHECK(looks[0].shared);
  CHECK_FALSE(looks[1].drawn);
  CHECK(looks[2].drawn);
  CHECK(looks[0].glow == 1);
  CHECK(looks[2].glow == 0);
  CHECK_FALSE(looks[2].alone);
  CHECK(looks[3].alone);
  CHECK(looks[3].glow == 1);
  std::vector<ImVec2> many;
  for (int i = 0; i < 8; ++i) many.push_back({100.0f * static_cast<float>(i), 0});
  start_looks(canvas.theme(), many, looks);
  for (const StartLook& look : looks) CHECK(look.glow < 1);
}

TEST_CASE("words of wells and rings touch no handle, marker or each other, however small the disc") {
  for (const ImVec2 size : {ImVec2{900, 700}, {430, 380}, {300, 260}}) {
    Canvas canvas(ThemeName::dark, 1, static_cast<int>(size.x), static_cast<int>(size.y));
    PlanePicture picture = two_runs(canvas.theme());
    // a marker upon a well's notch
    picture.trails[1].angle.back() = find_wells(picture.field, 1).front().angle;
    picture.trails[1].radius.back() = 4.1f;
    PolarView view;
    canvas.frame([&] {
      const PolarScale scale =
          polar_scale(canvas.theme(), canvas.area(), picture.radius_least, picture.radius_most, {});
      const PolarFrame d{ImGui::GetWindowDrawList(), canvas.theme(), scale, picture};
      std::vector<Box> obstacles;
      mark_obstacles(d, obstacles);
      const std::size_t marks = obstacles.size();
      draw_ring_labels(d, ring_norms(scale), view, obstacles);
      draw_well_words(d, obstacles);
      for (std::size_t i = marks; i < obstacles.size(); ++i)
        for (std::size_t k = 0; k < i; ++k) REQUIRE_FALSE(overlap(obstacles[i], obstacles[k]));
      if (size.x > 800) CHECK(obstacles.size() >= marks + 4); // two wells, some rings
    });
  }
}

TEST_CASE("the unrolled sheet keeps its sides: no path turns the axis round") {
  Canvas canvas;
  UnrolledView view;
  PlanePicture picture = two_runs(canvas.theme());
  picture.field = {};
  const auto draw = [&](float way) { // every path ends so many radians from its start
    for (PlaneTrail& trail : picture.trails) {
      trail.ghost_angle.clear(), trail.ghost_radius.clear();
      for (std::size_t i = 0; i < trail.angle.size(); ++i)
        trail.angle[i] = -2.35f + way * static_cast<float>(i) / static_cast<float>(trail.angle.size() - 1);
    }
    canvas.frame([&] { draw_unrolled(canvas.theme(), canvas.area(), picture, true, view); });
  };
  for (const float near : {0.0f, 0.05f, -0.05f, -0.15f, -0.6f}) {
    INFO(near);
    draw(near);
    CHECK(view.x.least == -90);
    CHECK(view.x.most == 90);
  }
  draw(-1.5f);
  CHECK(view.x.least == -120);
  CHECK(view.x.most == 90);
  draw(1.5f);
  CHECK(view.x.least == -90);
  CHECK(view.x.most == 120);
}

TEST_CASE("ticks of the unrolled sheet keep their distance at any number of turns") {
  for (double span : {120.0, 700.0, 5000.0, 1e5, 3e7, 2e12}) {
    const PlotAxis axis{-30, span - 30, 50, 650, false};
    const double every = angle_tick_distance(axis, 58);
    INFO(span);
    CHECK(std::fmod(every, 30) == 0);
    CHECK(axis.pixel(every) - axis.pixel(0) >= 58 - 1e-3f);
    CHECK(span / every >= 2);
  }
}

TEST_CASE("the camera faces what it is aimed at, and the sphere's wells are found") {
  SphereView view;
  for (const Point3 direction : {Point3{0.6f, -0.64f, 0.48f}, {0, 0, 1}, {-1, 0, 0}, {0.1f, 0.2f, -0.97f}}) {
    aim(view, direction);
    const Point3 at = seen(view, direction);
    CHECK(at[0] == Approx(0).margin(1e-3));
    CHECK(at[1] == Approx(0).margin(1e-3));
    CHECK(at[2] > 0.98f);
  }
  SphereField field;
  field.rows = 49, field.cols = 96, field.generation = 1;
  const Point3 deep{0.6f, -0.64f, 0.48f}, shallow{0, 0, -1};
  for (int r = 0; r < field.rows; ++r)
    for (int c = 0; c < field.cols; ++c) {
      const float polar = kPi * static_cast<float>(r) / 48, a = 2 * kPi * static_cast<float>(c) / 96;
      const Point3 p{std::sin(polar) * std::cos(a), std::sin(polar) * std::sin(a), std::cos(polar)};
      const auto along = [&](const Point3& q) { return p[0] * q[0] + p[1] * q[1] + p[2] * q[2]; };
      field.loss.push_back(1 - 0.9f * std::exp(6 * (along(deep) - 1)) - 0.4f * std::exp(6 * (along(shallow) - 1)));
    }
  set_field_range(field);
  const auto wells = find_wells(field, 4);
  REQUIRE(wells.size() == 2);
  for (std::size_t k = 0; k < 3; ++k) CHECK(wells[0].direction[k] == Approx(deep[k]).margin(0.08));
  CHECK(wells[0].loss == Approx(0.1).margin(0.02));
  CHECK(wells[1].direction[2] == Approx(-1).margin(0.01));
}
