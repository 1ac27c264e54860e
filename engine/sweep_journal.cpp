#include "engine/sweep_journal.hpp"

#include "engine/backend_cpu.hpp"
#include "engine/backend_cuda.hpp"
#include "engine/files.hpp"
#include "engine/json_number.hpp"
#include "engine/preset.hpp"
#include "engine/sweep.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>

namespace polarscope {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kLargestJournal = std::size_t{1} << 31;
constexpr std::size_t kChecksum = 16; // hexadecimal digits before each line's text

class Fnv {
public:
  void add(std::string_view bytes) {
    for (const char c : bytes) hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 0x100000001B3ull;
    hash_ = (hash_ ^ bytes.size()) * 0x100000001B3ull; // where one text ends and the next begins
  }
  std::uint64_t value() const { return hash_; }

private:
  std::uint64_t hash_ = 0xCBF29CE484222325ull;
};

std::uint64_t checksum(std::string_view text) {
  Fnv hash;
  hash.add(text);
  return hash.value();
}

std::string line_of(const std::string& text) { return fmt::format("{:016x} {}\n", checksum(text), text); }

std::string header_text(std::uint64_t key) {
  return fmt::format(R"({{"polarscope":"sweep","version":1,"key":"{:016x}"}})", key);
}

double number(const Json& json) {
  if (json.is_number()) return json.get<double>();
  const std::string word = json.get<std::string>();
  if (word == "inf" || word == "-inf") return word[0] == '-' ? -INFINITY : INFINITY;
  return std::numeric_limits<double>::quiet_NaN();
}

using Named = std::vector<std::pair<std::string, double>>;

Json named(const Named& values) {
  Json out = Json::array();
  for (const auto& [name, value] : values) out.push_back({name, json_number<Json>(value)});
  return out;
}

Named named(const Json& json) {
  Named out;
  for (const Json& one : json) out.emplace_back(one.at(0).get<std::string>(), number(one.at(1)));
  return out;
}

std::string text_of(const MemberResult& r) {
  Json json;
  json["label"] = r.label;
  json["group"] = r.group;
  json["optimizer"] = r.optimizer;
  json["seed"] = r.seed;
  json["hparams"] = named(r.hparams);
  json["diverged"] = r.diverged;
  json["step"] = r.step;
  json["state_hash"] = r.state_hash;
  json["final_loss"] = json_number<Json>(r.final_loss);
  json["start_norm"] = json_number<Json>(r.start_norm);
  json["norm"] = json_number<Json>(r.norm);
  json["angular_update"] = json_number<Json>(r.angular_update);
  json["final"] = named(r.final);
  json["curve"] = Json::array();
  for (const double v : r.curve) json["curve"].push_back(json_number<Json>(v));
  json["invariants"] = Json::array();
  for (const InvariantStatus& i : r.invariants)
    json["invariants"].push_back(
        {i.name, i.meaning, json_number<Json>(i.tolerance), json_number<Json>(i.worst), i.worst_step, i.broken_at});
  json["failed"] = r.failed;
  json["expected"] = r.expected;
  json["not_judged"] = r.not_judged;
  json["seconds"] = json_number<Json>(r.seconds);
  json["step_seconds"] = json_number<Json>(r.step_seconds);
  json["state_bytes"] = json_number<Json>(r.state_bytes);
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// The checksum has vouched for the text; a line of another version of the program has another key before it.
MemberResult result_of(const Json& json) {
  MemberResult r;
  r.label = json.at("label").get<std::string>();
  r.group = json.at("group").get<std::string>();
  r.optimizer = json.at("optimizer").get<std::string>();
  r.seed = json.at("seed").get<std::uint64_t>();
  r.hparams = named(json.at("hparams"));
  r.diverged = json.at("diverged").get<bool>();
  r.step = json.at("step").get<long>();
  r.state_hash = json.at("state_hash").get<std::uint64_t>();
  r.final_loss = number(json.at("final_loss"));
  r.start_norm = number(json.at("start_norm"));
  r.norm = number(json.at("norm"));
  r.angular_update = number(json.at("angular_update"));
  r.final = named(json.at("final"));
  for (const Json& v : json.at("curve")) r.curve.push_back(number(v));
  for (const Json& i : json.at("invariants"))
    r.invariants.push_back({i.at(0).get<std::string>(), i.at(1).get<std::string>(), number(i.at(2)), number(i.at(3)),
                            i.at(4).get<long>(), i.at(5).get<long>()});
  r.failed = json.at("failed").get<std::vector<std::string>>();
  r.expected = json.at("expected").get<std::size_t>();
  r.not_judged = json.at("not_judged").get<std::string>();
  r.seconds = number(json.at("seconds"));
  r.step_seconds = number(json.at("step_seconds"));
  r.state_bytes = number(json.at("state_bytes"));
  return r;
}

// The text of the line that begins at `at`, which moves behind it; nothing at the end or where the rest is torn.
std::optional<std::string_view> next_line(std::string_view file, std::size_t& at) {
  const auto end = file.find('\n', at);
  if (end == std::string_view::npos || end < at + kChecksum + 1) return std::nullopt;
  const std::string_view sum = file.substr(at, kChecksum),
                         text = file.substr(at + kChecksum + 1, end - at - kChecksum - 1);
  if (file[at + kChecksum] != ' ' || sum != fmt::format("{:016x}", checksum(text))) return std::nullopt;
  at = end + 1;
  return text;
}

std::optional<MemberResult> parsed(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  try {
    return result_of(json);
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

// A file that a scene names: its own bytes may change while its name stays.
std::string stamp_of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return path;
  return fmt::format("{} {} {}.{}", path, status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
}

std::string full_toml(Scene scene) {
  if (scene.sweep) scene.sweep->written.clear(); // every run then has a table of its own
  return to_toml(scene);
}

} // namespace

std::string device_of_results(const SessionOptions& options) {
  if (options.device == "cuda") return cuda_device().description;
  return options.isa.empty() ? cpu_description() : fmt::format("CPU, {}", options.isa);
}

std::uint64_t sweep_key(const Scene& scene, const SweepRunOptions& options) {
  Fnv hash;
  hash.add(full_toml(scene));
  hash.add(fmt::format("{} {} {}", scene.steps, options.tail, device_of_results(options.session)));
  if (options.written) hash.add(full_toml(options.written->scene)); // by which members are judged or not
  const std::string folder =
      scene.path.substr(0, scene.path.rfind('/') == std::string::npos ? 0 : scene.path.rfind('/') + 1);
  for (const RunSpec& run : scene.runs) {
    // A recipe may come from a file, whose text the scene does not hold.
    hash.add(preset_toml(run.optimizer));
    for (const RouteSpec& route : run.optimizer.routes)
      if (route.recipe) hash.add(route.target + " " + preset_toml(*route.recipe));
    if (!run.start.file.empty()) hash.add(stamp_of(folder + run.start.file) + stamp_of(run.start.file));
    for (const auto& [name, start] : run.start.parameters)
      if (!start.file.empty()) hash.add(stamp_of(folder + start.file) + stamp_of(start.file));
  }
  if (const auto program = read_file("/proc/self/exe", kLargestJournal)) hash.add(*program);
  return hash.value();
}

Result<std::unique_ptr<SweepJournal>> SweepJournal::open(const std::string& path, std::uint64_t key, bool fresh) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor < 0) return bad_input(fmt::format("cannot write: {}", std::strerror(errno)), {path});
  std::unique_ptr<SweepJournal> journal(new SweepJournal(path, descriptor));
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return bad_input("is the journal of a sweep that is running", {path});
    return journal->failure("cannot lock"); // a file system without locks
  }
  if (auto done = journal->read(key, fresh); !done) return done.error();
  return journal;
}

SweepJournal::~SweepJournal() { ::close(descriptor_); }

Error SweepJournal::failure(const char* what) const {
  Error error = machine_lacks(fmt::format("{}: {}", what, std::strerror(errno)));
  error.place.file = path_;
  return error;
}

Result<void> SweepJournal::read(std::uint64_t key, bool fresh) {
  const auto file = read_file(path_, kLargestJournal);
  if (!file) return file.error();
  std::size_t at = 0;
  if (const auto first = next_line(*file, at); first && *first == header_text(key) && !fresh) {
    for (std::size_t before = at;; before = at) {
      const auto text = next_line(*file, at);
      auto result = text ? parsed(*text) : std::nullopt;
      if (!result) {
        at = before;
        break;
      }
      const std::string label = result->label;
      kept_.insert_or_assign(label, std::move(*result));
    }
    if (::ftruncate(descriptor_, static_cast<off_t>(at)) != 0) return failure("cannot write");
    if (::lseek(descriptor_, 0, SEEK_END) < 0) return failure("cannot write");
    return {};
  }
  // A file that no sweep wrote is not ours to empty.
  const std::string header = line_of(header_text(key));
  const bool ours = header.starts_with(*file) || file->find(R"( {"polarscope":"sweep")") == kChecksum;
  if (!ours) return bad_input("exists and is no journal of a sweep", {path_});
  replaced_ = !header.starts_with(*file) && !fresh;
  if (::ftruncate(descriptor_, 0) != 0) return failure("cannot write");
  return write(header);
}

Result<void> SweepJournal::write(const std::string& text) {
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t n = ::write(descriptor_, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return failure("cannot write");
    done += static_cast<std::size_t>(n);
  }
  if (::fdatasync(descriptor_) != 0 && errno != EINVAL && errno != EROFS) return failure("cannot write");
  return {};
}

Result<void> SweepJournal::append(const std::vector<MemberResult>& results) {
  std::string text;
  for (const MemberResult& r : results) text += line_of(text_of(r));
  return write(text);
}

void SweepJournal::remove() { ::unlink(path_.c_str()); }

} // namespace polarscope
