#include "engine/scene_read.hpp"

#include "engine/files.hpp"
#include "engine/metric/metric.hpp"
#include "engine/preset.hpp"
#include "engine/problem/problem.hpp"
#include "engine/sweep.hpp"
#include "engine/trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>

namespace polarscope {

namespace {

constexpr double kAnyNumber = std::numeric_limits<double>::max();
constexpr long kMostSeed = std::numeric_limits<long>::max();

Setting text_key(const char* name, const char* meaning) { return word(name, "", {}, meaning); }

// "row_norm[3]" → "row_norm"; "W.angle" → "angle".
std::string metric_key(const std::string& column) {
  std::string key = column.substr(0, column.find('['));
  return key.substr(key.rfind('.') == std::string::npos ? 0 : key.rfind('.') + 1);
}

std::vector<std::string> metric_names() {
  std::vector<std::string> names;
  for (const Metric& metric : metrics()) names.push_back(metric.name);
  return names;
}

bool is_metric(const std::string& name) { return find_metric(name) != nullptr; }

class SceneReader {
public:
  SceneReader(const TomlValue& tree, const std::string& file) : tree_(tree) {
    scene_.path = file;
    folder_ = folder_of_scene(file);
  }

  Result<Scene> read() {
    TomlTable root(tree_, "the scene", errors_);
    if (const TomlValue* v = root.table("scene")) read_scene_table(*v);
    if (const TomlValue* v = root.table("problem")) read_problem(*v);
    else if (!root.has("problem")) missing("the scene has no [problem]", {scene_.path});
    if (const TomlValue* v = root.find("run")) read_runs(*v);
    else missing("the scene has no [[run]]", {scene_.path});
    if (const TomlValue* v = root.table("sweep"); v && errors_.empty())
      scene_.sweep = polarscope::read_sweep(*v, scene_.runs, errors_);
    if (const TomlValue* v = root.table("metrics")) read_metrics(*v);
    if (const TomlValue* v = root.table("view")) read_view(*v);
    if (const TomlValue* v = root.table("expect")) read_expect(*v, "");
    root.finish();
    if (errors_.empty()) check_sizes();
    if (!errors_.empty()) return errors_.error();
    return std::move(scene_);
  }

private:
  // A missing key may be a misspelt one: unknown keys are told first, wherever they stand.
  void missing(const char* message, const Place& place) {
    errors_.add_at(bad_input(message, place), {place.file, std::numeric_limits<int>::max(), 0});
  }

  void refuse_unbuilt(TomlTable& table, const char* key, const char* message) {
    table.find(key);
    if (const TomlEntry* entry = table.value().find(key)) errors_.add(bad_input(message, entry->place));
  }

  void read_scene_table(const TomlValue& value) {
    TomlTable table(value, "[scene]", errors_);
    if (const auto v = table.text("title")) scene_.title = *v;
    if (const auto v = table.text("description")) scene_.description = *v;
    if (const auto v = table.integer("seed", 0, kMostSeed)) scene_.seed = static_cast<std::uint64_t>(*v);
    if (const auto v = table.integer("steps", 1, kMostSteps))
      scene_.steps = *v, steps_place_ = table.find("steps")->place;
    if (const auto v = table.number("speed", 0, 1e9)) scene_.speed = *v;
    if (const auto v = table.word("precision", {"f32", "f64"}))
      scene_.precision = *v == "f64" ? Precision::f64 : Precision::f32;
    table.finish();
  }

  void read_problem(const TomlValue& value) {
    TomlTable table(value, "[problem]", errors_);
    const auto kind = table.text("kind");
    if (!kind) {
      if (table.has("kind")) return;
      for (const Problem& p : problems()) // whichever it was to be
        for (const Setting& key : p.keys) table.find(key.name);
      table.finish();
      missing("[problem] has no 'kind'", value.place);
      return;
    }
    problem_ = find_problem(*kind);
    if (!problem_) {
      std::vector<std::string> kinds;
      for (const Problem& p : problems()) kinds.push_back(p.kind);
      errors_.add(
          bad_input(fmt::format("unknown problem '{}'{}", *kind, suggestion(*kind, kinds)), table.find("kind")->place));
      return;
    }
    scene_.problem = *kind;
    for (const Setting& key : problem_->keys) {
      const auto v = table.setting(key);
      scene_.problem_values.values[key.name] = v ? *v : key.value;
    }
    table.finish();
    problem_place_ = value.place;
    if (problem_->from_trace) open_trace(value);
  }

  void open_trace(const TomlValue& table) {
    const std::string file = scene_.problem_values.word("file");
    if (file.empty()) {
      missing("[problem] has no 'file' with recorded gradients", table.place);
      return;
    }
    const bool beside = file.front() != '/' && file_exists(folder_ + file);
    auto trace = Trace::open(beside ? folder_ + file : file, scene_.problem_values.word("run"));
    if (!trace) {
      errors_.add_at(trace.error(), table.find("file")->place);
      return;
    }
    scene_.problem_values.trace = *trace;
    if (!steps_place_) scene_.steps = (*trace)->steps();
  }

  void check_sizes() {
    if (!problem_ || !problem_->elements) return;
    const double elements = problem_->elements(scene_.problem_values);
    if (elements > kMostElements)
      errors_.add(bad_input(fmt::format("[problem] is too large: an array would have {:g} elements; allowed: {:.0f}",
                                        elements, kMostElements),
                            problem_place_));
  }

  void read_runs(const TomlValue& value) {
    if (value.kind != TomlValue::Kind::array || value.items.empty()) {
      errors_.add(bad_input("runs are written as [[run]] tables", value.place));
      return;
    }
    if (value.items.size() > kMostRuns) {
      errors_.add(bad_input(fmt::format("{} runs; allowed: {}", value.items.size(), kMostRuns), value.place));
      return;
    }
    for (const TomlValue& item : value.items) {
      if (!item.is_table()) {
        errors_.add(bad_input("runs are written as [[run]] tables", item.place));
        return;
      }
      read_run(item);
    }
    make_labels(value);
  }

  void read_run(const TomlValue& value) {
    TomlTable table(value, "[[run]]", errors_);
    RunSpec run;
    run.place = value.place;
    if (const auto v = table.text("label", 200)) run.label = *v;
    if (table.has("label") && run.label.empty() && table.find("label")->is_text())
      errors_.add(bad_input("'label' is empty", table.find("label")->place));
    FirstError own;
    if (const TomlValue* v = table.find("optimizer")) run.optimizer = read_optimizer_value(*v, folder_, own);
    else missing("[[run]] has no 'optimizer'", value.place);
    const bool sound = own.empty() && table.has("optimizer");
    if (!own.empty())
      errors_.add_at(own.error(), own.error().place.file == scene_.path ? own.error().place : value.place);
    if (const TomlValue* v = table.table("route"); v && sound) read_routes(*v, folder_, true, run.optimizer, errors_);
    if (const TomlValue* v = table.table("hparam"); v && sound)
      read_hparams(*v, run.optimizer, run.hparams, errors_, &run.hparam_places);
    if (const TomlValue* v = table.table("schedule"); v && sound)
      read_schedules(*v, run.optimizer, run.optimizer.schedules, errors_);
    if (const TomlValue* v = table.table("start")) run.start = read_start(*v, true);
    if (const auto v = table.integer("seed", 0, kMostSeed)) run.seed = static_cast<std::uint64_t>(*v);
    table.finish();
    scene_.runs.push_back(std::move(run));
  }

  StartSpec read_start(const TomlValue& value, bool top) {
    StartSpec start;
    start.place = value.place;
    TomlTable table(value, "start", errors_);
    if (const auto v = table.number("norm", std::numeric_limits<double>::min(), 1e18)) start.norm = *v;
    if (const auto v = table.numbers("point", kMostPointElements)) start.point = *v;
    if (const auto v = table.text("file")) start.file = *v;
    if (problem_)
      for (const Setting& key : problem_->start_keys)
        if (const auto v = table.number(key.name, key.min, key.max)) start.keys[key.name] = *v;
    int forms = table.has("norm") + table.has("point") + table.has("file") + !start.keys.empty();
    for (const TomlEntry& entry : value.entries)
      if (top && entry.value.is_table()) {
        start.parameters[entry.key] = read_start(*table.find(entry.key), false);
        forms += start.parameters.size() == 1;
      }
    table.finish();
    if (forms > 1)
      errors_.add(
          bad_input("'start' has more than one form: give norm, point, file or the problem's own keys", value.place));
    if (value.entries.empty()) errors_.add(bad_input("'start' is empty", value.place));
    return start;
  }

  // Written labels must differ; runs without one get their optimizer's name, numbered from the second on.
  void make_labels(const TomlValue& runs) {
    std::vector<std::string> taken;
    const auto is_taken = [&](const std::string& label) {
      return std::find(taken.begin(), taken.end(), label) != taken.end();
    };
    for (std::size_t i = 0; i < scene_.runs.size(); ++i) {
      const std::string& label = scene_.runs[i].label;
      if (label.empty()) continue;
      if (is_taken(label))
        errors_.add(
            bad_input(fmt::format("two runs have the label '{}'", label), runs.items[i].find("label")->value.place));
      taken.push_back(label);
    }
    for (RunSpec& run : scene_.runs) {
      if (!run.label.empty()) continue;
      std::string name = run.optimizer.name;
      if (name.ends_with('*')) name.pop_back();
      run.label = name;
      for (int n = 2; is_taken(run.label); ++n) run.label = fmt::format("{} {}", name, n);
      taken.push_back(run.label);
    }
  }

  void read_metrics(const TomlValue& value) {
    for (const TomlEntry& entry : value.entries) {
      if (!is_metric(entry.key)) {
        errors_.add(bad_input(
            fmt::format("unknown metric '{}' in [metrics]{}", entry.key, suggestion(entry.key, metric_names())),
            entry.place));
        continue;
      }
      if (!entry.value.is_table()) {
        errors_.add(bad_input(fmt::format("'{}' must be a table like {{ every = 10 }}", entry.key), entry.value.place));
        continue;
      }
      TomlTable table(entry.value, fmt::format("[metrics] {}", entry.key), errors_);
      if (const auto v = table.integer("every", 1, 65'535)) scene_.metric_every[entry.key] = static_cast<int>(*v);
      table.finish();
    }
  }

  void read_view(const TomlValue& value) {
    TomlTable table(value, "[view]", errors_);
    ViewSpec& view = scene_.view;
    if (const auto v = table.word("layout", {"study", "show", "bench"})) view.layout = *v;
    refuse_unbuilt(table, "panels", "'panels' is not built yet: the layout says which panels are open");
    if (const auto v = table.text("parameter", 200)) {
      view.parameter = *v;
      view.parameter_place = table.find("parameter")->place;
    }
    if (const TomlValue* plane = table.find("plane")) {
      if (plane->is_table()) read_rows_plane(*plane);
      else if (const auto v = table.word("plane", {"start-current", "start-reference", "weight-update"}))
        view.plane = *v;
    }
    if (const auto v = table.number("target", -kAnyNumber, kAnyNumber)) view.target = *v;
    table.finish();
  }

  void read_rows_plane(const TomlValue& value) {
    TomlTable table(value, "plane", errors_);
    const auto rows = table.numbers("rows", 2);
    table.finish();
    const auto whole = [](double v) { return v >= 0 && v < 1e9 && v == static_cast<double>(static_cast<long>(v)); };
    if (!rows || rows->size() != 2 || !whole((*rows)[0]) || !whole((*rows)[1]) || (*rows)[0] == (*rows)[1]) {
      errors_.add(bad_input("'plane' must be a word or { rows = [i, j] } with two different rows", value.place));
      return;
    }
    scene_.view.plane = "rows";
    scene_.view.row_i = static_cast<int>((*rows)[0]);
    scene_.view.row_j = static_cast<int>((*rows)[1]);
    scene_.view.rows_place = value.place;
  }

  static bool is_expectation(const TomlValue& value) {
    return std::any_of(expect_keys().begin(), expect_keys().end(),
                       [&](const Setting& key) { return value.find(key.name) != nullptr; });
  }

  // `W.angle = {…}` arrives as nested tables, so a table without any of the keys of an expectation is a name's part.
  void read_expect(const TomlValue& value, const std::string& prefix) {
    for (const TomlEntry& entry : value.entries) {
      const std::string name = prefix.empty() ? entry.key : prefix + "." + entry.key;
      const TomlValue& v = entry.value;
      if (prefix.empty() && v.is_table() && !is_metric(metric_key(name)) && !is_expectation(v)) {
        read_expect(v, name);
        continue;
      }
      if (!is_metric(metric_key(name))) {
        errors_.add(bad_input(
            fmt::format("unknown metric '{}' in [expect]{}", name, suggestion(metric_key(name), metric_names())),
            entry.place));
      } else if (v.is_table()) {
        read_one_expect(v, name);
      } else if (v.kind == TomlValue::Kind::array && !v.items.empty() && v.items.size() <= kMostRuns &&
                 std::all_of(v.items.begin(), v.items.end(), [](const TomlValue& item) { return item.is_table(); })) {
        for (const TomlValue& item : v.items) read_one_expect(item, name);
      } else {
        errors_.add(
            bad_input(fmt::format("'{}' must be a table like {{ below = 0.1 }}, or a list of them", name), v.place));
      }
    }
  }

  void read_one_expect(const TomlValue& value, const std::string& metric) {
    TomlTable table(value, fmt::format("[expect] {}", metric), errors_);
    ExpectSpec expect;
    expect.metric = metric;
    expect.place = value.place;
    if (const auto v = table.text("run", 200)) {
      expect.run = *v;
      std::vector<std::string> labels;
      for (const RunSpec& run : scene_.runs) labels.push_back(run.label);
      if (errors_.empty() && std::find(labels.begin(), labels.end(), *v) == labels.end() && !has_member(scene_, *v))
        errors_.add(
            bad_input(fmt::format("no run is labelled '{}'{}", *v, suggestion(*v, labels)), table.find("run")->place));
    }
    if (const auto v = table.integer("step", 0, kMostSteps)) {
      expect.step = *v;
      // Of a scene that the command line makes shorter what comes later is not reached, and said to be.
      const Place place = table.find("step")->place;
      if (*v > scene_.steps && (!steps_place_ || steps_place_->file == place.file))
        errors_.add(bad_input(fmt::format("'step' = {} is beyond the last step, {}", *v, scene_.steps), place));
    }
    int tests = 0;
    for (const auto& [key, test] :
         {std::pair{"above", ExpectSpec::Test::above}, std::pair{"below", ExpectSpec::Test::below},
          std::pair{"near", ExpectSpec::Test::near}})
      if (const auto v = table.number(key, -kAnyNumber, kAnyNumber)) {
        expect.test = test;
        expect.value = *v;
        ++tests;
      }
    const auto within = table.number("within", 0, kAnyNumber);
    if (within) expect.within = *within;
    table.finish();
    if (!errors_.empty()) return;
    if (tests != 1) errors_.add(bad_input("an expectation has one of above, below, near", value.place));
    if (expect.test == ExpectSpec::Test::near && tests == 1 && !within)
      errors_.add(bad_input("'near' needs 'within'", value.place));
    if (expect.test != ExpectSpec::Test::near && within)
      errors_.add(bad_input("'within' belongs to 'near'", table.find("within")->place));
    scene_.expect.push_back(std::move(expect));
  }

  const TomlValue& tree_;
  std::string folder_;
  FirstError errors_;
  Scene scene_;
  const Problem* problem_ = nullptr;
  Place problem_place_;
  std::optional<Place> steps_place_; // where the scene or the command line gives them
};

} // namespace

const std::vector<Setting>& scene_keys() {
  static const std::vector<Setting> keys = {
      text_key("title", "One line, shown as heading and in lists."),
      text_key("description", "One or two sentences, shown in lists."),
      integer("seed", 0, 0, kMostSeed, "Key of every random number of the scene."),
      integer("steps", 1000, 1, kMostSteps,
              "Where every run ends, and T of the schedules; --steps changes only the former."),
      number("speed", 50, 0, 1e9, "Steps per second when played; 0 is as fast as possible."),
      word("precision", "f32", {{"f32", "single precision"}, {"f64", "double precision, on the CPU"}},
           "Numbers that the runs compute with.")};
  return keys;
}

const std::vector<Setting>& run_keys() {
  static const std::vector<Setting> keys = {
      text_key("label", "Name of the run; default: its optimizer's name, made unique."),
      text_key("optimizer", "A preset's name, a file, or a table: optimizer.base, optimizer.<part>.<option>."),
      text_key("route", "Another recipe for some parameters: route.<target> = an optimizer; see below."),
      text_key("hparam", "Numbers that stay editable while running: hparam.lr = 0.1, hparam.<target>.lr of a route."),
      text_key("schedule", "How a number changes over the steps: schedule.lr = { kind = \"cosine\", warmup = 50 }."),
      text_key("start", "Where the weights start; see below."),
      integer("seed", 0, 0, kMostSeed, "The run's own seed; default: the scene's.")};
  return keys;
}

const std::vector<Setting>& start_keys() {
  static const std::vector<Setting> keys = {
      number("norm", 1, std::numeric_limits<double>::min(), 1e18,
             "The problem's own start, scaled to this Frobenius norm."),
      text_key("point", "A list of numbers, row by row, for a parameter of at most 4,096 elements."),
      text_key("file", "A .safetensors file that holds weight/<parameter>.")};
  return keys;
}

const std::vector<Setting>& view_keys() {
  static const std::vector<Setting> keys = {
      word("layout", "study", {{"study", "all panels"}, {"show", "few and large"}, {"bench", "for sweeps"}},
           "Arrangement of the window."),
      text_key("parameter", "The parameter that panels show first."),
      word("plane", "",
           {{"start-current", "through start and current direction"},
            {"start-reference", "through start and reference direction"},
            {"weight-update", "through weight and update"},
            {"{ rows = [i, j] }", "two rows' own directions"}},
           "The plane of the polar view."),
      number("target", 0, -kAnyNumber, kAnyNumber, "A loss that is marked as target.")};
  return keys;
}

const std::vector<Setting>& expect_keys() {
  static const std::vector<Setting> keys = {
      text_key("run", "The run that is meant; default: every run."),
      integer("step", 0, 0, kMostSteps, "The step that is meant; default: the last."),
      number("above", 0, -kAnyNumber, kAnyNumber, "Holds when the value is larger."),
      number("below", 0, -kAnyNumber, kAnyNumber, "Holds when the value is smaller."),
      number("near", 0, -kAnyNumber, kAnyNumber, "Holds when the value is within 'within' of this."),
      number("within", 0, 0, kAnyNumber, "Largest distance for 'near'.")};
  return keys;
}

std::string folder_of_scene(const std::string& file) {
  const auto slash = file.rfind('/');
  return slash == std::string::npos ? "" : file.substr(0, slash + 1);
}

Result<Scene> read_scene(const TomlValue& tree, const std::string& file) {
  if (!tree.find("sweep")) return SceneReader(tree, file).read();
  TomlValue lowered = tree;
  FirstError errors;
  const std::string written = lower_sweep(lowered, folder_of_scene(file), errors);
  if (!errors.empty()) return errors.error();
  auto scene = SceneReader(lowered, file).read();
  if (scene && scene->sweep) scene->sweep->written = written;
  return scene;
}

} // namespace polarscope
