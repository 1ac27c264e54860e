#include "app/visibility.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace polarscope {
namespace {

long visible_count(const ActionContext& c) {
  return std::count_if(c.frame.runs.begin(), c.frame.runs.end(),
                       [&](const RunFrame& run) { return c.view.visible(run.id); });
}

// The first visible run after the selected one, in the list's order, when that is not visible any more.
void select_a_visible_one(ActionContext& c) {
  const auto& runs = c.frame.runs;
  const auto at =
      std::find_if(runs.begin(), runs.end(), [&](const RunFrame& run) { return run.id == c.frame.selected; });
  if (at == runs.end() || c.view.visible(at->id)) return;
  const auto seen = [&](const RunFrame& run) { return c.view.visible(run.id); };
  auto next = std::find_if(at, runs.end(), seen);
  if (next == runs.end()) next = std::find_if(runs.begin(), at, seen);
  if (next == at || !seen(*next)) return;
  c.send(command::SelectRun{next->id});
}

} // namespace

void toggle_shown(ActionContext& c, RunId run) {
  const RunFrame* found = c.frame.find(run);
  if (!found) return;
  const bool hide = c.view.visible(run);
  if (hide && visible_count(c) <= 1) {
    c.view.say(fmt::format("{} is the only run shown: it stays", found->label));
    return;
  }
  if (c.view.solo) {
    for (const RunFrame& other : c.frame.runs)
      if (!c.view.visible(other.id)) c.view.hidden.insert(other.id);
      else c.view.hidden.erase(other.id);
    c.view.solo.reset();
  }
  if (hide) c.view.hidden.insert(run);
  else c.view.hidden.erase(run);
  c.view.say(fmt::format("{} is {}", found->label, hide ? "hidden" : "shown"));
  select_a_visible_one(c);
}

void toggle_solo(ActionContext& c, RunId run) {
  const RunFrame* found = c.frame.find(run);
  if (!found) return;
  if (c.view.solo == run) return end_solo(c);
  c.view.solo = run;
  c.view.say(fmt::format("{} is shown alone; Esc ends that", found->label));
  if (c.frame.selected != run) c.send(command::SelectRun{run});
}

void end_solo(ActionContext& c) {
  c.view.solo.reset();
  if (visible_count(c) == 0) c.view.hidden.clear();
  c.view.say(c.view.hidden.empty() ? "all runs are shown" : "the runs that are not hidden are shown");
  select_a_visible_one(c);
}

void show_all(ActionContext& c) {
  c.view.hidden.clear();
  c.view.solo.reset();
  c.view.say("all runs are shown");
}

void follow_selection(ActionContext& c) {
  ViewState& view = c.view;
  const auto gone = [&](RunId run) { return c.frame.find(run) == nullptr; };
  std::erase_if(view.hidden, gone);
  if (view.solo && gone(*view.solo)) view.solo.reset();
  if (visible_count(c) == 0) view.hidden.clear();
  const bool chosen = view.followed_selection != c.frame.selected;
  view.followed_selection = c.frame.selected;
  if (!chosen || view.visible(c.frame.selected)) return;
  if (view.solo) view.solo = c.frame.selected;
  else view.hidden.erase(c.frame.selected);
}

} // namespace polarscope
