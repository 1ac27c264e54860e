// Tables that fit a terminal: nothing is lost, nothing is wider than asked, and a pipe gets one record per line.
#include "app/cli_table.hpp"

#include "engine/report.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

using namespace polarscope;

namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) out.push_back(line);
  return out;
}

std::vector<std::string> sorted_words(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> out;
  for (std::string word; in >> word;) out.push_back(word);
  std::sort(out.begin(), out.end());
  return out;
}

const std::vector<std::vector<std::string>> kRows = {
    {"part", "stage", "settings", "meaning"},
    {"direction", "momentum", "momentum=0.9 {0 to 0.9999}; nesterov=false; momentum_form=heavy_ball {heavy_ball, ema}",
     "Follows an average of the gradients, so that what they agree on adds up and what they do not cancels."},
    {"decay", "none", "", "Nothing."}};

} // namespace

TEST_CASE("a table is broken into the width that is asked for, without losing a word", "[cli][table]") {
  const std::string whole = text_table(kRows);
  CHECK(fitted_table(kRows, 0) == whole); // a pipe
  CHECK(fitted_table(kRows, 1000) == whole);
  for (const std::size_t width : {80, 100, 120}) {
    const std::string table = fitted_table(kRows, width);
    INFO(table);
    CHECK(sorted_words(table) == sorted_words(whole));
    for (const std::string& line : lines_of(table)) {
      CHECK(line.size() <= width);
      CHECK_FALSE(line.ends_with(" "));
    }
    CHECK(lines_of(table).size() > kRows.size());
    CHECK(lines_of(table)[1].starts_with("direction  momentum  "));
    CHECK(lines_of(table)[2].starts_with("                     ")); // goes on below
  }
  CHECK(sorted_words(fitted_table(kRows, 5)) == sorted_words(whole)); // however narrow
}

TEST_CASE("long lines go on indented", "[cli][table]") {
  const std::string text = "title\n  options: one two three four five six\n";
  CHECK(wrapped(text, 0, 4) == text);
  CHECK(wrapped(text, 200, 4) == text);
  CHECK(wrapped(text, 24, 4) == "title\n  options: one two\n      three four five\n      six\n");
}
