// What a sweep's report says of results that were made by hand.
#include "engine/sweep_report.hpp"

#include "engine/compare.hpp"
#include "engine/preset.hpp"
#include "engine/sweep.hpp"

#include "tests/support/catch.hpp"

#include <nlohmann/json.hpp>

#include <cmath>
#include <string>
#include <vector>

using namespace polarscope;
using Json = nlohmann::json;

namespace {

Scene scene_of(const std::string& sweep) {
  auto scene = parse_scene("[scene]\nsteps = 100\n[problem]\nkind = \"rows\"\n" + sweep, "s.toml");
  if (!scene) FAIL(scene.error().text());
  return *scene;
}

const std::string kTwo =
    "[sweep]\noptimizer = [\"sgd\", \"muon\"]\nhparam.lr = { values = [0.1, 0.01, 1.0] }\nseeds = 3\n";

// One member; NaN: diverged.
void add(KnownResults& known, const Scene& scene, const std::string& label, double loss) {
  MemberResult r;
  r.label = label;
  r.group = label.substr(0, label.find(' '));
  r.optimizer = r.group;
  for (std::size_t m = 0; m < static_cast<std::size_t>(sweep_size(scene)); ++m)
    if (const RunSpec spec = member_spec(scene, m); spec.label == label) {
      r.seed = spec.seed.value_or(scene.seed);
      r.hparams.assign(spec.hparams.begin(), spec.hparams.end());
    }
  r.diverged = std::isnan(loss);
  r.step = r.diverged ? 7 : 100;
  r.final_loss = loss;
  r.curve = {loss + 1, loss};
  r.start_norm = 2.0;
  r.norm = 3.0;
  r.final = {{"loss", loss}, {"W.frobenius_norm", 3.0}};
  r.seconds = 0.5;
  r.step_seconds = r.diverged ? 2e-6 : 1e-6;
  known[label] = r;
}

void add_seeds(KnownResults& known, const Scene& scene, const std::string& setting, std::vector<double> losses) {
  for (std::size_t i = 0; i < losses.size(); ++i)
    add(known, scene, setting + " seed " + std::to_string(scene.seed + i), losses[i]);
}

KnownResults two_runs(const Scene& scene) {
  KnownResults known;
  add_seeds(known, scene, "sgd lr 0.01", {5, 6, 7});
  add_seeds(known, scene, "sgd lr 0.1", {2, 3, 4});
  add_seeds(known, scene, "sgd lr 1", {0.1, 0.1, NAN}); // low where it lives, and no best
  add_seeds(known, scene, "muon lr 0.01", {1.5, 2.6, 3.4});
  add_seeds(known, scene, "muon lr 0.1", {8, 9, 9});
  add_seeds(known, scene, "muon lr 1", {NAN, NAN, NAN});
  return known;
}

} // namespace

TEST_CASE("settings are means over seeds, and what diverged is in none", "[sweep][report]") {
  const Scene scene = scene_of(kTwo);
  const KnownResults known = two_runs(scene);
  const SweepReport report = make_sweep_report(scene, known, 0.1, "cpu");
  CHECK(report.complete());
  CHECK(report.members == 18);
  CHECK(report.tail == 10);
  CHECK(report.diverged() == 4);
  REQUIRE(report.settings.size() == 6);
  const SettingReport& sgd = report.settings[0]; // as written: 0.1 comes first
  CHECK(sgd.text == "lr 0.1");
  CHECK(sgd.loss.mean == 3);
  CHECK(sgd.loss.se == Approx(1 / std::sqrt(3.0)));
  CHECK(sgd.band == std::vector<double>{4, 3});
  CHECK(sgd.band_se[1] == Approx(1 / std::sqrt(3.0)));
  const SettingReport& lost = report.settings[2];
  CHECK(lost.diverged == 1);
  CHECK(lost.loss.count == 2);
  CHECK(lost.loss.mean == Approx(0.1));
  CHECK_FALSE(lost.sound());
  CHECK(report.settings[5].loss.count == 0);
}

TEST_CASE("the best has the least mean of those of which no seed diverged", "[sweep][report]") {
  const Scene scene = scene_of(kTwo);
  const KnownResults known = two_runs(scene);
  const SweepReport report = make_sweep_report(scene, known, 0.1, "cpu");
  REQUIRE(report.best.size() == 2);
  REQUIRE(report.best[0].setting);
  CHECK(report.settings[*report.best[0].setting].text == "lr 0.1");
  CHECK(report.best[0].edges.empty()); // 0.01 and 1 were tried too
  CHECK(report.best[0].norm_ratio == 1.5);
  CHECK(report.best[0].seconds_per_step == Approx((800 * 1e-6 + 7 * 2e-6) / 807)); // a step, whatever the batch took
  REQUIRE(report.best[1].edges.size() == 1);
  CHECK(report.best[1].edges[0].hparam == "lr");
  CHECK(report.best[1].edges[0].value == 0.01);
  CHECK_FALSE(report.best[1].edges[0].largest);
  const std::string text = sweep_summary(report);
  INFO(text);
  CHECK(text.find("WARNING: the best lr of muon, 0.01, is the smallest that was tried: widen the range") !=
        std::string::npos);
  CHECK(text.find("WARNING: the best lr of sgd") == std::string::npos);
  CHECK(text.find("4 of 18 members diverged; no mean has them in it") != std::string::npos);
  CHECK(text.find("1 diverged, mean of the others") != std::string::npos);
  CHECK(text.find("loss: mean over steps 91 to 100") != std::string::npos);
}

TEST_CASE("differences are taken seed by seed and not ranked within what chance makes", "[sweep][report]") {
  const Scene scene = scene_of(kTwo);
  KnownResults known = two_runs(scene);
  {
    // sgd at 0.1 less muon at 0.01: 0.5, 0.4, 0.6: mean 0.5, se 0.1/√3
    const SweepReport report = make_sweep_report(scene, known, 0.1, "cpu");
    REQUIRE(report.differences.size() == 1);
    const Difference& d = report.differences[0];
    CHECK(d.loss.mean == Approx(0.5));
    CHECK(d.loss.se == Approx(0.1 / std::sqrt(3.0)));
    CHECK(d.decided());
    CHECK(difference_lines(report).find("muon is lower") != std::string::npos);
    CHECK(Json::parse(sweep_json(report)).at("differences").at(0).at("lower") == "muon");
  }
  add_seeds(known, scene, "muon lr 0.01", {1, 4, 3.1}); // differences 1, −1, 0.9
  {
    const SweepReport report = make_sweep_report(scene, known, 0.1, "cpu");
    CHECK_FALSE(report.differences[0].decided());
    CHECK(difference_lines(report).find("not decided: less than 4.30 standard errors") != std::string::npos);
    const Json one = Json::parse(sweep_json(report)).at("differences").at(0);
    CHECK(one.at("decided") == false);
    CHECK(one.at("lower").is_null());
  }
}

TEST_CASE("where several differences stand together, each is judged by itself", "[sweep][report]") {
  const Scene scene =
      scene_of("[sweep]\noptimizer = [\"sgd\", \"muon\", \"adamw\"]\nhparam.lr = { values = [0.1, 0.2] }\n"
               "seeds = 3\n");
  KnownResults known;
  for (const std::string name : {"sgd", "muon"})
    for (const std::string lr : {"0.1", "0.2"}) add_seeds(known, scene, name + " lr " + lr, {1, 2, 3});
  const std::string heading = "differences of the losses at the bests, seed by seed";
  CHECK(difference_lines(make_sweep_report(scene, known, 0.1, "cpu")).find(heading + ":\n") == 0);
  for (const std::string lr : {"0.1", "0.2"}) add_seeds(known, scene, "adamw lr " + lr, {1, 2, 3});
  CHECK(difference_lines(make_sweep_report(scene, known, 0.1, "cpu")).find(heading + ", each judged by itself:\n") ==
        0);
}

TEST_CASE("what is missing is no best and is said", "[sweep][report]") {
  const Scene scene = scene_of(kTwo);
  KnownResults known = two_runs(scene);
  known.erase("sgd lr 0.1 seed 1");
  const SweepReport report = make_sweep_report(scene, known, 0.1, "cpu");
  CHECK_FALSE(report.complete());
  CHECK(report.state_hash == 0);
  REQUIRE(report.best[0].setting);
  CHECK(report.settings[*report.best[0].setting].text == "lr 0.01"); // the one that is whole
  const Json json = Json::parse(sweep_json(report));
  CHECK(json.at("complete") == false);
  CHECK(json.at("members").size() == 17);
  CHECK(json.at("members").at(1).at("member") == 2); // numbers stay
  CHECK(sweep_summary(report).find("2 of 3") != std::string::npos);
}

TEST_CASE("a sweep's CSV has a row per member and reads back", "[sweep][report]") {
  const Scene scene = scene_of(kTwo);
  const KnownResults known = two_runs(scene);
  const std::string csv = sweep_csv(make_sweep_report(scene, known, 0.1, "cpu"));
  INFO(csv);
  CHECK(csv.find("run,member,seed,step,of,optimizer,lr,status,final_loss,state_hash,loss,W.frobenius_norm\n") == 0);
  CHECK(std::count(csv.begin(), csv.end(), '\n') == 19);
  CHECK(csv.find("\nsgd lr 0.1 seed 1,1,1,100,sgd,sgd,0.1") != std::string::npos);
  CHECK(csv.find("\nmuon lr 1 seed 2,17,2,7,muon,muon,1,diverged,,0000000000000000,,3\n") != std::string::npos);
}

TEST_CASE("a label in a sweep's CSV is one field and no comment", "[sweep][report][csv]") {
  const Scene scene = scene_of("[[run]]\nlabel = \"#1\"\noptimizer = \"sgd\"\n[[run]]\nlabel = \"a,\\\"b\\\"\"\n"
                               "optimizer = \"sgd\"\n[sweep]\nhparam.lr = { values = [0.1, 0.2] }\n");
  KnownResults known;
  for (const std::string label : {"#1 lr 0.1", "#1 lr 0.2", "a,\"b\" lr 0.1"}) add(known, scene, label, 1);
  const std::string csv = sweep_csv(make_sweep_report(scene, known, 0.1, "cpu"));
  INFO(csv);
  CHECK(csv.find("\n\"#1 lr 0.1\",0,0,100,\"#1\",\"#1\",0.1") != std::string::npos);
  CHECK(csv.find("\n\"a,\"\"b\"\" lr 0.1\",2,") != std::string::npos);
  CHECK(csv.find("\n#") == std::string::npos);
}

TEST_CASE("expectations that were not judged are told of", "[sweep][report]") {
  const Scene scene = scene_of(kTwo);
  KnownResults known = two_runs(scene);
  CHECK(warning_lines(make_sweep_report(scene, known, 0.1, "cpu")).find("not judged") == std::string::npos);
  known.at("sgd lr 0.1 seed 0").not_judged = known.at("muon lr 1 seed 2").not_judged = "changed by --set";
  const SweepReport report = make_sweep_report(scene, known, 0.1, "cpu");
  CHECK(warning_lines(report).find("expectations of 2 of 18 members not judged: changed by --set\n") !=
        std::string::npos);
  const Json members = Json::parse(sweep_json(report)).at("members");
  CHECK(members.at(0).at("not_judged") == "changed by --set");
  CHECK_FALSE(members.at(1).contains("not_judged"));
}

TEST_CASE("rates that a run's members have alike are named as not tuned", "[sweep][report]") {
  const Scene scene = scene_of(kTwo);
  KnownResults known = two_runs(scene);
  const auto report_of = [&](const Scene& of) { return make_sweep_report(of, known, 0.1, "cpu"); };
  CHECK(untuned_lines(report_of(scene)).empty());
  CHECK(Json::parse(sweep_json(report_of(scene))).at("not_tuned").empty());
  for (auto& [label, member] : known)
    if (member.group == "muon") member.hparams.emplace_back("rest.lr", 3e-4);
  const std::string line = "not tuned: rest.lr of muon, 0.0003, the rate of parameters that go by another recipe\n";
  CHECK(untuned_lines(report_of(scene)) == line);
  CHECK(sweep_summary(report_of(scene)).find("\n" + line) != std::string::npos);
  CHECK(Json::parse(sweep_json(report_of(scene))).at("not_tuned") ==
        Json::parse(R"([{"run": "muon", "hparam": "rest.lr", "value": 0.0003}])"));
  // What is not finished yet is no reason to call a rate untuned.
  std::erase_if(known, [](const auto& one) { return one.first.find("lr 0.1 ") == std::string::npos; });
  CHECK(untuned_lines(report_of(scene)) == line);
}

TEST_CASE("a comparison names every rate that was not varied, the optimizers' own among them", "[compare]") {
  const CompareSpec spec{{"muon", "adamw"}, "momentum", 1}; // which adamw lacks
  const Scene scene = *compare_scene(scene_of("[[run]]\noptimizer = \"sgd\"\n"), spec);
  KnownResults known;
  for (const std::string& text : scene.sweep->hparams.front().texts) add(known, scene, "muon momentum " + text, 1);
  add(known, scene, "adamw", 2);
  for (auto& [label, member] : known) member.hparams.emplace_back("lr", member.group == "muon" ? 0.02 : 0.001);
  const SweepReport report = make_sweep_report(scene, known, 0.1, "cpu");
  const std::string text = compare_text(report, spec, std::nullopt);
  INFO(text);
  CHECK(text.find("not tuned: lr of muon, 0.02, the only one that was tried\n"
                  "not tuned: lr of adamw, 0.001, the only one that was tried\n") != std::string::npos);
  CHECK(Json::parse(compare_json(report, spec, std::nullopt)).at("not_tuned").size() == 2);
}

TEST_CASE("an end of what is allowed is no range to widen", "[sweep][report]") {
  const Scene scene = scene_of("[[run]]\noptimizer = \"adamw\"\n[sweep]\n"
                               "hparam.weight_decay = { values = [0.0, 0.1, 0.5] }\n");
  const auto warned = [&](const std::string& best) {
    KnownResults known;
    for (const std::string value : {"0", "0.1", "0.5"})
      add(known, scene, "adamw weight_decay " + value, value == best ? 1 : 2);
    const SweepReport report = make_sweep_report(scene, known, 0.1, "cpu");
    REQUIRE(report.complete());
    REQUIRE(report.best[0].setting);
    return warning_lines(report);
  };
  CHECK(warned("0").empty());
  CHECK(warned("0.1").empty());
  CHECK(warned("0.5") ==
        "WARNING: the best weight_decay of adamw, 0.5, is the largest that was tried: widen the range\n");
}

TEST_CASE("the radial part of an update has a column where one parameter has it alone", "[sweep][report]") {
  const Scene scene = scene_of(kTwo);
  KnownResults known = two_runs(scene);
  const auto table = [&] { return best_table(make_sweep_report(scene, known, 0.1, "cpu")); };
  CHECK(table().find("radial update") == std::string::npos);
  for (auto& [label, member] : known) member.final.emplace_back("W.radial_update", 0.25);
  CHECK(table().find("radial update") != std::string::npos);
  CHECK(table().find("0.25") != std::string::npos);
  for (auto& [label, member] : known) member.final.emplace_back("V.radial_update", 0.5);
  CHECK(table().find("radial update") == std::string::npos); // of several none stands for the rest
}

TEST_CASE("the hash of a sweep with one member is that member's", "[sweep][report]") {
  const Scene scene = scene_of("[[run]]\noptimizer = \"sgd\"\n[sweep]\nhparam.lr = { values = [0.1] }\n");
  KnownResults known;
  add(known, scene, "sgd lr 0.1", 1);
  known.at("sgd lr 0.1").state_hash = 77;
  const SweepReport report = make_sweep_report(scene, known, 0.1, "cpu");
  REQUIRE(report.complete());
  CHECK(report.state_hash == 77);
}

TEST_CASE("a comparison says that a scene's own runs are not used, where they have anything of their own",
          "[compare]") {
  const auto said = [](const std::string& runs) { return !unused_line(scene_of(runs)).empty(); };
  CHECK_FALSE(said("[[run]]\noptimizer = \"adamw\"\n[[run]]\noptimizer = \"muon\"\n"));
  CHECK_FALSE(said("[sweep]\noptimizer = [\"adamw\", \"muon\"]\nseeds = 3\n"));
  CHECK(said("[[run]]\noptimizer = \"adamw\"\nhparam.lr = 0.1\n"));
  CHECK(said("[[run]]\noptimizer = { base = \"adamw\", hparam = { lr = 0.1 } }\n"));
  CHECK(said("[[run]]\noptimizer = \"adamw\"\nschedule.lr = { kind = \"cosine\" }\n"));
  CHECK(said("[[run]]\noptimizer = \"adamw\"\nroute.W = \"sgd\"\n"));
  CHECK(said(kTwo));
}

TEST_CASE("values around a default are rungs of 1, 2, 5", "[compare]") {
  const auto around = [](const std::string& optimizer, const std::string& name) {
    const OptimizerSpec spec = *load_optimizer(optimizer);
    for (const Setting& s : optimizer_hparams(spec))
      if (s.name == name) return values_around(s, std::get<double>(s.value));
    FAIL("no " + name);
    return std::vector<double>{};
  };
  CHECK(around("muon", "lr") == std::vector<double>{0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2});
  CHECK(around("adamw", "lr") == std::vector<double>{0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01});
  CHECK(around("sgd", "lr") == std::vector<double>{0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1});
  CHECK(around("muon", "momentum") == std::vector<double>{0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995});
  CHECK(around("muon", "weight_decay").empty()); // 0 has no neighbours
  Setting third = log_number("x", 0.3, 0, 0.4, "");
  CHECK(values_around(third, 0.3) == std::vector<double>{0.02, 0.05, 0.1, 0.2}); // as far as allowed; 0.2 is nearest
}

TEST_CASE("a comparison widens its range where an end was best, and says so", "[compare]") {
  const Scene base = scene_of("[[run]]\noptimizer = \"adamw\"\nstart = { norm = 2.0 }\n");
  CompareSpec spec{{"sgd", "muon"}, "lr", 3};
  auto made = compare_scene(base, spec);
  if (!made) FAIL(made.error().text());
  Scene scene = *made;
  CHECK(sweep_size(scene) == 2 * 7 * 3);
  CHECK(scene.runs[1].start.norm == 2.0);
  CHECK(member_spec(scene, 0).label == "sgd lr 0.01 seed 0");
  CHECK(member_spec(scene, 41).label == "muon lr 0.2 seed 2");
  const auto fill = [&](const std::string& run, double best) { // a bowl around the best
    KnownResults known;
    for (const SweepAxis& axis : scene.sweep->hparams)
      for (std::size_t i = 0; i < axis.values.size(); ++i) {
        const std::string name = axis.of_run[0] ? "sgd" : "muon";
        const double at = name == run ? best : 0.05;
        const double loss = std::pow(std::log(axis.values[i] / at), 2);
        add_seeds(known, scene, name + " lr " + axis.texts[i], {loss, loss + 0.1, loss + 0.2});
      }
    return known;
  };
  {
    const KnownResults known = fill("sgd", 0.05);
    CHECK(widen(scene, spec, make_sweep_report(scene, known, 0.1, "cpu")).empty());
    // the rate that suits the first goes to all, and is there already
    CHECK(add_same_value(scene, spec, make_sweep_report(scene, known, 0.1, "cpu")) == 0.05);
    CHECK(sweep_size(scene) == 2 * 7 * 3);
  }
  std::size_t rounds = 0;
  for (std::string said; ++rounds < 10;) {
    const KnownResults known = fill("sgd", 1e9); // never inside
    said = widen(scene, spec, make_sweep_report(scene, known, 0.1, "cpu"));
    if (said.empty()) break;
    if (rounds == 1) CHECK(said == "lr of sgd on to 10");
  }
  CHECK(rounds == 4); // three extensions, then it stops
  CHECK(scene.sweep->hparams[0].values.back() == 1000);
  CHECK(scene.sweep->hparams[1].values.size() == 7);
  CHECK(member_spec(scene, 0).label == "sgd lr 0.01 seed 0"); // labels stay, so that results do
  const KnownResults known = fill("sgd", 1e9);
  const SweepReport report = make_sweep_report(scene, known, 0.1, "cpu");
  CHECK(compare_text(report, spec, std::nullopt).find("WARNING: the best lr of sgd, 1000, is the largest") !=
        std::string::npos);
  CHECK(comparison_good(report));
}

TEST_CASE("a comparison tries no more than sixteen values, those next to the end", "[compare]") {
  const CompareSpec spec{{"sgd", "muon"}, "lr", 1};
  const Scene made = *compare_scene(scene_of("[[run]]\noptimizer = \"adamw\"\n"), spec);
  for (const bool largest : {true, false}) {
    Scene scene = made;
    SweepAxis& axis = scene.sweep->hparams[0];
    // six values, as where a range ends at what is allowed: three extensions make fifteen
    const auto lost = largest ? 0 : axis.values.size() - 1;
    axis.values.erase(axis.values.begin() + static_cast<std::ptrdiff_t>(lost));
    axis.texts.erase(axis.texts.begin() + static_cast<std::ptrdiff_t>(lost));
    int rounds = 0;
    for (std::string said = "some"; !said.empty() && rounds < 10; ++rounds) {
      KnownResults known;
      for (const SweepAxis& one : scene.sweep->hparams)
        for (std::size_t i = 0; i < one.values.size(); ++i) {
          const double from = std::log(one.values[i] / 0.05); // muon's best is inside
          const double loss = !one.of_run[0] ? from * from : largest ? 100 - from : 100 + from;
          add(known, scene, (one.of_run[0] ? "sgd lr " : "muon lr ") + one.texts[i], loss);
        }
      said = widen(scene, spec, make_sweep_report(scene, known, 0.1, "cpu"));
    }
    CHECK(rounds == 5); // the fifth finds it full
    const std::vector<double>& values = scene.sweep->hparams[0].values;
    CHECK(values.size() == 16);
    if (largest) {
      CHECK(values.front() == 0.02);
      CHECK(values.back() == 2000);
    } else {
      CHECK(values.front() == 5e-6);
      CHECK(values.back() == 0.5);
    }
  }
}

TEST_CASE("a comparison says both: each at its best, and all at one rate", "[compare]") {
  CompareSpec spec{{"sgd", "muon"}, "lr", 3};
  Scene scene = *compare_scene(scene_of("[[run]]\noptimizer = \"adamw\"\n"), spec);
  KnownResults known;
  for (const SweepAxis& axis : scene.sweep->hparams)
    for (std::size_t i = 0; i < axis.values.size(); ++i) {
      const bool sgd = axis.of_run[0];
      const double loss = std::pow(std::log(axis.values[i] / (sgd ? 0.5 : 0.02)), 2);
      add_seeds(known, scene, std::string(sgd ? "sgd" : "muon") + " lr " + axis.texts[i],
                {loss, loss + 0.1, loss + 0.2});
    }
  const auto same = add_same_value(scene, spec, make_sweep_report(scene, known, 0.1, "cpu"));
  REQUIRE(same == 0.5);
  CHECK(scene.sweep->hparams[1].values.back() == 0.5);
  add_seeds(known, scene, "muon lr 0.5", {10, 11, 12.1});
  const SweepReport report = make_sweep_report(scene, known, 0.1, "cpu");
  const std::string text = compare_text(report, spec, same);
  INFO(text);
  CHECK(text.find("each at its best:") != std::string::npos);
  CHECK(text.find("not decided: equal") != std::string::npos); // both bowls end in the same numbers
  const auto at = text.find("all at lr 0.5, the best of sgd:");
  REQUIRE(at != std::string::npos);
  CHECK(text.find("sgd is lower", at) != std::string::npos);
  const Json json = Json::parse(compare_json(report, spec, same));
  CHECK(json.at("same").at("value") == 0.5);
  CHECK(json.at("same").at("differences").at(0).at("lower") == "sgd");
  CHECK(json.at("differences").at(0).at("decided") == false);
}

TEST_CASE("a rate for all neither hides the end of a range nor who cannot have it", "[compare]") {
  // Muon's losses fall towards the end of its range, and the first one's best is far beyond it.
  CompareSpec spec{{"sgd", "muon"}, "lr", 3};
  Scene scene = *compare_scene(scene_of("[[run]]\noptimizer = \"adamw\"\n"), spec);
  KnownResults known;
  for (const SweepAxis& axis : scene.sweep->hparams)
    for (std::size_t i = 0; i < axis.values.size(); ++i) {
      const double sgd = axis.values[i] == 0.5 ? 1 : 2, muon = 1 / axis.values[i];
      add_seeds(known, scene, (axis.of_run[0] ? "sgd lr " : "muon lr ") + axis.texts[i],
                axis.of_run[0] ? std::vector<double>{sgd, sgd, sgd} : std::vector<double>{muon, muon, muon});
    }
  const auto warned = [&](double same) {
    SweepReport report = make_sweep_report(scene, known, 0.1, "cpu");
    warn_beside_same(scene, spec, same, report);
    return warning_lines(report);
  };
  SECTION("far beyond it is the end that it was") {
    // as if sgd had been best at 20
    std::vector<SweepAxis>& axes = scene.sweep->hparams;
    axes[1].values.push_back(20);
    axes[1].texts.emplace_back("20");
    add_seeds(known, scene, "muon lr 20", {90, 90, 90});
    CHECK(warned(20) ==
          "WARNING: the best lr of muon, 0.2, is the largest that was tried but for 20: widen the range\n");
    SweepReport report = make_sweep_report(scene, known, 0.1, "cpu");
    warn_beside_same(scene, spec, 20, report);
    const Json edge = Json::parse(compare_json(report, spec, 20)).at("best").at(1).at("edge").at(0);
    CHECK(edge.at("end") == "largest");
    CHECK(edge.at("but_for") == 20);
    // where it is best itself it is the end
    add_seeds(known, scene, "muon lr 20", {1, 1, 1});
    CHECK(warned(20) == "WARNING: the best lr of muon, 20, is the largest that was tried: widen the range\n");
  }
  SECTION("the next rung is a neighbour like any other") {
    REQUIRE(add_same_value(scene, spec, make_sweep_report(scene, known, 0.1, "cpu")) == 0.5);
    add_seeds(known, scene, "muon lr 0.5", {90, 90, 90});
    CHECK(warned(0.5).empty());
  }
  SECTION("who cannot have it is named") {
    // no setting of muon at 0.5, as where its range ends before
    SweepReport report = make_sweep_report(scene, known, 0.1, "cpu");
    const std::string text = compare_text(report, spec, 0.5);
    INFO(text);
    CHECK(text.find("left out: its lr cannot be 0.5", text.find("all at lr 0.5")) != std::string::npos);
    const Json left = Json::parse(compare_json(report, spec, 0.5)).at("same").at("left_out");
    REQUIRE(left.size() == 1);
    CHECK(left.at(0).at("run") == "muon");
    // and who has no such number
    spec = {{"muon", "sgd"}, "momentum", 3};
    scene = *compare_scene(scene_of("[[run]]\noptimizer = \"adamw\"\n"), spec);
    report = make_sweep_report(scene, {}, 0.1, "cpu");
    CHECK(compare_text(report, spec, 0.95).find("left out: it has no momentum") != std::string::npos);
  }
}

TEST_CASE("comparisons that mean nothing are refused", "[compare]") {
  const Scene base = scene_of("[[run]]\noptimizer = \"adamw\"\n");
  const auto error = [&](const CompareSpec& spec) {
    const auto scene = compare_scene(base, spec);
    return scene ? "no error" : scene.error().text();
  };
  CHECK(error({{"sgd", "muom"}, "lr", 3}).find("unknown optimizer 'muom'; did you mean 'muon'?") != std::string::npos);
  CHECK(error({{"sgd", "muon"}, "lrr", 3}) == "--sweep lrr: no optimizer has this hyperparameter; did you mean 'lr'?");
  CHECK(error({{"sgd", "muon"}, "weight_decay", 3}).find("is 0 by default, which has no range around it") !=
        std::string::npos);
  // one that lacks the number takes part as it is
  const auto scene = compare_scene(base, {{"sgd", "muon"}, "momentum", 3});
  REQUIRE(scene.ok());
  CHECK(sweep_size(*scene) == 3 + 7 * 3);
}
