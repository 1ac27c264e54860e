// Plots over steps: what stands at the ends of curves, on log axes and after divergence, and in which unit.
#include "app/caches.hpp"
#include "app/panels/curves.hpp"
#include "app/panels/tools.hpp"
#include "app/plot.hpp"

#include "tests/app/canvas.hpp"
#include "tests/app/window_fixture.hpp"

#include <cmath>
#include <string>
#include <vector>

using namespace polarscope;
using namespace polarscope::testing;

namespace {

struct Drawn {
  PlotCache cache;
  PlotResult result;
};

// Curves A, B, … over the steps of the columns, cursor and head at the end.
Drawn draw(Canvas& canvas, const std::vector<PlotCurve>& curves, long last, bool log_y, int frames = 1) {
  Drawn drawn;
  PlotSpec spec;
  spec.id = "##plot";
  spec.log_y = log_y;
  PlotShared shared;
  shared.to = static_cast<double>(last), shared.steps = shared.head = shared.cursor = last;
  for (int i = 0; i < frames; ++i)
    canvas.frame([&] {
      drawn.result = draw_plot(canvas.theme(), {0, 0}, {500, 300}, spec, curves, shared, drawn.cache);
    });
  return drawn;
}

PlotCurve curve(const Canvas& canvas, int style, const SeriesView& view, int column) {
  PlotCurve made;
  made.style = canvas.theme().run(style);
  made.name = std::string(1, static_cast<char>('A' + style));
  made.sources = {{view, column}};
  return made;
}

std::vector<double> falling(std::size_t rows, double last) {
  std::vector<double> values;
  for (std::size_t i = 0; i < rows; ++i) values.push_back(std::exp(-0.05 * static_cast<double>(i)));
  values.back() = last;
  return values;
}

// The application's panels as they see it.
struct Panels {
  explicit Panels(TestWindow& w)
      : send([](Command) {}), context{w.frame(), w.view(), send, w.shell().theme(), w.shell().actions(), plane, caches,
                                      "",        true,     false} {}
  CommandSink send;
  PlaneSource plane;
  Caches caches;
  PanelContext context;
};

} // namespace

TEST_CASE("a run whose last value a log axis cannot show keeps its name and its mark, at the lower edge") {
  Canvas canvas(ThemeName::dark, 1, 500, 300);
  const auto [program, view] = make_series({falling(101, 0), falling(101, 0.5)});
  const Drawn drawn = draw(canvas, {curve(canvas, 0, view, 0), curve(canvas, 1, view, 1)}, 100, true);
  REQUIRE(drawn.cache.ends.size() == 2);
  CHECK(drawn.cache.ends[0].below);
  CHECK_FALSE(drawn.cache.ends[1].below);
  const float lower = drawn.cache.curves[0].drawn_y.first;
  CHECK(drawn.cache.ends[0].at.y == lower);
  CHECK(drawn.cache.ends[1].at.y < lower);
  REQUIRE(drawn.cache.cursor_marks.size() == 2);
  CHECK(drawn.cache.cursor_marks[0].y == lower);
  CHECK(drawn.result.not_shown == 1);
  CHECK(drawn.result.not_shown_words == "1 value of A not above 0, not shown");
}

TEST_CASE("where names have no room for all, that of the selected run is written") {
  Canvas canvas(ThemeName::dark, 1, 500, 100);
  const auto [program, view] = make_series({falling(101, 0.5)});
  std::vector<PlotCurve> curves;
  for (int i = 0; i < 12; ++i) curves.push_back(curve(canvas, i % 8, view, 0));
  curves.back().selected = true;
  const Drawn drawn = draw(canvas, curves, 100, false);
  REQUIRE(drawn.cache.ends.size() == 12);
  CHECK(drawn.cache.ends.front().curve == 11);
}

TEST_CASE("names have room of their own beside the curves") {
  Canvas canvas(ThemeName::projector, 1, 500, 300);
  const auto [program, view] = make_series({falling(101, 0.5)});
  std::vector<PlotCurve> curves{curve(canvas, 0, view, 0)};
  for (const char* name : {"A", "the free gain", "a name that no plot of this width has room for beside its curve"}) {
    curves[0].name = name;
    const Drawn drawn = draw(canvas, curves, 100, false);
    const PlotAxis& x = drawn.cache.curves[0].drawn_x;
    INFO(name);
    const float words = measure(canvas.theme(), text::kName, name).x;
    CHECK(500 - x.last >= std::min(words + canvas.theme().px(30), 0.4f * 500)); // the last step is beside the name
    CHECK(x.last - x.first > 0.4f * 500);
  }
}

TEST_CASE("a path before an edit stays in the picture, unless it ran away") {
  Canvas canvas(ThemeName::dark, 1, 500, 300);
  std::vector<double> now(101, 2.0), before(101, 4.0), wild;
  now.back() = 1.9;
  for (int i = 0; i <= 100; ++i) wild.push_back(std::pow(10.0, i));
  const auto [program, view] = make_series({now, before, wild});
  std::vector<PlotCurve> curves{curve(canvas, 0, view, 0)};
  curves[0].ghost = PlotSource{view, 1};
  CHECK(draw(canvas, curves, 100, false).cache.curves[0].drawn_y.most >= 4);
  curves[0].ghost = PlotSource{view, 2};
  CHECK(draw(canvas, curves, 100, false).cache.curves[0].drawn_y.most < 3);
}

TEST_CASE("the note about values that are not shown names each run, or how many") {
  Canvas canvas(ThemeName::dark, 1, 500, 300);
  const auto [program, view] = make_series({falling(101, 0), falling(101, -1), falling(101, -2)});
  std::vector<PlotCurve> curves{curve(canvas, 0, view, 0), curve(canvas, 1, view, 1)};
  CHECK(draw(canvas, curves, 100, true).result.not_shown_words == "2 values of A, B not above 0, not shown");
  curves.push_back(curve(canvas, 2, view, 2));
  CHECK(draw(canvas, curves, 100, true).result.not_shown_words == "3 values of 3 curves not above 0, not shown");
  CHECK(draw(canvas, curves, 100, false).result.not_shown_words.empty());
}

TEST_CASE("a diverged run ends with a cross where it was last finite, and the axis belongs to the living") {
  Canvas canvas(ThemeName::dark, 1, 500, 300);
  std::vector<double> wild;
  for (int i = 0; i <= 100; ++i) wild.push_back(i <= 40 ? std::pow(10.0, i) : NAN);
  const auto [program, view] = make_series({falling(101, 0.5), wild});
  std::vector<PlotCurve> curves{curve(canvas, 0, view, 0), curve(canvas, 1, view, 1)};
  curves[1].sources.front().ended_at = 41;
  const Drawn drawn = draw(canvas, curves, 100, false);
  REQUIRE(drawn.cache.ends.size() == 2);
  const PlotAxis &x = drawn.cache.curves[0].drawn_x, &y = drawn.cache.curves[0].drawn_y;
  CHECK_FALSE(drawn.cache.ends[0].ended);
  CHECK(drawn.cache.ends[1].ended);
  CHECK(drawn.cache.ends[1].at.x == Approx(x.pixel(40)));
  CHECK(drawn.cache.ends[1].at.y == y.last); // beyond the axis: at its upper edge
  CHECK(drawn.cache.cursor_marks.size() == 1);
  CHECK(y.most < 2);
  // alone it has the axis for itself
  curves.erase(curves.begin());
  CHECK(draw(canvas, curves, 100, false).cache.curves[0].drawn_y.most > 1e39);
}

TEST_CASE("curves that did not change are not traced again, and those that did are") {
  Canvas canvas(ThemeName::dark, 1, 500, 300);
  const auto [program, view] = make_series({noisy(101, 1)});
  const auto [other_program, other] = make_series({noisy(101, 2)}); // same length, other values: a recomputed path
  std::vector<PlotCurve> curves{curve(canvas, 0, view, 0)};
  PlotCache cache;
  PlotSpec spec;
  spec.id = "##plot";
  PlotShared shared;
  shared.to = 100, shared.steps = shared.head = shared.cursor = 100;
  int vertices = 0;
  const auto frame = [&] {
    vertices = canvas.frame([&] { draw_plot(canvas.theme(), {0, 0}, {500, 300}, spec, curves, shared, cache); });
    return cache.curves[0].made;
  };
  const auto first = frame();
  const int drawn = vertices;
  CHECK(frame() == first);
  CHECK(vertices == drawn); // what was kept is the same picture
  const double least = cache.curves[0].extent.least;
  curves[0].sources = {{other, 0}};
  CHECK(frame() != first);
  CHECK(cache.curves[0].extent.least != least);
}

TEST_CASE("angles are shown in degrees, turning in degrees per step, wherever the window shows them") {
  const Metric* turning = find_metric("angular_update");
  REQUIRE(turning);
  CHECK(display_unit(*turning).words == "°/step");
  CHECK(display_unit(*turning).factor == Approx(180 / std::acos(-1.0)));
  CHECK(display_unit(*find_metric("angle")).words == "°");
  CHECK(display_unit(*find_metric("relative_update")).factor == 1);

  Canvas canvas(ThemeName::dark, 1, 500, 300);
  const auto [program, view] = make_series({falling(101, 0.5)});
  std::vector<PlotCurve> curves{curve(canvas, 0, view, 0)};
  curves[0].sources.front().factor = 10;
  const Drawn drawn = draw(canvas, curves, 100, false);
  CHECK(drawn.cache.curves[0].extent.most == Approx(10));

  TestWindow w;
  w.send(command::ComputeTo{20});
  Panels panels(w);
  const RunFrame& run = w.run(0);
  const int column = column_of(run, "angular_update");
  const double degrees = value_at(run, column, 20) * 180 / std::acos(-1.0);
  CHECK(card_for(panels.context, run, column, 20).unit == "°/step");
  CHECK(std::stod(card_for(panels.context, run, column, 20).exact) == Approx(degrees));
  const std::string words = find_panel("magnitude_direction")->as_text(panels.context);
  CHECK(words.find("°/step") != std::string::npos);
  CHECK(words.find(" rad") == std::string::npos);
}

TEST_CASE("curves of rows say which row, and whose where several runs are shown") {
  TestWindow w({.scene = "interference/free_or_ball"});
  w.send(command::ComputeTo{3});
  for (const RunFrame& run : w.frame().runs) w.view().hidden.insert(run.id);
  w.view().hidden.erase(w.run(0).id);
  w.frames(1);
  Panels panels(w);
  const RowCurves alone = curves_of_rows(panels.context);
  REQUIRE(alone.rows > 1);
  REQUIRE_FALSE(alone.bands);
  REQUIRE(alone.curves.size() == alone.rows);
  for (std::size_t i = 0; i < alone.rows; ++i) CHECK(alone.curves[i].name == "row " + std::to_string(i));
  w.view().hidden.erase(w.run(1).id); // two runs have too many rows for curves
  const RowCurves two = curves_of_rows(panels.context);
  CHECK(two.bands);
  REQUIRE(two.curves.size() == 2);
  CHECK(two.curves[0].columns.size() == alone.rows);
}
