#include "app/lesson_file.hpp"

#include "engine/embedded.hpp"
#include "engine/toml_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <sstream>

namespace polarscope {

namespace {

constexpr long kMost = std::numeric_limits<int>::max();
constexpr long kMostWords = 20; // of one part

class LessonReader {
public:
  Result<Lesson> read(const TomlValue& tree) {
    TomlTable root(tree, "the lesson", errors_);
    if (const TomlValue* head = root.table("lesson")) read_head(*head);
    else if (!root.has("lesson")) errors_.add(bad_input("a lesson needs a table [lesson]", tree.place));
    const TomlValue* parts = root.find("part");
    root.finish();
    if (!parts || parts->kind != TomlValue::Kind::array || parts->items.empty())
      errors_.add(bad_input("a lesson needs a [[part]]", parts ? parts->place : tree.place));
    else
      for (const TomlValue& part : parts->items) read_part(part);
    if (!errors_.empty()) return errors_.error();
    return std::move(lesson_);
  }

private:
  void read_head(const TomlValue& value) {
    TomlTable table(value, "[lesson]", errors_);
    lesson_.title = table.text("title").value_or("");
    lesson_.scene = table.text("scene").value_or("");
    table.finish();
    if (lesson_.title.empty()) errors_.add(bad_input("[lesson] has no 'title'", value.place));
    if (lesson_.scene.empty()) errors_.add(bad_input("[lesson] has no 'scene'", value.place));
  }

  void read_part(const TomlValue& value) {
    if (!value.is_table()) return errors_.add(bad_input("parts are written as [[part]] tables", value.place));
    TomlTable table(value, "[[part]]", errors_);
    LessonPart part;
    part.text = table.text("text").value_or("");
    part.highlight = table.text("highlight").value_or("");
    part.scene = table.text("scene").value_or("");
    part.compute = table.integer("compute", 0, kMost).value_or(0);
    part.metric = table.text("metric").value_or("");
    part.focus = table.text("focus").value_or("");
    if (const TomlValue* list = table.find("log_x")) part.log_x = words(*list);
    if (const TomlValue* wait = table.find("wait")) {
      if (wait->kind != TomlValue::Kind::boolean) errors_.add(bad_input("'wait' must be true or false", wait->place));
      part.wait = wait->boolean;
    }
    if (const TomlValue* done = table.table("done")) part.goal = read_goal(*done);
    table.finish();
    if (part.text.empty()) errors_.add(bad_input("a part needs a 'text'", value.place));
    std::istringstream in(part.text);
    long count = 0;
    for (std::string word; in >> word;) ++count;
    if (count > kMostWords)
      errors_.add(bad_input(fmt::format("'text' has {} words; allowed: {}", count, kMostWords), value.place));
    lesson_.parts.push_back(std::move(part));
  }

  LessonGoal read_goal(const TomlValue& value) {
    TomlTable table(value, "done", errors_);
    LessonGoal goal;
    goal.head = table.integer("head", 0, kMost).value_or(-1);
    goal.behind_head = table.integer("behind_head", 0, kMost).value_or(-1);
    goal.start_run = table.text("start_run").value_or("");
    goal.start_below = table.number("start_below", 0, std::numeric_limits<double>::max()).value_or(0);
    goal.log_y = table.text("log_y").value_or("");
    table.finish();
    if (table.has("start_run") != table.has("start_below"))
      errors_.add(bad_input("'start_run' and 'start_below' go together", value.place));
    if (value.entries.empty()) errors_.add(bad_input("'done' is empty", value.place));
    return goal;
  }

  std::vector<std::string> words(const TomlValue& list) {
    std::vector<std::string> out;
    for (const TomlValue& item : list.items)
      if (item.is_text()) out.push_back(item.text);
    if (out.empty() || out.size() != list.items.size())
      errors_.add(bad_input("'log_x' is a list of words", list.place));
    return out;
  }

  FirstError errors_;
  Lesson lesson_;
};

constexpr std::string_view kFolder = "scenes/lessons/", kEnding = ".toml";

} // namespace

Result<Lesson> parse_lesson(std::string_view text, const std::string& file) {
  const auto tree = parse_toml(text, file);
  if (!tree) return tree.error();
  return LessonReader().read(*tree);
}

Result<Lesson> load_lesson(const std::string& name) {
  const std::string file = fmt::format("{}{}{}", kFolder, name, kEnding);
  const EmbeddedFile found = embedded_file(file);
  if (!found) return bad_input("no such lesson", {file});
  return parse_lesson(found.text(), file);
}

std::vector<std::string> lesson_names() {
  std::vector<std::string> names;
  for (const std::string_view file : embedded_file_names())
    if (file.starts_with(kFolder) && file.ends_with(kEnding))
      names.emplace_back(file.substr(kFolder.size(), file.size() - kFolder.size() - kEnding.size()));
  std::sort(names.begin(), names.end());
  return names;
}

} // namespace polarscope
