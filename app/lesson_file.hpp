// A lesson: short parts of text, what to point at, and the condition that ends each part. Lessons are files in
// scenes/lessons.
#pragma once

#include "engine/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace polarscope {

// The condition `done = { <word> = <value>, … }`; all that are given must hold.
struct LessonGoal {
  long head = -1;        // head: at least this many steps are computed
  long behind_head = -1; // the cursor is at least this many steps behind the head
  std::string start_run; // start_run, start_below: the start norm of the run with this label is smaller
  double start_below = 0;
  std::string log_y; // the upward axis of this panel's plot is logarithmic
  bool empty() const { return head < 0 && behind_head < 0 && start_run.empty() && log_y.empty(); }
};

struct LessonPart {
  std::string text;               // at most 20 words
  std::string highlight;          // an action's id or a panel's mark
  std::string scene;              // opened when the part begins; "" keeps the scene
  long compute = 0;               // steps computed at once when the part begins
  std::string metric;             // of magnitude & direction, when the part begins
  std::vector<std::string> log_x; // panels whose x axis is made logarithmic when the part begins
  std::string focus;              // plot that L acts on
  bool wait = false;              // when done, waits for "next part" instead of going on
  LessonGoal goal;
};

struct Lesson {
  std::string title;
  std::string scene; // the lesson belongs to this scene
  std::vector<LessonPart> parts;
};

Result<Lesson> parse_lesson(std::string_view text, const std::string& file);
// The installed scenes/lessons/<name>.toml.
Result<Lesson> load_lesson(const std::string& name);
// Names of the installed lessons, sorted.
std::vector<std::string> lesson_names();

} // namespace polarscope
