// Lists of scenes and optimizers: what is typed, what it finds.
#include "app/matching.hpp"
#include "app/pickers.hpp"
#include "tests/app/window_fixture.hpp"

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

using namespace polarscope;
using namespace polarscope::testing;

TEST_CASE("Enter in the filter takes the best match") {
  TestWindow w;
  press(w, ImGuiMod_Ctrl | ImGuiKey_O);
  w.frames(2);
  w.play([](ImGuiTestContext& user) {
    user.SetRef("Open a scene");
    user.ItemInput("##filter");
    user.KeyCharsReplaceEnter("gains");
  });
  w.settle();
  CHECK(installed_name(*w.frame().scene) == "interference/gains");
  CHECK_FALSE(w.view().scenes_open);
  w.view().add_open = true;
  w.frames(3);
  w.play([](ImGuiTestContext& user) {
    user.SetRef("Add a run");
    user.ItemInput("##filter");
    user.KeyCharsReplaceEnter("qqqq");
  });
  CHECK(w.view().add_open); // nothing matches
  const std::size_t runs = w.frame().runs.size();
  w.play([](ImGuiTestContext& user) {
    user.SetRef("Add a run");
    user.ItemInput("##filter");
    user.KeyCharsReplaceEnter("muon");
  });
  w.settle();
  REQUIRE(w.frame().runs.size() == runs + 1);
  CHECK(w.frame().runs.back().optimizer_name == "muon");
}

TEST_CASE("matches are ranked: the name itself, its beginning, a word, a part; words of the description last") {
  const std::vector<ListEntry> entries = {
      {"adamuon", "AdaMuon", "Muon with a second moment."}, {"muonh", "MuonH", "Muon on a ball."},
      {"muon", "Muon", "Orthogonalised momentum."},         {"md-muon", "MD Muon", "Splits."},
      {"sgd", "SGD", "Plain; compared against muon."},      {"adamw", "AdamW", "Gains against noise."},
      {"interference/gains", "Free gains", "Rows."}};
  const auto names = [&](const char* filter) {
    std::vector<std::string> out;
    for (const ListEntry* entry : matching(filter, entries)) out.push_back(entry->name);
    return out;
  };
  CHECK(names("Muon") == std::vector<std::string>{"muon", "muonh", "md-muon", "adamuon", "sgd"});
  CHECK(names("gains") == std::vector<std::string>{"interference/gains", "adamw"});
  CHECK(names("ains").size() == 1); // not inside "against" or "Gains" of a description
  CHECK(names("muon ball") == std::vector<std::string>{"muonh"});
  CHECK(names("").size() == entries.size());
  CHECK(names("qqq").empty());
}

TEST_CASE("files beside the scene are offered") {
  const std::filesystem::path folder = std::filesystem::path(POLARSCOPE_PROGRAM).parent_path() / "test-own";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "mine.toml") << "base = \"sgd\"\ntitle = \"Mine\"\n";
  std::ofstream(folder / "broken.toml") << "base = \n";
  std::ofstream(folder / "scene.toml")
      << "[scene]\ntitle = \"own\"\nsteps = 20\n[problem]\nkind = \"circle\"\n[[run]]\nlabel = \"A\"\n"
         "optimizer = \"sgd\"\n";
  {
    WindowSetup setup;
    setup.scene = (folder / "scene.toml").string();
    TestWindow w(setup);
    const auto scenes = own_scenes(*w.frame().scene);
    REQUIRE(scenes.size() == 1);
    CHECK(scenes[0].title == "own");
    const auto optimizers = own_optimizers(*w.frame().scene);
    REQUIRE(optimizers.size() == 1);
    CHECK(optimizers[0].title == "Mine");
    w.view().add_open = true;
    w.frames(3);
    w.play([](ImGuiTestContext& user) { user.KeyCharsReplaceEnter("mine"); });
    w.settle();
    REQUIRE(w.frame().runs.size() == 2);
    CHECK(w.run(1).label == "Mine");
  }
  std::filesystem::remove_all(folder);
}
