// A device that can step members: upload, run K steps, read back. It knows programs, not optimizers.
#pragma once

#include "engine/program.hpp"
#include "engine/result.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace polarscope {

// Where a member stands. `diverged_at` is valid when `diverged`.
struct MemberState {
  std::uint64_t step = 0; // completed steps
  bool diverged = false;
  std::uint64_t diverged_at = 0;
};

// The members of one program on one device. Blocks are addressed by member number 0 … count−1.
class MemberGroup {
public:
  virtual ~MemberGroup() = default;
  virtual int count() const = 0;
  // Adds a member with a zeroed block; its number. Fails where the device has no room for it, or has failed.
  virtual Result<int> add(std::uint64_t seed) = 0;
  // The member is not used again; its number and, where the device can, its memory are given to a later add().
  virtual void remove(int member) { (void)member; }
  virtual MemberState state(int member) const = 0;
  virtual void set_state(int member, const MemberState& state) = 0;
  // Base hyperparameters, in column order; read at the next burst.
  virtual void set_hparams(int member, std::span<const double> row) = 0;
  // One slot's logical elements, row-major, without padding.
  virtual void write_slot(int member, SlotId slot, std::span<const double> values) = 0;
  virtual void read_slot(int member, SlotId slot, std::span<double> values) const = 0;
  // The persistent head of the block, bytes as the device lays them out; for keyframes and hashing.
  virtual void save(int member, std::span<std::byte> out) const = 0;
  virtual void restore(int member, std::span<const std::byte> in) = 0;
  // Runs the start list of the given members (at step 0) and writes one record each.
  virtual void start(std::span<const int> members, std::vector<std::vector<std::byte>>& records) = 0;
  // Runs up to `steps` steps of each given member; records[i] receives one record of program.record_size()
  // scalars per step made (fewer when the member diverges: its last record is that step's).
  virtual void advance(std::span<const int> members, std::uint64_t steps,
                       std::vector<std::vector<std::byte>>& records) = 0;
  // Loss of the member's data at other weights: runs the program's loss ops on a scratch copy of the block with
  // parameter `parameter` replaced by each of the given weights (rows·cols each); empty where the device has no room
  // for the copy. Thread-safe against advance of other groups only.
  virtual std::vector<double> evaluate_loss(int member, int parameter, std::span<const double> weights) = 0;
  // Seconds of one thread that a step of one member has lately taken in bursts, without what the caller does with the
  // records; 0: not known.
  virtual double step_seconds() const { return 0; }
  // Seconds that step operations [bounds[i], bounds[i + 1]) of a member take one thread, timed on a copy of its block; empty
  // where the device cannot tell. Not during a burst.
  virtual std::vector<double> time_step(int member, std::span<const std::uint32_t> bounds) {
    (void)member, (void)bounds;
    return {};
  }
};

// Members of one group that are stepped together with those of others; records as in MemberGroup::advance. What the caller
// does with a member's records is done by the thread that made them, while they are in its cache: `made`, if any, is called
// once for each place in `members`, for several of them at the same time.
struct GroupJob {
  MemberGroup* group;
  std::span<const int> members;
  std::vector<std::vector<std::byte>>* records;
  std::function<void(std::size_t place)> made = {};
};

class Backend {
public:
  virtual ~Backend() = default;
  virtual std::string name() const = 0;        // "cpu", "cuda"
  virtual std::string description() const = 0; // "CPU, AVX-512, 2 threads"
  virtual Result<std::unique_ptr<MemberGroup>> open(std::shared_ptr<const StepProgram> program) = 0;
  // What first went wrong on the device since the backend was opened. From then on every member stands still: bursts make
  // no records, reads give NaN, writes do nothing.
  virtual std::optional<Error> failure() const { return std::nullopt; }
  virtual int threads() const { return 0; } // that step members; 0: the device has no such number
  // Flops per second that one thread reaches just now in a probe of multiply-adds, which takes some tens of microseconds;
  // 0: none is known.
  virtual double probe_flops(Precision precision) const { return (void)precision, 0.0; }
  // MemberGroup::advance for several groups of this backend; a device that can steps them at the same time. Nothing is made
  // of records by a device that fails.
  virtual void advance(std::span<const GroupJob> jobs, std::uint64_t steps) {
    for (const GroupJob& j : jobs) j.group->advance(j.members, steps, *j.records);
    for (const GroupJob& j : jobs)
      for (std::size_t place = 0; j.made && !failure() && place < j.members.size(); ++place) j.made(place);
  }
};

struct DeviceInfo {
  std::string name;        // as --device takes it
  std::string description; // one line
  bool available;
  std::string why_not; // one line when not available
};
std::vector<DeviceInfo> devices();

// `device`: cpu | cuda | auto. `threads` 0 = one per core. `isa`: "" = by rule, else v2 | v3 | v4 (tests).
Result<std::unique_ptr<Backend>> open_backend(const std::string& device, int threads, const std::string& isa = {});

} // namespace polarscope
