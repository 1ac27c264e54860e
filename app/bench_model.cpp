#include "app/bench_model.hpp"

#include "app/format.hpp"
#include "engine/sweep_report.hpp"
#include "engine/sweep_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <climits>
#include <cmath>
#include <map>
#include <set>

namespace polarscope {
namespace {

constexpr double kTail = 0.1;    // as `sweep` has it
constexpr long kFewSamples = 64; // of a tail while it moves

// A member's value of a number at step 0; none where its program lacks it.
std::optional<double> value_of(const RunFrame& run, const std::string& name) {
  const int column = run.program->find_hparam(name);
  if (column < 0) return std::nullopt;
  return run.start_hparams[static_cast<std::size_t>(column)];
}

double tail_loss(const RunFrame& run, long from, long to, bool thin) {
  const int column = run.program->find_metric("loss");
  if (run.diverged && run.diverged_at <= to) return NAN;
  if (column < 0 || run.series.empty() || to < 1) return NAN;
  FiniteMean tail;
  if (thin && to - from > kFewSamples) {
    for (long i = 0; i <= kFewSamples; ++i)
      tail.see(run.series.at(column, from + (to - from) * i / kFewSamples).value_or(NAN));
  } else {
    std::vector<Sample> samples;
    run.series.samples(column, from, to, samples);
    for (const Sample& s : samples) tail.see(s.value);
  }
  return tail.mean();
}

class ModelMaker {
public:
  ModelMaker(const Frame& frame, bool thin) : frame_(frame), thin_(thin) {}

  BenchModel make() {
    find_groups();
    find_swept();
    out_.to = frame_.cursor;
    out_.from = std::max(1L, frame_.cursor - tail_steps(std::max(1L, frame_.cursor), kTail) + 1);
    find_settings();
    for (BenchSetting& s : out_.settings) summarise(s);
    for (BenchGroup& g : out_.groups) choose_best(g);
    return std::move(out_);
  }

private:
  void find_groups() {
    for (const RunFrame& run : frame_.runs) {
      const std::string& name = run.group.empty() ? run.label : run.group;
      auto at =
          std::find_if(out_.groups.begin(), out_.groups.end(), [&](const BenchGroup& g) { return g.name == name; });
      if (at == out_.groups.end()) {
        at = out_.groups.insert(out_.groups.end(), BenchGroup{});
        at->name = name;
        at->style = run.style;
      }
      group_of_.push_back(static_cast<std::size_t>(at - out_.groups.begin()));
    }
  }

  void find_swept() {
    std::map<std::pair<std::size_t, std::string>, double> first;
    for (std::size_t r = 0; r < frame_.runs.size(); ++r) {
      const RunFrame& run = frame_.runs[r];
      for (std::size_t i = 0; i < run.program->hparams().size() && i < run.start_hparams.size(); ++i) {
        const std::string& name = run.program->hparams()[i].setting.name;
        const auto [at, fresh] = first.try_emplace({group_of_[r], name}, run.start_hparams[i]);
        if (!fresh && at->second != run.start_hparams[i] &&
            std::find(out_.swept.begin(), out_.swept.end(), name) == out_.swept.end())
          out_.swept.push_back(name);
      }
    }
    // In the order of the recipes, which begin with the rate.
    const auto place = [this](const std::string& name) {
      int least = INT_MAX;
      for (const RunFrame& run : frame_.runs)
        if (const int column = run.program->find_hparam(name); column >= 0) least = std::min(least, column);
      return least;
    };
    std::stable_sort(out_.swept.begin(), out_.swept.end(),
                     [&](const std::string& a, const std::string& b) { return place(a) < place(b); });
  }

  void find_settings() {
    for (std::size_t r = 0; r < frame_.runs.size(); ++r) {
      const RunFrame& run = frame_.runs[r];
      out_.loss.push_back(tail_loss(run, out_.from, out_.to, thin_));
      out_.numbers.push_back(run_numbers(run, out_.to));
      out_.accuracy |= measures_accuracy(run);
      std::vector<std::optional<double>> values;
      for (const std::string& name : out_.swept) values.push_back(value_of(run, name));
      BenchGroup& group = out_.groups[group_of_[r]];
      const auto at = std::find_if(group.settings.begin(), group.settings.end(),
                                   [&](std::size_t s) { return out_.settings[s].values == values; });
      std::size_t setting = out_.settings.size();
      if (at != group.settings.end()) {
        setting = *at;
      } else {
        group.settings.push_back(setting);
        out_.settings.push_back({group_of_[r], std::move(values), {}, 0, {}});
      }
      out_.settings[setting].runs.push_back(r);
      out_.setting_of.push_back(setting);
    }
  }

  void summarise(BenchSetting& s) {
    std::vector<double> losses;
    for (const std::size_t r : s.runs) {
      const RunFrame& run = frame_.runs[r];
      s.diverged += run.diverged && run.diverged_at <= out_.to;
      if (std::isfinite(out_.loss[r])) losses.push_back(out_.loss[r]);
    }
    s.loss = estimate(losses);
    out_.seeds = std::max(out_.seeds, s.runs.size());
  }

  void choose_best(BenchGroup& g) {
    for (const std::size_t s : g.settings)
      if (out_.settings[s].sound() && (!g.best || out_.settings[s].loss.mean < out_.settings[*g.best].loss.mean))
        g.best = s;
    if (!g.best) return;
    for (std::size_t n = 0; n < out_.swept.size(); ++n) {
      const std::optional<double> value = out_.settings[*g.best].values[n];
      if (!value) continue;
      std::set<double> tried;
      for (const std::size_t s : g.settings)
        if (const auto other = out_.settings[s].values[n]) tried.insert(*other);
      if (tried.size() < 2) continue;
      const auto largest = at_largest(setting_named(out_.settings[*g.best], out_.swept[n]), *value,
                                      std::vector(tried.begin(), tried.end()));
      if (largest) g.edges.push_back({n, *largest});
    }
  }

  const Setting& setting_named(const BenchSetting& of, const std::string& hparam) const {
    const StepProgram& program = *frame_.runs[of.runs.front()].program;
    return program.hparams()[static_cast<std::size_t>(program.find_hparam(hparam))].setting;
  }

  const Frame& frame_;
  bool thin_;
  BenchModel out_;
  std::vector<std::size_t> group_of_; // per run
};

} // namespace

Estimate BenchModel::difference(const Frame& frame, const BenchSetting& a, const BenchSetting& b) const {
  const auto by_seed = [&](const BenchSetting& setting) {
    BySeed out;
    for (const std::size_t r : setting.runs)
      if (std::isfinite(loss[r])) out[frame.runs[r].seed] = loss[r];
    return out;
  };
  return difference_by_seed(by_seed(a), by_seed(b));
}

std::optional<std::size_t> BenchModel::same(std::size_t group, const BenchSetting& like) const {
  if (!lacking(group, like).empty()) return std::nullopt;
  for (const std::size_t s : groups[group].settings) {
    bool equal = true;
    for (std::size_t n = 0; n < swept.size(); ++n)
      equal &= !settings[s].values[n] || !like.values[n] || *settings[s].values[n] == *like.values[n];
    if (equal) return s;
  }
  return std::nullopt;
}

std::string BenchModel::lacking(std::size_t group, const BenchSetting& like) const {
  const std::vector<std::size_t>& own = groups[group].settings;
  std::string out;
  for (std::size_t n = 0; n < swept.size(); ++n) {
    const bool differs = std::any_of(own.begin(), own.end(), [&](std::size_t s) {
      return settings[s].values[n] != settings[own.front()].values[n];
    });
    if (differs && !like.values[n]) out += (out.empty() ? "" : ", ") + swept[n];
  }
  return out;
}

std::string BenchModel::words(const BenchSetting& setting) const {
  std::string out;
  for (std::size_t n = 0; n < swept.size(); ++n)
    if (setting.values[n])
      out += fmt::format("{}{} {}", out.empty() ? "" : ", ", swept[n], format_value(*setting.values[n]));
  return out;
}

BenchModel make_bench_model(const Frame& frame, bool thin) { return ModelMaker(frame, thin).make(); }

} // namespace polarscope
