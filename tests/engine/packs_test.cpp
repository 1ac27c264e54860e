// Small members side by side in packs have, to the bit, the states and records that each has alone: whatever their number, their
// places, the bursts, the threads and the vectors' width, beside members with other numbers and beside some that diverge.
#include "engine/backend.hpp"
#include "engine/compile.hpp"
#include "engine/pack_plan.hpp"
#include "engine/preset.hpp"
#include "kernels/cpu/execute.hpp"
#include "tests/support/scenes.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace polarscope;
using namespace polarscope::test;

namespace {

struct Case {
  Scene scene;
  std::shared_ptr<const StepProgram> program;
};

// `program` is null where the optimizer has no meaning on the problem.
Case case_of(const std::string& problem, const std::string& preset, const std::string& run = {},
             const std::string& tables = {}) {
  const auto noise = problem == "quadratic" ? "" : "noise = 0.3\n";
  auto scene =
      parse_scene(fmt::format("[scene]\ntitle = \"t\"\nsteps = 100\n[problem]\nkind = \"{}\"\n{}[[run]]\nlabel = "
                              "\"r\"\noptimizer = \"{}\"\n{}{}",
                              problem, noise, preset, run, tables),
                  "packs.toml");
  if (!scene) FAIL(scene.error().text());
  auto program = compile(*scene, scene->runs[0]);
  return {*scene, program ? *program : nullptr};
}

std::vector<const char*> machines() {
  std::vector<const char*> all;
  for (const char* isa : {"v2", "v3", "v4"})
    if (kernels::cpu_executors(isa)) all.push_back(isa);
  return all;
}

// What can be seen of a member: its state, where it stands, all its records.
struct Seen {
  std::vector<std::byte> state, records;
  std::uint64_t step = 0, diverged_at = 0;
  bool diverged = false;
  bool operator==(const Seen&) const = default;
};

// Members of one program; number k has the seed and hyperparameters of k wherever it runs.
class Group {
public:
  Group(const Case& c, const char* isa, int threads) : program_(c.program) {
    auto backend = open_backend("cpu", threads, isa);
    REQUIRE(backend.ok());
    backend_ = std::move(*backend);
    auto group = backend_->open(program_);
    REQUIRE(group.ok());
    group_ = std::move(*group);
    const auto contents = initial_contents(c.scene, c.scene.runs[0], *program_);
    REQUIRE(contents.ok());
    contents_ = *contents;
    row_ = hparam_row(*program_, c.scene.runs[0]);
  }

  void add(int k) {
    const auto added = group_->add(static_cast<std::uint64_t>(k) << 31 | 7);
    REQUIRE(added.ok());
    auto row = row_;
    for (double& value : row) value *= 1 - 0.01 * (k % 7);
    const int rate = program_->find_hparam("lr");
    if (rate >= 0 && k % 11 == 4) row[static_cast<std::size_t>(rate)] *= k % 2 ? 1e30 : 1e4; // may well diverge
    group_->set_hparams(*added, row);
    for (const auto& [slot, values] : contents_.slots) group_->write_slot(*added, slot, values);
    numbers_.push_back(*added);
    seen_.emplace_back();
    std::vector<std::vector<std::byte>> records;
    group_->start(std::vector<int>{*added}, records);
    seen_.back().records = records[0];
  }
  void add(int first, int last) {
    for (int k = first; k < last; ++k) add(k);
  }

  // Steps members [first, last) of this group.
  void advance(std::size_t first, std::size_t last, std::uint64_t steps, std::uint64_t burst) {
    const std::vector<int> some(numbers_.begin() + static_cast<long>(first),
                                numbers_.begin() + static_cast<long>(last));
    std::vector<std::vector<std::byte>> records;
    for (std::uint64_t made = 0; made < steps; made += burst) {
      group_->advance(some, std::min(burst, steps - made), records);
      for (std::size_t i = 0; i < some.size(); ++i) {
        auto& all = seen_[first + i].records;
        all.insert(all.end(), records[i].begin(), records[i].end());
      }
    }
  }
  void advance(std::uint64_t steps, std::uint64_t burst) { advance(0, numbers_.size(), steps, burst); }

  const Seen& seen(std::size_t i) {
    Seen& s = seen_[i];
    const MemberState state = group_->state(numbers_[i]);
    s.step = state.step;
    s.diverged = state.diverged;
    s.diverged_at = state.diverged ? state.diverged_at : 0;
    s.state.resize(program_->persistent_bytes());
    group_->save(numbers_[i], s.state);
    return s;
  }
  // Member i goes on from where member j of another group is.
  void go_on_from(std::size_t i, Group& other, std::size_t j) {
    const Seen from = other.seen(j);
    group_->restore(numbers_[i], from.state);
    group_->set_state(numbers_[i], {from.step, from.diverged, from.diverged_at});
    seen_[i].records = from.records;
  }

private:
  std::shared_ptr<const StepProgram> program_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<MemberGroup> group_;
  InitialContents contents_;
  std::vector<double> row_;
  std::vector<int> numbers_;
  std::vector<Seen> seen_;
};

std::vector<Seen> alone(const Case& c, const char* isa, int count, std::uint64_t steps) {
  std::vector<Seen> all;
  for (int k = 0; k < count; ++k) {
    Group one(c, isa, 1);
    one.add(k);
    one.advance(steps, steps);
    all.push_back(one.seen(0));
  }
  return all;
}

bool all_small(const StepProgram& p) {
  return std::all_of(p.step_ops().begin(), p.step_ops().end(), [](const Op& op) { return op.small; });
}

void require_same(const Case& c, const std::vector<Seen>& want, const char* isa, int threads, std::uint64_t steps,
                  std::uint64_t burst) {
  CAPTURE(isa, threads, burst, want.size());
  Group group(c, isa, threads);
  group.add(0, static_cast<int>(want.size()));
  group.advance(steps, burst);
  for (std::size_t i = 0; i < want.size(); ++i) {
    CAPTURE(i, want[i].diverged, want[i].diverged_at);
    REQUIRE(group.seen(i) == want[i]);
  }
}

} // namespace

TEST_CASE("small members have the same bits alone and in packs, on every instruction set") {
  constexpr std::uint64_t kSteps = 37; // more than the records that a pack keeps at once, and not a multiple
  constexpr int kMembers = 37;         // two full packs and a part
  int packed = 0, stopped = 0;
  for (const char* problem : {"circle", "sphere3", "quadratic"})
    for (const std::string& preset : preset_names()) {
      const Case c = case_of(problem, preset);
      if (!c.program) continue;
      CAPTURE(problem, preset);
      const bool small = all_small(*c.program);
      const auto first = alone(c, "v2", kMembers, kSteps);
      REQUIRE_FALSE(first[0].state == first[1].state);
      for (const char* isa : machines())
        require_same(c, small ? first : alone(c, isa, kMembers, kSteps), isa, 2, kSteps, 11);
      if (!small) continue;
      packed += PackPlan::make(c.program, "v3") != nullptr;
      stopped += static_cast<int>(std::count_if(first.begin(), first.end(), [](const Seen& s) { return s.diverged; }));
    }
  if (kernels::small_executor("v3")->members > 0) REQUIRE(packed > 60);
  REQUIRE(stopped > 20);
}

TEST_CASE("any number of small members, any threads and bursts: the same bits") {
  constexpr std::uint64_t kSteps = 70;
  const std::vector<Case> cases = {
      case_of("circle", "adamw", "schedule.lr = { kind = \"cosine\", warmup = 9 }\n"),
      case_of("sphere3", "momentum", {}, "[metrics]\nangle = { every = 3 }\n"),
  };
  for (const Case& c : cases) {
    REQUIRE(c.program);
    REQUIRE(all_small(*c.program));
    const auto want = alone(c, "v3", 1000, kSteps);
    for (const std::size_t members : {1u, 5u, 64u, 1000u}) {
      const std::vector<Seen> some(want.begin(), want.begin() + static_cast<long>(members));
      for (const int threads : {1, 2, 4})
        for (const std::uint64_t burst : {1u, 7u, 64u})
          if (members < 1000 || burst == 64) require_same(c, some, "", threads, kSteps, burst);
    }
  }
}

TEST_CASE("small members at different steps, and saved and restored between packs and alone") {
  const Case c = case_of("circle", "nadamw");
  REQUIRE(c.program);
  const auto want = alone(c, "v2", 40, 60);
  Group group(c, "", 2), single(c, "v2", 1);
  group.add(0, 40);
  group.advance(10, 30, 13, 13);
  group.advance(20, 40, 20, 7);
  group.advance(0, 10, 33, 33); // the four tens are now at 33, 13, 33 and 20
  group.advance(10, 20, 20, 5);
  group.advance(30, 40, 13, 13);
  group.advance(0, 35, 27, 27);
  single.add(37);
  single.go_on_from(0, group, 37);
  single.advance(10, 10);
  group.go_on_from(37, single, 0);
  group.advance(35, 40, 17, 17);
  group.advance(35, 37, 10, 10);
  group.advance(38, 40, 10, 10);
  for (std::size_t i = 0; i < want.size(); ++i) {
    CAPTURE(i);
    REQUIRE(group.seen(i) == want[i]);
  }
}

TEST_CASE("an op is small by its code and its operands' shapes, whatever else the program does") {
  const auto small = [](const std::string& problem, const std::string& preset) {
    return all_small(*case_of(problem, preset).program);
  };
  REQUIRE(small("circle", "adamw"));
  REQUIRE_FALSE(small("circle", "soap"));
  REQUIRE_FALSE(small("rows", "sgd"));
  const Case soap = case_of("circle", "soap"), sgd = case_of("circle", "sgd");
  for (const OpCode code : {OpCode::circle_loss, OpCode::tangent_noise, OpCode::weight_motion}) {
    CAPTURE(static_cast<int>(code));
    for (const Case* c : {&soap, &sgd})
      REQUIRE(std::any_of(c->program->step_ops().begin(), c->program->step_ops().end(),
                          [&](const Op& op) { return op.code == code && op.small; }));
  }
}
