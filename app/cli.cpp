#include "app/cli.hpp"

#include "app/cli_scene.hpp"
#include "app/cli_usage.hpp"
#include "engine/files.hpp"
#include "engine/setting.hpp"

#if POLARSCOPE_WINDOW
#  include "app/gui.hpp"
#endif

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <vector>

namespace polarscope {

#define POLARSCOPE_COMMAND(name) void name##_command(Commands&);
#include "app/cli_commands.def"
#undef POLARSCOPE_COMMAND

namespace {

std::string one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  while (!text.empty() && (text.back() == ' ' || text.back() == '.')) text.pop_back();
  return text;
}

int complain(const std::string& text) {
  fmt::print(stderr, "polarscope: {}\n", one_line(text));
  return static_cast<int>(ErrorKind::bad_input);
}

// A word that is neither a scene nor a command may be a misspelt command.
Error with_commands(Error error, const std::string& word, const CLI::App& app) {
  const std::string near = nearest_word(word, command_names(app));
  if (error.message.starts_with("no scene") && error.message.find("did you mean") == std::string::npos && !near.empty())
    error.message += fmt::format(" or command; did you mean '{}'?", near);
  return error;
}

int open_window(const SceneArguments& arguments, const CLI::App& app) {
  auto scene = open_scene(arguments);
  if (!scene) return complain(with_commands(scene.error(), arguments.scene, app));
#if POLARSCOPE_WINDOW
  GuiOptions options;
  options.session = session_options(arguments);
  const auto done = run_window(std::move(*scene), options);
  return done ? 0 : complain(done.error());
#else
  return complain(machine_lacks("this program was built without the window; 'polarscope run' works without"));
#endif
}

int parse(CLI::App& app, Commands& commands, int argc, char** argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForVersion& version) {
    return print_result(std::string(version.what()) + "\n");
  } catch (const CLI::CallForHelp&) {
    const auto typed = app.get_subcommands();
    return print_result(typed.empty() ? app.help() : typed.front()->help());
  } catch (const CLI::ParseError& error) {
    return complain(usage_error(app, error));
  }
  return commands.chosen();
}

} // namespace

int complain(const Error& error) {
  complain(error.text());
  return static_cast<int>(error.kind);
}

int print_result(const std::string& text) {
  const auto done = write_file("-", text);
  return done ? 0 : complain(done.error());
}

int run_command_line(int argc, char** argv) {
  CLI::App app("Polarscope shows the magnitude and direction of neural-network weights as optimizers move them.",
               "polarscope");
  app.set_version_flag("--version", fmt::format("polarscope {}", POLARSCOPE_VERSION));
  auto arguments = std::make_shared<SceneArguments>();
  Commands commands{app};
  commands.chosen = [&] { return open_window(*arguments, app); };
  arguments->scene = "first_look";
  app.add_option("SCENE", arguments->scene, "Scene to open in the window (default: scenes/first_look.toml)");
#define POLARSCOPE_COMMAND(name) name##_command(commands);
#include "app/cli_commands.def"
#undef POLARSCOPE_COMMAND
  app.require_subcommand(0, 1);
  return parse(app, commands, argc, argv);
}

} // namespace polarscope
