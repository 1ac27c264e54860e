#include "engine/bench_kernels.hpp"

#include "engine/backend.hpp"
#include "engine/bench_eigen.hpp"
#include "engine/host_member.hpp"
#include "engine/problem/random.hpp"
#include "engine/program.hpp"
#include "engine/setting.hpp"
#include "engine/spectrum.hpp"
#include "engine/thread_pool.hpp"
#include "kernels/cpu/execute.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace polarscope {

// Of engine/bench_eigen.cpp, once per instruction set.
#if defined(__x86_64__)
namespace bench_eigen_v2 {
void product(const EigenProduct& p);
}
namespace bench_eigen_v3 {
void product(const EigenProduct& p);
}
namespace bench_eigen_v4 {
void product(const EigenProduct& p);
}
#else
namespace bench_eigen_base {
void product(const EigenProduct& p);
}
#endif

namespace {

using EigenFunction = void (*)(const EigenProduct&);

EigenFunction eigen_product(const char* isa) {
#if defined(__x86_64__)
  return !std::strcmp(isa, "v4")   ? bench_eigen_v4::product
         : !std::strcmp(isa, "v3") ? bench_eigen_v3::product
                                   : bench_eigen_v2::product;
#else
  (void)isa;
  return bench_eigen_base::product;
#endif
}

// ---- B4: small matrix products -------------------------------------------------------------------------------------

struct Form {
  const char* name;
  bool transpose_a, transpose_b, symmetric;
};
constexpr Form kForms[] = {{"A B", false, false, false},
                           {"Aᵀ B", true, false, false},
                           {"A Bᵀ", false, true, false},
                           {"A Aᵀ, half of it", false, true, true}};

// The product of the kernels and Eigen's; the two take turns.
void product_rows(const BenchHarness& h, const char* isa, const kernels::CpuProbes& probes, double peak, int n,
                  const Form& form, std::vector<BenchRow>& rows) {
  const int ld = (n + 15) / 16 * 16;
  const auto size = static_cast<std::size_t>(n) * static_cast<std::size_t>(ld);
  const auto a = bench_numbers(size), b = bench_numbers(size), c = bench_numbers(size);
  kernels::RawMatmul r{};
  r.c = c.get();
  r.a = a.get();
  r.b = form.symmetric ? a.get() : b.get();
  r.rows = r.cols = r.inner = n;
  r.ld_a = r.ld_b = r.ld_c = ld;
  r.transpose_a = form.transpose_a;
  r.transpose_b = form.transpose_b;
  r.symmetric = form.symmetric;
  const EigenProduct e{c.get(), a.get(), b.get(), n, ld, form.transpose_a, form.transpose_b, form.symmetric};
  const EigenFunction eigen = eigen_product(isa);
  const auto seconds = h.measure_in_turns({[&](long k) {
                                             for (long i = 0; i < k; ++i) probes.matmul_f32(r);
                                           },
                                           [&](long k) {
                                             for (long i = 0; i < k; ++i) eigen(e);
                                           }});
  for (std::size_t k = 0; k < seconds.size(); ++k) {
    const std::string what = fmt::format("{}, n = {}, {}, one core{}", form.name, n, isa, k == 1 ? ": Eigen" : "");
    BenchRow row = rate_row("B4", what, "GFLOP/s", 2e-9 * n * n * n, seconds[k]);
    row.percent = 100 * row.median / peak;
    row.against = fmt::format("multiply-add, {}{}", isa, form.symmetric ? ", as if all of it were computed" : "");
    rows.push_back(std::move(row));
  }
}

// ---- B5, B10: many matrices at once --------------------------------------------------------------------------------

struct Batch {
  int matrices, n;
};
constexpr Batch kBatches[] = {{768, 64}, {768, 128}, {192, 256}};
constexpr int kQuickMatrices = 4;

// As many members of a program as there are matrices, with random numbers in slots of each.
class Matrices {
public:
  static Result<Matrices> open(const std::shared_ptr<const StepProgram>& program, int count, int threads,
                               const std::vector<std::string>& random) {
    Matrices m;
    auto backend = open_backend("cpu", threads);
    if (!backend) return backend.error();
    m.backend_ = std::move(*backend);
    auto group = m.backend_->open(program);
    if (!group) return group.error();
    m.group_ = std::move(*group);
    for (int k = 0; k < count; ++k) {
      const auto added = m.group_->add(1);
      if (!added) return added.error();
      m.members_.push_back(*added);
      for (std::size_t r = 0; r < random.size(); ++r) {
        const SlotId slot = program->find_slot(random[r]);
        const SlotInfo& info = program->slots()[slot];
        m.group_->write_slot(*added, slot,
                             normal_numbers(static_cast<std::uint64_t>(k) * random.size() + r, Stream::start,
                                            std::size_t{info.rows} * info.cols));
      }
    }
    m.group_->start(m.members_, m.records_);
    return m;
  }
  std::vector<double> measure(const BenchHarness& h) {
    return h.measure([&](long k) {
      for (long i = 0; i < k; ++i) group_->advance(members_, 1, records_);
    });
  }

private:
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<MemberGroup> group_;
  std::vector<int> members_;
  std::vector<std::vector<std::byte>> records_;
};

// D ← NS(A), five steps of Keller Jordan's polynomial; A stays as it is.
std::shared_ptr<const StepProgram> newton_schulz_program(std::uint32_t n) {
  ProgramBuilder build(Precision::f32);
  const SlotId a = build.slot("A", Role::param, n, n), d = build.slot("D", Role::scratch, n, n);
  std::vector<double> numbers = {1e-7, 1};
  for (int k = 0; k < 5; ++k) numbers.insert(numbers.end(), {3.4445, -4.7750, 2.0315});
  build.emit(make_op(OpCode::newton_schulz, {a, d}, {}, build.constants(numbers), 5u << 3), "D ← NS(A)");
  return build.finish();
}

Result<void> newton_schulz_rows(const BenchHarness& h, const Batch& batch, int threads, std::vector<BenchRow>& rows) {
  const int count = h.quick() ? kQuickMatrices : batch.matrices;
  const auto n = static_cast<std::uint32_t>(batch.n);
  auto matrices = Matrices::open(newton_schulz_program(n), count, threads, {"A"});
  if (!matrices) return matrices.error();
  const auto seconds = matrices->measure(h);
  const char* isa = kernels::choose_isa(n);
  const double peak = multiply_add_peak(h, isa, threads), cube = static_cast<double>(count) * n * n * n;
  const std::string what = fmt::format("Newton–Schulz × 5, {} of {}², {} cores", count, n, threads);
  BenchRow time = row_of_values("B5", what, "ms", scaled(seconds, 1e3));
  time.percent = 100 * 20e-6 * cube / peak / time.median;
  time.against = fmt::format("multiply-add, {}, {} cores, symmetric floor", isa, threads);
  rows.push_back(std::move(time));
  BenchRow dense = rate_row("B5", what + ", as if dense", "GFLOP/s", 30e-9 * cube, seconds);
  dense.percent = 100 * dense.median / peak;
  dense.against = fmt::format("multiply-add, {}, {} cores, dense floor", isa, threads);
  rows.push_back(std::move(dense));
  return {};
}

// The largest singular value of W, from the vector found last time, while W moves by a thousandth of itself a step.
std::shared_ptr<const StepProgram> spectrum_program(std::uint32_t n) {
  ProgramBuilder build(Precision::f32);
  const SlotId w = build.slot("W", Role::param, n, n), d = build.slot("D", Role::data, n, n);
  const SlotId v = build.slot("v", Role::state, 1, n);
  const HparamId lr = build.hparam(log_number("lr", 1e-3, 0, 1, ""), "direction");
  const double column = build.metric("spectral_norm", -1, ProgramBuilder::kScalar, 1);
  const Op op = make_op(OpCode::spectrum, {w, v}, {}, build.constants({column, -1}));
  build.set_starting(true);
  build.emit(op, "measure");
  build.set_starting(false);
  build.emit(make_op(OpCode::apply_update, {w, d}, {lr}), "W ← W − η D");
  build.emit(op, "measure");
  return build.finish();
}

Result<void> spectrum_row(const BenchHarness& h, const Batch& batch, int threads, std::vector<BenchRow>& rows) {
  const int count = h.quick() ? kQuickMatrices : batch.matrices;
  const auto n = static_cast<std::uint32_t>(batch.n);
  auto matrices = Matrices::open(spectrum_program(n), count, threads, {"W", "D"});
  if (!matrices) return matrices.error();
  BenchRow row =
      row_of_values("B10", fmt::format("spectral norm of {} matrices {}² that move, {} cores", count, n, threads), "ms",
                    scaled(matrices->measure(h), 1e3));
  const char* isa = kernels::choose_isa(n);
  // two products of a matrix and a vector, each reads the matrix once
  row.percent = 100 * 8e-6 * count * n * n / (read_bandwidth(h, isa, 256) * threads) / row.median;
  row.against = "reading each twice, second level, all cores";
  rows.push_back(std::move(row));
  return {};
}

// As `polarscope inspect` takes them: in float64, on one core.
Result<void> all_singular_values_row(const BenchHarness& h, std::vector<BenchRow>& rows) {
  const std::uint64_t n = 64;
  const int count = h.quick() ? 1 : 16;
  const std::vector<double> numbers = normal_numbers(1, Stream::start, count * n * n);
  Result<void> done;
  const auto seconds = h.measure([&](long k) {
    for (long i = 0; i < k * count; ++i) {
      const double* matrix = numbers.data() + static_cast<std::size_t>(i % count) * n * n;
      const auto block = [&](std::uint64_t row, std::uint64_t height, std::uint64_t col, std::uint64_t width,
                             std::vector<double>& out) -> Result<void> {
        out.clear();
        for (std::uint64_t r = row; r < row + height; ++r)
          out.insert(out.end(), matrix + r * n + col, matrix + r * n + col + width);
        return {};
      };
      if (const auto s = singular_values(n, n, block, [](double) { return true; }); !s) done = s.error();
    }
  });
  if (!done) return done;
  rows.push_back(row_of_values("B10",
                               fmt::format("all singular values of {} matrices {}², float64, one core", count, n), "ms",
                               scaled(seconds, 1e3)));
  return {};
}

// ---- B6, B8: passes over memory of the second level ------------------------------------------------------------------

constexpr std::size_t kPassNumbers = 16384; // of each slot: a few of them fit the second level, not the first

// All ops of a program, again and again, on random numbers in its parameters and data.
class Pass {
public:
  Pass(std::shared_ptr<const StepProgram> program, const char* isa)
      : program_(std::move(program)), executor_(kernels::cpu_executors(isa)->f32) {
    std::vector<double> hparams;
    for (const HparamInfo& p : program_->hparams()) hparams.push_back(std::get<double>(p.setting.value));
    member_ = std::make_unique<HostMember>(program_, hparams, 1);
    for (std::size_t s = 0; s < program_->slots().size(); ++s) {
      const SlotInfo& info = program_->slots()[s];
      if (info.role != Role::param && info.role != Role::data) continue;
      member_->write(static_cast<SlotId>(s), normal_numbers(s, Stream::start, std::size_t{info.rows} * info.cols));
    }
    member_->member().step = 1000; // of bias corrections: no longer the first
  }
  void run(long times) {
    const auto last = static_cast<std::uint32_t>(program_->step_ops().size());
    for (long i = 0; i < times; ++i)
      executor_.run_range(program_->view(), member_->member(), 0, last, member_->scratch());
  }

private:
  std::shared_ptr<const StepProgram> program_;
  const kernels::CpuExecutor& executor_;
  std::unique_ptr<HostMember> member_;
};

BenchRow pass_row(const BenchHarness& h, const char* id, const std::string& what, double bytes, double bandwidth,
                  Pass& pass) {
  BenchRow row = rate_row(id, what, "GB/s", 1e-9 * bytes, h.measure([&](long n) { pass.run(n); }));
  row.percent = 100 * row.median / bandwidth;
  row.against = "read, second level, one core";
  return row;
}

// The step of torch.optim.Adam as a recipe writes it: moments and update, then the weight.
std::shared_ptr<const StepProgram> adam_program(std::uint32_t rows, std::uint32_t cols) {
  ProgramBuilder build(Precision::f32);
  const SlotId w = build.slot("W", Role::param, rows, cols), g = build.slot("G", Role::data, rows, cols);
  const SlotId m = build.slot("m", Role::state, rows, cols), v = build.slot("v", Role::state, rows, cols);
  const SlotId u = build.slot("U", Role::scratch, rows, cols);
  const auto hparam = [&](const char* name, double value) {
    return build.hparam(log_number(name, value, 0, 1, ""), "direction");
  };
  const HparamId lr = hparam("lr", 1e-3), b1 = hparam("beta1", 0.9), b2 = hparam("beta2", 0.95),
                 e = hparam("eps", 1e-8);
  build.emit(make_op(OpCode::adam, {g, m, v, u}, {b1, b2, e}), "U ← m̂/(√v̂ + ε)");
  build.emit(make_op(OpCode::apply_update, {w, u}, {lr}), "W ← W − η U");
  return build.finish();
}

std::shared_ptr<const StepProgram> rms_program(std::uint32_t rows, std::uint32_t cols) {
  ProgramBuilder build(Precision::f32);
  const SlotId x = build.slot("X", Role::data, rows, cols), y = build.slot("Y", Role::scratch, rows, cols);
  const SlotId dy = build.slot("dY", Role::data, rows, cols), dx = build.slot("dX", Role::scratch, rows, cols);
  const SlotId factors = build.slot("factors", Role::scratch, 1, rows);
  build.emit(make_op(OpCode::rms_rows, {x, y, factors}, {}, build.constants({1e-6})), "Y = X/rms(X)");
  build.emit(make_op(OpCode::rms_rows_backward, {dy, y, factors, dx}, {}, build.constants({1})), "∂X");
  return build.finish();
}

std::shared_ptr<const StepProgram> softmax_program(std::uint32_t rows, std::uint32_t cols) {
  ProgramBuilder build(Precision::f32);
  const auto loss = static_cast<std::uint32_t>(build.metric("loss", -1, ProgramBuilder::kScalar, 1));
  const SlotId z = build.slot("Z", Role::data, rows, cols), dz = build.slot("dZ", Role::scratch, rows, cols);
  const SlotId labels = build.slot("labels", Role::scratch, rows, 1); // zeros: which class it is costs nothing
  build.emit(make_op(OpCode::cross_entropy_loss, {z, labels, dz}, {}, 0, loss), "L, ∂Z");
  return build.finish();
}

} // namespace

void bench_products(const BenchHarness& h, std::vector<BenchRow>& rows) {
  for (const char* isa : kBenchIsas) {
    const auto* e = kernels::cpu_executors(isa);
    if (!e) continue;
    const double peak = multiply_add_peak(h, isa, 1);
    for (const int n : {16, 32, 64, 128, 256})
      for (const Form& form : kForms) product_rows(h, isa, e->probes, peak, n, form, rows);
  }
}

Result<void> bench_newton_schulz(const BenchHarness& h, std::vector<BenchRow>& rows) {
  const int cores = all_cores();
  for (const Batch& batch : kBatches)
    if (auto done = newton_schulz_rows(h, batch, cores, rows); !done) return done;
  return {};
}

Result<void> bench_spectra(const BenchHarness& h, std::vector<BenchRow>& rows) {
  const int cores = all_cores();
  for (const Batch& batch : kBatches)
    if (auto done = spectrum_row(h, batch, cores, rows); !done) return done;
  return all_singular_values_row(h, rows);
}

void bench_adam(const BenchHarness& h, std::vector<BenchRow>& rows) {
  constexpr std::uint32_t kCols = 128;
  const char* isa = kernels::choose_isa(kCols);
  Pass pass(adam_program(kPassNumbers / kCols, kCols), isa);
  // r: W, G, m, v; w: W, m, v
  rows.push_back(pass_row(h, "B6", fmt::format("Adam, {} parameters, 28 bytes each, {}, one core", kPassNumbers, isa),
                          28.0 * kPassNumbers, read_bandwidth(h, isa, 256), pass));
}

void bench_rows(const BenchHarness& h, std::vector<BenchRow>& rows) {
  for (const std::uint32_t cols : {16u, 64u, 256u}) {
    const auto count = static_cast<std::uint32_t>(kPassNumbers / cols);
    const char* isa = kernels::choose_isa(cols);
    const double bandwidth = read_bandwidth(h, isa, 256);
    const std::string of = fmt::format("{} rows of {}, {}, one core", count, cols, isa);
    Pass rms(rms_program(count, cols), isa), softmax(softmax_program(count, cols), isa);
    // r: X, dY, Y; w: Y, dX
    rows.push_back(pass_row(h, "B8", "RMSNorm there and back, " + of, 20.0 * kPassNumbers, bandwidth, rms));
    // r: Z; w: dZ
    rows.push_back(
        pass_row(h, "B8", "softmax, cross-entropy, there and back, " + of, 8.0 * kPassNumbers, bandwidth, softmax));
  }
}

} // namespace polarscope
