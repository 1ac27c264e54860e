// The command line. To add a command: write app/cli_<name>.cpp with one function void <name>_command(Commands&), and add
// one line to app/cli_commands.def.
#pragma once

#include "engine/result.hpp"

#include <functional>
#include <string>

namespace CLI {
class App;
}

namespace polarscope {

// What a command adds itself to.
struct Commands {
  CLI::App& app;
  std::function<int()> chosen = {}; // the action of the command that was typed; returns the exit code
};

// Parses and runs; returns the process's exit code.
int run_command_line(int argc, char** argv);

// One line on stderr; returns the exit code that goes with it.
int complain(const Error& error);

// Prints to stdout and checks that it arrived: a full disk behind a pipe is an error like any other.
int print_result(const std::string& text);

} // namespace polarscope
