// What each command does to a session: against fresh sessions of the scene that the edits amount to.
#include "engine/session.hpp"
#include "engine/machine_memory.hpp"
#include "tests/support/scenes.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

using namespace polarscope;
using namespace polarscope::test;

namespace {

std::vector<Sample> all_samples(const SeriesView& v, int column) {
  std::vector<Sample> out;
  v.samples(column, 0, v.last_step(), out);
  return out;
}

bool same_series(const SeriesView& a, const SeriesView& b, long to) {
  for (int c = 0; c < a.columns(); ++c)
    for (long step = 0; step <= to; ++step) {
      const auto x = a.at(c, step), y = b.at(c, step);
      if (x.has_value() != y.has_value()) return false;
      if (x && !(*x == *y || (std::isnan(*x) && std::isnan(*y)))) return false;
    }
  return true;
}

long count(const Frame& f, EventKind kind) {
  return std::count_if(f.events.begin(), f.events.end(), [&](const Event& e) { return e.kind == kind; });
}

SceneText two_runs() {
  SceneText s;
  s.runs = 2;
  return s;
}

} // namespace

TEST_CASE("a session opens at step 0 and advances to the scene's end") {
  auto s = open_session(two_runs());
  Frame f = frame_of(*s);
  REQUIRE(f.head == 0);
  REQUIRE(f.steps == 1000);
  REQUIRE(f.runs.size() == 2);
  REQUIRE(f.runs[0].series.rows() == 1);
  const int loss = f.runs[0].program->find_metric("loss");
  REQUIRE(std::isnan(*f.runs[0].series.at(loss, 0)));
  REQUIRE((*f.runs[1].start)[0].size() == 2);
  REQUIRE(std::hypot((*f.runs[1].start)[0][0], (*f.runs[1].start)[0][1]) == Approx(4));
  REQUIRE(s->advance(300) == 300);
  REQUIRE(s->cursor() == 300);
  REQUIRE(s->advance(5000) == 700);
  REQUIRE(s->at_end());
  REQUIRE(s->advance(1) == 0);
  f = frame_of(*s);
  REQUIRE(f.runs[0].series.last_step() == 1000);
  REQUIRE(f.runs[0].style != f.runs[1].style);
  REQUIRE(f.state_hash == s->state_hash());
  REQUIRE(f.state_hash != 0);
  REQUIRE(f.memory_bytes > 0);
}

TEST_CASE("the cursor moves over what exists, computes beyond it and never truncates") {
  auto s = open_session(two_runs());
  s->advance(100);
  const auto hash = s->state_hash();
  done(*s, command::StepBy{-30});
  REQUIRE(s->cursor() == 70);
  REQUIRE(s->head() == 100);
  done(*s, command::MoveCursor{-5});
  REQUIRE(s->cursor() == 0);
  done(*s, command::MoveCursor{1000});
  REQUIRE(s->cursor() == 100);
  REQUIRE(s->state_hash() == hash);
  done(*s, command::StepBy{1});
  REQUIRE(s->head() == 101);
  REQUIRE(s->cursor() == 101);
  done(*s, command::MoveCursor{40});
  s->advance(9); // the cursor stays where someone looks
  REQUIRE(s->cursor() == 40);
  done(*s, command::ComputeTo{150});
  REQUIRE(s->head() == 150);
  REQUIRE(s->cursor() == 150);
  REQUIRE(done(*s, command::ComputeTo{5000}).find("ends") != std::string::npos);
  REQUIRE(s->head() == 1000);
}

TEST_CASE("an edit from here takes effect at the next step and returns to the head first") {
  auto s = open_session(two_runs());
  auto plain = open_session(two_runs());
  s->advance(100);
  done(*s, command::MoveCursor{50});
  const RunId run = frame_of(*s).runs[0].id;
  const std::string said = done(*s, command::SetHparam{run, "lr", 0.25, EditMode::from_here});
  REQUIRE(said.find("head") != std::string::npos);
  REQUIRE(s->cursor() == 100);
  s->advance(100);
  plain->advance(200);
  const Frame f = frame_of(*s), p = frame_of(*plain);
  REQUIRE(same_series(f.runs[0].series, p.runs[0].series, 100));
  REQUIRE_FALSE(same_series(f.runs[0].series, p.runs[0].series, 101));
  REQUIRE(same_series(f.runs[1].series, p.runs[1].series, 200));
  REQUIRE(f.runs[1].state_hash == p.runs[1].state_hash);
  REQUIRE(f.runs[0].hparams[0] == 0.25);
  REQUIRE(f.runs[0].start_hparams[0] == 0.1);
  REQUIRE(count(f, EventKind::edit) == 1);
  const auto e =
      std::find_if(f.events.begin(), f.events.end(), [](const Event& x) { return x.kind == EventKind::edit; });
  REQUIRE(e->step == 100);
  REQUIRE(e->text == "lr 0.1 → 0.25");
  // A step of 2.5 times the size: W_101 − W_100 = −lr · gradient.
  const auto before = s->state_at(run, 100), after = s->state_at(run, 101);
  REQUIRE((before.ok() && after.ok()));
  for (int i = 0; i < 2; ++i) {
    const double w0 = (*before)->find("W")->values[static_cast<std::size_t>(i)];
    const double w1 = (*after)->find("W")->values[static_cast<std::size_t>(i)];
    const double g = (*after)->find("W.gradient")->values[static_cast<std::size_t>(i)];
    REQUIRE(w1 - w0 == Approx(-0.25 * g).margin(1e-6));
  }
}

TEST_CASE("an edit from step 0 gives the run that would have been, and keeps the old path as a ghost") {
  auto s = open_session(two_runs());
  s->advance(333);
  const Frame before = frame_of(*s);
  const RunId run = before.runs[0].id;
  done(*s, command::SetHparam{run, "lr", 0.2, EditMode::from_start});
  while (s->continue_work(5)) {}
  const Frame f = frame_of(*s);
  SceneText edited = two_runs();
  edited.lr = {0.2, 0.1};
  auto fresh = open_session(edited);
  fresh->advance(333);
  REQUIRE(f.head == 333);
  REQUIRE(f.runs[0].state_hash == frame_of(*fresh).runs[0].state_hash);
  REQUIRE(f.state_hash == fresh->state_hash());
  REQUIRE(same_series(f.runs[0].series, frame_of(*fresh).runs[0].series, 333));
  REQUIRE(same_series(f.runs[0].ghost, before.runs[0].series, 333));
  REQUIRE(f.runs[1].ghost.empty());
  REQUIRE(f.scene->runs[0].hparams.at("lr") == 0.2);
  done(*s, command::SetHparam{run, "lr", 0.3, EditMode::from_here});
  REQUIRE(frame_of(*s).runs[0].ghost.empty());
}

TEST_CASE("previews of a drag leave what one edit would leave") {
  auto dragged = open_session(two_runs());
  auto direct = open_session(two_runs());
  for (Session* s : {dragged.get(), direct.get()}) s->advance(250);
  const Frame before = frame_of(*dragged);
  const RunId run = before.runs[1].id;
  for (const double lr : {0.11, 0.4, 3.0, 0.22})
    done(*dragged, command::SetHparam{run, "lr", lr, EditMode::from_start, true});
  REQUIRE(count(frame_of(*dragged), EventKind::edit) == 0);
  done(*dragged, command::SetHparam{run, "lr", 0.22, EditMode::from_start});
  done(*direct, command::SetHparam{run, "lr", 0.22, EditMode::from_start});
  for (Session* s : {dragged.get(), direct.get()})
    while (s->continue_work(5)) {}
  REQUIRE(dragged->state_hash() == direct->state_hash());
  REQUIRE(same_series(frame_of(*dragged).runs[1].ghost, before.runs[1].series, 250));

  for (const double lr : {0.5, 0.6, 0.7}) done(*dragged, command::SetHparam{run, "lr", lr, EditMode::from_here, true});
  done(*dragged, command::SetHparam{run, "lr", 0.7, EditMode::from_here});
  done(*direct, command::SetHparam{run, "lr", 0.7, EditMode::from_here});
  for (Session* s : {dragged.get(), direct.get()}) s->advance(100);
  REQUIRE(dragged->state_hash() == direct->state_hash());
  const Frame f = frame_of(*dragged);
  REQUIRE(count(f, EventKind::edit) == 2); // from step 0, and from here
  REQUIRE(f.events.front().step == 0);
  REQUIRE(f.events.front().text == "lr 0.1 → 0.22");
}

TEST_CASE("a drag that is given up leaves nothing, also of steps made meanwhile") {
  auto dragged = open_session(two_runs());
  auto untouched = open_session(two_runs());
  const RunId run = frame_of(*dragged).runs[1].id;
  for (Session* s : {dragged.get(), untouched.get()}) s->advance(100);
  const std::vector<double> away = {3, -2};
  for (const EditMode mode : {EditMode::from_here, EditMode::from_start}) {
    for (const double lr : {0.2, 0.4, 0.8}) {
      done(*dragged, command::SetHparam{run, "lr", lr, mode, true});
      for (Session* s : {dragged.get(), untouched.get()}) s->advance(10);
    }
    REQUIRE(dragged->state_hash() != untouched->state_hash());
    done(*dragged, command::CancelPreview{run});
    for (Session* s : {dragged.get(), untouched.get()}) s->advance(10);
    REQUIRE(dragged->state_hash() == untouched->state_hash());
    REQUIRE(same_series(frame_of(*dragged).runs[1].series, frame_of(*untouched).runs[1].series, dragged->head()));
    REQUIRE(frame_of(*dragged).runs[1].hparams == frame_of(*untouched).runs[1].hparams);
    REQUIRE(count(frame_of(*dragged), EventKind::edit) == 0);
  }
  done(*dragged, command::MoveStart{run, "W", away, true});
  REQUIRE(dragged->state_hash() != untouched->state_hash());
  done(*dragged, command::CancelPreview{run});
  while (dragged->continue_work(5)) {}
  REQUIRE(dragged->state_hash() == untouched->state_hash());
}

TEST_CASE("moving a start gives the run that would have started there") {
  auto s = open_session(two_runs());
  s->advance(200);
  const RunId run = frame_of(*s).runs[0].id;
  done(*s, command::MoveStart{run, "W", {0.3, 1.4}, true});
  done(*s, command::MoveStart{run, "W", {0.5, 1.5}, true});
  done(*s, command::MoveStart{run, "W", {0.5, 1.5}});
  while (s->continue_work(5)) {}
  SceneText moved = two_runs();
  moved.start[0] = "{ point = [0.5, 1.5] }";
  auto fresh = open_session(moved);
  fresh->advance(200);
  REQUIRE(s->state_hash() == fresh->state_hash());
  const Frame f = frame_of(*s);
  REQUIRE((*f.runs[0].start)[0] == std::vector<double>{0.5, 1.5});
  REQUIRE(count(f, EventKind::edit) == 1);
  REQUIRE(f.events.front().step == 0);
  REQUIRE(f.events.front().text.rfind("start norm ", 0) == 0);
  REQUIRE(f.events.front().text.find(" → 1.58") != std::string::npos);
  REQUIRE_FALSE(f.runs[0].ghost.empty());
  REQUIRE_FALSE(s->apply(command::MoveStart{run, "W", {1}}).ok());
  REQUIRE_FALSE(s->apply(command::MoveStart{run, "V", {1, 2}}).ok());
  REQUIRE_FALSE(s->apply(command::MoveStart{run, "W", {1, NAN}}).ok());
}

TEST_CASE("runs come and go without touching the others") {
  auto s = open_session(two_runs());
  s->advance(150);
  const Frame before = frame_of(*s);
  const RunId first = before.runs[0].id, second = before.runs[1].id;
  done(*s, command::SetHparam{first, "lr", 0.3, EditMode::from_here});
  s->advance(50);
  done(*s, command::DuplicateRun{first});
  while (s->continue_work(5)) {}
  Frame f = frame_of(*s);
  REQUIRE(f.runs.size() == 3);
  REQUIRE(f.runs[2].label == "run 0 copy");
  REQUIRE(f.runs[2].series.last_step() == 200);
  REQUIRE(f.runs[2].state_hash == f.runs[0].state_hash);
  REQUIRE(f.selected == f.runs[2].id);
  REQUIRE(f.runs[2].style == 2);

  done(*s, command::AddRun{"sgd"});
  while (s->continue_work(5)) {}
  f = frame_of(*s);
  REQUIRE(f.runs.size() == 4);
  REQUIRE(f.runs[3].series.last_step() == 200);
  REQUIRE(*f.runs[3].start == *f.runs[2].start);
  REQUIRE(s->apply(command::AddRun{"sgdd"}).error().kind == ErrorKind::bad_input);

  done(*s, command::RemoveRun{first});
  s->advance(100);
  f = frame_of(*s);
  REQUIRE(f.runs.size() == 3);
  REQUIRE(f.runs[0].id == second);
  auto plain = open_session(two_runs());
  plain->advance(300);
  REQUIRE(f.runs[0].state_hash == frame_of(*plain).runs[1].state_hash);
  done(*s, command::AddRun{"sgd"});
  REQUIRE(frame_of(*s).runs.back().style == 0); // the lowest that is free again
  REQUIRE(frame_of(*s).runs.back().id != first);
  for (const RunFrame& r : frame_of(*s).runs)
    if (r.id != second) done(*s, command::RemoveRun{r.id});
  REQUIRE_FALSE(s->apply(command::RemoveRun{second}).ok());
  REQUIRE(frame_of(*s).selected == second);
}

TEST_CASE("the last run of a program takes the program with it, and another run of the same may come later") {
  auto s = open_session(two_runs());
  s->advance(50);
  done(*s, command::AddRun{"adamw"});
  done(*s, command::AddRun{"adamw"});
  while (s->continue_work(5)) {}
  const auto newest = [&] { return frame_of(*s).runs.back().id; };
  const std::weak_ptr<const StepProgram> program = frame_of(*s).runs.back().program;
  const std::uint64_t hash = frame_of(*s).runs.back().state_hash;
  REQUIRE(s->look_at(newest(), 20, 5).ok());
  done(*s, command::RemoveRun{newest()});
  CHECK_FALSE(program.expired()); // the other one's too
  done(*s, command::RemoveRun{newest()});
  CHECK(program.expired());
  s->advance(50);
  done(*s, command::SelectRun{frame_of(*s).runs[0].id}); // whose start it gets, as the others did
  done(*s, command::AddRun{"adamw"});
  while (s->continue_work(5)) {}
  const Frame f = frame_of(*s);
  REQUIRE(f.runs.size() == 3);
  CHECK(f.runs.back().series.last_step() == 100);
  CHECK(s->state_hash_at(f.runs.back().id, 50) == hash);
}

TEST_CASE("names are unique, wrong commands are refused and change nothing") {
  auto s = open_session(two_runs());
  s->advance(20);
  const auto hash = s->state_hash();
  const RunId run = frame_of(*s).runs[0].id;
  REQUIRE(done(*s, command::RenameRun{run, "inner"}).find("inner") != std::string::npos);
  REQUIRE(frame_of(*s).scene->runs[0].label == "inner");
  REQUIRE_FALSE(s->apply(command::RenameRun{run, "run 1"}).ok());
  REQUIRE_FALSE(s->apply(command::RenameRun{run, ""}).ok());
  REQUIRE_FALSE(s->apply(command::RenameRun{run, "a\nb"}).ok());
  REQUIRE_FALSE(s->apply(command::SelectRun{77}).ok());
  REQUIRE_FALSE(s->apply(command::SetHparam{77, "lr", 0.1, EditMode::from_here}).ok());
  REQUIRE_FALSE(s->apply(command::SetHparam{run, "lr", NAN, EditMode::from_here}).ok());
  REQUIRE_FALSE(s->apply(command::SetHparam{run, "lr", -1, EditMode::from_start}).ok());
  const auto typo = s->apply(command::SetHparam{run, "lrr", 0.1, EditMode::from_start});
  REQUIRE_FALSE(typo.ok());
  REQUIRE(typo.error().message.find("'lr'") != std::string::npos);
  REQUIRE_FALSE(s->apply(command::OpenScene{"x"}).ok());
  REQUIRE_FALSE(s->state_at(run, 21).ok());
  REQUIRE(s->state_hash() == hash);
  REQUIRE(s->head() == 20);
}

TEST_CASE("a drag while playing is an event at the first step it acted on, also where it made the run diverge") {
  auto s = open_session(two_runs());
  s->advance(180);
  const RunId run = frame_of(*s).runs[0].id;
  for (const double lr : {0.4, 2.0, 5.0}) {
    done(*s, command::SetHparam{run, "lr", lr, EditMode::from_here, true});
    s->advance(5);
  }
  const auto said = s->apply(command::SetHparam{run, "lr", 10, EditMode::from_here});
  REQUIRE(said);
  CHECK(said->find("0.1 → 10, dragged over steps 180–195") != std::string::npos);
  Frame f = frame_of(*s);
  const auto edit =
      std::find_if(f.events.begin(), f.events.end(), [](const Event& e) { return e.kind == EventKind::edit; });
  REQUIRE(edit != f.events.end());
  CHECK(edit->step == 180);
  CHECK(edit->text == "lr 0.1 → 10, dragged over steps 180–195");
  const auto again = s->apply(command::Restart{});
  REQUIRE(again);
  CHECK(again->find("the path will be another") != std::string::npos);
  CHECK(*s->apply(command::Restart{}) == "back at step 0");

  SceneText rows; // of which a rate can be too large
  rows.problem = "rows";
  rows.start = {};
  rows.optimizer = "adamw";
  rows.lr = {0.01};
  auto wild = open_session(scene_of(rows));
  wild->advance(10);
  const RunId one = frame_of(*wild).runs[0].id;
  done(*wild, command::SetHparam{one, "weight_decay", 1e3, EditMode::from_here});
  done(*wild, command::SetHparam{one, "lr", 1e3, EditMode::from_here, true});
  wild->advance(200);
  done(*wild, command::SetHparam{one, "lr", 1e3, EditMode::from_here});
  f = frame_of(*wild);
  REQUIRE(f.runs[0].diverged);
  CHECK(std::any_of(f.events.begin(), f.events.end(), [](const Event& e) {
    return e.kind == EventKind::edit && e.step == 10 && e.text.find("dragged over") != std::string::npos;
  }));
}

TEST_CASE("restart keeps edits as starting values") {
  auto s = open_session(two_runs());
  s->advance(100);
  const RunId run = frame_of(*s).runs[0].id;
  done(*s, command::SetHparam{run, "lr", 0.3, EditMode::from_here});
  s->advance(100);
  done(*s, command::Restart{});
  Frame f = frame_of(*s);
  REQUIRE(f.head == 0);
  REQUIRE(f.cursor == 0);
  REQUIRE(f.runs[0].series.last_step() == 0);
  REQUIRE(count(f, EventKind::edit) == 1); // at step 0: what differs from the file
  REQUIRE(f.events.front().text == "lr 0.1 → 0.3");
  s->advance(200);
  SceneText edited = two_runs();
  edited.lr = {0.3, 0.1};
  auto fresh = open_session(edited);
  fresh->advance(200);
  REQUIRE(s->state_hash() == fresh->state_hash());
}

TEST_CASE("a run that is not finite freezes alone, with its step") {
  SceneText text = two_runs();
  auto s = open_session(text);
  auto plain = open_session(text);
  s->advance(10);
  const RunId run = frame_of(*s).runs[0].id;
  // A weight of norm 0 has no direction: the loss of the next step is not finite.
  done(*s, command::MoveStart{run, "W", {0, 0}});
  s->advance(90);
  plain->advance(100);
  const Frame f = frame_of(*s), p = frame_of(*plain);
  REQUIRE(f.runs[0].diverged);
  REQUIRE(f.runs[0].diverged_at == 1);
  REQUIRE(f.runs[0].series.last_step() == 1);
  REQUIRE_FALSE(f.computing);
  REQUIRE(count(f, EventKind::diverged) == 1);
  REQUIRE_FALSE(f.runs[1].diverged);
  REQUIRE(f.runs[1].state_hash == p.runs[1].state_hash);
  REQUIRE(s->state_at(run, 50).ok());
  REQUIRE((*s->state_at(run, 50))->step == 1);
  REQUIRE(done(*s, command::SetHparam{run, "lr", 0.2, EditMode::from_here}).find("diverged") != std::string::npos);
  done(*s, command::MoveStart{run, "W", {1, 0}});
  while (s->continue_work(5)) {}
  REQUIRE_FALSE(frame_of(*s).runs[0].diverged);
  REQUIRE(frame_of(*s).runs[0].series.last_step() == 100);
}

TEST_CASE("the state at any step is the one that was recorded there") {
  SceneText text = two_runs();
  text.steps = 2000;
  auto s = open_session(text);
  s->advance(700);
  const RunId run = frame_of(*s).runs[1].id;
  done(*s, command::SetHparam{run, "lr", 0.4, EditMode::from_here});
  s->advance(600);
  const auto hash = s->state_hash();
  const Frame f = frame_of(*s);
  std::vector<double> recorded;
  for (const long step : {0l, 1l, 255l, 256l, 257l, 512l, 699l, 700l, 701l, 1024l, 1299l, 1300l}) {
    const auto view = s->state_at(run, step);
    REQUIRE(view.ok());
    REQUIRE((*view)->step == step);
    REQUIRE(f.runs[1].series.weight(0, step, recorded));
    REQUIRE((*view)->find("W")->values == recorded);
    REQUIRE(((*view)->find("W.gradient") != nullptr) == (step > 0));
    if (step == 0) continue;
    REQUIRE(f.runs[1].series.weight(0, step - 1, recorded));
    REQUIRE((*view)->find("W.previous")->values == recorded);
  }
  REQUIRE(s->state_hash() == hash);
  REQUIRE(s->state_hash_at(run, 1300) == s->state_hash(run));
  REQUIRE_FALSE(frame_of(*s).notice_is_error); // no replay gave another state
  s->advance(10);
  auto again = open_session(text);
  again->advance(700);
  done(*again, command::SetHparam{frame_of(*again).runs[1].id, "lr", 0.4, EditMode::from_here});
  again->advance(610);
  REQUIRE(again->state_hash() == s->state_hash());
}

TEST_CASE("events are found by the engine") {
  SceneText text = two_runs();
  text.steps = 600;
  text.lr = {2.0, 0.1};
  text.extra = "\n[view]\ntarget = 0.7\n";
  auto s = open_session(text);
  s->advance(600);
  const Frame f = frame_of(*s);
  const RunFrame& r = f.runs[0];
  const int norm = r.program->find_metric("W.frobenius_norm"), loss = r.program->find_metric("loss");
  REQUIRE(norm >= 0);
  long doubled = -1, reached = -1;
  for (const Sample& x : all_samples(r.series, norm))
    if (doubled < 0 && x.value >= 2 * *r.series.at(norm, 0)) doubled = x.step;
  for (const Sample& x : all_samples(r.series, loss))
    if (reached < 0 && x.value <= 0.7) reached = x.step;
  REQUIRE(doubled > 0);
  REQUIRE(reached > 0);
  long seen = 0;
  for (const Event& e : f.events) {
    if (e.run != r.id) continue;
    if (e.kind != EventKind::norm_doubled && e.kind != EventKind::target_reached) continue;
    REQUIRE(e.step == (e.kind == EventKind::norm_doubled ? doubled : reached));
    ++seen;
  }
  REQUIRE(seen == 2);
  REQUIRE(std::is_sorted(f.events.begin(), f.events.end(), [](auto& a, auto& b) { return a.step < b.step; }));
}

TEST_CASE("the loss on a plane is the loss formula") {
  SceneText text = two_runs();
  text.precision = "f64";
  auto s = open_session(text);
  s->advance(17);
  const auto hash = s->state_hash();
  const auto loss = s->plane_loss(frame_of(*s).runs[1].id, 0, {0, 1}, {1, 0}, 64);
  REQUIRE(loss.size() == 64);
  const double wells[3][3] = {{1, 3, 2.4}, {0.6, 5, -0.9}, {0.35, 8, 0.6}};
  for (int k = 0; k < 64; ++k) {
    const double theta = std::numbers::pi / 2 - 2 * std::numbers::pi * k / 64; // e1 is +y, e2 is +x
    double expected = 1;
    for (const auto& w : wells) expected -= w[0] * std::exp(w[1] * (std::cos(theta - w[2]) - 1));
    REQUIRE(loss[static_cast<std::size_t>(k)] == Approx(expected).epsilon(1e-12).margin(1e-12));
  }
  REQUIRE(s->state_hash() == hash);
  REQUIRE(s->plane_loss(99, 0, {0, 1}, {1, 0}, 8).empty());
  REQUIRE(s->plane_loss(frame_of(*s).runs[0].id, 0, {0, 1, 2}, {1, 0, 2}, 8).empty());
}

TEST_CASE("expected curves follow the edits and end where the run does") {
  SceneText text = two_runs();
  text.precision = "f64";
  text.optimizer = "normalized_sgd";
  text.noise = 0;
  text.lr = {0.05};
  auto s = open_session(text);
  s->advance(100);
  done(*s, command::SetHparam{frame_of(*s).runs[0].id, "lr", 0.02, EditMode::from_here});
  s->advance(150);
  const Frame f = frame_of(*s);
  const RunFrame& r = f.runs[0];
  REQUIRE_FALSE(r.expected.empty());
  const auto line =
      std::find_if(r.expected.begin(), r.expected.end(), [](const auto& e) { return e->metric == "W.frobenius_norm"; });
  REQUIRE(line != r.expected.end());
  REQUIRE((*line)->points.size() == 251);
  // A unit tangential step of length η at each step: r² = r₀² + Σ η² (algorithms.md §G2).
  for (const Sample& p : (*line)->points) {
    const double first = static_cast<double>(std::min(p.step, 100l)), rest = static_cast<double>(p.step) - first;
    REQUIRE(p.value == Approx(std::sqrt(1 + first * 0.0025 + rest * 0.0004)).epsilon(1e-12));
  }
  s->advance(50);
  REQUIRE((*line)->points.size() == 251); // a frame does not change
  REQUIRE(frame_of(*s).runs[0].expected[0]->points.size() == 301);
}

TEST_CASE("previews while playing leave an edit for each value in force, and every step can be made again") {
  auto s = open_session(two_runs());
  s->advance(100);
  const RunId run = frame_of(*s).runs[0].id;
  std::map<long, std::uint64_t> hashes;
  for (const double lr : {0.2, 0.2, 0.2, 0.3, 0.1}) {
    done(*s, command::SetHparam{run, "lr", lr, EditMode::from_here, true});
    done(*s, command::SetHparam{run, "lr", lr * 1.5, EditMode::from_here, true});
    done(*s, command::SetHparam{run, "lr", lr, EditMode::from_here, true});
    s->advance(7);
    hashes[s->head()] = s->state_hash(run);
  }
  done(*s, command::SetHparam{run, "lr", 0.1, EditMode::from_here});
  s->advance(300);
  for (const auto& [step, hash] : hashes) REQUIRE(s->state_hash_at(run, step) == hash);
  const Frame f = frame_of(*s);
  REQUIRE_FALSE(f.notice_is_error);
  REQUIRE(f.runs[0].hparams[0] == 0.1);
  // It ended where it began, but steps were made with other values: that is said, at the first of them.
  REQUIRE(count(f, EventKind::edit) == 1);
  const auto edit =
      std::find_if(f.events.begin(), f.events.end(), [](const Event& e) { return e.kind == EventKind::edit; });
  REQUIRE(edit->step == 100);
  REQUIRE(edit->text == "lr changed, dragged over steps 100–135");
}

TEST_CASE("the recipe's values are those of its preset, whatever the runs of one program set") {
  SceneText text = two_runs();
  text.lr = {0.7, 0.3};
  auto s = open_session(text);
  const Frame f = frame_of(*s);
  REQUIRE(f.runs[0].program == f.runs[1].program);
  for (const RunFrame& r : f.runs) {
    const int lr = r.program->find_hparam("lr");
    REQUIRE(r.optimizer->value_of(r.program->hparams()[static_cast<std::size_t>(lr)].setting) == 0.1);
  }
  REQUIRE(f.runs[0].hparams[0] == 0.7);
  REQUIRE(f.runs[1].hparams[0] == 0.3);
}

TEST_CASE("a norm that is too large to be measured stops the run") {
  SceneText text;
  text.problem = "rows";
  text.start = {};
  text.optimizer = "adamw";
  text.lr = {1e3};
  Scene scene = scene_of(text);
  scene.runs[0].hparams["weight_decay"] = 1e3;
  auto s = open_session(scene);
  s->advance(1000);
  const Frame f = frame_of(*s);
  const RunFrame& r = f.runs[0];
  REQUIRE(r.diverged);
  const int norm = r.program->find_metric("W.frobenius_norm");
  for (long step = 0; step < r.diverged_at; ++step) REQUIRE(std::isfinite(*r.series.at(norm, step)));
  REQUIRE(r.diverged_at < 10);
}

TEST_CASE("a start that has not been moved is held once, and is not compared at every frame") {
  auto s = open_session(SceneText{});
  const auto opened = frame_of(*s).runs[0].start;
  s->advance(10);
  done(*s, command::SetHparam{1, "lr", 0.2, EditMode::from_start}); // makes the path, and its start, again
  frame_of(*s);
  CHECK(frame_of(*s).runs[0].start == opened);
  done(*s, command::MoveStart{1, "W", {0.5, 0.5}});
  frame_of(*s);
  CHECK(frame_of(*s).runs[0].start != opened);
  bool told = false;
  for (const Event& e : frame_of(*s).events) told |= e.text.find("start") != std::string::npos;
  CHECK(told);
}

TEST_CASE("memory that another session keeps is not there for a new one") {
  SessionOptions options;
  options.device = "cpu";
  CHECK(Session::open(scene_of(SceneText{}), options).ok());
  options.memory_in_use = machine_memory();
  const auto refused = Session::open(scene_of(SceneText{}), options);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().kind == ErrorKind::machine_lacks);
  auto s = open_session(SceneText{});
  const std::size_t before = s->memory_bytes();
  s->advance(1000);
  CHECK(s->memory_bytes() > before);
  CHECK(s->memory_bytes() == frame_of(*s).memory_bytes);
}
