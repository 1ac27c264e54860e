#include "engine/backend_cuda.hpp"

#include "kernels/cuda/module.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <filesystem>
#include <limits>
#include <optional>

#include <dlfcn.h>

namespace polarscope {

namespace {

using kernels::CudaMember;
using kernels::CudaModule;

constexpr int kProbeMembers = 256;   // weights that evaluate_loss looks at in one launch, at most
constexpr double kProbeShare = 0.25; // of the device's free memory for them: growing takes old and new at once
constexpr double kProbeBytes = 1e9;  // and no more than this where one weight needs less
constexpr double kNothing = std::numeric_limits<double>::quiet_NaN(); // what a failed device reads

// The first error of a device; a CUDA context that has failed once fails from then on. Shared by all groups of a backend.
struct DeviceFault {
  std::optional<Error> first;
};

// Free memory of the device in bytes; none where it does not say.
std::optional<double> free_memory_of(const CudaModule& module) {
  std::size_t bytes = 0;
  if (module.free_memory(&bytes)) return std::nullopt;
  return static_cast<double>(bytes);
}

// One group of the module, closed at the end.
class ModuleGroup {
public:
  static Result<std::unique_ptr<ModuleGroup>> open(const CudaModule& module, std::shared_ptr<DeviceFault> fault,
                                                   const StepProgram& program) {
    if (fault->first) return *fault->first;
    kernels::CudaGroup* group = nullptr;
    if (module.open(program.view(), program.scalar_bytes(), program.block_bytes(), &group))
      return machine_lacks(fmt::format("cuda: {}", module.error()));
    return std::make_unique<ModuleGroup>(module, std::move(fault), group);
  }
  ModuleGroup(const CudaModule& module, std::shared_ptr<DeviceFault> fault, kernels::CudaGroup* group)
      : module_(module), fault_(std::move(fault)), group_(group) {}
  ModuleGroup(const ModuleGroup&) = delete;
  ModuleGroup& operator=(const ModuleGroup&) = delete;
  ~ModuleGroup() { module_.close(group_); }

  // Calls one of the module's functions on the group; false once the device has failed, then without calling. Where
  // there is no other way to go on, a lack of memory is a failure too.
  template <class F, class... Args> bool call(F CudaModule::*f, Args... args) const {
    if (!fault_->first && (module_.*f)(group_, args...)) fail();
    return !fault_->first;
  }
  // A member of about `bytes`, or why there is none; a lack of memory leaves the device as it was.
  Result<void> add(std::uint64_t seed, double bytes) const {
    if (fault_->first) return *fault_->first;
    const int code = module_.add(group_, seed);
    if (code == 0) return {};
    if (code == kernels::kCudaOutOfMemory) {
      const std::string why = module_.error();
      return machine_lacks(fmt::format("cuda: {}; a run takes {:.3g} GB, {:.3g} GB are free", why, bytes / 1e9,
                                       free_memory_of(module_).value_or(0) / 1e9));
    }
    fail();
    return *fault_->first;
  }
  const std::shared_ptr<DeviceFault>& fault() const { return fault_; }

private:
  void fail() const { fault_->first = machine_lacks(fmt::format("cuda: {}", module_.error())); }

  const CudaModule& module_;
  std::shared_ptr<DeviceFault> fault_;
  kernels::CudaGroup* group_;
};

// What one member takes of a device's memory: its block, and the scratch of its step where that is not in shared memory.
double member_bytes(const StepProgram& program) {
  return static_cast<double>(program.block_bytes()) +
         static_cast<double>(program.view().scratch_size) * static_cast<double>(program.scalar_bytes());
}

// Logical elements into the bytes of a padded slot, and back.
template <class R> void pack(const kernels::Slot& s, std::span<const double> values, std::byte* out) {
  auto* p = reinterpret_cast<R*>(out);
  for (std::size_t i = 0; i < s.rows; ++i)
    for (std::size_t j = 0; j < s.cols; ++j) p[i * s.ld + j] = static_cast<R>(values[i * s.cols + j]);
}
template <class R> void unpack(const kernels::Slot& s, const std::byte* in, std::span<double> values) {
  const auto* p = reinterpret_cast<const R*>(in);
  for (std::size_t i = 0; i < s.rows; ++i)
    for (std::size_t j = 0; j < s.cols; ++j) values[i * s.cols + j] = static_cast<double>(p[i * s.ld + j]);
}

class CudaMembers final : public MemberGroup {
public:
  CudaMembers(const CudaModule& module, std::shared_ptr<const StepProgram> program, std::unique_ptr<ModuleGroup> group)
      : module_(module), program_(std::move(program)), group_(std::move(group)) {}

  int count() const override { return static_cast<int>(members_.size()); }

  Result<int> add(std::uint64_t seed) override {
    if (removed_.empty())
      if (auto added = append(seed); !added) return added.error();
    const int number = removed_.empty() ? count() - 1 : reuse(seed);
    std::vector<double> row;
    for (const HparamInfo& h : program_->hparams()) row.push_back(std::get<double>(h.setting.value));
    set_hparams(number, row);
    if (group_->fault()->first) return *group_->fault()->first;
    return number;
  }

  void remove(int member) override { removed_.push_back(member); }

  MemberState state(int member) const override {
    const CudaMember& m = at(member);
    return {m.step, m.diverged != 0, m.diverged_at};
  }

  void set_state(int member, const MemberState& state) override {
    CudaMember& m = members_[static_cast<std::size_t>(member)];
    m.step = state.step;
    m.diverged = state.diverged ? 1 : 0;
    m.diverged_at = state.diverged_at;
    group_->call(&CudaModule::set_member, member, &m);
  }

  void set_hparams(int member, std::span<const double> row) override {
    assert(row.size() == program_->hparams().size());
    hparams_[static_cast<std::size_t>(member)].assign(row.begin(), row.end());
    if (!row.empty()) group_->call(&CudaModule::set_hparams, member, row.data());
  }

  void write_slot(int member, SlotId slot, std::span<const double> values) override {
    const kernels::Slot& s = layout(slot, values.size());
    std::vector<std::byte> bytes(slot_bytes(s)); // padding zero
    if (single()) pack<float>(s, values, bytes.data());
    else pack<double>(s, values, bytes.data());
    group_->call(&CudaModule::write, member, offset_bytes(s), bytes.data(), bytes.size());
  }

  void read_slot(int member, SlotId slot, std::span<double> values) const override {
    const kernels::Slot& s = layout(slot, values.size());
    std::vector<std::byte> bytes(slot_bytes(s));
    if (!group_->call(&CudaModule::read, member, offset_bytes(s), bytes.data(), bytes.size()))
      std::fill(values.begin(), values.end(), kNothing);
    else if (single()) unpack<float>(s, bytes.data(), values);
    else unpack<double>(s, bytes.data(), values);
  }

  void save(int member, std::span<std::byte> out) const override {
    assert(out.size() == program_->persistent_bytes());
    if (!out.empty()) group_->call(&CudaModule::read, member, std::size_t{0}, out.data(), out.size());
  }

  void restore(int member, std::span<const std::byte> in) override {
    assert(in.size() == program_->persistent_bytes());
    if (!in.empty()) group_->call(&CudaModule::write, member, std::size_t{0}, in.data(), in.size());
  }

  void start(std::span<const int> members, std::vector<std::vector<std::byte>>& records) override {
    Collected collected{records, record_bytes()};
    prepare(members, records);
    if (!group_->call(&CudaModule::start, members.data(), static_cast<int>(members.size()), &collect,
                      static_cast<void*>(&collected)))
      prepare(members, records);
  }

  void advance(std::span<const int> members, std::uint64_t steps,
               std::vector<std::vector<std::byte>>& records) override {
    Collected collected{records, record_bytes()};
    prepare(members, records);
    if (members.empty()) return;
    if (!group_->call(&CudaModule::advance, members.data(), static_cast<int>(members.size()), steps, &collect,
                      static_cast<void*>(&collected)))
      return prepare(members, records); // a broken burst leaves no records
    const auto [low, high] = std::minmax_element(members.begin(), members.end());
    group_->call(&CudaModule::get_members, *low, *high - *low + 1, members_.data() + *low);
  }

  std::vector<double> evaluate_loss(int member, int parameter, std::span<const double> weights) override {
    const ParamInfo& p = program_->parameters()[static_cast<std::size_t>(parameter)];
    const std::size_t elements = std::size_t{p.rows} * p.cols;
    assert(elements > 0 && weights.size() % elements == 0);
    std::vector<double> losses(weights.size() / elements, kNothing);
    std::vector<std::byte> block(program_->block_bytes());
    if (!group_->call(&CudaModule::read, member, std::size_t{0}, block.data(), block.size())) return losses;
    const auto at_once = static_cast<std::size_t>(make_probe());
    if (at_once == 0) return {};
    CudaMembers& probe = *probe_;
    for (std::size_t first = 0; first < losses.size(); first += at_once) {
      const std::size_t n = std::min(at_once, losses.size() - first);
      for (std::size_t i = 0; i < n; ++i)
        probe.place(static_cast<int>(i), *this, member, block, p.weight,
                    weights.subspan((first + i) * elements, elements));
      probe.losses_of_first(static_cast<int>(n), {losses.data() + first, n});
    }
    return losses;
  }

private:
  struct Collected {
    std::vector<std::vector<std::byte>>& records;
    std::size_t record_bytes;
  };
  static void collect(void* user, int index, const void* records, std::uint64_t made) {
    auto& c = *static_cast<Collected*>(user);
    const auto* from = static_cast<const std::byte*>(records);
    auto& to = c.records[static_cast<std::size_t>(index)];
    to.insert(to.end(), from, from + made * c.record_bytes);
  }

  void prepare(std::span<const int> members, std::vector<std::vector<std::byte>>& records) const {
    records.resize(members.size());
    for (auto& r : records) r.clear();
  }

  Result<void> append(std::uint64_t seed) {
    if (auto added = group_->add(seed, member_bytes(*program_)); !added) return added;
    members_.emplace_back();
    members_.back().seed = seed;
    hparams_.emplace_back();
    return {};
  }

  // A removed member's number and memory, as a new member has them.
  int reuse(std::uint64_t seed) {
    const int number = removed_.back();
    removed_.pop_back();
    CudaMember fresh;
    fresh.seed = seed;
    members_[static_cast<std::size_t>(number)] = fresh;
    group_->call(&CudaModule::set_member, number, &fresh);
    const std::vector<std::byte> zeros(program_->block_bytes());
    group_->call(&CudaModule::write, number, std::size_t{0}, zeros.data(), zeros.size());
    return number;
  }

  // Members of their own for evaluate_loss, made at first use, as many as the device has room for; their number.
  int make_probe() {
    if (probe_) return probe_->count();
    const double one = member_bytes(*program_), room = kProbeShare * free_memory_of(module_).value_or(0);
    if (room < one) return 0;
    const int most = static_cast<int>(std::clamp(std::min(room, kProbeBytes) / one, 1.0, double{kProbeMembers}));
    auto group = ModuleGroup::open(module_, group_->fault(), *program_);
    if (!group) return 0;
    auto probe = std::make_unique<CudaMembers>(module_, program_, std::move(*group));
    while (probe->count() < most && probe->add(0)) {}
    if (probe->count() == 0 || group_->fault()->first) return 0;
    probe_ = std::move(probe);
    return probe_->count();
  }

  // Makes probe `i` a copy of a member with another weight.
  void place(int i, const CudaMembers& source, int member, std::span<const std::byte> block, SlotId weight,
             std::span<const double> values) {
    members_[static_cast<std::size_t>(i)] = source.at(member);
    group_->call(&CudaModule::set_member, i, &source.at(member));
    set_hparams(i, source.hparams_[static_cast<std::size_t>(member)]);
    group_->call(&CudaModule::write, i, std::size_t{0}, block.data(), block.size());
    write_slot(i, weight, values);
  }

  // Loss of members 0 … n−1 at their weights, by the program's loss ops.
  void losses_of_first(int n, std::span<double> losses) {
    std::vector<int> all(static_cast<std::size_t>(n));
    for (int i = 0; i < n; ++i) all[static_cast<std::size_t>(i)] = i;
    kernels::OpRange range;
    range.first = static_cast<std::uint32_t>(program_->loss_ops().first);
    range.last = static_cast<std::uint32_t>(program_->loss_ops().second);
    group_->call(&CudaModule::run_ops, all.data(), n, &range);
    const int column = program_->find_metric("loss");
    assert(column >= 0);
    std::vector<double> slab(program_->layout()[program_->view().metric_slot].cols);
    for (int i = 0; i < n; ++i) {
      read_slot(i, static_cast<SlotId>(program_->view().metric_slot), slab);
      losses[static_cast<std::size_t>(i)] = slab[static_cast<std::size_t>(column)];
    }
  }

  const CudaMember& at(int member) const { return members_[static_cast<std::size_t>(member)]; }
  bool single() const { return program_->precision() == Precision::f32; }
  std::size_t record_bytes() const { return program_->record_size() * program_->scalar_bytes(); }
  std::size_t offset_bytes(const kernels::Slot& s) const { return s.offset * program_->scalar_bytes(); }
  std::size_t slot_bytes(const kernels::Slot& s) const { return std::size_t{s.rows} * s.ld * program_->scalar_bytes(); }
  const kernels::Slot& layout(SlotId slot, [[maybe_unused]] std::size_t size) const {
    const kernels::Slot& s = program_->layout()[slot];
    assert(size == std::size_t{s.rows} * s.cols);
    return s;
  }

  const CudaModule& module_;
  std::shared_ptr<const StepProgram> program_;
  std::unique_ptr<ModuleGroup> group_;
  std::vector<CudaMember> members_; // as they stood after the last burst
  std::vector<std::vector<double>> hparams_;
  std::vector<int> removed_; // numbers to be given again
  std::unique_ptr<CudaMembers> probe_;
};

class CudaBackend final : public Backend {
public:
  CudaBackend(const CudaModule& module, std::string description)
      : module_(module), description_(std::move(description)) {}
  std::string name() const override { return "cuda"; }
  std::string description() const override { return description_; }
  Result<std::unique_ptr<MemberGroup>> open(std::shared_ptr<const StepProgram> program) override {
    auto group = ModuleGroup::open(module_, fault_, *program);
    if (!group) return group.error();
    return std::unique_ptr<MemberGroup>(std::make_unique<CudaMembers>(module_, std::move(program), std::move(*group)));
  }
  std::optional<Error> failure() const override { return fault_->first; }

private:
  const CudaModule& module_;
  std::string description_;
  std::shared_ptr<DeviceFault> fault_ = std::make_shared<DeviceFault>();
};

CudaDevice find_device() {
  CudaDevice found;
  std::error_code unreadable;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", unreadable);
  const auto path = program.parent_path() / "polarscope_cuda.so";
  if (unreadable || !std::filesystem::exists(path, unreadable)) {
    found.why_not = "no GPU: this build has no CUDA module";
    return found;
  }
  // The module stays loaded for the life of the process.
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  void* symbol = library ? dlsym(library, kernels::kCudaModuleSymbol) : nullptr;
  if (!symbol) {
    found.why_not = fmt::format("no GPU: {}", dlerror());
    return found;
  }
  const auto* module = reinterpret_cast<const CudaModule* (*)()>(symbol)();
  if (module->version != kernels::kCudaModuleVersion) {
    found.why_not = "no GPU: the CUDA module belongs to another version of the program";
    return found;
  }
  char line[256] = "";
  if (module->probe(line, sizeof line)) {
    found.why_not = line;
    return found;
  }
  found.module = module;
  found.description = fmt::format("CUDA, {}", line);
  return found;
}

} // namespace

const CudaDevice& cuda_device() {
  static const CudaDevice device = find_device();
  return device;
}

std::unique_ptr<Backend> make_cuda_backend(const CudaModule& module, std::string description) {
  return std::make_unique<CudaBackend>(module, std::move(description));
}

} // namespace polarscope
