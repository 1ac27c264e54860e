#include "app/lesson.hpp"

#include "engine/embedded.hpp"
#include "engine/setting.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace polarscope {
namespace {

Place place_of(const toml::source_region& region, const std::string& file) {
  return {file, static_cast<int>(region.begin.line), static_cast<int>(region.begin.column)};
}

// Reads the keys of one table; every key must be known and of the right type.
class Reader {
public:
  Reader(const toml::table& table, std::string file) : table_(table), file_(std::move(file)) {}

  template <class T> void key(const char* name, T& into) {
    known_.push_back(name);
    const toml::node* node = table_.get(name);
    if (!node || error_) return;
    if (const auto value = node->value<T>()) into = *value;
    else error_ = bad_input(fmt::format("'{}' has the wrong type", name), place_of(node->source(), file_));
  }
  void words(const char* name, std::vector<std::string>& into) {
    known_.push_back(name);
    const toml::node* node = table_.get(name);
    if (!node || error_) return;
    if (const toml::array* list = node->as_array())
      for (const toml::node& one : *list)
        if (const auto word = one.value<std::string>()) into.push_back(*word);
    if (into.empty()) error_ = bad_input(fmt::format("'{}' is a list of words", name), place_of(node->source(), file_));
  }
  const toml::table* table(const char* name) {
    known_.push_back(name);
    return table_[name].as_table();
  }
  Result<void> finish() const {
    if (error_) return *error_;
    for (const auto& [key, node] : table_)
      if (std::find(known_.begin(), known_.end(), key.str()) == known_.end()) {
        const std::string near = nearest_word(key.str(), known_);
        return bad_input(fmt::format("unknown key '{}'{}", key.str(), near.empty() ? "" : ", did you mean '" + near + "'?"),
                         place_of(key.source(), file_));
      }
    return {};
  }

private:
  const toml::table& table_;
  std::string file_;
  std::vector<std::string> known_;
  std::optional<Error> error_;
};

Result<LessonPart> read_part(const toml::table& table, const std::string& file) {
  LessonPart part;
  Reader reader(table, file);
  reader.key("text", part.text);
  reader.key("highlight", part.highlight);
  reader.key("scene", part.scene);
  reader.key("compute", part.compute);
  reader.key("metric", part.metric);
  reader.words("log_x", part.log_x);
  reader.key("focus", part.focus);
  reader.key("wait", part.wait);
  const toml::table* done = reader.table("done");
  if (auto finished = reader.finish(); !finished) return finished.error();
  if (part.text.empty()) return bad_input("a part needs a text", place_of(table.source(), file));
  if (!done) return part;
  Reader goal(*done, file);
  goal.key("head", part.goal.head);
  goal.key("behind_head", part.goal.behind_head);
  goal.key("start_run", part.goal.start_run);
  goal.key("start_below", part.goal.start_below);
  goal.key("log_y", part.goal.log_y);
  if (auto finished = goal.finish(); !finished) return finished.error();
  return part;
}

const RunFrame* run_named(const Frame& frame, const std::string& label) {
  for (const RunFrame& run : frame.runs)
    if (run.label == label) return &run;
  return nullptr;
}

double start_norm(const RunFrame& run) {
  double square = 0;
  for (const std::vector<double>& weight : *run.start)
    for (double x : weight) square += x * x;
  return std::sqrt(square);
}

} // namespace

std::string installed_name(const Scene& scene) {
  std::string path = scene.path;
  if (const auto at = path.rfind("scenes/"); at != std::string::npos) path = path.substr(at + 7);
  if (path.size() > 5 && path.compare(path.size() - 5, 5, ".toml") == 0) path.resize(path.size() - 5);
  return path;
}

Result<Lesson> parse_lesson(std::string_view text, const std::string& file) {
  toml::table root;
  try {
    root = toml::parse(text, file);
  } catch (const toml::parse_error& error) {
    return bad_input(std::string(error.description()), place_of(error.source(), file));
  }
  Lesson lesson;
  Reader reader(root, file);
  const toml::table* head = reader.table("lesson");
  reader.table("part");
  if (auto finished = reader.finish(); !finished) return finished.error();
  if (!head) return bad_input("no table [lesson]", {file, 1, 1});
  Reader header(*head, file);
  header.key("title", lesson.title);
  header.key("scene", lesson.scene);
  if (auto finished = header.finish(); !finished) return finished.error();
  const toml::array* parts = root["part"].as_array();
  if (!parts || parts->empty()) return bad_input("a lesson needs a [[part]]", {file, 1, 1});
  for (const toml::node& node : *parts) {
    const toml::table* table = node.as_table();
    if (!table) return bad_input("a part is a table", place_of(node.source(), file));
    auto part = read_part(*table, file);
    if (!part) return part.error();
    lesson.parts.push_back(std::move(*part));
  }
  return lesson;
}

Result<Lesson> load_lesson(const std::string& name) {
  const std::string file = "scenes/lessons/" + name + ".toml";
  const EmbeddedFile found = embedded_file(file);
  if (!found) return bad_input("no such lesson", {file});
  return parse_lesson(found.text(), file);
}

std::vector<std::string> lesson_names() {
  constexpr std::string_view kFolder = "scenes/lessons/", kEnding = ".toml";
  std::vector<std::string> names;
  for (std::string_view file : embedded_file_names())
    if (file.substr(0, kFolder.size()) == kFolder && file.size() > kFolder.size() + kEnding.size())
      names.emplace_back(file.substr(kFolder.size(), file.size() - kFolder.size() - kEnding.size()));
  return names;
}

bool reached(const LessonGoal& goal, const Frame& frame, const ViewState& view) {
  if (goal.empty()) return false;
  if (goal.head >= 0 && frame.head < goal.head) return false;
  if (goal.behind_head >= 0 && frame.head - frame.cursor < goal.behind_head) return false;
  if (!goal.start_run.empty()) {
    const RunFrame* run = run_named(frame, goal.start_run);
    if (!run || start_norm(*run) >= goal.start_below) return false;
  }
  if (!goal.log_y.empty()) {
    const auto scales = view.scales.find(goal.log_y);
    if (scales == view.scales.end() || !scales->second.log_y) return false;
  }
  return true;
}

const LessonPart* LessonGuide::part(const ViewState& view) const {
  if (!view.lesson.here || !view.lesson.open || view.lesson.step >= lesson_.parts.size()) return nullptr;
  return &lesson_.parts[view.lesson.step];
}

const std::string& LessonGuide::scene_of(std::size_t part) const {
  for (std::size_t i = std::min(part + 1, lesson_.parts.size()); i-- > 0;)
    if (!lesson_.parts[i].scene.empty()) return lesson_.parts[i].scene;
  return lesson_.scene;
}

void LessonGuide::begin(std::size_t index, bool reopen, ActionContext& context) {
  const LessonPart& part = lesson_.parts[index];
  ViewState& view = context.view;
  begun_ = index;
  const std::string& scene = scene_of(index);
  if (reopen || !part.scene.empty() || installed_name(*context.frame.scene) != scene) context.send(command::OpenScene{scene});
  if (part.compute > 0) context.send(command::ComputeTo{part.compute});
  if (!part.metric.empty()) view.metric = part.metric, view.against_norm = true;
  for (const std::string& panel : part.log_x) view.scales[panel].log_x = true;
  if (!part.goal.log_y.empty()) view.scales[part.goal.log_y].log_y = false;
  if (!part.focus.empty()) view.focused_plot = part.focus;
}

void LessonGuide::update(ActionContext& context) {
  LessonProgress& progress = context.view.lesson;
  waiting_ = false;
  progress.here = installed_name(*context.frame.scene) == scene_of(progress.step);
  if (std::exchange(progress.start, false)) {
    progress.step = 0;
    progress.finished = false;
    progress.open = true;
    begin(0, true, context);
    return; // judged from the next frame on, which shows the prepared state
  }
  if (!progress.open) return;
  progress.finished = progress.step >= lesson_.parts.size();
  if (progress.finished) {
    begun_ = progress.step;
    return;
  }
  if (progress.step != begun_) return begin(progress.step, false, context);
  if (!progress.here) return;
  const LessonPart& part = lesson_.parts[progress.step];
  if (!reached(part.goal, context.frame, context.view)) return;
  if (part.wait) waiting_ = true;
  else ++progress.step;
}

} // namespace polarscope
