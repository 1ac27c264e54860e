// Malformed scenes: each is refused with one line that names the place, the word and what would be right.
#include "engine/scene.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/process.hpp"

#include <string>
#include <vector>

using namespace polarscope;

namespace {

// A good scene, line by line; each case replaces one line.
const std::vector<std::string> kGood = {
    "[scene]",                                       // 1
    "title = \"t\"",                                 // 2
    "seed = 11",                                     // 3
    "steps = 600",                                   // 4
    "[problem]",                                     // 5
    "kind = \"rows\"",                               // 6
    "rows = 4",                                      // 7
    "[[run]]",                                       // 8
    "label = \"a\"",                                 // 9
    "optimizer = \"muon\"",                          // 10
    "hparam.lr = 0.1",                               // 11
    "start = { norm = 2 }",                          // 12
    "[[run]]",                                       // 13
    "optimizer.base = \"adamw\"",                    // 14
    "schedule.lr = { kind = \"wsd\", warmup = 10 }", // 15
    "[metrics]",                                     // 16
    "spectral_norm = { every = 10 }",                // 17
    "[view]",                                        // 18
    "plane = \"start-current\"",                     // 19
    "[expect]",                                      // 20
    "loss = { run = \"a\", below = 0.5 }",           // 21
};

std::string with_line(int line, const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < kGood.size(); ++i) out += (static_cast<int>(i) + 1 == line ? text : kGood[i]) + "\n";
  return out;
}

struct Case {
  int line;
  std::string text; // replaces that line
  std::string expected;
};

const std::vector<Case> kCases = {
    // unknown keys, with the nearest word
    {4, "stepz = 600", "s.toml:4:1: unknown key 'stepz' in [scene]; did you mean 'steps'?"},
    {10, "optimzer = \"muon\"", "s.toml:10:1: unknown key 'optimzer' in [[run]]; did you mean 'optimizer'?"},
    {7, "rowz = 4", "s.toml:7:1: unknown key 'rowz' in [problem]; did you mean 'rows'?"},
    {11, "hparam.momntum = 0.1",
     "s.toml:11:8: unknown key 'momntum' in the hyperparameters of muon; did you mean 'momentum'?"},
    {12, "start = { nrm = 2 }", "s.toml:12:11: unknown key 'nrm' in start; did you mean 'norm'?"},
    {17, "spectral_nrm = { every = 10 }",
     "s.toml:17:1: unknown metric 'spectral_nrm' in [metrics]; did you mean 'spectral_norm'?"},
    {17, "spectral_norm = { evry = 10 }",
     "s.toml:17:19: unknown key 'evry' in [metrics] spectral_norm; did you mean 'every'?"},
    {19, "plan = 3", "s.toml:19:1: unknown key 'plan' in [view]; did you mean 'plane'?"},
    {21, "los = { below = 0.5 }", "s.toml:21:1: unknown metric 'los' in [expect]; did you mean 'loss'?"},
    {21, "loss = { belw = 0.5 }", "s.toml:21:10: unknown key 'belw' in [expect] loss; did you mean 'below'?"},
    {5, "[problme]", "s.toml:5:2: unknown key 'problme' in the scene; did you mean 'problem'?"},
    {15, "schedule.lr = { kind = \"wsd\", warmp = 10 }",
     "s.toml:15:31: unknown key 'warmp' in schedule.lr; did you mean 'warmup'?"},
    {15, "schedule.lrr = { kind = \"wsd\" }", "s.toml:15:10: unknown key 'lrr' in schedule; did you mean 'lr'?"},
    {14, "optimizer.geometri = \"identity\"",
     "s.toml:14:11: unknown key 'geometri' in optimizer; did you mean 'geometry'?"},
    // unknown words
    {6, "kind = \"rowz\"", "s.toml:6:8: unknown problem 'rowz'; did you mean 'rows'?"},
    {10, "optimizer = \"muom\"", "s.toml:10:13: unknown optimizer 'muom'; did you mean 'muon'?"},
    {14, "optimizer.geometry = \"orthogonalize\"",
     "s.toml:14:22: unknown geometry 'orthogonalize'; did you mean 'orthogonalise'?"},
    {14, "optimizer = { base = \"muon\", geometry = { ns_coefficients = \"quintc\" } }",
     "s.toml:14:61: 'ns_coefficients' has no value 'quintc'; did you mean 'quintic'?"},
    {15, "schedule.lr = { kind = \"wds\" }", "s.toml:15:24: 'kind' has no value 'wds'; did you mean 'wsd'?"},
    {19, "plane = \"start-curent\"", "s.toml:19:9: 'plane' has no value 'start-curent'; did you mean 'start-current'?"},
    {21, "loss = { run = \"b\", below = 0.5 }", "s.toml:21:16: no run is labelled 'b'"},
    {4, "precision = \"f16\"", "s.toml:4:13: 'precision' has no value 'f16'; did you mean 'f32'?"},
    // wrong types
    {4, "steps = \"many\"", "s.toml:4:9: 'steps' must be a whole number, not 'many'"},
    {4, "steps = 1.5", "s.toml:4:9: 'steps' must be a whole number, not 1.5"},
    {2, "title = 3", "s.toml:2:9: 'title' must be text, not 3"},
    {11, "hparam.lr = true", "s.toml:11:13: 'lr' must be a number, not true"},
    {11, "hparam = 0.1", "s.toml:11:10: 'hparam' must be a table, not 0.1"},
    {11, "hparam.lr = 1979-05-27", "s.toml:11:13: 'lr' must be a number, not a date"},
    {10, "optimizer = 3", "s.toml:10:13: 'optimizer' must be a name or a table, not a whole number"},
    {17, "spectral_norm = 10", "s.toml:17:17: 'spectral_norm' must be a table like { every = 10 }"},
    // ranges, NaN and inf, absurd sizes
    {4, "steps = 0", "s.toml:4:9: 'steps' = 0 is out of range; allowed: 1 to 1000000000"},
    {4, "steps = -5", "s.toml:4:9: 'steps' = -5 is out of range"},
    {3, "seed = -1", "s.toml:3:8: 'seed' = -1 is out of range; allowed: 0 to 9223372036854775807"},
    {7, "rows = 1000000000", "s.toml:7:8: 'rows' = 1000000000 is out of range; allowed: 1 to"},
    {7, "rows = 1e9", "s.toml:7:8: 'rows' = 1000000000 is out of range"},
    {11, "hparam.lr = nan", "s.toml:11:13: 'lr' must be a finite number, not nan"},
    {11, "hparam.lr = -inf", "s.toml:11:13: 'lr' must be a finite number, not -inf"},
    {11, "hparam.lr = -0.1", "s.toml:11:13: 'lr' = -0.1 is out of range; allowed: 0 to"},
    {12, "start = { norm = 0 }", "s.toml:12:18: 'norm' = 0 is out of range"},
    {12, "start = { point = [1.0, inf] }", "s.toml:12:25: 'point' must be a finite number, not inf"},
    {12, "start = { point = [] }", "s.toml:12:19: 'point' has 0 numbers; allowed: 1 to 4096"},
    {17, "spectral_norm = { every = 0 }", "s.toml:17:27: 'every' = 0 is out of range; allowed: 1 to 65535"},
    // contradictions
    {12, "start = { norm = 2, file = \"x\" }", "s.toml:12:9: 'start' has more than one form"},
    {12, "start = {}", "s.toml:12:9: 'start' is empty"},
    {19, "plane = { rows = [1, 1] }",
     "s.toml:19:9: 'plane' must be a word or { rows = [i, j] } with two different rows"},
    {21, "loss = { run = \"a\" }", "s.toml:21:8: an expectation has one of above, below, near"},
    {21, "loss = { above = 0, below = 1 }", "s.toml:21:8: an expectation has one of above, below, near"},
    {21, "loss = { near = 0.5 }", "s.toml:21:8: 'near' needs 'within'"},
    {21, "loss = { step = 601, below = 1 }", "s.toml:21:17: 'step' = 601 is beyond the last step, 600"},
    {9, "label = \"\"", "s.toml:9:9: 'label' is empty"},
    {13, "[[run]]\nlabel = \"a\"", "s.toml:14:9: two runs have the label 'a'"},
    {9, "route.head = 3", "s.toml:9:14: 'route.head' must be an optimizer's name or a table"},
    // missing
    {10, "", "s.toml:8:1: [[run]] has no 'optimizer'"},
    {6, "", "s.toml:5:1: [problem] has no 'kind'"},
    {6, "kimd = \"circle\"", "s.toml:6:1: unknown key 'kimd' in [problem]; did you mean 'kind'?"},
    {18, "[sweep]\nroute = 3\n[view]", "s.toml:19:1: unknown key 'route' in [sweep]"},
    // not built yet
    {19, "panels = [\"polar\"]", "s.toml:19:1: 'panels' is not built yet: the layout says which panels are open"},
    {19, "layout = \"bnch\"", "s.toml:19:10: 'layout' has no value 'bnch'; did you mean 'bench'?"},
    // TOML itself
    {4, "steps = ", "s.toml:4:9: "},
    {4, "seed = 12", "s.toml:4:"},
    {8, "[[run]", "s.toml:8:7: "},
    {2, "title = \"\xff\xfe\"", "s.toml:2:"},
    // several errors: the first in the file is told
    {4, "stepz = 600\n[bogus]", "s.toml:4:1: unknown key 'stepz'"},
};

} // namespace

TEST_CASE("the scene that the malformed ones are made from is good", "[scene]") {
  const auto scene = parse_scene(with_line(0, ""), "s.toml");
  INFO((scene ? std::string() : scene.error().text()));
  REQUIRE(scene.ok());
  CHECK(scene->runs[0].label == "a");
  CHECK(scene->runs[1].label == "adamw");
  CHECK(scene->runs[1].optimizer.schedules.at("lr").warmup == 10);
  CHECK(scene->metric_every.at("spectral_norm") == 10);
}

TEST_CASE("malformed scenes name place, word and remedy in one line", "[scene]") {
  for (const Case& c : kCases) {
    INFO(c.text);
    const auto scene = parse_scene(with_line(c.line, c.text), "s.toml");
    REQUIRE_FALSE(scene.ok());
    INFO(scene.error().text());
    CHECK(scene.error().text().find(c.expected) == 0);
    CHECK(scene.error().text().find('\n') == std::string::npos);
    CHECK(scene.error().kind == ErrorKind::bad_input);
  }
}

TEST_CASE("files that are no scenes are refused", "[scene]") {
  const test::TemporaryFolder folder;
  const auto error = [](const std::string& name) {
    const auto scene = load_scene(name);
    REQUIRE_FALSE(scene.ok());
    CHECK(scene.error().kind == ErrorKind::bad_input);
    return scene.error().text();
  };
  const std::string empty = folder.write("empty.toml", ""), blank = folder.write("blank.toml", "\n \n");
  CHECK(error(empty) == empty + ": the file is empty");
  CHECK(error(blank) == blank + ": the file is empty");
  const std::string binary = folder.write("binary.toml", std::string("\x7f"
                                                                     "ELF\0\1\2",
                                                                     7));
  CHECK(error(binary) == binary + ": not a text file: byte 5 is zero");
  const std::string large = folder.write("large.toml", std::string((1 << 20) + 1, '#'));
  CHECK(error(large) == large + ": is larger than 1048576 bytes");
  CHECK(error(folder.path()) == folder.path() + ": is a folder, not a scene");
  CHECK(error("frist_look") == "no scene 'frist_look'; did you mean 'first_look'?");
  CHECK(error("digits") == "no scene 'digits'; did you mean 'networks/digits'?"); // without its folder
  CHECK(error("digts") == "no scene 'digts'; did you mean 'networks/digits'?");
  CHECK(error("") != "");
}

TEST_CASE("keys and tables nested without end are refused, whatever strings stand before them", "[scene]") {
  const auto error = [](const std::string& text) {
    const auto scene = parse_scene(text, "s.toml");
    REQUIRE_FALSE(scene.ok());
    return scene.error().text();
  };
  std::string dots;
  for (int i = 0; i < 200'000; ++i) dots += ".a";
  const std::string told = "a key has too many dots";
  CHECK(error("a" + dots + " = 1\n") == "s.toml:1:1: " + told);
  CHECK(error("[view]\n\"\\\"\"" + dots + " = 1\n") == "s.toml:2:1: " + told);
  CHECK(error("[view]\n\"\\\\\"" + dots + " = 1\n") == "s.toml:2:1: " + told);
  CHECK(error("['\"'" + dots + "]\n") == "s.toml:1:1: " + told);
  CHECK(error("x = { t = \"\"\"\n \" ' \\\"\"\"\"\", b" + dots + " = 1 }\n") == "s.toml:2:1: " + told);
  CHECK(error("x = { t = '''\n' \" \\''', b" + dots + " = 1 }\n") == "s.toml:2:1: " + told);
  CHECK(error("x = 1 # \" '\n\"b\"" + dots + " = 1\n") == "s.toml:2:1: " + told);
  std::string tables = "x = 1"; // each level adds as many as one key may
  const std::string level = "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a";
  for (int i = 0; i < 100; ++i) tables = level + " = { " + tables + " }";
  CHECK(error(tables + "\n").find("tables are nested too deeply") != std::string::npos);
  // dots in text are text
  CHECK(error("title = \"" + dots + "\"\n").find(told) == std::string::npos);
  CHECK(error("title = 1 # " + dots + "\n").find(told) == std::string::npos);
}

TEST_CASE("a scene and an optimizer may refer to files beside them", "[scene][preset]") {
  const test::TemporaryFolder folder;
  folder.write("mine.toml", "title = \"Mine\"\nbase = \"muon\"\nhparam.lr = 0.5\n");
  const std::string path = folder.write("s.toml", "[problem]\nkind = \"rows\"\n[[run]]\noptimizer = \"mine.toml\"\n");
  const auto scene = load_scene(path);
  INFO((scene ? std::string() : scene.error().text()));
  REQUIRE(scene.ok());
  CHECK(scene->runs[0].label == "mine");
  CHECK(scene->runs[0].optimizer.title == "Mine");
  CHECK(scene->runs[0].optimizer.hparams.at("lr") == 0.5);
}

TEST_CASE("bases that inherit from each other are refused", "[preset]") {
  const test::TemporaryFolder folder;
  const std::string a = folder.write("a.toml", "base = \"b.toml\"\n");
  const std::string b = folder.write("b.toml", "title = \"b\"\nbase = \"a.toml\"\n");
  const auto spec = load_optimizer(a);
  REQUIRE_FALSE(spec.ok());
  CHECK(spec.error().text() == b + ":2:8: circular base: a → b → a");
  const std::string own = folder.write("own.toml", "base = \"own.toml\"\n");
  CHECK(load_optimizer(own).error().text() == own + ":1:8: circular base: own → own");
  const std::string longer = folder.write("longer.toml", "base = \"./longer.toml\"\n"); // another path at every turn
  CHECK(load_optimizer(longer).error().text().find("circular base: longer → longer") != std::string::npos);
  std::string last = folder.write("chain0.toml", "base = \"muon\"\n");
  for (int i = 1; i <= 20; ++i) {
    last = folder.write("chain" + std::to_string(i) + ".toml", "base = \"chain" + std::to_string(i - 1) + ".toml\"\n");
    if (i == 10) CHECK(load_optimizer(last).ok());
  }
  const auto chained = load_optimizer(last);
  REQUIRE_FALSE(chained.ok());
  CHECK(chained.error().text().find("'base' leads through more than 16 files") != std::string::npos);
  const std::string typo = folder.write("typo.toml", "base = \"muonn\"\n");
  CHECK(load_optimizer(typo).error().text() == typo + ":1:8: unknown optimizer 'muonn'; did you mean 'muon'?");
}
