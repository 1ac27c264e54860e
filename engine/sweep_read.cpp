// [sweep] from TOML: words become runs, numbers become axes.
#include "engine/optimizer/stage.hpp"
#include "engine/preset.hpp"
#include "engine/scene_read.hpp"
#include "engine/scene_tree.hpp"
#include "engine/sweep.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace polarscope {

namespace {

constexpr const char* kForms = "{ log = [a, b], count = n }, { linear = [a, b], count = n } or { values = […] }";

// Optimizers, or one option's values.
struct WordAxis {
  std::vector<std::string> path; // in a run's table: {"optimizer"}, {"optimizer", part} or {"optimizer", part, option}
  std::vector<TomlValue> values;
  Place place;
  bool met = false; // by a run that has the option

  bool optimizers() const { return path.size() == 1; }
  std::string name() const { return fmt::format("{}", fmt::join(path.begin() + 1, path.end(), ".")); }
};

std::string stem(const std::string& optimizer) {
  std::string name = optimizer.substr(optimizer.rfind('/') == std::string::npos ? 0 : optimizer.rfind('/') + 1);
  if (name.ends_with(".toml")) name.resize(name.size() - 5);
  return name;
}

// "muon", "gains row", "nesterov false", "hyperball".
std::string label_part(const WordAxis& axis, const TomlValue& value) {
  const std::string text = value.is_text() ? value.text : inline_toml(value);
  if (axis.optimizers()) return stem(text);
  return axis.path.size() == 2 ? text : axis.path.back() + " " + text;
}

// Takes the words out of [sweep] and makes the runs; errors are met in the order of the file.
class WordReader {
public:
  WordReader(TomlValue& tree, std::string folder, FirstError& errors)
      : tree_(tree), folder_(std::move(folder)), errors_(errors) {}

  std::string lower() {
    TomlEntry* sweep = tree_.find("sweep");
    TomlEntry* optimizer = sweep && sweep->value.is_table() ? sweep->value.find("optimizer") : nullptr;
    if (!optimizer) return {};
    const std::string written = tables();
    read_axes(optimizer->value);
    std::erase_if(sweep->value.entries, [](const TomlEntry& e) { return e.key == "optimizer"; });
    if (!errors_.empty()) return {};
    TomlEntry* runs = tree_.find("run");
    if (!runs && sweeps_optimizers()) {
      TomlValue one, list;
      one.place = list.place = sweep->place;
      list.kind = TomlValue::Kind::array;
      list.items = {one};
      tree_.entries.push_back({"run", sweep->place, list});
      runs = &tree_.entries.back();
    }
    if (!runs || !runs->value.is_array()) return {}; // the reader of the scene says so
    std::vector<TomlValue> made;
    for (const TomlValue& item : runs->value.items) {
      if (!item.is_table()) return {};
      const std::size_t first = made.size();
      expand_run(item, made);
      if (!errors_.empty()) return {};
      keep_own_numbers(made, first);
    }
    runs->value.items = std::move(made);
    for (const WordAxis& axis : axes_)
      if (!axis.met)
        errors_.add(bad_input(fmt::format("no run has the option '{}'{}", axis.name(),
                                          suggestion(axis.name(), {options_.begin(), options_.end()})),
                              axis.place));
    return written;
  }

private:
  bool sweeps_optimizers() const {
    return std::any_of(axes_.begin(), axes_.end(), [](const WordAxis& a) { return a.optimizers(); });
  }

  std::string tables() const {
    std::string out;
    if (const TomlEntry* runs = tree_.find("run"); runs && runs->value.is_array())
      for (const TomlValue& item : runs->value.items) {
        out += "\n[[run]]\n";
        for (const TomlEntry& e : item.entries) out += fmt::format("{} = {}\n", key_toml(e.key), inline_toml(e.value));
      }
    out += "\n[sweep]\n";
    for (const TomlEntry& e : tree_.find("sweep")->value.entries)
      out += fmt::format("{} = {}\n", key_toml(e.key), inline_toml(e.value));
    return out;
  }

  void read_axes(const TomlValue& value) {
    if (value.is_array()) return read_axis({"optimizer"}, value, value.place);
    if (!value.is_table()) {
      errors_.add(bad_input("[sweep] optimizer must be a list of optimizers, or optimizer.<part>.<option> a list of "
                            "values",
                            value.place));
      return;
    }
    std::vector<std::string> keys = {"base"};
    for (const Part part : kRecipeParts) keys.push_back(part_name(part));
    for (const TomlEntry& entry : value.entries) {
      if (entry.key == "base") read_axis({"optimizer"}, entry.value, entry.place);
      else if (!is_recipe_part(entry.key))
        errors_.add(
            bad_input(fmt::format("unknown key '{}' in [sweep] optimizer{}", entry.key, suggestion(entry.key, keys)),
                      entry.place));
      else if (!entry.value.is_table()) read_axis({"optimizer", entry.key}, entry.value, entry.place);
      else
        for (const TomlEntry& option : entry.value.entries)
          read_axis(option.key == "kind" ? std::vector<std::string>{"optimizer", entry.key}
                                         : std::vector<std::string>{"optimizer", entry.key, option.key},
                    option.value, option.place);
    }
    // A stage's options follow the choice of the stage, and both that of the optimizer.
    std::stable_sort(axes_.begin(), axes_.end(),
                     [](const WordAxis& a, const WordAxis& b) { return a.path.size() < b.path.size(); });
  }

  void read_axis(std::vector<std::string> path, const TomlValue& value, const Place& place) {
    const std::string name = path.size() == 1 ? "optimizer" : path.back();
    if (!value.is_array() || value.items.empty() || value.items.size() > kMostRuns) {
      errors_.add(
          bad_input(fmt::format("'{}' in [sweep] must be a list of 1 to {} values", name, kMostRuns), value.place));
      return;
    }
    std::set<std::string> seen;
    for (const TomlValue& item : value.items) {
      if (item.is_table() || item.is_array() || (path.size() < 3 && !item.is_text()))
        errors_.add(bad_input(fmt::format("'{}' in [sweep] must be a list of {}, not of {}", name,
                                          path.size() == 1 ? "optimizers' names" : "words", kind_name(item.kind)),
                              item.place));
      else if (!seen.insert(inline_toml(item)).second)
        errors_.add(bad_input(fmt::format("'{}' in [sweep] has {} twice", name, inline_toml(item)), item.place));
    }
    axes_.push_back({std::move(path), value.items, place});
  }

  void expand_run(const TomlValue& item, std::vector<TomlValue>& made) {
    const TomlEntry* own = item.find("optimizer");
    if (own && sweeps_optimizers()) {
      errors_.add(bad_input("[sweep] has optimizers: leave this one out, or write a [[run]] for each", own->place));
      return;
    }
    const TomlEntry* label = item.find("label");
    std::string name = label && label->value.is_text() ? label->value.text : "";
    if (!label && own) {
      FirstError unread; // told when the run is read
      name = read_optimizer_value(own->value, folder_, unread).name;
      if (name.ends_with('*')) name.pop_back();
    }
    expand(item, name, 0, made);
  }

  // The combinations of the axes from `at` on.
  void expand(const TomlValue& item, const std::string& name, std::size_t at, std::vector<TomlValue>& made) {
    if (!errors_.empty()) return;
    if (at == axes_.size()) {
      if (made.size() >= kMostRuns) {
        errors_.add(bad_input(fmt::format("[sweep] makes more than {} different optimizers", kMostRuns),
                              tree_.find("sweep")->place));
        return;
      }
      made.push_back(item);
      if (!name.empty()) set_path(made.back(), {"label"}, 0, toml_text(name, item.place));
      return;
    }
    WordAxis& axis = axes_[at];
    if (!axis.optimizers() && !has_option(item, axis)) return expand(item, name, at + 1, made);
    axis.met = true;
    for (const TomlValue& value : axis.values) {
      TomlValue one = item;
      set_path(one, axis.path, 0, value);
      expand(one, name + (name.empty() ? "" : " ") + label_part(axis, value), at + 1, made);
    }
  }

  bool has_option(const TomlValue& item, const WordAxis& axis) {
    const TomlEntry* optimizer = item.find("optimizer");
    if (!optimizer) return false;
    FirstError wrong;
    const OptimizerSpec spec = read_optimizer_value(optimizer->value, folder_, wrong);
    if (!wrong.empty()) {
      errors_.add_at(wrong.error(), optimizer->value.place);
      return false;
    }
    if (axis.path.size() == 2) return true;
    const std::vector<StageLink> links = stage_links(spec);
    for (const StageLink& link : links)
      for (const Setting& option : link.stage->options)
        options_.insert(fmt::format("{}.{}", part_name(link.part), option.name));
    for (const Part part : kRecipeParts)
      if (axis.path[1] == part_name(part)) return find_option(links, part, axis.path[2]) != nullptr;
    return false;
  }

  // A number or schedule written for a run of several optimizers belongs to those that have it.
  void keep_own_numbers(std::vector<TomlValue>& made, std::size_t first) {
    std::vector<std::set<std::string>> own;
    std::set<std::string> all;
    for (std::size_t i = first; i < made.size(); ++i) {
      own.emplace_back();
      FirstError wrong;
      const TomlEntry* optimizer = made[i].find("optimizer");
      if (!optimizer) return;
      const OptimizerSpec spec = read_optimizer_value(optimizer->value, folder_, wrong);
      if (!wrong.empty()) return; // told when the run is read
      for (const Setting& hparam : optimizer_hparams(spec)) own.back().insert(hparam.name);
      all.insert(own.back().begin(), own.back().end());
    }
    for (std::size_t i = first; i < made.size(); ++i)
      for (const char* key : {"hparam", "schedule"})
        if (TomlEntry* table = made[i].find(key); table && table->value.is_table())
          std::erase_if(table->value.entries,
                        [&](const TomlEntry& e) { return all.contains(e.key) && !own[i - first].contains(e.key); });
  }

  TomlValue& tree_;
  std::string folder_;
  FirstError& errors_;
  std::vector<WordAxis> axes_;
  std::set<std::string> options_; // that the runs have: "magnitude.gains"
};

// A number as it is meant: decades of a logarithmic range are 0.001, not 0.00099999999999999980.
double rounded(double value) { return std::stod(fmt::format("{:.12g}", value)); }

std::vector<double> spaced(double a, double b, long count, bool logarithmic) {
  std::vector<double> out;
  for (long i = 0; i < count; ++i) {
    const double t = static_cast<double>(i) / static_cast<double>(count - 1);
    const double value = logarithmic ? std::exp((1 - t) * std::log(a) + t * std::log(b)) : (1 - t) * a + t * b;
    out.push_back(i == 0 ? a : i + 1 == count ? b : rounded(value));
  }
  return out;
}

// As few digits as tell all values apart, at least three.
std::vector<std::string> short_texts(const std::vector<double>& values) {
  for (int digits = 3;; ++digits) {
    std::vector<std::string> texts;
    for (const double v : values) texts.push_back(fmt::format("{:.{}g}", v, digits));
    if (digits == 17 || std::set<std::string>(texts.begin(), texts.end()).size() == values.size()) return texts;
  }
}

class NumberReader {
public:
  NumberReader(const std::vector<RunSpec>& runs, FirstError& errors) : errors_(errors) {
    for (const RunSpec& run : runs) settings_.push_back(optimizer_hparams(run.optimizer));
  }

  // `prefix`: of a route's numbers, hparam.<target>.<name>.
  void read(const TomlEntry& entry, const std::string& prefix, std::vector<SweepAxis>& out) {
    SweepAxis axis;
    axis.hparam = prefix + entry.key;
    axis.place = entry.place;
    std::set<std::string> known;
    for (const auto& settings : settings_) {
      axis.of_run.push_back(find_hparam(settings, axis.hparam) != nullptr);
      for (const Setting& s : settings) known.insert(s.name);
    }
    const bool known_number = std::find(axis.of_run.begin(), axis.of_run.end(), true) != axis.of_run.end();
    if (const std::string target = axis.hparam + ".";
        !known_number && entry.value.is_table() &&
        std::any_of(known.begin(), known.end(), [&](const std::string& k) { return k.starts_with(target); })) {
      for (const TomlEntry& inner : entry.value.entries) read(inner, target, out);
      return;
    }
    if (!known_number) {
      errors_.add(bad_input(fmt::format("no run has the hyperparameter '{}'{}", axis.hparam,
                                        suggestion(axis.hparam, {known.begin(), known.end()})),
                            entry.place));
      return;
    }
    if (!entry.value.is_table()) {
      errors_.add(bad_input(fmt::format("'{}' in [sweep] must be {}", axis.hparam, kForms), entry.value.place));
      return;
    }
    if (!read_values(entry.value, axis)) return;
    axis.texts = short_texts(axis.values);
    out.push_back(std::move(axis));
  }

private:
  bool read_values(const TomlValue& value, SweepAxis& axis) {
    TomlTable table(value, fmt::format("[sweep] {}", axis.hparam), errors_);
    const int forms = table.has("log") + table.has("linear") + table.has("values");
    const auto log = table.numbers("log", 2), linear = table.numbers("linear", 2),
               values = table.numbers("values", static_cast<std::size_t>(kMostSweepValues));
    const auto count = table.integer("count", 2, kMostSweepValues);
    const bool has_count = table.has("count");
    table.finish();
    if (!errors_.empty()) return false;
    if (forms != 1 || has_count != !values) {
      errors_.add(bad_input(fmt::format("'{}' in [sweep] must be {}", axis.hparam, kForms), value.place));
      return false;
    }
    if (values) {
      axis.form = SweepAxis::Form::values;
      axis.values = *values;
    } else {
      axis.form = log ? SweepAxis::Form::log : SweepAxis::Form::linear;
      const std::vector<double>& ends = log ? *log : *linear;
      const Place& place = table.find(log ? "log" : "linear")->place;
      if (ends.size() != 2 || !(ends[0] < ends[1]) || (log && !(ends[0] > 0))) {
        errors_.add(bad_input(
            fmt::format("'{}' must be two rising numbers{}", log ? "log" : "linear", log ? " above 0" : ""), place));
        return false;
      }
      axis.values = spaced(ends[0], ends[1], *count, log.has_value());
    }
    return check(value, axis);
  }

  // Within every run's range and different. Between its ends a spaced range cannot leave the allowed one.
  bool check(const TomlValue& value, const SweepAxis& axis) {
    const char* key = axis.form == SweepAxis::Form::log      ? "log"
                      : axis.form == SweepAxis::Form::linear ? "linear"
                                                             : "values";
    const TomlValue& list = value.find(key)->value;
    std::set<double> seen;
    for (const TomlValue& item : list.items) {
      for (std::size_t r = 0; r < settings_.size(); ++r) {
        if (!axis.of_run[r]) continue;
        const Setting& s = *find_hparam(settings_[r], axis.hparam);
        if (!read_number(item, axis.hparam, s.min, s.max, errors_)) return false;
      }
      if (!seen.insert(item.as_number()).second) {
        errors_.add(bad_input(fmt::format("'{}' in [sweep] has {} twice", axis.hparam, item.as_number()), item.place));
        return false;
      }
    }
    const std::set<double> distinct(axis.values.begin(), axis.values.end());
    if (distinct.size() == axis.values.size()) return true;
    errors_.add(bad_input(
        fmt::format("'{}' in [sweep]: the range is too narrow for {} values", axis.hparam, axis.values.size()),
        list.place));
    return false;
  }

  std::vector<std::vector<Setting>> settings_; // of each run
  FirstError& errors_;
};

std::string numbers(const std::vector<double>& values) {
  std::string out;
  for (const double v : values) out += (out.empty() ? "" : ", ") + number_toml(v);
  return "[" + out + "]";
}

} // namespace

const std::vector<Setting>& sweep_keys() {
  static const std::vector<Setting> keys = {
      free_text("hparam", "Numbers: hparam.<name> = one of the forms below, for every run that has the number."),
      integer("seeds", 1, 1, kMostSweepValues, "Each with this many seeds, from the run's own upwards."),
      free_text("optimizer", "A list of presets or files for runs that name none, or optimizer.<part>.<option> = "
                             "a list of its values.")};
  return keys;
}

const std::vector<Setting>& sweep_axis_keys() {
  static const std::vector<Setting> keys = {
      free_text("log", "[a, b]: count numbers from a to b at equal ratios."),
      free_text("linear", "[a, b]: count numbers from a to b at equal distances."),
      integer("count", 2, 2, kMostSweepValues, "How many numbers, both ends included."),
      free_text("values", "A list of the numbers themselves.")};
  return keys;
}

std::string lower_sweep(TomlValue& tree, const std::string& folder, FirstError& errors) {
  return WordReader(tree, folder, errors).lower();
}

SweepSpec read_sweep(const TomlValue& value, const std::vector<RunSpec>& runs, FirstError& errors) {
  SweepSpec sweep;
  sweep.place = value.place;
  TomlTable table(value, "[sweep]", errors);
  table.find("optimizer"); // known, and taken already where it was right
  if (const TomlValue* v = table.table("hparam")) {
    NumberReader reader(runs, errors);
    for (const TomlEntry& entry : v->entries) reader.read(entry, "", sweep.hparams);
  }
  if (const auto v = table.integer("seeds", 1, kMostSweepValues)) sweep.seeds = *v;
  table.finish();
  return sweep;
}

std::string sweep_toml(const Scene& scene) {
  const SweepSpec& sweep = *scene.sweep;
  std::string out = "\n[sweep]\n";
  for (const SweepAxis& axis : sweep.hparams) {
    const std::vector<double> ends = {axis.values.front(), axis.values.back()};
    const auto owner = std::find(axis.of_run.begin(), axis.of_run.end(), true) - axis.of_run.begin();
    const std::string name = hparam_key_toml(scene.runs[static_cast<std::size_t>(owner)].optimizer, axis.hparam);
    if (axis.form == SweepAxis::Form::values)
      out += fmt::format("hparam.{} = {{ values = {} }}\n", name, numbers(axis.values));
    else
      out += fmt::format("hparam.{} = {{ {} = {}, count = {} }}\n", name,
                         axis.form == SweepAxis::Form::log ? "log" : "linear", numbers(ends), axis.values.size());
  }
  if (sweep.seeds > 1) out += fmt::format("seeds = {}\n", sweep.seeds);
  return out;
}

} // namespace polarscope
