// Real renderings without a display: the pictures of both layouts, written beside the program for people to look at.
#include "app/image.hpp"
#include "app/shot.hpp"
#include "engine/scene.hpp"
#include "tests/app/window_fixture.hpp"

#include <filesystem>
#include <set>
#include <string>

using namespace polarscope;
using namespace polarscope::testing;

namespace {

std::string picture_path(const std::string& name) {
  const auto folder = std::filesystem::path(POLARSCOPE_PROGRAM).parent_path() / "pictures";
  std::filesystem::create_directories(folder);
  return (folder / (name + ".png")).string();
}

std::size_t colours(const Image& image) {
  std::set<std::uint32_t> seen;
  for (std::size_t i = 0; i + 3 < image.rgba.size(); i += 4)
    seen.insert(image.rgba[i] | image.rgba[i + 1] << 8 | static_cast<std::uint32_t>(image.rgba[i + 2]) << 16);
  return seen.size();
}

Image shot(const std::string& layout, const std::string& theme, int width, int height) {
  auto scene = load_scene("first_look");
  REQUIRE(scene);
  ShotOptions options;
  options.step = 223;
  options.layout = layout;
  options.theme = theme;
  options.width = width;
  options.height = height;
  options.session.device = "cpu";
  options.session.threads = 1;
  auto image = render_shot(std::move(*scene), options);
  if (!image) FAIL(image.error().text());
  return std::move(*image);
}

} // namespace

TEST_CASE("both layouts are drawn without a display") {
  const Image study = shot("study", "dark", 1440, 900);
  REQUIRE(write_png(study, picture_path("study-dark")));
  CHECK(study.width == 1440);
  CHECK(colours(study) > 500);
  const Image show = shot("show", "projector", 1280, 720);
  REQUIRE(write_png(show, picture_path("show-projector")));
  CHECK(colours(show) > 500);
}

TEST_CASE("a sweep is drawn in the layout Bench") {
  auto scene = load_scene("interference/rates");
  REQUIRE(scene);
  ShotOptions options;
  options.layout = "bench";
  options.theme = "dark";
  options.session = {"cpu", 2};
  auto image = render_shot(std::move(*scene), options);
  if (!image) FAIL(image.error().text());
  REQUIRE(write_png(*image, picture_path("bench-dark")));
  CHECK(colours(*image) > 500);
}

TEST_CASE("a shot repeats to the pixel") {
  CHECK(shot("study", "light", 1024, 640).rgba == shot("study", "light", 1024, 640).rgba);
}

TEST_CASE("a session that was computed before gives the same picture, and one that is given up none") {
  const auto scene = load_scene("first_look");
  REQUIRE(scene);
  ShotOptions options;
  options.step = 223;
  options.layout = "study";
  options.theme = "dark";
  options.width = 1024;
  options.height = 640;
  options.session.device = "cpu";
  options.session.threads = 1;
  const auto session = [&] {
    auto opened = Session::open(*scene, options.session);
    REQUIRE(opened);
    while ((*opened)->head() < 223) (*opened)->advance(1);
    return std::move(*opened);
  };
  const auto image = render_shot(session(), options);
  if (!image) FAIL(image.error().text());
  CHECK(image->rgba == shot("study", "dark", 1024, 640).rgba);
  options.stop = [] { return true; };
  CHECK_FALSE(render_shot(session(), options));
}

TEST_CASE("a shot refuses what is not there") {
  auto scene = load_scene("first_look");
  REQUIRE(scene);
  ShotOptions options;
  options.layout = "bnch";
  const auto image = render_shot(*scene, options);
  REQUIRE_FALSE(image);
  CHECK(image.error().kind == ErrorKind::bad_input);
}
