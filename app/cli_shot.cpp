// polarscope shot: a picture of the window, drawn without a display.
#include "app/cli.hpp"
#include "app/cli_scene.hpp"
#include "app/cli_usage.hpp"

#if POLARSCOPE_WINDOW
#  include "app/shot.hpp"
#endif

#include <cmath>
#include <cstdio>
#include <memory>

namespace polarscope {

void shot_command(Commands& commands);

namespace {

struct ShotArguments {
  SceneArguments scene;
  std::optional<long> step;
  std::string layout, size, theme, out;
  double scale = 1;
};

#if POLARSCOPE_WINDOW
Result<void> shoot(const ShotArguments& a) {
  auto scene = open_scene(a.scene);
  if (!scene) return scene.error();
  if (a.step && *a.step > scene->steps) return bad_input("--step is beyond the scene's last step");
  ShotOptions options;
  options.session = session_options(a.scene);
  options.step = a.step;
  options.layout = a.layout.empty() ? scene->view.layout : a.layout;
  options.theme = a.theme;
  options.scale = static_cast<float>(a.scale);
  if (a.size.empty()) { // the same window in more pixels
    options.width = static_cast<int>(std::lround(options.width * a.scale));
    options.height = static_cast<int>(std::lround(options.height * a.scale));
  }
  int width = 0, height = 0, used = 0;
  if (!a.size.empty()) {
    const bool read = std::sscanf(a.size.c_str(), "%5dx%5d%n", &width, &height, &used) == 2 &&
                      used == static_cast<int>(a.size.size());
    if (!read || width < 64 || height < 64 || width > 16384 || height > 16384)
      return bad_input("--size must be WxH in pixels, 64x64 to 16384x16384");
    options.width = width;
    options.height = height;
  }
  return write_shot(std::move(*scene), options, a.out);
}
#else
Result<void> shoot(const ShotArguments&) {
  return machine_lacks("this program was built without the window, so it cannot draw one");
}
#endif

} // namespace

void shot_command(Commands& commands) {
  auto arguments = std::make_shared<ShotArguments>();
  CLI::App* command = commands.app.add_subcommand("shot", "Draws the window at a step, without a display");
  add_scene_options(*command, arguments->scene);
  command->add_option("--step", arguments->step, "The step shown; default: the last")
      ->transform(whole_number(0, kMostSteps))
      ->type_name("N");
  command->add_option("--layout", arguments->layout, "study, show or bench; default: the scene's")
      ->check(one_of({"study", "show", "bench"}))
      ->type_name("L");
  command->add_option("--size", arguments->size, "Pixels; default: 1440x900 times the scale")->type_name("WxH");
  command->add_option("--theme", arguments->theme, "dark, light or projector")
      ->check(one_of({"dark", "light", "projector"}))
      ->type_name("T");
  command->add_option("--scale", arguments->scale, "1 is 100 %")->check(CLI::Range(0.5, 4.0))->type_name("S");
  command->add_option("-o,--out", arguments->out, "PNG file; - is stdout")->required()->type_name("FILE");
  command->callback([arguments, &commands] {
    commands.chosen = [arguments] {
      const auto done = shoot(*arguments);
      return done ? 0 : complain(done.error());
    };
  });
}

} // namespace polarscope
