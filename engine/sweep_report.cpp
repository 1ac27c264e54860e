#include "engine/sweep_report.hpp"

#include "engine/preset.hpp"
#include "engine/report.hpp"
#include "engine/state_hash.hpp"
#include "engine/sweep.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace polarscope {

namespace {

std::vector<double> losses_of(const SettingReport& setting) {
  std::vector<double> out;
  for (const MemberResult* m : setting.members)
    if (!m->diverged) out.push_back(m->final_loss);
  return out;
}

// Mean over the seeds of each stretch of the loss, where all of them have it.
void make_band(SettingReport& setting) {
  std::vector<const MemberResult*> members;
  for (const MemberResult* m : setting.members)
    if (!m->diverged) members.push_back(m);
  const std::size_t points = members.empty() ? 0 : members.front()->curve.size();
  for (std::size_t i = 0; i < points; ++i) {
    std::vector<double> values;
    for (const MemberResult* m : members) values.push_back(m->curve[i]);
    const Estimate e = estimate(values);
    setting.band.push_back(e.mean);
    setting.band_se.push_back(e.se);
  }
}

std::vector<EdgeWarning> edges_of(const Scene& scene, const SettingReport& best) {
  std::vector<EdgeWarning> out;
  if (!scene.sweep) return out;
  const std::vector<Setting> settings = optimizer_hparams(scene.runs[best.run].optimizer);
  for (const auto& [name, value] : best.hparams)
    for (const SweepAxis& axis : scene.sweep->hparams) {
      if (axis.hparam != name || values_of(axis, best.run) < 2) continue;
      const auto largest = at_largest(*find_hparam(settings, name), value, axis.values);
      if (largest) out.push_back({name, value, *largest});
    }
  return out;
}

bool is_rate(const std::string& hparam) { return hparam == "lr" || hparam.ends_with(".lr"); }

double norm_ratio(const SettingReport& best) {
  std::vector<double> ratios;
  for (const MemberResult* m : best.members) ratios.push_back(m->norm / m->start_norm);
  return estimate(ratios).mean;
}

// Settings of one run, with members of consecutive numbers: seeds are the fastest.
class ReportMaker {
public:
  ReportMaker(const Scene& scene, const KnownResults& results, SweepReport& out)
      : scene_(scene), results_(results), out_(out) {}

  void read_members() {
    std::vector<std::uint64_t> hashes;
    const std::size_t seeds = scene_.sweep ? static_cast<std::size_t>(scene_.sweep->seeds) : 1;
    for (std::size_t m = 0; m < out_.members; ++m) {
      const MemberPlace place = member_place(scene_, m);
      if (place.seed == 0) out_.settings.push_back(setting_of(place, seeds));
      const auto found = results_.find(member_label(scene_, m));
      if (found == results_.end()) continue;
      const MemberResult& r = found->second;
      out_.results.push_back(&r);
      out_.numbers.push_back(m);
      out_.seconds += r.seconds;
      hashes.push_back(r.state_hash);
      out_.settings.back().members.push_back(&r);
      out_.settings.back().diverged += r.diverged;
    }
    if (out_.complete()) out_.state_hash = hash_of_hashes(hashes);
    for (SettingReport& s : out_.settings) {
      s.loss = estimate(losses_of(s));
      make_band(s);
    }
  }

  void find_bests() {
    for (std::size_t r = 0; r < scene_.runs.size(); ++r) {
      BestReport best;
      best.run = r;
      best.label = scene_.runs[r].label;
      best.optimizer = scene_.runs[r].optimizer.name;
      double seconds = 0, steps = 0;
      for (std::size_t i = 0; i < out_.settings.size(); ++i) {
        const SettingReport& s = out_.settings[i];
        if (s.run != r) continue;
        for (const MemberResult* m : s.members) {
          seconds += m->step_seconds * static_cast<double>(m->step);
          steps += static_cast<double>(m->step);
          best.state_bytes = m->state_bytes;
        }
        if (s.sound() && (!best.setting || s.loss.mean < out_.settings[*best.setting].loss.mean)) best.setting = i;
      }
      best.seconds_per_step = steps > 0 ? seconds / steps : 0;
      if (best.setting) {
        best.edges = edges_of(scene_, out_.settings[*best.setting]);
        best.norm_ratio = norm_ratio(out_.settings[*best.setting]);
      }
      out_.best.push_back(std::move(best));
    }
  }

  void find_untuned() {
    for (const BestReport& best : out_.best) {
      const auto made = std::find_if(out_.settings.begin(), out_.settings.end(),
                                     [&](const SettingReport& s) { return s.run == best.run && !s.members.empty(); });
      if (made == out_.settings.end()) continue;
      for (const auto& [name, value] : made->members.front()->hparams)
        if (is_rate(name) && !varies(best.run, name)) out_.not_tuned.push_back({best.label, name, value});
    }
  }

  void compare() {
    for (std::size_t a = 0; a < out_.best.size(); ++a)
      for (std::size_t b = a + 1; b < out_.best.size(); ++b)
        if (out_.best[a].setting && out_.best[b].setting)
          out_.differences.push_back(
              {a, b, difference_of(out_.settings[*out_.best[a].setting], out_.settings[*out_.best[b].setting])});
  }

private:
  // Of the scene, not of the results: some of them may be missing.
  bool varies(std::size_t run, const std::string& hparam) const {
    return scene_.sweep && std::any_of(scene_.sweep->hparams.begin(), scene_.sweep->hparams.end(),
                                       [&](const SweepAxis& a) { return a.hparam == hparam && values_of(a, run) > 1; });
  }

  SettingReport setting_of(const MemberPlace& place, std::size_t seeds) const {
    SettingReport s;
    s.run = place.run;
    s.planned = seeds;
    for (std::size_t a = 0; a < place.values.size(); ++a) {
      if (place.values[a] == kNotSwept) continue;
      const SweepAxis& axis = scene_.sweep->hparams[a];
      s.hparams.emplace_back(axis.hparam, axis.values[place.values[a]]);
      s.text += fmt::format("{}{} {}", s.text.empty() ? "" : " ", axis.hparam, axis.texts[place.values[a]]);
    }
    return s;
  }

  const Scene& scene_;
  const KnownResults& results_;
  SweepReport& out_;
};

BySeed losses_by_seed(const SettingReport& setting) {
  BySeed out;
  for (const MemberResult* m : setting.members)
    if (!m->diverged) out[m->seed] = m->final_loss;
  return out;
}

} // namespace

std::optional<bool> at_largest(const Setting& setting, double value, std::span<const double> tried) {
  const auto [least, most] = std::minmax_element(tried.begin(), tried.end());
  if (value == *most && value < setting.max) return true;
  if (value == *least && value > setting.min) return false;
  return std::nullopt;
}

Estimate difference_of(const SettingReport& a, const SettingReport& b) {
  return difference_by_seed(losses_by_seed(a), losses_by_seed(b));
}

double SettingReport::mean_of(std::string_view column) const {
  std::vector<double> values;
  for (const MemberResult* m : members)
    if (!m->diverged) values.push_back(m->value(column));
  return estimate(values).mean;
}

std::size_t SweepReport::diverged() const {
  return static_cast<std::size_t>(
      std::count_if(results.begin(), results.end(), [](const auto* m) { return m->diverged; }));
}

std::pair<std::size_t, std::string> SweepReport::not_judged() const {
  std::pair<std::size_t, std::string> out;
  for (const MemberResult* m : results) {
    if (m->not_judged.empty()) continue;
    ++out.first;
    out.second = m->not_judged; // one command has one reason
  }
  return out;
}

bool SweepReport::good() const {
  return std::all_of(results.begin(), results.end(), [](const auto* m) { return m->good(); });
}

SweepReport make_sweep_report(const Scene& scene, const KnownResults& results, double tail, const std::string& device) {
  SweepReport out;
  out.scene = scene.title.empty() ? scene.path : scene.title;
  out.device = device;
  out.precision = scene.precision == Precision::f64 ? "f64" : "f32";
  out.seed = scene.seed;
  out.steps = scene.steps;
  out.tail = tail_steps(scene.steps, tail);
  out.members = static_cast<std::size_t>(sweep_size(scene));
  if (scene.sweep)
    for (const SweepAxis& axis : scene.sweep->hparams)
      if (std::find(out.swept.begin(), out.swept.end(), axis.hparam) == out.swept.end())
        out.swept.push_back(axis.hparam);
  ReportMaker maker(scene, results, out);
  maker.read_members();
  maker.find_bests();
  maker.find_untuned();
  maker.compare();
  return out;
}

} // namespace polarscope
