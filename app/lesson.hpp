// Follows a lesson in the window. Lessons never block a control, and a part ends however the user got there.
#pragma once

#include "app/actions.hpp"
#include "app/lesson_file.hpp"
#include "app/view_state.hpp"
#include "engine/frame.hpp"

#include <map>
#include <string>

namespace polarscope {

bool reached(const LessonGoal& goal, const Frame& frame, const ViewState& view);

// Follows a lesson: once per frame, before anything is drawn. Goes on to the next part, and prepares a part that begins.
class LessonGuide {
public:
  explicit LessonGuide(Lesson lesson) : lesson_(std::move(lesson)) {}

  void update(ActionContext& context);
  const Lesson& lesson() const { return lesson_; }
  // The part shown, or null when the lesson is closed, over, or its present part is about another scene than the one on
  // screen: it then waits until that scene is open again.
  const LessonPart* part(const ViewState& view) const;
  // Done, and the part waits for "next part": because it says so, or because it was done before it began.
  bool waiting() const { return waiting_; }

private:
  // The scene that a part is about: its own, or that of the parts before it.
  const std::string& scene_of(std::size_t part) const;
  void begin(std::size_t part, bool reopen, ActionContext& context);
  void start_over(ActionContext& context);
  void follow(ActionContext& context);
  // Axes that a part made logarithmic, or asked the user to, are as before once its scene has gone.
  void give_axes_back(ActionContext& context);

  Lesson lesson_;
  std::size_t begun_ = 0;    // part that was prepared last
  bool done_before_ = false; // ever since it was, its goal has been reached
  bool waiting_ = false;

  struct LentAxes {
    std::string scene;
    bool scene_seen = false;                  // it is opened a few frames after the part begins
    std::map<std::string, AxisScales> before; // by panel
  };
  LentAxes lent_;
};

// The panel that a part speaks of, "" for none.
std::string panel_of(const LessonPart& part);
// The lesson that belongs to a scene, or that speaks of it; "" for none.
std::string lesson_about(const std::string& scene);

// The name under scenes/ of an installed scene, "" for others.
std::string installed_name(const Scene& scene);

} // namespace polarscope
