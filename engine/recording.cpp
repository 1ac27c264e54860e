#include "engine/recording.hpp"

#include "engine/compile.hpp"
#include "engine/files.hpp"
#include "engine/op_cost.hpp"
#include "engine/optimizer/route.hpp"
#include "engine/safetensors.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <limits>
#include <utility>

namespace polarscope {

namespace {

// An unnamed file in the target's folder, or in the system's temporary one when the target is no ordinary file.
int open_spool(const std::string& path) {
  const auto slash = path.rfind('/');
  const bool ordinary = path != "-" && !path.starts_with("/dev/");
  for (const std::string& folder :
       {ordinary ? (slash == std::string::npos ? "." : path.substr(0, slash + 1)) : "/tmp", std::string("/tmp")}) {
    std::string name = folder + "/.polarscope-XXXXXX";
    const int fd = ::mkostemp(name.data(), O_CLOEXEC);
    if (fd < 0) continue;
    ::unlink(name.c_str());
    return fd;
  }
  return -1;
}

std::vector<std::uint64_t> with_rows(long rows, const ParamInfo& parameter) {
  if (parameter.vector) return {static_cast<std::uint64_t>(rows), parameter.cols};
  return {static_cast<std::uint64_t>(rows), parameter.rows, parameter.cols};
}

std::vector<std::uint64_t> without_rows(const ParamInfo& parameter) {
  if (parameter.vector) return {parameter.cols};
  return {parameter.rows, parameter.cols};
}

std::vector<double> rounded(std::vector<double> values, Precision precision) {
  if (precision == Precision::f32)
    for (double& v : values) v = static_cast<float>(v);
  return values;
}

std::vector<std::byte> scalars(const std::vector<double>& values, Precision precision) {
  std::vector<std::byte> out(values.size() * (precision == Precision::f32 ? 4 : 8));
  if (precision == Precision::f64) {
    if (!values.empty()) std::memcpy(out.data(), values.data(), out.size());
    return out;
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float f = static_cast<float>(values[i]);
    std::memcpy(out.data() + 4 * i, &f, 4);
  }
  return out;
}

std::string problem_text(const Scene& scene) {
  std::string out = scene.problem;
  for (const auto& [key, value] : scene.problem_values.values) out += fmt::format(" {}={}", key, to_text(value));
  return out;
}

} // namespace

Result<std::unique_ptr<Recording>> Recording::open(const std::string& path, long every, Contents contents) {
  auto file = OutputFile::open(path);
  if (!file) return file.error();
  std::unique_ptr<Recording> out(new Recording);
  out->out_ = std::make_unique<OutputFile>(std::move(*file));
  out->every_ = every;
  out->contents_ = contents;
  out->spool_ = open_spool(path);
  if (out->spool_ < 0)
    return Error{
        ErrorKind::machine_lacks, {path}, fmt::format("no room for a temporary file: {}", std::strerror(errno))};
  return out;
}

Recording::~Recording() {
  if (spool_ >= 0) ::close(spool_);
}

RecordOptions Recording::options() const {
  RecordOptions record;
  record.weight_limit = std::numeric_limits<std::uint32_t>::max();
  record.kept_per_step = std::numeric_limits<std::uint32_t>::max();
  record.gradients = contents_.gradients;
  return record;
}

void Recording::append(Track& track, const std::vector<std::byte>& bytes, long rows) {
  if (bytes.empty() || error_) return;
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = ::write(spool_, bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      error_ = Error{ErrorKind::machine_lacks, {}, fmt::format("cannot write the recording: {}", std::strerror(errno))};
      return;
    }
    done += static_cast<std::size_t>(n);
  }
  track.blocks.push_back({spooled_, bytes.size()});
  track.rows += rows;
  spooled_ += bytes.size();
}

void Recording::take(RunId run, const StepProgram& program, long first_step, std::span<const std::byte> records) {
  RunTracks& tracks = runs_[run];
  if (first_step == 0) tracks = {};
  const std::size_t parameters = program.parameters().size();
  tracks.weights.resize(parameters);
  tracks.gradients.resize(parameters);
  const std::size_t scalar = program.scalar_bytes(), record = program.record_size() * scalar;
  const long count = static_cast<long>(records.size() / record);
  std::vector<long> kept; // positions in `records`
  for (long i = 0; i < count; ++i)
    if ((first_step + i) % every_ == 0) kept.push_back(i);
  for (const long i : kept) tracks.steps.push_back(first_step + i);
  for (std::size_t p = 0; p < parameters; ++p) {
    const ParamInfo& info = program.parameters()[p];
    const std::size_t bytes = std::size_t{info.rows} * info.cols * scalar;
    const auto gather = [&](long offset, bool with_start, Track& track) {
      std::vector<std::byte> gathered;
      long rows = 0;
      for (const long i : kept) {
        if (!with_start && first_step + i == 0) continue;
        const auto part =
            records.subspan(static_cast<std::size_t>(i) * record + static_cast<std::size_t>(offset) * scalar, bytes);
        gathered.insert(gathered.end(), part.begin(), part.end());
        ++rows;
      }
      append(track, gathered, rows);
    };
    gather(program.record_offset_of_weight(static_cast<int>(p)), true, tracks.weights[p]);
    if (contents_.gradients) gather(program.record_offset_of_gradient(static_cast<int>(p)), false, tracks.gradients[p]);
  }
}

Result<void> Recording::copy(const Track& track, OutputFile& out) const {
  std::vector<std::byte> buffer;
  for (const Block& block : track.blocks) {
    buffer.resize(block.bytes);
    std::size_t done = 0;
    while (done < buffer.size()) {
      const ssize_t n =
          ::pread(spool_, buffer.data() + done, buffer.size() - done, static_cast<off_t>(block.offset + done));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return machine_lacks("the recording's temporary file cannot be read back");
      done += static_cast<std::size_t>(n);
    }
    if (auto written = out.write(buffer); !written) return written;
  }
  return {};
}

Result<void> Recording::finish(const Frame& frame, const Scene& scene, Session& session) {
  if (error_) return *error_;
  std::vector<TensorInfo> tensors;
  std::vector<std::pair<const Track*, std::vector<std::byte>>> pieces; // in the tensors' order
  const bool several = frame.runs.size() > 1;
  std::vector<long> steps;
  for (std::size_t i = 0; i < frame.runs.size(); ++i) {
    const RunFrame& run = frame.runs[i];
    const StepProgram& program = *run.program;
    const std::string prefix = several ? percent_encoded(run.label) + "/" : "";
    const char* dtype = program.precision() == Precision::f32 ? "F32" : "F64";
    const RunTracks& tracks = runs_[run.id];
    if (tracks.steps.size() > steps.size()) steps = tracks.steps;
    for (std::size_t p = 0; p < tracks.weights.size(); ++p) {
      const ParamInfo& info = program.parameters()[p];
      for (const auto& [kind, track] :
           {std::pair{"weight/", &tracks.weights[p]}, std::pair{"gradient/", &tracks.gradients[p]}}) {
        if (track->rows == 0) continue;
        tensors.push_back({kind + prefix + info.name, dtype, with_rows(track->rows, info), 0, 0});
        pieces.emplace_back(track, std::vector<std::byte>{});
      }
    }
    for (std::size_t s = 0; s < program.slots().size() && contents_.states; ++s) {
      const SlotInfo& info = program.slots()[s];
      if (!is_optimizer_state(program, static_cast<SlotId>(s))) continue;
      const std::string& owner = program.parameters()[static_cast<std::size_t>(info.parameter)].name;
      tensors.push_back(
          {"state/" + prefix + owner + "/" + info.name.substr(owner.size() + 1), dtype, {info.rows, info.cols}, 0, 0});
      pieces.emplace_back(nullptr, scalars(session.slot_values(run.id, static_cast<SlotId>(s)), program.precision()));
    }
    if (!contents_.gradients) continue;
    const auto contents = initial_contents(scene, scene.runs[i], program);
    if (!contents) return contents.error();
    for (const auto& [slot, values] : contents->slots) {
      const SlotInfo& info = program.slots()[slot];
      if (info.role == Role::param &&
          frame.runs[i].start->at(static_cast<std::size_t>(info.parameter)) != rounded(values, program.precision())) {
        tensors.push_back({"start/" + prefix + info.name, dtype,
                           without_rows(program.parameters()[static_cast<std::size_t>(info.parameter)]), 0, 0});
        pieces.emplace_back(nullptr, scalars(values, program.precision()));
      }
      if (info.role != Role::data) continue;
      std::vector<std::uint64_t> shape = {info.rows, info.cols};
      if (info.parameter < 0) shape = {info.batches, info.rows / info.batches, info.cols};
      tensors.push_back({"data/" + prefix + info.name, dtype, shape, 0, 0});
      pieces.emplace_back(nullptr, scalars(values, program.precision()));
    }
  }
  if (every_ > 1) {
    std::vector<std::byte> bytes(steps.size() * 8);
    if (!bytes.empty()) std::memcpy(bytes.data(), steps.data(), bytes.size());
    tensors.push_back({"step", "I64", {steps.size()}, 0, 0});
    pieces.emplace_back(nullptr, std::move(bytes));
  }
  std::map<std::string, std::string> metadata = {
      {"format", "polarscope record 1"}, {"program", POLARSCOPE_VERSION},
      {"problem", problem_text(scene)},  {"scene", to_toml(scene)},
      {"every", std::to_string(every_)}, {"runs", std::to_string(frame.runs.size())}};
  for (const ParamInfo& p : frame.runs.front().program->parameters()) metadata[kRoleKey + p.name] = role_name(p.role);
  if (auto done = out_->write(safetensors_header(tensors, metadata)); !done) return done;
  for (const auto& [track, bytes] : pieces)
    if (auto done = track ? copy(*track, *out_) : out_->write(bytes); !done) return done;
  if (const auto fault = session.fault()) return *fault; // its states may be what a failed device reads
  return out_->commit();
}

} // namespace polarscope
