// What was typed, checked: the values of options, and the one line that says what is wrong with a command line.
#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

namespace polarscope {

// One of these words; the error names them and the nearest.
CLI::Validator one_of(std::vector<std::string> words);

// A whole number in a range, also as 1e6; the error names the range.
CLI::Validator whole_number(long least, long most);

// Why `error` stopped the parsing of `app`, with the nearest valid word.
std::string usage_error(const CLI::App& app, const CLI::ParseError& error);

// The names of the commands.
std::vector<std::string> command_names(const CLI::App& app);

} // namespace polarscope
