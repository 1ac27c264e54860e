// A run's recipe changed part by part: against fresh sessions of the scene that the change amounts to.
#include "engine/optimizer/composition.hpp"
#include "engine/optimizer/route.hpp"
#include "engine/session.hpp"
#include "engine/trace.hpp"
#include "tests/support/scenes.hpp"

#include <algorithm>
#include <string>

using namespace polarscope;
using namespace polarscope::test;

namespace {

// Two runs of one optimizer: the circle's, or a matrix for the stages that need one.
std::string scene_text(const std::string& optimizer, const std::string& extra = {}, const std::string& label = {}) {
  return fmt::format("[scene]\nseed = 11\nsteps = 400\n[problem]\nkind = \"rows\"\nrows = 4\ncols = 6\nnoise = 0.02\n"
                     "[[run]]\n{}{}\n[[run]]\nlabel = \"other\"\noptimizer = \"sgd\"\n{}",
                     label.empty() ? "" : fmt::format("label = \"{}\"\n", label), optimizer, extra);
}

std::unique_ptr<Session> opened(const std::string& text) {
  auto scene = parse_scene(text, "test.toml");
  if (!scene) FAIL(scene.error().text());
  return open_session(std::move(*scene));
}

void finish(Session& s) {
  while (s.continue_work(5)) {}
}

StageChain one(const char* kind) { return {{kind, {}}}; }

double number_of(const RunFrame& run, const char* name) {
  const int column = run.program->find_hparam(name);
  REQUIRE(column >= 0);
  return run.hparams[static_cast<std::size_t>(column)];
}

} // namespace

TEST_CASE("another stage for a part gives the run that such a recipe would have been", "[recipe]") {
  auto s = opened(scene_text("optimizer = \"momentum\"\nhparam.lr = 0.05"));
  s->advance(150);
  const Frame before = frame_of(*s);
  const std::string said = done(*s, command::SetPart{before.runs[0].id, Part::geometry, one("sign")});
  finish(*s);
  CHECK(said == "momentum* from step 0: geometry identity → sign");
  auto fresh = opened(scene_text("optimizer = { base = \"momentum\", geometry = \"sign\" }\nhparam.lr = 0.05"));
  fresh->advance(150);
  const Frame f = frame_of(*s), g = frame_of(*fresh);
  CHECK(f.head == 150);
  CHECK(f.runs[0].state_hash == g.runs[0].state_hash);
  CHECK(f.runs[0].state_hash != before.runs[0].state_hash);
  CHECK(f.runs[1].state_hash == before.runs[1].state_hash);
  CHECK(f.state_hash == g.state_hash);
  // The same run: what people know it by stays.
  CHECK(f.runs[0].id == before.runs[0].id);
  CHECK(f.runs[0].style == before.runs[0].style);
  CHECK(f.runs[0].optimizer_name == "momentum*");
  CHECK(f.runs[0].recipe_changed);
  CHECK(f.selected == before.selected);
  CHECK_FALSE(f.runs[0].ghost.empty());
  CHECK(f.runs[0].ghost_program->fingerprint() == before.runs[0].program->fingerprint());
  CHECK(std::any_of(f.events.begin(), f.events.end(),
                    [](const Event& e) { return e.step == 0 && e.text == "geometry → sign"; }));
  s->advance(100);
  fresh->advance(100);
  CHECK(s->state_hash() == fresh->state_hash());
  // The past is that of the new recipe.
  CHECK(s->state_hash_at(f.runs[0].id, 40) == fresh->state_hash_at(g.runs[0].id, 40));
}

TEST_CASE("any stage in any place runs as its TOML does, or is refused and changes nothing", "[recipe][scene]") {
  int accepted = 0, refused = 0;
  for (const char* preset : {"sgd", "adamw", "muon", "md_muon", "lamb"})
    for (const Part part : kRecipeParts)
      for (const std::string& kind : stage_kinds(part))
        for (const bool added : {false, true}) {
          CAPTURE(preset, part_name(part), kind, added);
          auto s = opened(scene_text(fmt::format("optimizer = \"{}\"", preset)));
          s->advance(12);
          const Frame before = frame_of(*s);
          const OptimizerSpec& spec = *before.runs[0].optimizer;
          StageChain chain = added ? spec.chain(part) : StageChain();
          chain.push_back(chosen_stage(part, kind, spec));
          const auto said = s->apply(command::SetPart{before.runs[0].id, part, chain});
          finish(*s);
          const Frame f = frame_of(*s);
          if (!said) {
            ++refused;
            CHECK(f.state_hash == before.state_hash);
            CHECK(f.runs[0].optimizer_name == before.runs[0].optimizer_name);
            REQUIRE(f.refused);
            CHECK(f.refused->part == part);
            CHECK(f.refused->text == said.error().message);
            continue;
          }
          ++accepted;
          CHECK_FALSE(f.refused);
          CHECK(same_chain(part, f.runs[0].optimizer->chain(part), chain));
          const std::string toml = to_toml(*f.scene);
          CAPTURE(toml);
          auto again = parse_scene(toml, "again.toml");
          if (!again) FAIL(again.error().text());
          CHECK(same_composition(again->runs[0].optimizer, *f.runs[0].optimizer));
          CHECK(again->runs[0].label == f.runs[0].label);
          CHECK(again->runs[0].optimizer.name == f.runs[0].optimizer_name);
          auto fresh = open_session(std::move(*again));
          fresh->advance(12);
          CHECK(fresh->state_hash() == f.state_hash);
        }
  CHECK(accepted > 150);
  CHECK(refused > 20);
}

TEST_CASE("numbers stay where the new stages have them, and come back as opened", "[recipe]") {
  auto s = opened(scene_text("optimizer = \"muon\""));
  const RunId run = frame_of(*s).runs[0].id;
  const OptimizerSpec opened_spec = *frame_of(*s).runs[0].optimizer;
  done(*s, command::SetHparam{run, "lr", 0.03, EditMode::from_here});
  s->advance(20);
  done(*s, command::SetHparam{run, "lr", 0.01, EditMode::from_here});
  done(*s, command::SetHparam{run, "momentum", 0.5, EditMode::from_here});
  s->advance(20);
  done(*s, command::SetPart{run, Part::direction, one("adam")});
  finish(*s);
  Frame f = frame_of(*s);
  CHECK(number_of(f.runs[0], "lr") == 0.01);
  CHECK(f.runs[0].start_hparams[static_cast<std::size_t>(f.runs[0].program->find_hparam("lr"))] == 0.03);
  CHECK(f.runs[0].program->find_hparam("momentum") < 0);
  CHECK(number_of(f.runs[0], "beta2") == 0.999);
  CHECK(std::count_if(f.events.begin(), f.events.end(),
                      [](const Event& e) { return e.step == 20 && e.kind == EventKind::edit; }) == 1);
  CHECK(f.runs[0].label == "muon*");

  done(*s, command::SetPart{run, Part::direction, {chosen_stage(Part::direction, "momentum", opened_spec)}});
  finish(*s);
  f = frame_of(*s);
  CHECK_FALSE(f.runs[0].recipe_changed);
  CHECK(f.runs[0].label == "muon");
  CHECK(f.runs[0].optimizer_name == "muon");
  CHECK(number_of(f.runs[0], "momentum") == 0.95);
  CHECK(number_of(f.runs[0], "lr") == 0.01);
  auto fresh = opened(scene_text("optimizer = \"muon\"\nhparam.lr = 0.03"));
  fresh->advance(20);
  done(*fresh, command::SetHparam{frame_of(*fresh).runs[0].id, "lr", 0.01, EditMode::from_here});
  fresh->advance(20);
  CHECK(fresh->state_hash() == s->state_hash());
}

TEST_CASE("what cannot be combined is refused in one line, until the next edit", "[recipe]") {
  auto s = opened(scene_text("optimizer = \"adamw\""));
  s->advance(30);
  const Frame before = frame_of(*s);
  const RunId run = before.runs[0].id;
  const auto refused = [&](Command command, Part part, const std::string& words) {
    const auto said = s->apply(command);
    REQUIRE_FALSE(said);
    CHECK(said.error().text().find(words) != std::string::npos);
    CHECK(said.error().place.file.empty());
    const Frame f = frame_of(*s);
    CHECK(f.state_hash == before.state_hash);
    REQUIRE(f.refused);
    CHECK(f.refused->run == run);
    CHECK(f.refused->part == part);
    CHECK(f.refused->text == said.error().message);
  };
  refused(command::SetPart{run, Part::direction, {{"adam", {}}, {"lion", {}}}}, Part::direction, "beta1");
  refused(command::SetPart{run, Part::geometry, {}}, Part::geometry, "needs a stage");
  refused(command::SetPart{run, Part::geometry, {{"sign", {}}, {"sign", {}}}}, Part::geometry, "twice");
  refused(command::SetPart{run, Part::decay, {{"coupled", {}}, {"none", {}}}}, Part::decay, "one stage");
  refused(command::SetPart{run, Part::magnitude, one("hyperbal")}, Part::magnitude, "did you mean 'hyperball'?");
  refused(command::SetPart{run, Part::geometry, {{"sign", {{"granularity", std::string("row")}}}}}, Part::geometry,
          "no option");
  refused(command::SetSchedule{run, "warmth", {"linear"}}, Part::schedule, "warmth");
  CHECK_FALSE(s->apply(command::SetPart{run, Part::schedule, one("linear")}));
  CHECK_FALSE(s->apply(command::SetPart{999, Part::decay, one("none")}));
  done(*s, command::StepBy{1}); // time goes on beside it
  CHECK(frame_of(*s).refused);
  done(*s, command::SetHparam{run, "lr", 0.002, EditMode::from_here});
  CHECK_FALSE(frame_of(*s).refused);
}

TEST_CASE("a name made from the optimizer shows the change, a name that was given stays", "[recipe]") {
  auto s = opened(scene_text("optimizer = \"muon\"", "[expect]\nloss = { run = \"mine\", below = 5 }\n", "mine"));
  const RunId mine = frame_of(*s).runs[0].id;
  done(*s, command::SetPart{mine, Part::magnitude, one("hyperball")});
  CHECK(frame_of(*s).runs[0].label == "mine");
  CHECK(frame_of(*s).runs[0].optimizer_name == "muon*");
  done(*s, command::RenameRun{mine, "yours"});
  CHECK(s->scene().expect[0].run == "yours");
  CHECK(parse_scene(to_toml(s->scene()), "again.toml").ok());

  done(*s, command::AddRun{"muon"});
  done(*s, command::AddRun{"muon"});
  const RunId second = frame_of(*s).runs[3].id;
  CHECK(frame_of(*s).runs[3].label == "Muon 2");
  done(*s, command::SetPart{second, Part::geometry, one("sign")});
  CHECK(frame_of(*s).runs[3].label == "Muon 2*");
  done(*s, command::DuplicateRun{second});
  const Frame copied = frame_of(*s);
  CHECK(copied.runs[4].recipe_changed);
  CHECK(copied.runs[4].state_hash == copied.runs[3].state_hash);
  done(*s, command::ResetRecipe{second});
  CHECK(frame_of(*s).runs[3].label == "Muon 2");
  CHECK_FALSE(frame_of(*s).runs[3].recipe_changed);
  CHECK(done(*s, command::ResetRecipe{second}).find("opened with") != std::string::npos);
}

TEST_CASE("a schedule is set, changed and taken away", "[recipe]") {
  auto s = opened(scene_text("optimizer = \"sgd\""));
  s->advance(60);
  const Frame before = frame_of(*s);
  const RunId run = before.runs[0].id;
  done(*s, command::SetSchedule{run, "lr", {"cosine", 0.1}});
  finish(*s);
  auto fresh = opened(scene_text("optimizer = \"sgd\"\nschedule.lr = { kind = \"cosine\", warmup = 0.1 }"));
  fresh->advance(60);
  CHECK(s->state_hash() == fresh->state_hash());
  CHECK(frame_of(*s).runs[0].recipe_changed);
  CHECK(done(*s, command::SetSchedule{run, "lr", {"cosine", 0.1}}).find("already") != std::string::npos);
  done(*s, command::SetSchedule{run, "lr", {}});
  finish(*s);
  CHECK(s->state_hash() == before.state_hash);
  CHECK_FALSE(frame_of(*s).runs[0].recipe_changed);
}

TEST_CASE("a changed recipe outlives a drag, a restart and a moved start", "[recipe]") {
  auto s = opened(scene_text("optimizer = \"sgd\""));
  s->advance(50);
  const RunId run = frame_of(*s).runs[0].id;
  std::vector<double> point = (*frame_of(*s).runs[0].start)[0];
  for (double& x : point) x *= 3;
  done(*s, command::MoveStart{run, "W", point});
  done(*s, command::SetHparam{run, "lr", 0.5, EditMode::from_start, true}); // a preview in flight is given up
  done(*s, command::SetPart{run, Part::direction, one("momentum")});
  done(*s, command::Restart{});
  s->advance(50);
  std::string list;
  for (const double x : point) list += fmt::format("{}{}", list.empty() ? "" : ", ", x);
  auto fresh =
      opened(scene_text("optimizer = { base = \"sgd\", direction = \"momentum\" }\nstart.point = [" + list + "]"));
  fresh->advance(50);
  CHECK(s->state_hash() == fresh->state_hash());
}

TEST_CASE("recipes of networks and of recorded gradients change like any other", "[recipe]") {
  Scene replay;
  replay.problem = "trace";
  replay.problem_values.trace = example_trace();
  replay.steps = replay.problem_values.trace->steps();
  auto network = parse_scene("[scene]\nsteps = 30\n[problem]\nkind = \"mlp\"\nwidth = 8\nlayers = 2\n"
                             "[[run]]\noptimizer = \"sgd\"\n",
                             "network.toml");
  if (!network) FAIL(network.error().text());
  for (Scene scene : {replay, *network}) {
    CAPTURE(scene.problem);
    RunSpec run;
    run.label = "A";
    run.optimizer = *load_optimizer("sgd");
    scene.runs = {run};
    auto s = open_session(scene);
    s->advance(scene.steps);
    done(*s, command::SetPart{frame_of(*s).runs[0].id, Part::direction, one("adam")});
    done(*s, command::SetPart{frame_of(*s).runs[0].id, Part::magnitude, one("hyperball")});
    finish(*s);
    scene.runs[0].optimizer.chain(Part::direction) = one("adam");
    scene.runs[0].optimizer.chain(Part::magnitude) = one("hyperball");
    auto fresh = open_session(scene);
    fresh->advance(scene.steps);
    CHECK(s->state_hash() == fresh->state_hash());
    CHECK(frame_of(*s).head == scene.steps);
  }
}

namespace {

std::string network_text(const std::string& run) {
  return "[scene]\nseed = 5\nsteps = 60\n[problem]\nkind = \"mlp\"\nwidth = 8\nlayers = 2\nembedding = true\n"
         "head = true\nnorm_gains = true\n[[run]]\nlabel = \"A\"\n" +
         run + "\n";
}

const OptimizerSpec& route_recipe(const RunFrame& run, const char* target) {
  const RouteSpec* route = find_route(*run.optimizer, target);
  REQUIRE(route);
  return *route->recipe;
}

} // namespace

TEST_CASE("a part of a route's recipe changes like one of the run's own", "[recipe][route]") {
  auto s = opened(network_text("optimizer = \"momentum\"\nroute.head = \"adamw\"\nroute.vector = \"sgd\""));
  s->advance(30);
  const Frame before = frame_of(*s);
  const RunId run = before.runs[0].id;
  const std::string said = done(*s, command::SetPart{run, Part::geometry, one("sign"), "head"});
  finish(*s);
  CHECK(said == "A from step 0: head: geometry identity → sign");
  const Frame f = frame_of(*s);
  CHECK(f.runs[0].recipe_changed);
  CHECK(f.head == 30);
  CHECK(route_recipe(f.runs[0], "head").name == "adamw*");
  CHECK(route_recipe(f.runs[0], "vector").name == "sgd");
  CHECK(chain_text(f.runs[0].optimizer->chain(Part::geometry)) == "identity");
  CHECK(std::any_of(f.events.begin(), f.events.end(),
                    [](const Event& e) { return e.step == 0 && e.text == "head geometry → sign"; }));
  auto fresh = opened(network_text("optimizer = \"momentum\"\nroute.vector = \"sgd\"\n"
                                   "route.head = { base = \"adamw\", geometry = \"sign\" }"));
  fresh->advance(30);
  CHECK(f.state_hash == frame_of(*fresh).state_hash);
  CHECK(f.state_hash != before.state_hash);

  // What the window shows can be written down and read again.
  auto again = parse_scene(to_toml(*f.scene), "again.toml");
  if (!again) FAIL(again.error().text());
  CHECK(same_composition(again->runs[0].optimizer, *f.runs[0].optimizer));
  auto reopened = open_session(std::move(*again));
  reopened->advance(30);
  CHECK(reopened->state_hash() == f.state_hash);

  // Back by hand, and by the way back.
  done(*s, command::SetPart{run, Part::geometry, one("identity"), "head"});
  finish(*s);
  CHECK_FALSE(frame_of(*s).runs[0].recipe_changed);
  CHECK(route_recipe(frame_of(*s).runs[0], "head").name == "adamw");
  CHECK(s->state_hash() == before.state_hash);
  done(*s, command::SetPart{run, Part::direction, one("momentum"), "vector"});
  done(*s, command::SetPart{run, Part::direction, one("adam")});
  CHECK(frame_of(*s).runs[0].recipe_changed);
  done(*s, command::ResetRecipe{run});
  finish(*s);
  CHECK_FALSE(frame_of(*s).runs[0].recipe_changed);
  CHECK(s->state_hash() == before.state_hash);
}

TEST_CASE("numbers of a route stay where its new stages have them", "[recipe][route]") {
  auto s = opened(network_text("optimizer = \"momentum\"\nroute.head = \"adamw\"\nhparam.head.lr = 0.004"));
  const RunId run = frame_of(*s).runs[0].id;
  done(*s, command::SetHparam{run, "head.weight_decay", 0.125, EditMode::from_start});
  done(*s, command::SetPart{run, Part::direction, one("momentum"), "head"});
  finish(*s);
  Frame f = frame_of(*s);
  CHECK(number_of(f.runs[0], "head.lr") == 0.004);
  CHECK(number_of(f.runs[0], "head.weight_decay") == 0.125);
  CHECK(f.runs[0].program->find_hparam("head.beta2") < 0);
  CHECK(f.runs[0].program->find_hparam("head.momentum") >= 0);
  done(*s, command::SetPart{run, Part::decay, one("none"), "head"});
  finish(*s);
  CHECK(frame_of(*s).runs[0].program->find_hparam("head.weight_decay") < 0);
}

TEST_CASE("a route's rate is given a schedule of its own, and a constant one beside a run's that falls",
          "[recipe][route]") {
  auto s =
      opened(network_text("optimizer = \"momentum\"\nroute.head = \"adamw\"\nschedule.lr = { kind = \"linear\" }"));
  const RunId run = frame_of(*s).runs[0].id;
  s->advance(40);
  const std::uint64_t followed = s->state_hash();
  done(*s, command::SetSchedule{run, "lr", {}, "head"});
  finish(*s);
  const std::uint64_t constant = s->state_hash();
  CHECK(constant != followed);
  CHECK(frame_of(*s).runs[0].recipe_changed);
  auto again = parse_scene(to_toml(s->scene()), "again.toml");
  if (!again) FAIL(again.error().text());
  auto reopened = open_session(std::move(*again));
  reopened->advance(40);
  CHECK(reopened->state_hash() == constant);
  CHECK(done(*s, command::SetSchedule{run, "lr", {}, "head"}).find("already") != std::string::npos);
  done(*s, command::SetSchedule{run, "lr", {"cosine", 0.1}, "head"});
  finish(*s);
  auto fresh =
      opened(network_text("optimizer = \"momentum\"\nroute.head = \"adamw\"\nschedule.lr = { kind = \"linear\" }\n"
                          "schedule.head.lr = { kind = \"cosine\", warmup = 0.1 }"));
  fresh->advance(40);
  CHECK(s->state_hash() == fresh->state_hash());
  done(*s, command::ResetRecipe{run});
  finish(*s);
  CHECK(s->state_hash() == followed);
}

TEST_CASE("a refused change of a route says so at the route's part", "[recipe][route]") {
  auto s = opened(network_text("optimizer = \"adamw\"\nroute.head = \"adamw\""));
  const Frame before = frame_of(*s);
  const RunId run = before.runs[0].id;
  const auto said = s->apply(command::SetPart{run, Part::direction, {{"adam", {}}, {"lion", {}}}, "head"});
  REQUIRE_FALSE(said);
  CHECK(said.error().text().find("beta1") != std::string::npos);
  CHECK(said.error().place.file.empty());
  const Frame f = frame_of(*s);
  REQUIRE(f.refused);
  CHECK(f.refused->route == "head");
  CHECK(f.refused->part == Part::direction);
  CHECK(f.state_hash == before.state_hash);
  CHECK_FALSE(s->apply(command::SetPart{run, Part::geometry, one("sign"), "tail"}));
  CHECK_FALSE(s->apply(command::SetSchedule{run, "lr", {"linear"}, "tail"}));
  CHECK_FALSE(s->apply(command::SetSchedule{run, "warmth", {"linear"}, "head"}));
}
