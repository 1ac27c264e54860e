#include "app/lesson.hpp"

#include "app/panel.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace polarscope {
namespace {

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

std::string panel_of(const LessonPart& part) {
  if (!part.focus.empty()) return part.focus;
  const std::string name = part.highlight.substr(0, part.highlight.find('.'));
  return find_panel(name) ? name : std::string();
}

std::string lesson_about(const std::string& scene) {
  std::string other; // speaks of the scene in a later part
  for (const std::string& name : lesson_names()) {
    const auto lesson = load_lesson(name);
    if (!lesson) continue;
    if (lesson->scene == scene) return name;
    if (other.empty() && std::any_of(lesson->parts.begin(), lesson->parts.end(),
                                     [&](const LessonPart& part) { return part.scene == scene; }))
      other = name;
  }
  return other;
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
  if (reopen || !part.scene.empty() || installed_name(*context.frame.scene) != scene)
    context.send(command::OpenScene{scene});
  if (part.compute > 0) context.send(command::ComputeTo{part.compute});
  if (!part.metric.empty()) view.metric = part.metric, view.against_norm = true;
  const auto lend = [&](const std::string& panel) -> AxisScales& {
    AxisScales& scales = view.scales[panel];
    lent_.before.emplace(panel, scales);
    lent_.scene = scene, lent_.scene_seen = false;
    return scales;
  };
  for (const std::string& panel : part.log_x) lend(panel).log_x = true;
  if (!part.goal.log_y.empty()) lend(part.goal.log_y).log_y = false;
  if (const std::string panel = panel_of(part); !panel.empty()) view.panels.erase(panel); // it must be seen
  done_before_ = reached(part.goal, context.frame, view);
}

void LessonGuide::give_axes_back(ActionContext& context) {
  if (lent_.before.empty()) return;
  if (installed_name(*context.frame.scene) == lent_.scene) {
    lent_.scene_seen = true;
  } else if (lent_.scene_seen) {
    for (const auto& [panel, scales] : lent_.before) context.view.scales[panel] = scales;
    lent_ = {};
  }
}

void LessonGuide::start_over(ActionContext& context) {
  LessonProgress& progress = context.view.lesson;
  progress.step = 0;
  progress.finished = false;
  progress.open = true;
  begin(0, progress.start, context);
  progress.start = progress.again = false;
}

void LessonGuide::update(ActionContext& context) {
  LessonProgress& progress = context.view.lesson;
  waiting_ = false;
  give_axes_back(context);
  progress.here = installed_name(*context.frame.scene) == scene_of(progress.step);
  if (progress.start || progress.again) start_over(context);
  else follow(context);
  progress.shown = part(context.view) != nullptr;
  const LessonPart* shown = part(context.view);
  const Panel* panel = shown ? find_panel(panel_of(*shown)) : nullptr;
  context.view.guest_panel = panel && panel->plot && !panel->in_show ? panel->name : std::string();
}

void LessonGuide::follow(ActionContext& context) {
  LessonProgress& progress = context.view.lesson;
  if (!progress.open) return;
  progress.finished = progress.step >= lesson_.parts.size();
  if (progress.finished) {
    if (begun_ != progress.step) context.view.say("the lesson is over; the menu Lesson begins it again");
    begun_ = progress.step;
    return;
  }
  if (progress.step != begun_) return begin(progress.step, false, context);
  if (!progress.here) return;
  const LessonPart& part = lesson_.parts[progress.step];
  const bool done = reached(part.goal, context.frame, context.view);
  done_before_ &= done;
  if (!done) { // the key that the part asks for acts on its plot, wherever the pointer has been
    if (!part.focus.empty()) context.view.focused_plot = part.focus;
  } else if (part.wait || done_before_) {
    waiting_ = true;
  } else {
    ++progress.step;
  }
}

} // namespace polarscope
