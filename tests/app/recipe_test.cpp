// The recipe panel: other stages for a part, what differs from another run, and the recipe as a file.
#include "app/save_recipe.hpp"
#include "engine/optimizer/composition.hpp"
#include "engine/preset.hpp"
#include "tests/app/window_fixture.hpp"
#include "tests/support/process.hpp"

#include "imgui_internal.h"

#include <fmt/format.h>
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

using namespace polarscope;
using namespace polarscope::testing;

namespace {

void act(TestWindow& w, const char* id) {
  ActionContext context{w.frame(), w.view(), [&](Command c) { w.driver().send(std::move(c)); }};
  REQUIRE(w.shell().actions().invoke(id, context));
  w.settle();
  w.frames(3);
}

bool possible(TestWindow& w, const char* id) {
  const ActionContext context{w.frame(), w.view(), [](Command) {}};
  const Action* action = w.shell().actions().find(id);
  REQUIRE(action);
  return w.shell().actions().enabled(*action, context);
}

const RunFrame& selected(TestWindow& w) { return *w.frame().find(w.frame().selected); }

std::string kind_of(TestWindow& w, Part part) { return chain_text(selected(w).optimizer->chain(part)); }

using test::TemporaryFolder;

std::string file_in(const TemporaryFolder& folder, const char* name) { return folder.path() + "/" + name; }

void type(TestWindow& w, const char* field, const std::string& words) {
  w.play([&](ImGuiTestContext& user) {
    user.SetRef("Save the recipe");
    user.ItemInput(field);
    user.KeyCharsReplace(words.c_str());
    user.KeyPress(ImGuiKey_Tab);
  });
  w.frames(2);
}

void press_save(TestWindow& w) {
  w.play([](ImGuiTestContext& user) {
    user.SetRef("Save the recipe");
    user.ItemClick("###save");
  });
  w.frames(2);
}

} // namespace

TEST_CASE("a part's list gives the run another stage, from step 0 to the same head") {
  TestWindow w;
  w.send(command::ComputeTo{60});
  const std::uint64_t other = w.run(1).state_hash;
  w.play([&](ImGuiTestContext& user) {
    user.SetRef(w.panel("recipe").c_str());
    user.ItemClick("**/geometry.0/##kind");
    user.ItemClick("//$FOCUSED/##sign");
  });
  w.settle();
  w.frames(2);
  CHECK(kind_of(w, Part::geometry) == "sign");
  CHECK(w.frame().head == 60);
  CHECK(selected(w).optimizer_name == "sgd*");
  CHECK(selected(w).label == "norm 1"); // it was given
  CHECK(w.run(1).state_hash == other);
  auto scene = load_scene("first_look", {*parse_set("norm 1:geometry=sign")});
  REQUIRE(scene);
  SessionOptions options;
  options.device = "cpu";
  auto fresh = Session::open(std::move(*scene), options);
  REQUIRE(fresh);
  (*fresh)->advance(60);
  CHECK(w.frame().state_hash == (*fresh)->state_hash());

  act(w, "recipe.as_opened");
  CHECK_FALSE(selected(w).recipe_changed);
  CHECK_FALSE(possible(w, "recipe.as_opened"));
}

TEST_CASE("a stage is added, given options and removed from its menu") {
  TestWindow w;
  w.send(command::ComputeTo{20});
  const auto in_menu = [&](const char* link, const std::function<void(ImGuiTestContext&)>& script) {
    w.play([&](ImGuiTestContext& user) {
      user.SetRef(w.panel("recipe").c_str());
      user.ItemClick(fmt::format("**/{}/more", link).c_str());
      user.SetRef("//$FOCUSED");
      script(user);
    });
    w.settle();
    w.frames(2);
  };
  in_menu("geometry.0", [](ImGuiTestContext& user) { user.MenuClick("Add a stage after it/##normalize"); });
  CHECK(kind_of(w, Part::geometry) == "identity, then normalize");
  in_menu("geometry.1", [](ImGuiTestContext& user) { user.MenuClick("###granularity/##row"); });
  CHECK(selected(w).optimizer->chain(Part::geometry)[1].options.at("granularity") == SettingValue(std::string("row")));
  in_menu("geometry.0", [](ImGuiTestContext& user) { user.ItemClick("Remove this stage"); });
  CHECK(kind_of(w, Part::geometry) == "normalize");
  w.play([&](ImGuiTestContext& user) {
    user.SetRef(w.panel("recipe").c_str());
    user.ItemClick("**/schedule.lr/##kind");
    user.ItemClick("//$FOCUSED/##cosine");
  });
  w.settle();
  CHECK(selected(w).optimizer->schedules.at("lr").kind == "cosine");
}

TEST_CASE("the keyboard alone finds a part's list and chooses from it") {
  TestWindow w;
  w.send(command::ComputeTo{20});
  act(w, "recipe.change.magnitude");
  CHECK(ImGui::IsPopupOpen("", ImGuiPopupFlags_AnyPopupId | ImGuiPopupFlags_AnyPopupLevel));
  w.play([&](ImGuiTestContext& user) {
    user.Yield(2);
    user.KeyPress(ImGuiKey_DownArrow);
    user.KeyPress(ImGuiKey_DownArrow);
    user.KeyPress(ImGuiKey_Enter);
  });
  w.settle();
  w.frames(2);
  CHECK(kind_of(w, Part::magnitude) != "free");
  CHECK(selected(w).recipe_changed);
  w.send(command::ResetRecipe{w.frame().selected});
  // Also where the panel is hidden, and not in a layout that has none.
  w.view().panels["recipe"] = false;
  w.frames(2);
  act(w, "recipe.change.decay");
  CHECK(w.view().panels["recipe"]);
  CHECK(ImGui::IsPopupOpen("", ImGuiPopupFlags_AnyPopupId | ImGuiPopupFlags_AnyPopupLevel));
  w.play([](ImGuiTestContext& user) { user.KeyPress(ImGuiKey_Escape); });
  w.view().layout = LayoutKind::show;
  w.frames(3);
  for (const char* id : {"recipe.change.decay", "recipe.compare", "recipe.save"}) CHECK_FALSE(possible(w, id));
}

TEST_CASE("what cannot be combined is not to be chosen, and a refusal stands at its part") {
  WindowSetup setup;
  setup.scene = "interference/layer";
  TestWindow w(setup);
  w.send(command::AddRun{"adamw"});
  w.send(command::SetPart{w.frame().selected, Part::direction, {{"adam", {}}, {"momentum", {}}}});
  const std::string before = kind_of(w, Part::direction);
  w.play([&](ImGuiTestContext& user) {
    user.SetRef(w.panel("recipe").c_str());
    user.ItemClick("**/direction.1/##kind");
    CHECK((user.ItemInfo("//$FOCUSED/##lion").ItemFlags & ImGuiItemFlags_Disabled) != 0);
    CHECK((user.ItemInfo("//$FOCUSED/##average").ItemFlags & ImGuiItemFlags_Disabled) == 0);
    user.KeyPress(ImGuiKey_Escape);
  });
  w.driver().send(command::SetPart{w.frame().selected, Part::direction, {{"adam", {}}, {"lion", {}}}});
  w.settle();
  w.frames(2);
  CHECK(kind_of(w, Part::direction) == before);
  REQUIRE(w.frame().refused);
  CHECK(w.frame().refused->part == Part::direction);
  CHECK(w.frame().notice_is_error);
}

TEST_CASE("the recipe is compared with each other run in turn") {
  TestWindow w;
  w.send(command::AddRun{"adamw"});
  w.send(command::SelectRun{w.run(0).id});
  CHECK(w.panel_text("recipe").find("Compared") == std::string::npos);
  w.play([](ImGuiTestContext& user) { user.KeyPress(ImGuiKey_C); });
  CHECK(w.view().compare_with == w.run(1).id);
  w.frames(2);
  CHECK(w.panel_text("recipe").find("Compared with norm 4, 0 rows differ.") != std::string::npos);
  w.play([](ImGuiTestContext& user) { user.KeyPress(ImGuiKey_C); });
  w.frames(2);
  const std::string text = w.panel_text("recipe");
  CHECK(text.find("AdamW has direction adam.") != std::string::npos);
  CHECK(text.find("AdamW has lr 0.001.") != std::string::npos);
  CHECK(text.find("it keeps: none") != std::string::npos);
  CHECK(text.find("Only AdamW has beta2, which is 0.999.") != std::string::npos);
  w.play([](ImGuiTestContext& user) { user.KeyPress(ImGuiKey_C); });
  CHECK_FALSE(w.view().compare_with);
  w.play([&](ImGuiTestContext& user) {
    user.SetRef(w.panel("recipe").c_str());
    user.ItemClick("**/##compare");
    user.ItemClick(fmt::format("//$FOCUSED/AdamW##{}", w.run(2).id).c_str());
  });
  CHECK(w.view().compare_with == w.run(2).id);
  w.send(command::SelectRun{w.run(2).id});
  CHECK(w.panel_text("recipe").find("8 bytes per weight") != std::string::npos); // two averages of four bytes
  w.send(command::SelectRun{w.run(0).id});
  w.send(command::RemoveRun{w.run(2).id}); // what is gone differs in nothing
  w.frames(2);
  CHECK(w.panel_text("recipe").find("Compared") == std::string::npos);
}

TEST_CASE("parameters that go by another recipe are named, with what that one keeps and costs") {
  const TemporaryFolder folder;
  WindowSetup setup;
  setup.scene = folder.write("network.toml", "[scene]\nsteps = 20\n[problem]\nkind = \"mlp\"\nwidth = 8\nlayers = 2\n"
                                             "embedding = true\nhead = true\n[[run]]\nlabel = \"A\"\noptimizer = "
                                             "\"muon\"\n[[run]]\nlabel = \"B\"\noptimizer = \"adamw\"\n");
  TestWindow w(setup);
  w.view().compare_with = w.run(1).id;
  const auto& parameters = w.run(0).program->parameters();
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    INFO(parameters[p].name);
    w.view().polar.plane.parameter = static_cast<int>(p);
    w.frames(2);
    const std::string text = w.panel_text("recipe");
    CHECK(text.find("route of rest: adamw*, direction adam,") != std::string::npos);
    CHECK(text.find("In B, rest goes by the run's own.") != std::string::npos);
    // Muon keeps one average of a matrix, AdamW two of anything.
    const char* bytes = parameters[p].role == ParamRole::matrix ? " 4 bytes per weight" : " 8 bytes per weight";
    CHECK(text.find(bytes) != std::string::npos);
  }
  CHECK(std::any_of(parameters.begin(), parameters.end(),
                    [](const ParamInfo& p) { return p.role != ParamRole::matrix; }));
}

TEST_CASE("a route unfolds into its parts, which change as the run's own do and are saved with it") {
  const TemporaryFolder folder;
  WindowSetup setup;
  const std::string network = "[scene]\nsteps = 20\n[problem]\nkind = \"mlp\"\nwidth = 8\nlayers = 2\n"
                              "head = true\n";
  const std::string run = "[[run]]\nlabel = \"{}\"\noptimizer = \"momentum\"\nroute.head = \"adamw\"\n";
  setup.scene =
      folder.write("network.toml", network + fmt::format(fmt::runtime(run), "A") + fmt::format(fmt::runtime(run), "B"));
  TestWindow w(setup);
  w.send(command::ComputeTo{20});
  const auto route = [&](std::size_t r) { return w.run(r).optimizer->routes.front().recipe; };
  const auto in_recipe = [&](const std::function<void(ImGuiTestContext&)>& script) {
    w.play([&](ImGuiTestContext& user) {
      user.SetRef(w.panel("recipe").c_str());
      script(user);
    });
    w.settle();
    w.frames(3);
  };
  const char* part = "**/route head/geometry.0/##kind";
  in_recipe([&](ImGuiTestContext& user) {
    CHECK_FALSE(user.ItemExists(part)); // folded away at first
    user.ItemClick("**/route head");
    user.Yield(2);
    user.ItemClick(part);
    user.ItemClick("//$FOCUSED/##sign");
  });
  CHECK(chain_text(route(0)->chain(Part::geometry)) == "sign");
  CHECK(chain_text(w.run(0).optimizer->chain(Part::geometry)) == "identity"); // the run's own stays
  CHECK(w.run(0).recipe_changed);
  CHECK(w.frame().head == 20);
  in_recipe([](ImGuiTestContext& user) {
    user.ItemClick("**/route head/schedule.lr/##kind");
    user.ItemClick("//$FOCUSED/##cosine");
  });
  CHECK(route(0)->schedules.at("lr").kind == "cosine");
  in_recipe([](ImGuiTestContext& user) {
    user.ItemClick("**/route head/direction.0/more");
    user.SetRef("//$FOCUSED");
    user.MenuClick("Add a stage after it/##average");
  });
  CHECK(chain_text(route(0)->chain(Part::direction)) == "adam, then average");

  // What differs from the other run is said, folded or not.
  w.view().compare_with = w.run(1).id;
  w.frames(2);
  for (const bool folded : {false, true}) {
    const std::string text = w.panel_text("recipe");
    CAPTURE(text);
    CHECK(text.find("Compared with B, 4 rows differ.") != std::string::npos); // two parts, a schedule and a number
    CHECK(text.find("In B, head has geometry identity.") != std::string::npos);
    CHECK(text.find("In B, head has for lr the schedule constant.") != std::string::npos);
    if (!folded) in_recipe([](ImGuiTestContext& user) { user.ItemClick("**/route head"); });
  }
  CHECK(w.view().unfolded_routes.empty());

  // Refused at the part that it was asked for, which unfolds to say so.
  w.driver().send(command::SetPart{w.run(0).id, Part::direction, {{"adam", {}}, {"lion", {}}}, "head"});
  w.settle();
  w.frames(2);
  REQUIRE(w.frame().refused);
  CHECK(w.frame().refused->route == "head");
  in_recipe([&](ImGuiTestContext& user) { CHECK(user.ItemExists(part)); });

  act(w, "recipe.save");
  CHECK(w.view().save_recipe.title == "SGD with momentum with head: adam, then average, head: sign, another schedule");
  type(w, "##folder", folder.path());
  type(w, "##name", "mine");
  press_save(w);
  const std::uint64_t hash = w.run(0).state_hash;
  auto scene = load_scene(folder.write("again.toml", network + "[[run]]\nlabel = \"A\"\noptimizer = \"mine.toml\"\n"));
  if (!scene) FAIL(scene.error().text());
  SessionOptions options;
  options.device = "cpu";
  auto fresh = Session::open(std::move(*scene), options);
  REQUIRE(fresh);
  (*fresh)->advance(20);
  Frame f;
  (*fresh)->fill(f);
  CHECK(f.runs[0].state_hash == hash);

  act(w, "recipe.as_opened");
  CHECK_FALSE(w.run(0).recipe_changed);
  CHECK(chain_text(route(0)->chain(Part::geometry)) == "identity");
}

TEST_CASE("a saved recipe checks clean and runs to the window's bits") {
  const TemporaryFolder folder;
  TestWindow w;
  w.send(command::SetPart{w.frame().selected, Part::direction, {{"momentum", {{"nesterov", true}}}}});
  w.send(command::SetPart{w.frame().selected, Part::magnitude, {{"hyperball", {}}}});
  w.send(command::SetHparam{w.frame().selected, "lr", 0.0123456789, EditMode::from_start});
  w.send(command::ComputeTo{80});
  w.frames(2);
  act(w, "recipe.save");
  REQUIRE(w.view().save_open);
  CHECK(w.view().save_recipe.title == "SGD with momentum, hyperball");
  CHECK(w.view().save_recipe.name == "sgd_with_momentum_hyperball");
  type(w, "##folder", folder.path());
  type(w, "##name", "mine");
  press_save(w);
  CHECK_FALSE(w.view().save_open);
  CHECK(w.view().notice.find(file_in(folder, "mine.toml")) != std::string::npos);
  REQUIRE(std::filesystem::exists(file_in(folder, "mine.toml")));

  const auto checked = test::run_process({POLARSCOPE_PROGRAM, "check", file_in(folder, "mine.toml")});
  CHECK(checked.exit_code == 0);
  CHECK(checked.out.find("hyperball") != std::string::npos);
  auto scene = load_scene("first_look", {*parse_set("norm 1:optimizer=" + file_in(folder, "mine.toml")),
                                         *parse_set("norm 1:lr=0.0123456789")});
  if (!scene) FAIL(scene.error().text());
  CHECK(scene->runs[0].optimizer.hparams.at("lr") == 0.0123456789);
  SessionOptions options;
  options.device = "cpu";
  auto fresh = Session::open(std::move(*scene), options);
  REQUIRE(fresh);
  (*fresh)->advance(80);
  CHECK(w.frame().state_hash == (*fresh)->state_hash());
}

TEST_CASE("the dialog says what is wrong with a name or a folder, and replaces a file only by its button") {
  const TemporaryFolder folder;
  std::ofstream(file_in(folder, "there.toml")) << "direction = \"adam\"\n";
  TestWindow w;
  act(w, "recipe.save");
  type(w, "##folder", folder.path());
  for (const std::string& name :
       {std::string(), std::string(300, 'n'), std::string("a/b"), std::string("with space")}) {
    INFO(name);
    type(w, "##name", name);
    w.play([](ImGuiTestContext& user) {
      user.SetRef("Save the recipe");
      CHECK((user.ItemInfo("###save").ItemFlags & ImGuiItemFlags_Disabled) != 0);
      user.ItemClick("##name");
      user.KeyPress(ImGuiKey_Enter);
    });
    CHECK(w.view().save_open);
  }
  type(w, "##name", "mine");
  type(w, "##folder", file_in(folder, "absent"));
  w.play([](ImGuiTestContext& user) {
    user.SetRef("Save the recipe");
    CHECK((user.ItemInfo("###save").ItemFlags & ImGuiItemFlags_Disabled) != 0);
  });
  type(w, "##folder", "/proc");
  press_save(w);
  CHECK(w.view().save_open);
  CHECK(w.view().save_recipe.error.find("/proc/mine.toml") != std::string::npos);

  type(w, "##folder", folder.path());
  CHECK(w.view().save_recipe.error.empty());
  type(w, "##name", "there");
  w.play([](ImGuiTestContext& user) {
    user.SetRef("Save the recipe");
    user.ItemClick("##name");
    user.KeyPress(ImGuiKey_Enter);
  });
  CHECK(w.view().save_open);
  CHECK(load_optimizer(file_in(folder, "there.toml"))->part(Part::direction).kind == "adam");
  press_save(w);
  CHECK_FALSE(w.view().save_open);
  CHECK(load_optimizer(file_in(folder, "there.toml"))->part(Part::direction).kind == "gradient");
}

TEST_CASE("the recipe works in small windows and at any size of type") {
  for (const auto& [width, height, zoom] : {std::tuple{340, 300, 1.0f}, {700, 420, 1.5f}, {1024, 640, 3.0f}}) {
    CAPTURE(width, height);
    WindowSetup setup;
    setup.width = width;
    setup.height = height;
    TestWindow w(setup);
    w.view().zoom = zoom;
    w.view().compare_with = w.run(1).id;
    w.frames(3);
    act(w, "recipe.change.geometry");
    REQUIRE(ImGui::IsPopupOpen("", ImGuiPopupFlags_AnyPopupId | ImGuiPopupFlags_AnyPopupLevel));
    w.play([](ImGuiTestContext& user) {
      user.Yield(2);
      user.ItemClick("//$FOCUSED/##sign");
    });
    w.settle();
    CHECK(kind_of(w, Part::geometry) == "sign");
    act(w, "recipe.save");
    const ImGuiWindow* dialog = ImGui::FindWindowByName("Save the recipe");
    REQUIRE(dialog);
    CHECK(dialog->Pos.x >= 0);
    CHECK(dialog->Pos.x + dialog->Size.x <= static_cast<float>(width));
  }
}
