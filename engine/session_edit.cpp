// What each command does to a session, and the sentence that says so.
#include "engine/session_impl.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace polarscope {

namespace {

// A redraw is finished inside apply() when it takes no longer than this; the rest is continue_work()'s.
constexpr double kAtOnce = 0.025; // seconds

template <class... F> struct Overloaded : F... { using F::operator()...; };
template <class... F> Overloaded(F...) -> Overloaded<F...>;

Result<void> check_value(const HparamInfo& h, double value) {
  if (!std::isfinite(value)) return bad_input(fmt::format("{} must be a finite number", h.setting.name));
  if (const std::string wrong = range_error(value, h.setting.min, h.setting.max);
      h.setting.max > h.setting.min && !wrong.empty())
    return bad_input(fmt::format("{} = {}", h.setting.name, wrong));
  return {};
}

// Apart from commands about time and about what is shown.
bool changes_runs(const Command& command) {
  return std::visit(
      Overloaded{[](const command::Play&) { return false; }, [](const command::Pause&) { return false; },
                 [](const command::StepBy&) { return false; }, [](const command::MoveCursor&) { return false; },
                 [](const command::ComputeTo&) { return false; }, [](const command::SetSpeed&) { return false; },
                 [](const command::SelectRun&) { return false; }, [](const auto&) { return true; }},
      command);
}

} // namespace

Result<Run*> Session::Impl::find_run(RunId id) const {
  if (Run* r = find(id)) return r;
  return bad_input(fmt::format("there is no run number {}", id));
}

std::string Session::Impl::back_to_head() {
  if (cursor == head) return {};
  cursor = head;
  return fmt::format("; back at the head, step {}, first", head);
}

std::string Session::Impl::move_cursor(long step) {
  cursor = std::clamp(step, 0l, head);
  return fmt::format("step {}", cursor);
}

// ---- hyperparameters and starts ------------------------------------------------------------------------------------

Result<std::string> Session::Impl::set_hparam(const command::SetHparam& c) {
  auto run = find_run(c.run);
  if (!run) return run.error();
  Run& r = **run;
  const int column = r.program().find_hparam(c.name);
  if (column < 0) {
    std::vector<std::string> names;
    for (const HparamInfo& h : r.program().hparams()) names.push_back(h.setting.name);
    return bad_input(fmt::format("{} has no hyperparameter '{}'{}", r.spec.label, c.name, did_you_mean(c.name, names)));
  }
  if (auto ok = check_value(r.program().hparams()[static_cast<std::size_t>(column)], c.value); !ok) return ok.error();
  if (!r.value_before_drag) r.value_before_drag = r.hparams[static_cast<std::size_t>(column)];
  if (!r.before_drag) r.before_drag = BeforeDrag{r.start_hparams, r.edits, r.initial, r.ghost};
  std::string said = c.mode == EditMode::from_here ? set_from_here(r, column, c) : set_from_start(r, column, c);
  r.dragging = c.preview;
  r.predicted_known = false;
  if (!c.preview) {
    r.value_before_drag.reset();
    r.before_drag.reset();
    update_scene();
  }
  return said;
}

std::string Session::Impl::set_from_here(Run& run, int column, const command::SetHparam& c) {
  const std::string first = back_to_head();
  const auto i = static_cast<std::size_t>(column);
  if (head == 0) { // nothing has happened yet: it is the starting value
    run.start_hparams[i] = c.value;
    begin(run);
  } else {
    // An edit of the same step is replaced. Previews that steps were made with stay, or those steps could not be made
    // again; a value that is in force already needs no edit.
    std::erase_if(run.edits, [&](const Edit& e) { return e.step == head && e.column == column; });
    if (edited_row(run.start_hparams, run.edits, head)[i] != c.value) run.edits.push_back({head, column, c.value});
    run.hparams[i] = c.value;
  }
  const double before = *run.value_before_drag;
  std::string when = fmt::format(" from step {} on", head);
  if (!c.preview) {
    run.ghost = {};
    if (head == 0 || run.start_hparams[i] != run.before_drag->start_hparams[i])
      run.spec.hparams[c.name] = run.start_hparams[i];
    const long since = drag_began(run, column), until = run.diverged ? run.diverged_at : head;
    if (since < until) when = fmt::format(", dragged over steps {}–{}", since, until);
    if (since < until || (head > 0 && before != c.value && !run.diverged))
      run.edit_events.push_back({column,
                                 {EventKind::edit, since, run.id,
                                  change_text(c.name, before, c.value) + (since < until ? when : std::string())}});
  }
  if (run.diverged)
    return fmt::format("{} of {} {:.4g}: it diverged at step {} and stays there{}", c.name, run.spec.label, c.value,
                       run.diverged_at, first);
  return fmt::format("{} of {} {:.4g} → {:.4g}{}{}", c.name, run.spec.label, before, c.value, when, first);
}

// The first step at which a value of the drag that ends now was in force: steps were made with previews while it played.
long Session::Impl::drag_began(const Run& run, int column) const {
  const auto i = static_cast<std::size_t>(column);
  const BeforeDrag& before = *run.before_drag;
  if (run.start_hparams[i] != before.start_hparams[i]) return 0;
  long since = head;
  for (const Edit& e : run.edits) {
    const auto same = [&e](const Edit& b) { return b.step == e.step && b.column == e.column && b.value == e.value; };
    if (e.column == column && std::none_of(before.edits.begin(), before.edits.end(), same))
      since = std::min(since, e.step);
  }
  return since;
}

std::string Session::Impl::set_from_start(Run& run, int column, const command::SetHparam& c) {
  const auto i = static_cast<std::size_t>(column);
  const bool edited_later =
      std::any_of(run.edits.begin(), run.edits.end(), [&](const Edit& e) { return e.column == column; });
  const bool shown = run.dragging && run.start_hparams[i] == c.value && !edited_later;
  if (!shown) {
    if (!run.dragging) run.ghost = {run.series.view(), run.group->program};
    run.start_hparams[i] = c.value;
    std::erase_if(run.edits, [&](const Edit& e) { return e.column == column; });
    std::erase_if(run.edit_events, [&](const auto& e) { return e.first == column; });
    recompute(run);
  }
  if (!c.preview) run.spec.hparams[c.name] = c.value;
  return fmt::format("{} of {} {:.4g} → {:.4g} from step 0", c.name, run.spec.label, *run.value_before_drag, c.value);
}

// A cheap run is at the head before the next picture; what an expensive one leaves is for continue_work().
void Session::Impl::catch_up_at_once(Run& run) {
  const TimeLimit limit(kAtOnce);
  for (Run* r = &run; behind(*r) && !limit.over() && burst({&r, 1}, head, limit.left()) > 0;) {}
}

// The whole path again, to the same head. What an expensive one leaves goes first in continue_work().
void Session::Impl::recompute(Run& run) {
  begin(run);
  first_to_catch_up = run.id;
  catch_up_at_once(run);
}

Result<std::string> Session::Impl::move_start(const command::MoveStart& c) {
  auto run = find_run(c.run);
  if (!run) return run.error();
  Run& r = **run;
  const std::vector<ParamInfo>& parameters = r.program().parameters();
  const auto p =
      std::find_if(parameters.begin(), parameters.end(), [&](const auto& q) { return q.name == c.parameter; });
  if (p == parameters.end()) return bad_input(fmt::format("{} has no parameter '{}'", r.spec.label, c.parameter));
  if (c.point.size() != std::size_t{p->rows} * p->cols)
    return bad_input(fmt::format("a start of {} has {} numbers, not {}", p->name, p->rows * p->cols, c.point.size()));
  if (!std::all_of(c.point.begin(), c.point.end(), [](double x) { return std::isfinite(x); }))
    return bad_input(fmt::format("a start of {} must be finite numbers", p->name));
  auto& slots = r.initial.slots;
  const auto held = std::find_if(slots.begin(), slots.end(), [&](const auto& s) { return s.first == p->weight; });
  if (!r.before_drag) r.before_drag = BeforeDrag{r.start_hparams, r.edits, r.initial, r.ghost};
  const bool shown = r.dragging && held != slots.end() && held->second == c.point;
  if (!shown) {
    if (!r.dragging) r.ghost = {r.series.view(), r.group->program};
    if (held != slots.end()) held->second = c.point;
    else slots.emplace_back(p->weight, c.point);
    recompute(r);
  }
  r.dragging = c.preview;
  double square = 0;
  for (const double x : c.point) square += x * x;
  if (!c.preview) {
    r.before_drag.reset();
    StartSpec start;
    start.point = c.point;
    if (parameters.size() == 1) {
      r.spec.start = std::move(start);
    } else {
      r.spec.start.parameters[p->name] = std::move(start);
    }
    update_scene();
  }
  return fmt::format("{} starts at norm {:.3g}", r.spec.label, std::sqrt(square));
}

// Steps that were made with a preview are made again without it.
std::string Session::Impl::cancel_preview(Run& run) {
  if (!run.before_drag) return "no drag to give up";
  const auto until_head = [this](std::vector<Edit> edits) {
    std::erase_if(edits, [this](const Edit& e) { return e.step >= head; });
    return edits;
  };
  const BeforeDrag before = *std::exchange(run.before_drag, std::nullopt);
  const bool path_stands = run.start_hparams == before.start_hparams && run.initial.slots == before.initial.slots &&
                           until_head(run.edits) == until_head(before.edits);
  run.start_hparams = before.start_hparams;
  run.edits = before.edits;
  run.initial = before.initial;
  run.hparams = edited_row(run.start_hparams, run.edits, std::numeric_limits<long>::max());
  run.ghost = before.ghost;
  run.dragging = false;
  run.value_before_drag.reset();
  run.predicted_known = false;
  if (!path_stands) recompute(run);
  return fmt::format("{} is as before the drag", run.spec.label);
}

// ---- runs ----------------------------------------------------------------------------------------------------------

// `like`: what the sentence says about where the run came from.
Result<std::string> Session::Impl::add_run(RunSpec spec, std::vector<Edit> edits, const std::string& like) {
  const std::string label = spec.label;
  auto run = make_run(std::move(spec));
  if (!run) return run.error();
  Run& r = **run;
  r.edits = std::move(edits);
  r.predicted_known = false;
  for (const Edit& e : r.edits) r.hparams[static_cast<std::size_t>(e.column)] = e.value;
  selected = r.id;
  update_scene();
  catch_up_at_once(r);
  return fmt::format("added {}{}", label, like);
}

Result<std::string> Session::Impl::add_preset(const command::AddRun& c) {
  auto optimizer = load_optimizer(c.optimizer);
  if (!optimizer) return optimizer.error();
  RunSpec spec;
  spec.label = free_label(optimizer->title.empty() ? optimizer->name : optimizer->title);
  spec.optimizer = std::move(*optimizer);
  // The same start as the run one looks at: two runs are compared from one place.
  std::string like;
  if (const Run* r = find(selected)) {
    spec.start = r->spec.start;
    spec.seed = r->spec.seed;
    like = fmt::format(", from the start of {}", r->spec.label);
  }
  return add_run(std::move(spec), {}, like);
}

Result<std::string> Session::Impl::duplicate(const command::DuplicateRun& c) {
  auto run = find_run(c.run);
  if (!run) return run.error();
  const Run& r = **run;
  RunSpec spec = r.spec;
  spec.label = free_label(r.spec.label + " copy");
  spec.group.clear();
  for (std::size_t i = 0; i < r.start_hparams.size(); ++i)
    spec.hparams[r.group->program->hparams()[i].setting.name] = r.start_hparams[i];
  auto said = add_run(std::move(spec), r.edits, fmt::format(", the same as {}", r.spec.label));
  if (said) {
    Run& copy = *runs.back();
    copy.opened_hparams = r.opened_hparams;
    copy.opened_numbers = r.opened_numbers;
    copy.opened_start = r.opened_start;
    copy.opened_optimizer = r.opened_optimizer;
  }
  return said;
}

Result<std::string> Session::Impl::remove_run(const command::RemoveRun& c) {
  auto run = find_run(c.run);
  if (!run) return run.error();
  if (runs.size() == 1) return bad_input("the last run stays");
  const std::string label = (*run)->spec.label;
  forget_past();
  (*run)->members().remove((*run)->member);
  const auto at = std::find_if(runs.begin(), runs.end(), [&](const auto& r) { return r->id == c.run; });
  const auto index = static_cast<std::size_t>(at - runs.begin());
  runs.erase(at);
  forget_empty_groups();
  if (selected == c.run) selected = runs[std::min(index, runs.size() - 1)]->id;
  update_scene();
  return fmt::format("removed {}", label);
}

void Session::Impl::forget_empty_groups() {
  std::erase_if(groups, [this](const auto& g) {
    return std::none_of(runs.begin(), runs.end(), [&](const auto& r) { return r->group == g.get(); });
  });
}

Result<std::string> Session::Impl::rename_run(const command::RenameRun& c) {
  auto run = find_run(c.run);
  if (!run) return run.error();
  if (c.label.empty()) return bad_input("a run needs a name");
  if (c.label.find_first_of("\n\r") != std::string::npos) return bad_input("a run's name is one line");
  for (const auto& r : runs)
    if (r->id != c.run && r->spec.label == c.label)
      return bad_input(fmt::format("there is already a run called '{}'", c.label));
  std::string said = fmt::format("{} is now called {}", (*run)->spec.label, c.label);
  relabel(**run, c.label);
  update_scene();
  return said;
}

void Session::Impl::relabel(Run& run, const std::string& label) {
  auto fresh = std::make_shared<Scene>(*scene);
  for (ExpectSpec& expect : fresh->expect)
    if (expect.run == run.spec.label) expect.run = label;
  scene = std::move(fresh);
  run.spec.label = label;
}

std::string Session::Impl::restart() {
  for (const auto& r : runs)
    if (r->before_drag) cancel_preview(*r);
  head = cursor = 0;
  bool edited = false;
  for (const auto& r : runs) {
    edited |= !r->edits.empty();
    for (std::size_t i = 0; i < r->hparams.size(); ++i)
      if (r->hparams[i] != r->start_hparams[i]) r->spec.hparams[r->program().hparams()[i].setting.name] = r->hparams[i];
    r->start_hparams = r->hparams;
    r->edits.clear();
    r->edit_events.clear();
    r->ghost = {};
    begin(*r);
  }
  update_scene();
  return edited ? "back at step 0; the edits' last values now hold from the start, so the path will be another"
                : "back at step 0";
}

// ---- the façade ----------------------------------------------------------------------------------------------------

bool Session::computes(const Command& command) const {
  return std::visit(Overloaded{
                        [](const command::Play&) { return true; },
                        [&](const command::StepBy& c) { return impl_->cursor + c.steps > impl_->head; },
                        [&](const command::ComputeTo& c) { return c.step > impl_->head; },
                        [](const command::Restart&) { return true; },
                        [](const command::SetHparam&) { return true; },
                        [](const command::MoveStart&) { return true; },
                        [](const command::CancelPreview&) { return true; },
                        [](const command::AddRun&) { return true; },
                        [](const command::DuplicateRun&) { return true; },
                        [](const auto&) { return false; },
                    },
                    command);
}

Result<std::string> Session::apply(const Command& command) {
  const bool at_work = computes(command);
  if (const auto failed = failure(); failed && at_work) return *failed;
  auto said = carry_out(command);
  if (const auto failed = failure(); failed && at_work) return *failed;
  return said;
}

Result<std::string> Session::carry_out(const Command& command) {
  Impl& s = *impl_;
  using Said = Result<std::string>;
  const auto compute_to = [&](long step) {
    const long target = std::clamp(step, 0l, s.scene->steps);
    s.catch_up(kNoLimit);
    if (target > s.head) {
      s.cursor = s.head;
      s.advance(target - s.head, kNoLimit);
    }
    s.cursor = std::min(target, s.head);
    return step > target ? fmt::format("step {}: the scene ends here", target) : fmt::format("step {}", target);
  };
  Said said = std::visit(Overloaded{
                             [&](const command::Play&) -> Said { return std::string("playing"); },
                             [&](const command::Pause&) -> Said { return fmt::format("paused at step {}", s.cursor); },
                             [&](const command::SetSpeed& c) -> Said {
                               if (!(c.steps_per_second >= 0) || !std::isfinite(c.steps_per_second))
                                 return bad_input("a speed is a number of steps per second, 0 for as fast as possible");
                               if (c.steps_per_second == 0) return std::string("as fast as possible");
                               return fmt::format("{:.4g} steps per second", c.steps_per_second);
                             },
                             [&](const command::StepBy& c) -> Said {
                               return s.cursor + c.steps > s.head ? compute_to(s.cursor + c.steps)
                                                                  : s.move_cursor(s.cursor + c.steps);
                             },
                             [&](const command::MoveCursor& c) -> Said { return s.move_cursor(c.step); },
                             [&](const command::ComputeTo& c) -> Said { return compute_to(c.step); },
                             [&](const command::Restart&) -> Said { return s.restart(); },
                             [&](const command::SetHparam& c) -> Said { return s.set_hparam(c); },
                             [&](const command::MoveStart& c) -> Said { return s.move_start(c); },
                             [&](const command::CancelPreview& c) -> Said {
                               auto run = s.find_run(c.run);
                               if (!run) return run.error();
                               return s.cancel_preview(**run);
                             },
                             [&](const command::AddRun& c) -> Said { return s.add_preset(c); },
                             [&](const command::DuplicateRun& c) -> Said { return s.duplicate(c); },
                             [&](const command::RemoveRun& c) -> Said { return s.remove_run(c); },
                             [&](const command::RenameRun& c) -> Said { return s.rename_run(c); },
                             [&](const command::SelectRun& c) -> Said {
                               auto run = s.find_run(c.run);
                               if (!run) return run.error();
                               s.selected = c.run;
                               return fmt::format("{} is selected", (*run)->spec.label);
                             },
                             [&](const command::SetPart& c) -> Said { return s.set_part(c); },
                             [&](const command::SetSchedule& c) -> Said { return s.set_schedule(c); },
                             [&](const command::ResetRecipe& c) -> Said { return s.reset_recipe(c); },
                             [&](const command::OpenScene& c) -> Said {
                               return bad_input(fmt::format("{} replaces the session, which the driver does", c.name));
                             },
                         },
                         command);
  if (said && changes_runs(command)) s.refused.reset();
  return said;
}

} // namespace polarscope
