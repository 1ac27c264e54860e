// Tiny members side by side in packs: the steps of the executor that takes them one by one, but for rounding; the same bits in
// every place of a pack, full or not; and a member that diverges stops alone.
#include "engine/pack_plan.hpp"
#include "engine/compile.hpp"
#include "engine/host_member.hpp"
#include "engine/preset.hpp"
#include "engine/scene.hpp"
#include "kernels/cpu/execute.hpp"
#include "tests/support/catch.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <new>

using namespace polarscope;

namespace {

struct Aligned {
  explicit Aligned(std::size_t bytes) : p(::operator new (bytes, std::align_val_t{64})) {}
  Aligned(const Aligned&) = delete;
  Aligned& operator=(const Aligned&) = delete;
  ~Aligned() { ::operator delete (p, std::align_val_t{64}); }
  void* p;
};

Scene scene_of(const std::string& problem, const std::string& preset, const std::string& more = {}) {
  const auto noise = problem == "quadratic" ? "" : "noise = 0.3\n";
  auto scene =
      parse_scene(fmt::format("[scene]\ntitle = \"t\"\nsteps = 100\n[problem]\nkind = \"{}\"\n{}[[run]]\nlabel = "
                              "\"r\"\noptimizer = \"{}\"\n{}",
                              problem, noise, preset, more),
                  "packs.toml");
  if (!scene) FAIL(scene.error().text());
  return *scene;
}

constexpr std::uint64_t kSteps = 37; // more than the records that a pack keeps at once, and not a multiple

// Members of one program, each with a seed and a rate of its own, started and ready to be stepped.
struct Runs {
  Runs(const Scene& scene, std::shared_ptr<const StepProgram> p, int count, int first = 0) : program(std::move(p)) {
    const auto contents = initial_contents(scene, scene.runs[0], *program);
    REQUIRE(contents.ok());
    const int rate = program->find_hparam("lr");
    for (int i = 0; i < count; ++i) {
      auto row = hparam_row(*program, scene.runs[0]);
      if (rate >= 0) row[static_cast<std::size_t>(rate)] *= 1 + 0.1 * (first + i);
      auto& m = *members.emplace_back(
          std::make_unique<HostMember>(program, row, static_cast<std::uint64_t>(first + i) << 31 | 7));
      for (const auto& [slot, values] : contents->slots) m.write(slot, values);
      reference().start(program->view(), m.member(), m.scratch());
      records.emplace_back(kSteps * program->record_size());
    }
    for (std::size_t i = 0; i < members.size(); ++i) members[i]->member().records = records[i].data();
  }
  static const kernels::CpuExecutor& reference() { return kernels::cpu_executors("v2")->f32; }

  std::vector<std::uint64_t> step_in_packs(const PackPlan& plan) {
    const Aligned memory(plan.memory_bytes());
    std::vector<kernels::Member*> views;
    for (const auto& m : members) views.push_back(&m->member());
    std::vector<std::uint64_t> made(members.size());
    plan.executor().advance(plan.view(), views.data(), static_cast<int>(members.size()), kSteps, memory.p, made.data());
    return made;
  }
  bool same(std::size_t i, Runs& other, std::size_t j) {
    return std::memcmp(members[i]->block(), other.members[j]->block(), program->block_bytes()) == 0 &&
           std::memcmp(records[i].data(), other.records[j].data(), records[i].size() * sizeof(float)) == 0 &&
           members[i]->member().step == other.members[j]->member().step;
  }

  std::shared_ptr<const StepProgram> program;
  std::vector<std::unique_ptr<HostMember>> members;
  std::vector<std::vector<float>> records;
};

// Largest difference of records, relative to the greatest number of a column; NaN only where both are. Without the cosines of what
// is hardly there: radial parts of steps and gradients that are rounding themselves.
double apart(const Runs& a, const Runs& b) {
  double worst = 0;
  const std::size_t width = a.program->record_size();
  for (std::size_t m = 0; m < a.members.size(); ++m)
    for (std::size_t column = 0; column < width; ++column) {
      const auto& names = a.program->metrics();
      if (column < names.size() && names[column].metric.starts_with("radial")) continue;
      double size = 1e-3;
      for (std::size_t k = column; k < a.records[m].size(); k += width)
        if (std::isfinite(a.records[m][k])) size = std::max(size, std::fabs(double(a.records[m][k])));
      for (std::size_t k = column; k < a.records[m].size(); k += width) {
        const double x = a.records[m][k], y = b.records[m][k];
        if (std::isnan(x) != std::isnan(y)) return HUGE_VAL;
        if (std::isfinite(x)) worst = std::max(worst, std::fabs(x - y) / size);
      }
    }
  return worst;
}

std::shared_ptr<const StepProgram> program_of(const Scene& scene) {
  auto program = compile(scene, scene.runs[0]);
  return program ? *program : nullptr;
}

} // namespace

TEST_CASE("packs make the steps that members make one by one, and the same bits in every place") {
  for (const char* isa : {"v2", "v3"}) {
    if (!kernels::pack_executor(isa)) continue;
    int packed = 0;
    for (const char* problem : {"circle", "sphere3", "quadratic"})
      for (const std::string& preset : preset_names()) {
        const Scene scene = scene_of(problem, preset);
        const auto program = program_of(scene);
        const auto plan = program ? PackPlan::make(program, isa) : nullptr;
        if (!plan) continue;
        ++packed;
        CAPTURE(isa, problem, preset);
        const int count = plan->executor().members;
        Runs pack(scene, program, count), alone(scene, program, 1, count - 1), single(scene, program, count);
        REQUIRE(pack.step_in_packs(*plan) == std::vector<std::uint64_t>(static_cast<std::size_t>(count), kSteps));
        for (const auto& m : single.members)
          REQUIRE(Runs::reference().advance(program->view(), m->member(), kSteps, m->scratch()) == kSteps);
        CHECK(apart(single, pack) < 1e-3);
        (void)alone.step_in_packs(*plan);
        REQUIRE(pack.same(static_cast<std::size_t>(count) - 1, alone, 0));
        REQUIRE_FALSE(pack.same(0, alone, 0));
      }
    REQUIRE(packed > 40);
  }
}

TEST_CASE("a member of a pack that diverges keeps the state it stopped in, and the others go on") {
  for (const char* isa : {"v2", "v3"}) {
    if (!kernels::pack_executor(isa)) continue;
    const Scene scene = scene_of("quadratic", "sgd");
    const auto program = program_of(scene);
    const auto plan = PackPlan::make(program, isa);
    REQUIRE(plan);
    const auto rate = static_cast<std::size_t>(program->find_hparam("lr"));
    Runs pack(scene, program, 3), alone(scene, program, 1, 1), calm(scene, program, 3);
    for (Runs* r : {&pack, &alone}) r->members[r == &pack ? 1 : 0]->set_hparam(rate, 1e6);
    const auto made = pack.step_in_packs(*plan);
    const auto made_alone = alone.step_in_packs(*plan);
    (void)calm.step_in_packs(*plan);
    REQUIRE(made[1] < kSteps);
    REQUIRE(made[1] == made_alone[0]);
    REQUIRE(pack.members[1]->member().status == kernels::MemberStatus::diverged);
    REQUIRE(pack.members[1]->member().diverged_at == made[1]);
    REQUIRE(pack.same(1, alone, 0));
    for (const std::size_t other : {0u, 2u}) {
      REQUIRE(made[other] == kSteps);
      REQUIRE(pack.same(other, calm, other));
    }
  }
}

TEST_CASE("whether a program runs in packs is a rule on its shape") {
  const auto plan_of = [](const Scene& scene) { return PackPlan::make(program_of(scene), "v2"); };
  if (!kernels::pack_executor("v2")) return;
  REQUIRE(plan_of(scene_of("circle", "adamw")));
  REQUIRE_FALSE(plan_of(scene_of("circle", "muon")));
  REQUIRE_FALSE(plan_of(scene_of("rows", "sgd")));
  Scene exact = scene_of("circle", "sgd");
  exact.precision = Precision::f64;
  REQUIRE_FALSE(plan_of(exact));
}
