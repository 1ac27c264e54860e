// Actions on the lesson.
#include "app/actions.hpp"
#include "app/lesson.hpp"

#include <string>
#include <utility>

namespace polarscope {
namespace {

using Context = ActionContext;

// Hides the lesson, shows it again, or begins the one about this scene when it is over or about another scene.
void toggle_lesson(Context& c) {
  LessonProgress& lesson = c.view.lesson;
  if (lesson.shown) {
    lesson.open = false;
    return;
  }
  if (lesson.here && !lesson.finished) {
    lesson.open = true;
    return;
  }
  const std::string name = lesson_about(installed_name(*c.frame.scene));
  if (name.empty()) return c.view.say("no lesson is about this scene; the menu Lesson has them all");
  lesson = {.name = name, .again = true};
}

void next_part(Context& c) {
  LessonProgress& lesson = c.view.lesson;
  ++lesson.step;
  lesson.open = true;
}

} // namespace

void Actions::add_lesson() {
  actions_.push_back({"lesson.toggle",
                      "Lesson",
                      "Lesson",
                      "Shows or hides the lesson about this scene; after its end it begins again.",
                      false,
                      false,
                      toggle_lesson,
                      {},
                      [](const Context& c) { return c.view.lesson.shown; }});
  actions_.push_back({"lesson.next", "Lesson", "Next part", "Goes on, also without doing this part.", true, false,
                      next_part, [](const Context& c) { return c.view.lesson.here && !c.view.lesson.finished; }});
  actions_.push_back({"lesson.previous", "Lesson", "Previous part", "Goes back to the part before.", false, false,
                      [](Context& c) {
                        --c.view.lesson.step;
                        c.view.lesson.open = true;
                        c.view.lesson.finished = false;
                      },
                      [](const Context& c) { return c.view.lesson.here && c.view.lesson.step > 0; }});
  bool first = true;
  for (const std::string& name : lesson_names())
    if (const auto lesson = load_lesson(name)) {
      actions_.push_back({"lesson.open." + name, "Lesson", lesson->title,
                          "Opens the lesson's scene and begins at its first part.", std::exchange(first, false), false,
                          [name](Context& c) { c.view.lesson = {.name = name, .start = true}; }});
    }
}

} // namespace polarscope
