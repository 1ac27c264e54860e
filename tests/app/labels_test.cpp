// Words beside what they name: where labels go, what gives way, and how few letters and digits tell things apart.
#include "app/labels.hpp"
#include "app/plot.hpp"
#include "app/polar_parts.hpp"
#include "app/polar_plot.hpp"
#include "app/short_label.hpp"
#include "tests/app/canvas.hpp"

#include "tests/support/catch.hpp"

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace polarscope;
using namespace polarscope::testing;

TEST_CASE("placed labels never overlap, leave the area or cover obstacles") {
  std::mt19937 engine(4);
  std::uniform_real_distribution<float> where(0, 500), size(20, 120);
  for (int round = 0; round < 200; ++round) {
    std::vector<LabelRequest> requests;
    std::vector<Box> obstacles;
    for (int i = 0; i < 14; ++i) {
      const ImVec2 anchor{where(engine), where(engine)};
      requests.push_back({anchor, {size(engine), 28}, 12, i % 3 == 0 ? 5 : -1});
      obstacles.push_back({{anchor.x - 6, anchor.y - 6}, {anchor.x + 6, anchor.y + 6}});
    }
    const Box area{{0, 0}, {500, 500}};
    const auto placed = place_labels(requests, area, obstacles, 2);
    int shown = 0;
    for (std::size_t i = 0; i < placed.size(); ++i) {
      if (placed[i].slot < 0) continue;
      ++shown;
      const Box& box = placed[i].box;
      REQUIRE(box.min.x >= 0);
      REQUIRE(box.max.x <= 500);
      REQUIRE(box.min.y >= 0);
      REQUIRE(box.max.y <= 500);
      for (std::size_t j = 0; j < i; ++j)
        if (placed[j].slot >= 0) REQUIRE_FALSE(overlap(box, placed[j].box));
      for (const Box& obstacle : obstacles) REQUIRE_FALSE(overlap(box, obstacle));
    }
    REQUIRE(shown >= 10);
  }
}

TEST_CASE("a label stays where it was while that place is free") {
  const Box area{{0, 0}, {400, 400}};
  std::vector<LabelRequest> requests{{{200, 200}, {50, 20}, 12, 7}};
  CHECK(place_labels(requests, area, {}, 2).front().slot == 7);
  const Box in_the_way = place_labels(requests, area, {}, 2).front().box;
  CHECK(place_labels(requests, area, std::vector<Box>{in_the_way}, 2).front().slot != 7);
}

TEST_CASE("labels of points side by side keep their sides, and leaders do not cross") {
  // Two runs close together, as SGD and AdamW at one norm: each label stands nearest to its own.
  for (float apart : {8.0f, 14.0f, 24.0f, 40.0f})
    for (float angle : {0.0f, 0.7f, 1.6f, 2.4f, 3.6f, 5.1f}) {
      INFO(apart << " " << angle);
      const ImVec2 a{200, 200}, b{200 + apart * std::cos(angle), 200 + apart * std::sin(angle)};
      std::vector<LabelRequest> requests{{a, {70, 30}, 15, -1}, {b, {70, 30}, 15, -1}};
      std::vector<Box> obstacles;
      for (const ImVec2& p : {a, b}) obstacles.push_back({{p.x - 6, p.y - 6}, {p.x + 6, p.y + 6}});
      const auto placed = place_labels(requests, {{0, 0}, {400, 400}}, obstacles, 3);
      REQUIRE(placed[0].slot >= 0);
      REQUIRE(placed[1].slot >= 0);
      const auto end = [](const Box& box, ImVec2 to) {
        return ImVec2{std::clamp(to.x, box.min.x, box.max.x), std::clamp(to.y, box.min.y, box.max.y)};
      };
      const ImVec2 ea = end(placed[0].box, a), eb = end(placed[1].box, b);
      const auto side = [](ImVec2 p, ImVec2 q, ImVec2 r) {
        return (q.x - p.x) * (r.y - p.y) - (q.y - p.y) * (r.x - p.x);
      };
      const bool crossing = side(a, ea, b) * side(a, ea, eb) < 0 && side(b, eb, a) * side(b, eb, ea) < 0;
      CHECK_FALSE(crossing);
      for (std::size_t i = 0; i < 2; ++i) {
        const ImVec2 own = i == 0 ? a : b, other = i == 0 ? b : a, own_end = end(placed[i].box, own),
                     other_end = end(placed[i].box, other);
        CHECK(std::hypot(other.x - other_end.x, other.y - other_end.y) >=
              0.9f * std::hypot(own.x - own_end.x, own.y - own_end.y) - 1e-3f);
      }
    }
}

TEST_CASE("end labels are spread without overlap and in order") {
  std::mt19937 engine(9);
  std::uniform_real_distribution<float> where(-50, 250);
  for (int round = 0; round < 200; ++round) {
    std::vector<float> wanted(static_cast<std::size_t>(1 + round % 12));
    for (float& w : wanted) w = where(engine);
    const auto placed = spread_labels(wanted, 15, 8, 192);
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      REQUIRE(placed[i] >= 8 - 1e-3f);
      REQUIRE(placed[i] <= 192 + 1e-3f);
      for (std::size_t j = 0; j < i; ++j) {
        REQUIRE(std::abs(placed[i] - placed[j]) >= 15 - 1e-3f);
        if (wanted[i] != wanted[j]) REQUIRE((wanted[i] < wanted[j]) == (placed[i] < placed[j]));
      }
    }
  }
  CHECK(spread_labels(std::vector<float>{40, 100}, 15, 0, 200) == std::vector<float>{40, 100});
  const auto crowded = spread_labels(std::vector<float>{1, 2, 3, 4}, 15, 0, 30);
  CHECK_FALSE(std::isnan(crowded[2]));
  CHECK(std::isnan(crowded[3])); // three fit, the last asked for gives way
}

TEST_CASE("names cross trails rather than stay unwritten, markers never") {
  Canvas canvas;
  std::vector<NowLabel> labels;
  std::vector<Box> markers, trails;
  for (int i = 0; i < 6; ++i) {
    const ImVec2 at{60 + 50.0f * static_cast<float>(i), 150};
    labels.push_back({at, "run " + std::to_string(i), {}, {}});
    markers.push_back({{at.x - 6, at.y - 6}, {at.x + 6, at.y + 6}});
  }
  for (float y = 0; y < 300; y += 8) trails.push_back({{0, y}, {400, y + 2}}); // no gap holds a line of text
  const Box area{{0, 0}, {400, 300}};
  std::vector<int> slots;
  canvas.frame(
      [&] { draw_now_labels(ImGui::GetWindowDrawList(), canvas.theme(), labels, area, markers, true, slots, trails); });
  CHECK(std::none_of(slots.begin(), slots.end(), [](int slot) { return slot < 0; }));
  slots.clear();
  canvas.frame([&] {
    std::vector<Box> all = markers;
    all.insert(all.end(), trails.begin(), trails.end());
    draw_now_labels(ImGui::GetWindowDrawList(), canvas.theme(), labels, area, all, true, slots);
  });
  CHECK(std::all_of(slots.begin(), slots.end(), [](int slot) { return slot < 0; }));
}

TEST_CASE("a label without room is cut to what tells it from its like") {
  const std::vector<std::string_view> sweep{"adamw lr 0.001 seed 5", "adamw lr 0.001 seed 6", "adamw lr 0.002 seed 5"};
  CHECK(differing_part("adamw lr 0.001 seed 6", sweep) == "…0.001…6");
  CHECK(differing_part("adamw lr 0.002 seed 5", sweep) == "…0.002…5");
  CHECK(differing_part("muon", std::vector<std::string_view>{"muon"}) == "muon");
  CHECK(differing_part("muon", std::vector<std::string_view>{"muon", "a copy of muon"}) == "muon");
  CHECK(differing_part("lr 1 a", std::vector<std::string_view>{"lr 1 a", "lr 2 b"}) == "…1 a");
}

TEST_CASE("the ends of a colour bar have as many digits as tell them apart") {
  CHECK(end_words(0, 0.951) == std::pair<std::string, std::string>{"0", "0.95"});
  CHECK(end_words(1.2712, 1.3049) == std::pair<std::string, std::string>{"1.27", "1.3"});
  CHECK(end_words(1.30121, 1.30149) == std::pair<std::string, std::string>{"1.3012", "1.3015"});
  CHECK(end_words(2, 2) == std::pair<std::string, std::string>{"2", "2"});
}
