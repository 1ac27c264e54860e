// Recorded weights and gradients, from `run --record` or from a training run anywhere else, as .safetensors (interface.md,
// "replay"): for each parameter P `gradient/P` of shape (T, m, n) or (T, n) and `weight/P`, the weight before step 1.
// Gradients stay in the file and are read a window of steps at a time.
#pragma once

#include "engine/program.hpp"
#include "engine/result.hpp"

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace polarscope {

class SafetensorsFile;
struct Scene;

struct TraceParameter {
  std::string name;
  std::uint32_t rows, cols;
  bool vector = false;                // of shape (cols,) in the file
  std::vector<double> start;          // row-major: the weight before step 1, before the optimizer's own projection
  ParamRole role = ParamRole::matrix; // of a file: as its metadata say (role/<P>), else by the number of dimensions
};

// A recorded tensor that is not finite: "gradient/W" at step 3; the initial weight is at step 0.
struct NotFinite {
  std::string tensor;
  long step = 0;
};

class Trace {
public:
  // `run`: the label of one run of a recording of several, else "". Everything that the header claims is checked.
  static Result<std::shared_ptr<const Trace>> open(const std::string& path, const std::string& run = "");
  // In memory; gradients[p] holds steps × rows × cols numbers.
  Trace(std::vector<TraceParameter> parameters, long steps, std::vector<std::vector<double>> gradients);
  ~Trace();
  Trace(const Trace&) = delete;
  Trace& operator=(const Trace&) = delete;

  long steps() const { return steps_; } // T
  const std::vector<TraceParameter>& parameters() const { return parameters_; }
  // Gradients of steps first + 1 … first + count, row-major, one after the other.
  Result<std::vector<double>> gradients(std::size_t parameter, long first, long count) const;
  // The earliest among the initial weights and the gradients that were asked for so far.
  std::optional<NotFinite> not_finite() const;
  // The scene that was recorded, as TOML; "" when the file does not say.
  const std::string& scene_text() const { return scene_text_; }

private:
  Trace() = default;
  void look_for_not_finite(const std::string& tensor, const std::vector<double>& values, std::size_t elements,
                           long first_step) const;
  Result<void> read(const std::string& path, const std::string& run);
  Result<void> read_parameter(const std::string& name, const std::string& key);

  std::vector<TraceParameter> parameters_;
  long steps_ = 0;
  std::vector<std::vector<double>> held_; // in memory
  std::unique_ptr<SafetensorsFile> file_; // or in a file,
  std::vector<std::string> tensors_;      // whose gradient tensors these are
  std::string path_, scene_text_;
  mutable std::mutex not_finite_mutex_;
  mutable std::optional<NotFinite> not_finite_;
};

// Labels of the runs of a recording of several, in the file's order; none where it holds one.
Result<std::vector<std::string>> recorded_runs(const std::string& path);

// Steps of a window: as many as keep it within a few million numbers, the same for every machine.
long trace_window(const Trace& trace);

// A few steps of made-up numbers, for what runs every problem once.
std::shared_ptr<const Trace> example_trace();

// A scene that pushes the trace through the optimizer (a preset's name or a file); "" takes the recorded run's own, else
// AdamW.
Result<Scene> trace_scene(const std::string& path, const std::string& run, const std::string& optimizer);

} // namespace polarscope
