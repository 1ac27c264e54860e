#include "engine/conform.hpp"

#include "engine/backend_cpu.hpp"
#include "engine/backend_cuda.hpp"
#include "engine/conform_cases.hpp"
#include "engine/conform_inputs.hpp"
#include "kernels/cpu/execute.hpp"
#include "kernels/cuda/module.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

namespace polarscope {

namespace {

constexpr std::uint64_t kWarmSteps = 2;        // before the ops are looked at: no state is zero any more
constexpr std::uint64_t kTrajectorySteps = 10; // short enough that rounding has not grown into another path

// Differences allowed to the weights after a trajectory, relative to the way they have gone, or to this part of the largest
// weight where they have hardly moved.
constexpr double kTrajectoryF32 = 1e-2, kTrajectoryF64 = 1e-9;
constexpr double kLeastWay = 1e-3;

// Relative difference allowed to one op.
// A λ sought to a tolerance where the result is steep in it keeps few digits; Newton–Schulz lifts the rounding of small
// singular values.
constexpr double op_tolerance(OpCode code, Precision precision) {
  const double usual = precision == Precision::f32 ? 2e-5 : 1e-11;
  if (code == OpCode::dual_polar) return 500 * usual;
  return code == OpCode::newton_schulz ? 5 * usual : usual;
}

// Something that runs a program's ops on a host member's memory.
class Machine {
public:
  virtual ~Machine() = default;
  virtual Result<void> start(HostMember& m) = 0;
  virtual Result<void> advance(HostMember& m, std::uint64_t steps) = 0;
  virtual Result<void> run_ops(HostMember& m, const kernels::OpRange& range) = 0;
};

class CpuMachine final : public Machine {
public:
  explicit CpuMachine(const kernels::CpuExecutor& executor) : executor_(executor) {}
  Result<void> start(HostMember& m) override {
    executor_.start(m.program().view(), m.member(), m.scratch());
    return {};
  }
  Result<void> advance(HostMember& m, std::uint64_t steps) override {
    executor_.advance(m.program().view(), m.member(), steps, m.scratch());
    return {};
  }
  Result<void> run_ops(HostMember& m, const kernels::OpRange& range) override {
    executor_.run_ops(m.program().view(), m.member(), range, m.scratch());
    return {};
  }

private:
  const kernels::CpuExecutor& executor_;
};

// A group with one member; the host member's block travels to the device and back around every call.
class CudaMachine final : public Machine {
public:
  explicit CudaMachine(const kernels::CudaModule& module) : module_(module) {}
  CudaMachine(const CudaMachine&) = delete;
  CudaMachine& operator=(const CudaMachine&) = delete;
  ~CudaMachine() override { forget(); }

  Result<void> start(HostMember& m) override {
    return around(m, [&](const int* one) { return module_.start(group_, one, 1, ignore, nullptr); });
  }
  Result<void> advance(HostMember& m, std::uint64_t steps) override {
    return around(m, [&](const int* one) { return module_.advance(group_, one, 1, steps, ignore, nullptr); });
  }
  Result<void> run_ops(HostMember& m, const kernels::OpRange& range) override {
    return around(m, [&](const int* one) { return module_.run_ops(group_, one, 1, &range); });
  }

private:
  static void ignore(void*, int, const void*, std::uint64_t) {}

  void forget() {
    if (group_) module_.close(group_);
    group_ = nullptr;
    program_ = nullptr;
  }

  int open(const HostMember& m) {
    if (program_ == &m.program()) return 0;
    forget();
    if (module_.open(m.program().view(), m.program().scalar_bytes(), m.program().block_bytes(), &group_)) return 1;
    program_ = &m.program();
    return module_.add(group_, m.member().seed);
  }

  template <class F> int exchange(HostMember& m, F run) {
    if (int e = open(m)) return e;
    kernels::Member& host = m.member();
    kernels::CudaMember state{host.seed, host.step, host.diverged_at,
                              host.status == kernels::MemberStatus::diverged ? 1u : 0u, 0};
    const int one[1] = {0};
    const std::size_t bytes = m.program().block_bytes();
    if (int e = module_.set_member(group_, 0, &state)) return e;
    if (!m.program().hparams().empty())
      if (int e = module_.set_hparams(group_, 0, host.hparams)) return e;
    if (int e = module_.write(group_, 0, 0, m.block(), bytes)) return e;
    if (int e = run(one)) return e;
    if (int e = module_.read(group_, 0, 0, m.block(), bytes)) return e;
    if (int e = module_.get_members(group_, 0, 1, &state)) return e;
    host.step = state.step;
    host.diverged_at = state.diverged_at;
    host.status = state.diverged ? kernels::MemberStatus::diverged : kernels::MemberStatus::ok;
    return 0;
  }

  template <class F> Result<void> around(HostMember& m, F run) {
    if (exchange(m, run)) return machine_lacks(fmt::format("cuda: {}", module_.error()));
    return {};
  }

  const kernels::CudaModule& module_;
  kernels::CudaGroup* group_ = nullptr;
  const StepProgram* program_ = nullptr; // what group_ was opened for
};

// Elements of a matrix are compared with its greatest element; metric columns, which measure different things, each
// with itself or 1. `least_size`: see cancelled_size.
double slot_difference(const std::vector<double>& want, const std::vector<double>& got, bool columns,
                       double least_size) {
  double size = std::max(1e-30, least_size), worst = 0;
  if (!columns)
    for (const double x : want)
      if (std::isfinite(x)) size = std::max(size, std::fabs(x));
  for (std::size_t i = 0; i < want.size(); ++i) {
    if (want[i] == got[i] || (std::isnan(want[i]) && std::isnan(got[i]))) continue;
    const double d = std::fabs(want[i] - got[i]) / (columns ? 1 + std::fabs(want[i]) : size);
    worst = std::max(worst, std::isfinite(d) ? d : std::numeric_limits<double>::infinity());
  }
  return worst;
}

// What of two members is compared.
enum class Compared { everything, weights, metrics };

// The contents of a member's slots, in order.
using Contents = std::vector<std::vector<double>>;
Contents contents_of(const HostMember& m) {
  Contents out;
  for (std::size_t s = 0; s < m.program().slots().size(); ++s) out.push_back(m.read(static_cast<SlotId>(s)));
  return out;
}

double difference(const StepProgram& program, const Contents& want, const Contents& got, Compared compared,
                  double least_size = 0) {
  double worst = 0;
  const auto& slots = program.slots();
  for (std::size_t s = 0; s < slots.size(); ++s) {
    if (compared == Compared::weights && slots[s].role != Role::param) continue;
    if (compared == Compared::metrics && slots[s].role != Role::metric) continue;
    const bool columns = slots[s].role == Role::metric || slots[s].role == Role::hparam;
    worst = std::max(worst, slot_difference(want[s], got[s], columns, least_size));
  }
  return worst;
}

// What an op that writes zeros would have made: of the slots that change nothing is left, of rows of columns only what
// changes is zero.
Contents zeroed(const StepProgram& program, const Contents& before, const Contents& want) {
  const auto same = [](double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); };
  Contents out = want;
  for (std::size_t s = 0; s < out.size(); ++s) {
    const Role role = program.slots()[s].role;
    const bool changed = !std::equal(want[s].begin(), want[s].end(), before[s].begin(), same);
    for (std::size_t i = 0; changed && i < out[s].size(); ++i)
      if ((role != Role::metric && role != Role::hparam) || !same(want[s][i], before[s][i])) out[s][i] = 0;
  }
  return out;
}

// Rows that point the other way are turned: an eigenvector has no sign.
void turn_alike(const std::vector<double>& want, std::vector<double>& got) {
  const auto n = static_cast<std::size_t>(std::lround(std::sqrt(static_cast<double>(want.size()))));
  for (std::size_t i = 0; i < n; ++i) {
    double along = 0;
    for (std::size_t j = i * n; j < (i + 1) * n; ++j) along += want[j] * got[j];
    for (std::size_t j = i * n; along < 0 && j < (i + 1) * n; ++j) got[j] = -got[j];
  }
}

void note(ConformRow& row, double error, const std::string& where) {
  ++row.checks;
  if (row.checks > 1 && !(error > row.error)) return;
  row.error = error;
  row.where = where;
}

// One target against the oracle.
class Comparison {
public:
  Comparison(Machine& oracle, Machine& target, Precision precision, std::string name)
      : oracle_(oracle), target_(target), precision_(precision) {
    section_.target = std::move(name);
    for (std::size_t k = 0; k < kOpCount; ++k) {
      ConformRow row;
      row.name = op_name(static_cast<OpCode>(k));
      row.tolerance = op_tolerance(static_cast<OpCode>(k), precision);
      section_.ops.push_back(row);
    }
  }

  Result<void> run(const ConformCase& c) {
    const auto path = c.member(Precision::f64); // walks along on the oracle
    if (auto r = ops(c, *path, true); !r) return r;
    path->member().step = 0;
    if (auto r = oracle_.advance(*path, kWarmSteps); !r) return r;
    if (auto r = ops(c, *path, false); !r) return r;
    return trajectory(c);
  }

  ConformSection take() {
    std::erase_if(section_.ops, [](const ConformRow& r) { return r.checks == 0; });
    return std::move(section_);
  }

private:
  Result<void> ops(const ConformCase& c, HostMember& path, bool starting) {
    const auto& list = starting ? c.f64->start_ops() : c.f64->step_ops();
    for (std::uint32_t k = 0; k < list.size(); ++k) {
      kernels::OpRange range;
      range.first = k;
      range.last = k + 1;
      range.fresh = k == 0;
      range.starting = starting;
      if (auto r = op(c, path, list[k], range); !r) return r;
      if (auto r = oracle_.run_ops(path, range); !r) return r;
    }
    return {};
  }

  // On the state of the run, and on whatever else shows the op at work.
  Result<void> op(const ConformCase& c, const HostMember& before, const Op& op, const kernels::OpRange& range) {
    for (int round = 0;; ++round) {
      HostMember from(c.f64, c.hparams, c.seed);
      from.copy(before);
      if (!range.starting) from.member().step = op.every * 3u - 1u; // a step that the op's cadence divides
      if (make_inputs(from, op, round) == Inputs::none) break;
      if (auto r = compare_op(c, from, op, range); !r) return r;
    }
    return op.code == OpCode::check_finite && !range.starting ? compare_stop(c, before, op) : Result<void>();
  }

  // Both from the state as the target's precision has it: rounding of the inputs is not the op's error.
  Result<void> compare_op(const ConformCase& c, const HostMember& from, const Op& op, const kernels::OpRange& range) {
    HostMember got(c.program(precision_), from.base_hparams(), c.seed), want(c.f64, from.base_hparams(), c.seed);
    got.copy(from);
    want.copy(got);
    want.write(0, from.read(0)); // but hyperparameters: a β near 1 that was rounded averages over another time
    const Contents start = contents_of(got);
    if (auto r = oracle_.run_ops(want, range); !r) return r;
    if (auto r = target_.run_ops(got, range); !r) return r;
    // A singular vector is arbitrary where singular values coincide: of the spectrum only the values are held.
    const Compared compared = op.code == OpCode::spectrum ? Compared::metrics : Compared::everything;
    const Contents wanted = contents_of(want);
    const auto error_of = [&](const Contents& made) {
      return difference(*c.f64, wanted, made, compared, cancelled_size(op, from));
    };
    ConformRow& row = section_.ops[static_cast<std::size_t>(op.code)];
    Contents made = contents_of(got);
    if (op.code == OpCode::refresh_basis) turn_alike(wanted[op.slot[1]], made[op.slot[1]]);
    note(row, error_of(made), c.name);
    row.if_idle = std::max(row.if_idle, error_of(start));
    row.if_zero = std::max(row.if_zero, error_of(zeroed(*c.f64, start, wanted)));
    return {};
  }

  // What check_finite does is seen in a whole step only: the run stops where its weight is not finite, and not before.
  Result<void> compare_stop(const ConformCase& c, const HostMember& before, const Op& op) {
    ConformRow& row = section_.ops[static_cast<std::size_t>(op.code)];
    for (const bool broken : {false, true}) {
      HostMember want(c.f64, c.hparams, c.seed), got(c.program(precision_), c.hparams, c.seed);
      for (const auto& [machine, m] : {std::pair{&oracle_, &want}, {&target_, &got}}) {
        m->copy(before);
        if (broken) m->write(op.slot[0], std::vector<double>(before.read(op.slot[0]).size(), std::nan("")));
        if (auto r = machine->advance(*m, 1); !r) return r;
      }
      const bool stopped = got.member().status == kernels::MemberStatus::diverged;
      const bool as_wanted = got.member().status == want.member().status && got.member().step == want.member().step &&
                             (!stopped || got.member().diverged_at == want.member().diverged_at);
      constexpr double kWrong = std::numeric_limits<double>::infinity();
      note(row, as_wanted ? 0 : kWrong, c.name);
      // One that never stops a run is found out, and so is one that always does.
      if (want.member().status == kernels::MemberStatus::diverged) row.if_idle = kWrong;
      else row.if_zero = kWrong;
    }
    return {};
  }

  Result<void> trajectory(const ConformCase& c) {
    const auto want = c.member(Precision::f64), got = c.member(precision_);
    Contents first;
    for (const auto& [machine, member] : {std::pair{&oracle_, want.get()}, {&target_, got.get()}}) {
      if (auto r = machine->start(*member); !r) return r;
      make_well_conditioned(*member);
      if (member == want.get()) first = contents_of(*member);
      if (auto r = machine->advance(*member, kTrajectorySteps); !r) return r;
    }
    ConformRow row;
    row.name = c.name;
    row.tolerance = precision_ == Precision::f32 ? kTrajectoryF32 : kTrajectoryF64;
    const auto apart = [&](const Contents& a) { return difference(*c.f64, contents_of(*want), a, Compared::weights); };
    const double way = std::max(kLeastWay, apart(first));
    const bool together = want->member().step == got->member().step;
    note(row, together ? apart(contents_of(*got)) / way : std::numeric_limits<double>::infinity(), c.name);
    row.if_idle = apart(first) / way;
    section_.trajectories.push_back(row);
    return {};
  }

  Machine& oracle_;
  Machine& target_;
  Precision precision_;
  ConformSection section_;
};

struct Target {
  std::string name;
  Precision precision;
  std::unique_ptr<Machine> machine;
};

const kernels::CpuExecutors* oracle_executors() {
  const auto* all = kernels::cpu_executors("v2");
  return all ? all : kernels::cpu_executors("base");
}

Result<ConformReport> compare(std::string device, std::string description, std::vector<Target> targets) {
  ConformReport report;
  report.device = std::move(device);
  report.description = std::move(description);
  const auto cases = conform_cases();
  report.programs = cases.size();
  std::vector<bool> seen(kOpCount);
  for (const ConformCase& c : cases)
    for (const auto* list : {&c.f64->start_ops(), &c.f64->step_ops()})
      for (const Op& op : *list) seen[static_cast<std::size_t>(op.code)] = true;
  report.ops_known = kOpCount;
  for (std::size_t k = 0; k < kOpCount; ++k) {
    if (seen[k]) ++report.ops_run;
    else report.ops_missing.emplace_back(op_name(static_cast<OpCode>(k)));
  }
  CpuMachine oracle(oracle_executors()->f64);
  for (Target& target : targets) {
    Comparison comparison(oracle, *target.machine, target.precision, target.name);
    for (const ConformCase& c : cases)
      if (auto r = comparison.run(c); !r) return r.error();
    report.sections.push_back(comparison.take());
  }
  return report;
}

Result<ConformReport> conform_cpu() {
  std::vector<Target> targets;
  for (const char* isa : {"v2", "v3", "v4", "base"}) {
    const auto* e = kernels::cpu_executors(isa);
    if (!e) continue;
    targets.push_back({fmt::format("cpu {} f32", isa), Precision::f32, std::make_unique<CpuMachine>(e->f32)});
    if (e != oracle_executors())
      targets.push_back({fmt::format("cpu {} f64", isa), Precision::f64, std::make_unique<CpuMachine>(e->f64)});
  }
  return compare("cpu", cpu_description(), std::move(targets));
}

bool all_passed(const std::vector<ConformRow>& rows) {
  return std::all_of(rows.begin(), rows.end(), [](const ConformRow& r) { return r.passed(); });
}

nlohmann::ordered_json rows_json(const std::vector<ConformRow>& rows) {
  auto list = nlohmann::ordered_json::array();
  for (const ConformRow& r : rows) {
    nlohmann::ordered_json row;
    row["name"] = r.name;
    row["checks"] = r.checks;
    row["error"] = std::isfinite(r.error) ? nlohmann::ordered_json(r.error) : nlohmann::ordered_json("not finite");
    row["tolerance"] = r.tolerance;
    row["where"] = r.where;
    row["passed"] = r.passed();
    list.push_back(std::move(row));
  }
  return list;
}

void rows_text(std::string& out, const std::vector<ConformRow>& rows) {
  std::vector<ConformRow> sorted = rows;
  std::stable_partition(sorted.begin(), sorted.end(), [](const ConformRow& r) { return !r.passed(); });
  for (const ConformRow& r : sorted)
    out += fmt::format("  {:<4} {:<34} {:>9.2e} of {:>7.0e}  {:>5}  {}\n", r.passed() ? "ok" : "FAIL", r.name, r.error,
                       r.tolerance, r.checks, r.where);
}

} // namespace

bool ConformSection::passed() const { return all_passed(ops) && all_passed(trajectories); }

bool ConformReport::passed() const {
  return ops_missing.empty() &&
         std::all_of(sections.begin(), sections.end(), [](const ConformSection& s) { return s.passed(); });
}

std::string ConformReport::to_text() const {
  std::string out =
      fmt::format("{} ({}): {} programs, {} of {} operations\n", device, description, programs, ops_run, ops_known);
  for (const std::string& name : ops_missing) out += fmt::format("FAIL   {}: run by no program\n", name);
  for (const ConformSection& s : sections) {
    out += fmt::format("{}: {}\n  {:<4} {:<34} {:>9}    {:>7}  {:>5}  {}\n", s.target, s.passed() ? "passed" : "FAILED",
                       "", "op", "error", "allowed", "runs", "largest in");
    rows_text(out, s.ops);
    out += fmt::format("  {:<4} {}\n", "", "weights after short trajectories");
    rows_text(out, s.trajectories);
  }
  out += fmt::format("{}: {}\n", device, passed() ? "conforms" : "does NOT conform");
  return out;
}

std::string ConformReport::to_json() const {
  nlohmann::ordered_json j;
  j["version"] = 1;
  j["device"] = device;
  j["description"] = description;
  j["programs"] = programs;
  j["ops"] = {{"run", ops_run}, {"known", ops_known}, {"missing", ops_missing}};
  j["passed"] = passed();
  j["sections"] = nlohmann::ordered_json::array();
  for (const ConformSection& s : sections) {
    nlohmann::ordered_json section;
    section["target"] = s.target;
    section["passed"] = s.passed();
    section["ops"] = rows_json(s.ops);
    section["trajectories"] = rows_json(s.trajectories);
    j["sections"].push_back(std::move(section));
  }
  return j.dump(2) + "\n";
}

Result<ConformReport> conform_module(const kernels::CudaModule& module, const std::string& description) {
  std::vector<Target> targets;
  targets.push_back({"cuda f32", Precision::f32, std::make_unique<CudaMachine>(module)});
  targets.push_back({"cuda f64", Precision::f64, std::make_unique<CudaMachine>(module)});
  return compare("cuda", description, std::move(targets));
}

Result<ConformReport> conform(const std::string& device) {
  if (device == "cpu") return conform_cpu();
  if (device != "cuda") return bad_input(fmt::format("unknown device '{}'; cpu and cuda are known", device));
  const CudaDevice& cuda = cuda_device();
  if (!cuda.module) return machine_lacks(cuda.why_not);
  return conform_module(*cuda.module, cuda.description);
}

} // namespace polarscope
