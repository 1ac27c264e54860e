// Recorded gradients: what a trace file may say, windows of steps, and that a replayed recording is the run to the bit.
#include "engine/trace.hpp"

#include "engine/compile.hpp"
#include "engine/preset.hpp"
#include "engine/recording.hpp"
#include "tests/support/process.hpp"
#include "tests/support/scenes.hpp"
#include "tests/support/tensors.hpp"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <limits>
#include <map>
#include <random>

using namespace polarscope;
using namespace polarscope::test;

namespace {

struct Piece {
  std::string name, dtype;
  std::vector<long> shape;
  std::string bytes;
};

template <class T> std::string bytes_of(const std::vector<T>& values) {
  std::string out(values.size() * sizeof(T), '\0');
  if (!values.empty()) std::memcpy(out.data(), values.data(), out.size());
  return out;
}

std::string file_of(const std::vector<Piece>& pieces, const std::string& metadata = "") {
  std::string header = "{" + (metadata.empty() ? std::string() : "\"__metadata__\":{" + metadata + "},"), data;
  for (const Piece& p : pieces) {
    if (header.back() == '}') header += ",";
    std::string shape;
    for (const long n : p.shape) shape += (shape.empty() ? "" : ",") + std::to_string(n);
    header += fmt::format(R"("{}":{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})", p.name, p.dtype, shape,
                          data.size(), data.size() + p.bytes.size());
    data += p.bytes;
  }
  header += "}";
  const std::uint64_t length = header.size();
  std::string out(8, '\0');
  std::memcpy(out.data(), &length, 8);
  return out + header + data;
}

std::vector<double> noise(std::size_t count, unsigned seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<double> normal;
  std::vector<double> out(count);
  for (double& v : out) v = normal(engine);
  return out;
}

Piece doubles(const std::string& name, std::vector<long> shape, unsigned seed) {
  std::size_t count = 1;
  for (const long n : shape) count *= static_cast<std::size_t>(n);
  return {name, "F64", std::move(shape), bytes_of(noise(count, seed))};
}

std::string refusal(const std::vector<Piece>& pieces, const std::string& metadata = "", const std::string& run = "") {
  const TemporaryFolder folder;
  const auto trace = Trace::open(folder.write("x.safetensors", file_of(pieces, metadata)), run);
  return trace.ok() ? std::string() : trace.error().text();
}

bool says(const std::string& text, const char* word) { return text.find(word) != std::string::npos; }

// The weight's bytes of every step of every run, as recorded.
using Paths = std::map<std::string, std::vector<std::string>>;

Paths paths_of(const Scene& scene, const std::string& record = "") {
  SessionOptions options;
  std::unique_ptr<Recording> recording;
  if (!record.empty()) {
    auto opened = Recording::open(record, 1, {});
    REQUIRE(opened.ok());
    recording = std::move(*opened);
  }
  options.record = {std::numeric_limits<std::uint32_t>::max(), true};
  Paths out;
  std::map<RunId, std::string> labels;
  options.sink = [&](RunId run, const StepProgram& program, long first, std::span<const std::byte> records) {
    if (recording) recording->take(run, program, first, records);
    const std::size_t scalar = program.scalar_bytes(), size = program.record_size() * scalar;
    for (std::size_t at = 0; at < records.size(); at += size)
      for (std::size_t p = 0; p < program.parameters().size(); ++p) {
        const ParamInfo& info = program.parameters()[p];
        const auto offset = static_cast<std::size_t>(program.record_offset_of_weight(static_cast<int>(p))) * scalar;
        const auto* from = reinterpret_cast<const char*>(records.data()) + at + offset;
        out[fmt::format("{}/{}", run, info.name)].emplace_back(from, std::size_t{info.rows} * info.cols * scalar);
      }
  };
  auto session = open_session(scene, options);
  while (session->advance(13) > 0) {}
  Frame frame = frame_of(*session);
  if (recording) REQUIRE(recording->finish(frame, scene, *session).ok());
  return out;
}

// Plain descent with a trace's gradients.
Scene descent_on(std::shared_ptr<const Trace> trace, long steps) {
  Scene scene;
  scene.steps = steps;
  scene.precision = Precision::f64;
  scene.problem = "trace";
  scene.problem_values.trace = std::move(trace);
  RunSpec run;
  run.label = "sgd";
  run.optimizer = *load_optimizer("sgd");
  scene.runs = {run};
  return scene;
}

} // namespace

TEST_CASE("a trace is read as its header says", "[trace]") {
  const TemporaryFolder folder;
  const Piece gradient = doubles("gradient/layer/W", {5, 2, 3}, 1), weight = doubles("weight/layer/W", {2, 3}, 2);
  const Piece bias = {"gradient/b", "F32", {5, 4}, bytes_of(std::vector<float>(20, 0.5f))},
              start = {"weight/b", "BF16", {4}, bytes_of(std::vector<std::uint16_t>(4, 0x3F80))};
  const auto trace = Trace::open(folder.write("x.safetensors", file_of({weight, gradient, bias, start})));
  INFO((trace ? std::string() : trace.error().text()));
  REQUIRE(trace.ok());
  CHECK((*trace)->steps() == 5);
  REQUIRE((*trace)->parameters().size() == 2);
  const TraceParameter& w = (*trace)->parameters()[0];
  CHECK(w.name == "layer/W");
  CHECK(w.rows == 2);
  CHECK(w.cols == 3);
  CHECK_FALSE(w.vector);
  CHECK(w.start == noise(6, 2));
  const std::vector<double> all = noise(30, 1);
  CHECK(*(*trace)->gradients(0, 2, 2) == std::vector<double>(all.begin() + 12, all.begin() + 24));
  CHECK((*trace)->parameters()[1].vector);
  CHECK((*trace)->parameters()[1].start == std::vector<double>(4, 1.0));
  // a recording's weight has a row per step: row 0 is the start
  const auto rows =
      Trace::open(folder.write("y.safetensors", file_of({doubles("weight/layer/W", {6, 2, 3}, 7), gradient})));
  REQUIRE(rows.ok());
  const std::vector<double> recorded = noise(36, 7);
  CHECK((*rows)->parameters()[0].start == std::vector<double>(recorded.begin(), recorded.begin() + 6));
}

TEST_CASE("malformed traces are refused by name", "[trace]") {
  const Piece gradient = doubles("gradient/W", {5, 2, 3}, 1), weight = doubles("weight/W", {2, 3}, 2);
  CHECK(refusal({gradient, weight}).empty());
  CHECK(says(refusal({weight}), "nothing to replay"));
  CHECK(says(refusal({gradient}), "no 'weight/W'"));
  CHECK(says(refusal({gradient, doubles("weight/W", {3, 2}, 2)}), "shape (3, 2), wanted: (2, 3)"));
  CHECK(says(refusal({gradient, doubles("weight/W", {0, 2, 3}, 2)}), "wanted: (2, 3)"));
  CHECK(says(refusal({doubles("gradient/W", {0, 2, 3}, 1), weight}), "nothing to replay"));
  CHECK(says(refusal({doubles("gradient/W", {6}, 1), weight}), "wanted: (T, m, n) or (T, n)"));
  CHECK(says(refusal({doubles("gradient/W", {1, 5, 2, 3}, 1), weight}), "wanted: (T, m, n) or (T, n)"));
  CHECK(says(refusal({{"gradient/W", "I64", {1, 2, 3}, std::string(48, '\0')}, weight}), "dtype I64"));
  CHECK(says(refusal({gradient, {"weight/W", "I32", {2, 3}, std::string(24, '\0')}}), "dtype I32"));
  CHECK(
      says(refusal({gradient, weight, doubles("gradient/V", {4, 2}, 1), doubles("weight/V", {2}, 2)}), "'gradient/W'"));
  CHECK(says(refusal({gradient, weight, {"step", "I64", {1}, std::string(8, '\0')}}), "record-every"));
  CHECK(says(refusal({gradient, weight}, "\"every\":\"3\""), "record-every"));
  CHECK(says(refusal({gradient, weight}, "", "A"), "holds one run"));
  const Piece a = doubles("gradient/A%2F1/W", {5, 2, 3}, 1), b = doubles("gradient/B/W", {5, 2, 3}, 3);
  const std::vector<Piece> two = {a, b, doubles("weight/A%2F1/W", {2, 3}, 2), doubles("weight/B/W", {2, 3}, 2)};
  CHECK(says(refusal(two, "\"runs\":\"2\""), "A/1, B"));
  CHECK(says(refusal(two, "\"runs\":\"2\"", "C"), "no run 'C'"));
  CHECK(refusal(two, "\"runs\":\"2\"", "A/1").empty());
  // a size that only the header claims
  const TemporaryFolder folder;
  std::string huge = file_of({gradient, weight});
  const auto at = huge.find("[5,2,3]");
  huge.replace(at, 7, "[5,2,9]");
  CHECK_FALSE(Trace::open(folder.write("h.safetensors", huge)).ok());
  CHECK_FALSE(Trace::open(folder.write("t.safetensors", file_of({gradient, weight}).substr(0, 300))).ok());
  CHECK_FALSE(Trace::open(folder.path()).ok());
}

TEST_CASE("names that a program cannot hold are refused, those beside them are not", "[trace]") {
  const auto named = [](const std::vector<std::string>& names) {
    std::vector<Piece> pieces;
    for (const std::string& name : names) {
      pieces.push_back(doubles("gradient/" + name, {2, 3}, 1));
      pieces.push_back(doubles("weight/" + name, {3}, 2));
    }
    return pieces;
  };
  CHECK(says(refusal(named({"metrics"})), "parameter 'metrics' has a name that the program keeps for itself"));
  CHECK(says(refusal(named({"W", "hparams"})), "parameter 'hparams'"));
  CHECK(says(refusal(named({"W", "W.gradient"})), "'W.gradient' would share names with 'W'"));
  CHECK(says(refusal(named({"a.b.c", "a.b"})), "'a.b.c' would share names with 'a.b'"));
  CHECK(says(refusal(named({"W\\nx"})), "'W?x' has a control character"));
  CHECK(says(refusal(named({"A/metrics", "A/W"}), "\"runs\":\"2\"", "A"), "'metrics'"));
  std::vector<std::string> many;
  for (int i = 0; i < 501; ++i) many.push_back(fmt::format("p{}", i));
  CHECK(says(refusal(named(many)), "more than 500"));
  // every preset makes a program of names that only look alike, and of as many parameters as there may be
  const TemporaryFolder folder;
  many.pop_back();
  for (const std::vector<std::string>& names :
       {std::vector<std::string>{"W", "W2", "Wgradient", "metrics.W", "a.b", "a.c", "loss", "W/gradient"}, many})
    for (const char* preset : {"sgd", "soap", "md_muon"}) {
      CAPTURE(preset, names.size());
      const auto scene = trace_scene(folder.write("x.safetensors", file_of(named(names))), "", preset);
      INFO((scene ? std::string() : scene.error().text()));
      REQUIRE(scene.ok());
      auto session = open_session(*scene);
      CHECK(session->advance(2) == 2);
      CHECK(frame_of(*session).runs[0].program->parameters().size() == names.size());
    }
}

TEST_CASE("plain descent on a trace is the running sum of its gradients, across windows and back in time", "[trace]") {
  constexpr long kSteps = 2500; // several windows
  constexpr std::size_t kRows = 3, kCols = 5;
  const std::vector<double> start = noise(kRows * kCols, 4), gradients = noise(kSteps * kRows * kCols, 5);
  const auto trace = std::make_shared<const Trace>(std::vector<TraceParameter>{{"W", kRows, kCols, false, start}},
                                                   kSteps, std::vector<std::vector<double>>{gradients});
  REQUIRE(trace_window(*trace) < kSteps);
  Scene scene = descent_on(trace, kSteps);
  scene.runs[0].hparams["lr"] = 0.25;
  auto session = open_session(scene);
  CHECK(frame_of(*session).runs[0].program->find_metric("loss") == -1);
  std::map<long, std::uint64_t> hashes;
  while (session->advance(100) > 0) hashes[session->head()] = session->state_hash(1);
  std::vector<double> w = start;
  const auto check = [&](long step) {
    const auto state = session->state_at(1, step);
    REQUIRE(state.ok());
    CHECK((*state)->find("W")->values == w);
  };
  for (long t = 0; t < kSteps; ++t) {
    for (std::size_t i = 0; i < w.size(); ++i) w[i] -= 0.25 * gradients[static_cast<std::size_t>(t) * w.size() + i];
    if (t + 1 == 700 || t + 1 == 1023 || t + 1 == 1024 || t + 1 == 1025 || t + 1 == kSteps) check(t + 1);
  }
  for (const long step : {2400l, 100l, 1100l}) CHECK(session->state_hash_at(1, step) == hashes[step]);
  CHECK_FALSE(frame_of(*session).notice_is_error);
  scene.steps = kSteps + 1;
  CHECK(says(Session::open(scene).error().text(), "2500 steps"));
}

TEST_CASE("a recorded run replayed has the same weights to the bit, for every preset", "[trace]") {
  const TemporaryFolder folder;
  // A vector of two numbers is where an executor is tempted to go about it in another way.
  const auto each = [&](const char* precision, const char* problem) {
    for (const std::string& preset : preset_names()) {
      CAPTURE(precision, problem, preset);
      SceneText text;
      text.precision = precision;
      text.steps = 40;
      text.problem = problem;
      text.start = {};
      text.optimizer = preset;
      text.lr = {0.02};
      const auto parsed = parse_scene(text_of(text), "test.toml");
      REQUIRE(parsed.ok());
      const std::string file = folder.path() + "/x.safetensors";
      const Paths before = paths_of(*parsed, file);
      const auto scene = trace_scene(file, "", "");
      INFO((scene ? std::string() : scene.error().text()));
      REQUIRE(scene.ok());
      REQUIRE(scene->steps == 40);
      const Paths after = paths_of(*scene);
      REQUIRE(before.size() == 1);
      REQUIRE(before.begin()->second.size() == 41);
      CHECK(after == before);
    }
  };
  for (const char* precision : {"f32", "f64"})
    for (const char* problem : {"rows", "circle"}) each(precision, problem);
}

TEST_CASE("parameters of a trace have the roles that the file tells, else those of their shape", "[trace]") {
  const TemporaryFolder folder;
  const std::vector<Piece> pieces = {doubles("gradient/W", {5, 2, 3}, 1), doubles("weight/W", {2, 3}, 2),
                                     doubles("gradient/b", {5, 4}, 3), doubles("weight/b", {4}, 4)};
  const auto roles = [&](const std::string& metadata) {
    const auto trace = Trace::open(folder.write("x.safetensors", file_of(pieces, metadata)));
    REQUIRE(trace.ok());
    Scene scene = descent_on(*trace, 5);
    const auto program = compile(scene, scene.runs[0]);
    REQUIRE(program.ok());
    return std::pair((*program)->parameters()[0].role, (*program)->parameters()[1].role);
  };
  CHECK(roles("") == std::pair(ParamRole::matrix, ParamRole::vector));
  CHECK(roles(R"("role/W":"embedding","role/b":"matrix")") == std::pair(ParamRole::embedding, ParamRole::matrix));
  CHECK(says(refusal(pieces, R"("role/W":"haed")"), "metadata 'role/W' is 'haed'; known: matrix, vector,"));

  // a network of ours keeps them, so that its routes do what they did
  auto network = load_scene("networks/digits");
  REQUIRE(network.ok());
  network->runs.erase(network->runs.begin()); // Muon, and AdamW for what is no matrix
  network->runs.resize(1);
  network->steps = 3;
  network->expect.clear();
  const std::string file = folder.path() + "/n.safetensors";
  const Paths before = paths_of(*network, file);
  const auto again = trace_scene(file, "", "");
  INFO((again ? std::string() : again.error().text()));
  REQUIRE(again.ok());
  const auto one = compile(*network, network->runs[0]), other = compile(*again, again->runs[0]);
  REQUIRE(one.ok());
  REQUIRE(other.ok());
  std::map<std::string, ParamRole> recorded, replayed;
  for (const ParamInfo& p : (*one)->parameters()) recorded[p.name] = p.role;
  for (const ParamInfo& p : (*other)->parameters()) replayed[p.name] = p.role;
  CHECK(recorded == replayed);
  CHECK(paths_of(*again) == before);
}

TEST_CASE("a weight that meets a recorded gradient that is not finite is not finite, to the element", "[trace]") {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  std::vector<double> gradients = noise(4 * 6, 1);
  gradients[2 * 6 + 4] = kNan;
  Scene scene =
      descent_on(std::make_shared<const Trace>(std::vector<TraceParameter>{{"W", 2, 3, false, {1, -0.0, 0, 1, 2, 3}}},
                                               4, std::vector<std::vector<double>>{gradients}),
                 4);
  scene.runs[0].optimizer = *load_optimizer("adamw");
  const Paths paths = paths_of(scene);
  const std::vector<std::string>& path = paths.begin()->second;
  REQUIRE(path.size() == 4); // the start and three steps
  for (std::size_t step = 0; step < path.size(); ++step) {
    std::vector<double> weight(6);
    std::memcpy(weight.data(), path[step].data(), 6 * sizeof(double));
    for (std::size_t i = 0; i < 6; ++i) CHECK(std::isnan(weight[i]) == (step == 3 && i == 4));
  }
  // elsewhere it leaves every bit as it is, that of a zero's sign as well
  gradients.assign(4 * 6, 0.0);
  scene.problem_values.trace =
      std::make_shared<const Trace>(std::vector<TraceParameter>{{"W", 2, 3, false, {1, -0.0, 0, 1, 2, 3}}}, 4,
                                    std::vector<std::vector<double>>{gradients});
  scene.runs[0].optimizer = *load_optimizer("sgd");
  const Paths still = paths_of(scene);
  CHECK(still.begin()->second.front() == still.begin()->second.back());
}

TEST_CASE("a scene may name a trace", "[trace][scene]") {
  const TemporaryFolder folder;
  folder.write("x.safetensors", file_of({doubles("gradient/W", {5, 2, 3}, 1), doubles("weight/W", {2, 3}, 2)}));
  const std::string run = "[[run]]\noptimizer = \"muon\"\n";
  const auto scene =
      load_scene(folder.write("s.toml", "[problem]\nkind = \"trace\"\nfile = \"x.safetensors\"\n" + run));
  INFO((scene ? std::string() : scene.error().text()));
  REQUIRE(scene.ok());
  CHECK(scene->steps == 5);
  CHECK(paths_of(*scene).begin()->second.size() == 6);
  const auto missing =
      load_scene(folder.write("m.toml", "[problem]\nkind = \"trace\"\nfile = \"y.safetensors\"\n" + run));
  REQUIRE_FALSE(missing.ok());
  const auto none = load_scene(folder.write("n.toml", "[problem]\nkind = \"trace\"\n" + run));
  REQUIRE_FALSE(none.ok());
  CHECK(says(none.error().text(), "'file'"));
}

TEST_CASE("weights that only go to a file leave the session's memory as it is", "[trace]") {
  constexpr long kSteps = 200, kSide = 512;
  constexpr std::size_t kWeight = kSide * kSide * 4;
  const TemporaryFolder folder;
  const std::vector<float> ones(kSide * kSide, 1.0f);
  std::string text = file_of({{"weight/W", "F32", {kSide, kSide}, bytes_of(ones)}, {"gradient/W", "F32", {0}, ""}});
  // 200 MB of zero gradients that take no room on the disk
  const std::string place = "\"shape\":[0],\"data_offsets\":[1048576,1048576]";
  const auto at = text.find(place);
  REQUIRE(at != std::string::npos);
  text.replace(at, place.size(),
               fmt::format("\"shape\":[{},{},{}],\"data_offsets\":[{},{}]", kSteps, kSide, kSide, kWeight,
                           kWeight * (kSteps + 1)));
  const std::uint64_t header = text.find("}}") + 2 - 8;
  std::memcpy(text.data(), &header, 8);
  const std::string path = folder.write("x.safetensors", text);
  std::filesystem::resize_file(path, 8 + header + kWeight * (kSteps + 1));
  const auto scene = trace_scene(path, "", "sgd");
  INFO((scene ? std::string() : scene.error().text()));
  REQUIRE(scene.ok());
  constexpr std::uint32_t kAll = std::numeric_limits<std::uint32_t>::max();
  // Of a session at its end, whose records hold weights of up to `recorded` elements and whose series keeps those of `kept`.
  const auto memory = [&](std::uint32_t recorded, std::uint32_t kept) {
    SessionOptions options;
    options.memory_budget = std::size_t{64} << 20;
    options.record.weight_limit = recorded;
    options.record.kept_limit = options.record.kept_per_step = kept;
    long rows = 0;
    std::size_t largest = 0;
    options.sink = [&](RunId, const StepProgram&, long, std::span<const std::byte> records) {
      ++rows;
      largest = std::max(largest, records.size());
    };
    auto session = open_session(*scene, options);
    session->advance(kSteps);
    CHECK_FALSE(session->fault());
    CHECK(largest < 2 * kWeight); // large records come one at a time
    if (recorded == kAll) CHECK(rows == kSteps + 1);
    const Frame frame = frame_of(*session);
    CHECK(frame.runs[0].series.last_step() == kSteps);
    std::vector<double> weight;
    CHECK(frame.runs[0].series.weight(0, kSteps, weight) == (kept == kAll));
    return frame.memory_bytes;
  };
  const std::size_t plain = memory(0, 0);
  CHECK(memory(kAll, 0) < plain + kWeight);
  CHECK(memory(kAll, kAll) > plain + 4 * kWeight); // what is kept is counted
}

TEST_CASE("of weights that are recorded, those that are small enough are kept", "[trace]") {
  const auto trace = std::make_shared<const Trace>(
      std::vector<TraceParameter>{
          {"a", 2, 3, false, noise(6, 1)}, {"b", 4, 4, false, noise(16, 2)}, {"c", 1, 5, true, noise(5, 3)}},
      60, std::vector<std::vector<double>>{noise(360, 4), noise(960, 5), noise(300, 6)});
  const Scene scene = descent_on(trace, 60);
  SessionOptions options;
  options.record = {std::numeric_limits<std::uint32_t>::max(), true, 8};
  auto session = open_session(scene, options);
  session->advance(60);
  const Frame frame = frame_of(*session);
  for (const int p : {0, 1, 2}) {
    const std::string& name = trace->parameters()[static_cast<std::size_t>(p)].name;
    CAPTURE(name);
    std::vector<double> weight;
    CHECK(frame.runs[0].series.weight(p, 60, weight) == (p != 1));
    if (p != 1) CHECK(weight == (*session->state_at(1, 60))->find(name)->values);
    CHECK(frame.runs[0].series.weight(p, 0, weight) == (p != 1));
    if (p != 1) CHECK(weight == trace->parameters()[static_cast<std::size_t>(p)].start);
  }
}

TEST_CASE("a trace opens on its first matrix", "[trace]") {
  const TemporaryFolder folder;
  const auto opened_on = [&](const std::vector<Piece>& pieces) {
    const auto scene = trace_scene(folder.write("x.safetensors", file_of(pieces)), "", "");
    INFO((scene ? std::string() : scene.error().text()));
    REQUIRE(scene.ok());
    REQUIRE(compile(*scene, scene->runs[0]).ok());
    return scene->view.parameter;
  };
  const Piece bias = doubles("gradient/0.bias", {5, 2}, 1), bias_start = doubles("weight/0.bias", {2}, 2),
              row = doubles("gradient/0.row", {5, 1, 3}, 3), row_start = doubles("weight/0.row", {1, 3}, 4),
              matrix = doubles("gradient/0.weight", {5, 2, 3}, 5), start = doubles("weight/0.weight", {2, 3}, 6),
              other = doubles("gradient/1.weight", {5, 3, 2}, 7), other_start = doubles("weight/1.weight", {3, 2}, 8);
  CHECK(opened_on({bias, row, matrix, other, bias_start, row_start, start, other_start}) == "0.weight");
  CHECK(opened_on({other, matrix, start, other_start}) == ""); // the first as it is
  CHECK(opened_on({bias, row, bias_start, row_start}) == "");  // there is none
}

TEST_CASE("a recording's states are the optimizer's, as they stand after the last step", "[trace]") {
  const TemporaryFolder folder;
  SceneText text;
  text.precision = "f64";
  text.steps = 20;
  text.problem = "rows";
  text.start = {};
  text.optimizer = "adamw";
  text.lr = {0.02};
  const Scene scene = scene_of(text);
  const std::string path = folder.path() + "/s.safetensors";
  auto recording = Recording::open(path, 1, {.gradients = false, .states = true});
  REQUIRE(recording.ok());
  SessionOptions options;
  options.record = (*recording)->options();
  options.sink = [&](RunId run, const StepProgram& program, long first, std::span<const std::byte> records) {
    (*recording)->take(run, program, first, records);
  };
  auto session = open_session(scene, options);
  session->advance(20);
  REQUIRE((*recording)->finish(frame_of(*session), scene, *session).ok());
  const TensorFile file = read_tensors(path);
  std::vector<std::string> names;
  for (const auto& [name, tensor] : file.tensors) names.push_back(name);
  CHECK(names == std::vector<std::string>{"state/W/first_moment", "state/W/second_moment", "weight/W"});
  const auto state = session->state_at(1, 20);
  REQUIRE(state.ok());
  CHECK(file.tensors.at("state/W/second_moment").values == (*state)->find("W.second_moment")->values);
  CHECK(file.tensors.at("weight/W").shape == std::vector<long>{21, 8, 16});
}
