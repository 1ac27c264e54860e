#include "app/cli.hpp"

#include "app/cli_scene.hpp"
#include "app/cli_usage.hpp"
#include "engine/files.hpp"
#include "engine/setting.hpp"
#include "engine/trace.hpp"

#if POLARSCOPE_WINDOW
#  include "app/gui.hpp"
#endif

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

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

// Of a recording of several runs the window shows the first where none is chosen; what it says of the others.
Result<std::string> choose_run(SceneArguments& arguments) {
  if (!arguments.scene.ends_with(".safetensors") || !arguments.run.empty()) return std::string();
  auto runs = recorded_runs(arguments.scene);
  if (!runs) return runs.error();
  if (runs->empty()) return std::string();
  arguments.run = runs->front();
  runs->erase(runs->begin());
  return fmt::format("Run {} of the recording; it also holds {}: start with --run LABEL for another", arguments.run,
                     fmt::join(*runs, ", "));
}

int open_window(SceneArguments arguments, const CLI::App& app) {
  auto notice = choose_run(arguments);
  if (!notice) return complain(notice.error());
  auto scene = open_scene(arguments);
  if (!scene) return complain(with_commands(scene.error(), arguments.scene, app));
#if POLARSCOPE_WINDOW
  GuiOptions options;
  options.session = session_options(arguments);
  options.notice = std::move(*notice);
  const auto done = run_window(std::move(*scene), options);
  return done ? 0 : complain(done.error());
#else
  return complain(machine_lacks("this program was built without the window; 'polarscope run' works without"));
#endif
}

// The window's option in front of a command, which would be lost there; "" when there is none.
std::string misplaced_option(const CLI::App& app) {
  if (app.get_subcommands().empty()) return "";
  for (const CLI::Option* option : app.get_options())
    if (option->count() > 0 && !option->get_lnames().empty())
      return fmt::format("--{0} goes after '{1}'", option->get_lnames().front(),
                         app.get_subcommands().front()->get_name());
  return "";
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
  if (const std::string misplaced = misplaced_option(app); !misplaced.empty()) return complain(misplaced);
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
  add_window_options(app, *arguments);
#define POLARSCOPE_COMMAND(name) name##_command(commands);
#include "app/cli_commands.def"
#undef POLARSCOPE_COMMAND
  app.require_subcommand(0, 1);
  return parse(app, commands, argc, argv);
}

} // namespace polarscope
