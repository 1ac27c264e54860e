#include "app/cli_usage.hpp"

#include "engine/setting.hpp"
#include "engine/toml_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <system_error>

namespace polarscope {

namespace {

enum class Read { whole, too_large, no };

// Digits with an optional sign, or a decimal number without a fraction, such as 1e6.
Read read_whole(const std::string& text, long& value) {
  const char* end = text.data() + text.size();
  const auto digits = std::from_chars(text.data(), end, value);
  if (digits.ptr == end && digits.ec == std::errc()) return Read::whole;
  if (digits.ptr == end && digits.ec == std::errc::result_out_of_range) return Read::too_large;
  double number = 0;
  const auto decimal = std::from_chars(text.data(), end, number);
  if (decimal.ptr != end) return Read::no;
  if (decimal.ec == std::errc::result_out_of_range) return Read::too_large;
  if (decimal.ec != std::errc() || !std::isfinite(number) || number != std::floor(number)) return Read::no;
  constexpr double kExact = 9007199254740992.0; // 2^53: whole decimals up to here are exact
  if (std::abs(number) > kExact) return Read::too_large;
  value = static_cast<long>(number);
  return Read::whole;
}

std::vector<std::string> option_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

// The first word that the command does not know, as an option or as an argument too many.
std::optional<std::string> unexpected(const CLI::App& command, const std::string& name) {
  const std::vector<std::string> words = command.remaining();
  const auto option =
      std::find_if(words.begin(), words.end(), [](const std::string& w) { return w.size() > 1 && w[0] == '-'; });
  const std::string of = name.empty() ? "" : fmt::format(" of '{}'", name);
  if (option != words.end()) {
    const std::string typed = option->substr(0, option->find('='));
    return fmt::format("no option '{}'{}{}", typed, of, did_you_mean(typed, option_names(command)));
  }
  if (words.empty()) return std::nullopt;
  return fmt::format("'{}' takes no argument '{}'", name, words.front());
}

// CLI11 says only how many values it wanted and got.
std::string count_error(const CLI::App& command, const std::string& text) {
  const std::string name = text.substr(0, text.find(':'));
  const CLI::Option* option = command.get_option_no_throw(name);
  if (!option) return text;
  return option->count() > 1 ? fmt::format("{} is given more than once", name) : fmt::format("{} needs a value", name);
}

} // namespace

CLI::Validator one_of(std::vector<std::string> words) {
  const std::string all = fmt::format("{}", fmt::join(words, ", "));
  const auto check = [words = std::move(words), all](std::string& typed) {
    if (std::find(words.begin(), words.end(), typed) != words.end()) return std::string();
    return fmt::format("'{}' is not one of {}{}", typed, all, did_you_mean(typed, words));
  };
  return CLI::Validator(check, "{" + all + "}");
}

CLI::Validator whole_number(long least, long most) {
  const auto check = [least, most](std::string& typed) {
    long value = 0;
    const Read read = read_whole(typed, value);
    if (read == Read::no) return fmt::format("'{}' is not a whole number", typed);
    if (read == Read::too_large) return fmt::format("{} is out of range; allowed: {} to {}", typed, least, most);
    typed = std::to_string(value);
    return range_error(value, least, most);
  };
  return CLI::Validator(check, "");
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands(nullptr)) names.push_back(command->get_name());
  return names;
}

std::string usage_error(const CLI::App& app, const CLI::ParseError& error) {
  const auto typed = app.get_subcommands();
  const CLI::App& command = typed.empty() ? app : *typed.front();
  const std::string text = error.what();
  const auto is = [&](CLI::ExitCodes code) { return error.get_exit_code() == static_cast<int>(code); };
  if (typed.empty()) {
    const std::string word = app.get_option("SCENE")->as<std::string>();
    const auto unknown = unexpected(app, "");
    if (unknown && (word.empty() || unknown->starts_with("no option"))) return *unknown;
    if (is(CLI::ExitCodes::ExtrasError))
      return fmt::format("no command '{}'{}", word, suggestion(word, command_names(app)));
  } else if (const auto unknown = unexpected(command, command.get_name())) {
    return *unknown; // before what is missing: it may be that, misspelt
  }
  if (is(CLI::ExitCodes::ArgumentMismatch)) return count_error(command, text);
  if (is(CLI::ExitCodes::RequiredError)) return fmt::format("'{}': {}", command.get_name(), text);
  return text;
}

} // namespace polarscope
