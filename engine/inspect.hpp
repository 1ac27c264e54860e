// What the weights in a .safetensors checkpoint are like: norms and spectra of every tensor, and how each row moved
// between two checkpoints. Of a recording (run --record, replay --out) the checkpoint is its last step. One tensor is
// read at a time, in blocks; a file larger than memory is fine. All in float64.
#pragma once

#include "engine/result.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace polarscope {

// One floating-point tensor as a matrix: more than two dimensions are flattened to (first, rest), fewer are one row.
// Where values are not finite, the sums that they enter are NaN or infinite, and there is no spectrum.
struct TensorReport {
  std::string name, dtype;
  std::vector<std::uint64_t> shape; // in the file
  std::uint64_t rows = 1, cols = 1;
  std::uint64_t not_finite = 0; // NaN and infinite values
  double largest = 0;           // of the finite values' sizes
  double frobenius_norm = 0, rms = 0;
  double spectral_norm = 0;            // NaN without a spectrum
  double stable_rank = 0;              // ‖W‖²/‖W‖₂²; NaN for a tensor of zeros or without a spectrum
  std::vector<double> row_norms;       // rows
  std::vector<double> column_norms;    // cols; empty where there is one row, whose column norms are its entries
  std::vector<double> singular_values; // largest first
  bool gram = false;                   // by the Gram matrix (engine/spectrum.hpp)
  double resolution = 0;               // singular values below this may be rounding

  bool finite() const { return not_finite == 0; }
};

struct SkippedTensor {
  std::string name, dtype;
  std::vector<std::uint64_t> shape;
  std::string why; // "not floating point"
};

struct CheckpointReport {
  std::string path;
  std::optional<long> recorded_step; // of a recording: the step that its weights are of, the last of any
  bool labelled = false;             // a recording of several runs: names begin with a run's label, percent-encoded
  std::vector<TensorReport> tensors; // as in the file
  std::vector<SkippedTensor> skipped;

  std::uint64_t values() const;
  std::uint64_t not_finite() const;
  double frobenius_norm() const; // of all values together
};

// From W to W' = W + Δ. Radial is along W, outward positive, tangential perpendicular to it; a NaN says that W, Δ or W'
// is zero where its direction is needed. Angles in degrees, of atan2(tangential, ‖W‖ + radial): exact for small ones
// too.
struct TensorChange {
  std::string name;
  std::uint64_t rows = 1, cols = 1;
  std::uint64_t not_finite = 0;            // rows with such values in either file
  double weight_norm = 0, change_norm = 0; // ‖W‖, ‖Δ‖
  double relative_change = 0;              // ‖Δ‖/‖W‖
  double angle = 0;                        // between W and W'
  double radial_fraction = 0;              // ⟨W,Δ⟩/(‖W‖‖Δ‖)
  double norm_ratio = 0;                   // ‖W'‖/‖W‖
  std::vector<double> row_radial;          // ⟨w,Δ⟩/‖w‖
  std::vector<double> row_tangential;      // ‖Δ − ⟨w,Δ⟩ w/‖w‖²‖
  std::vector<double> row_angle;
};

struct OtherShape {
  std::string name;
  std::vector<std::uint64_t> first, second;
};

struct InspectReport {
  CheckpointReport first;
  std::optional<CheckpointReport> second;
  std::vector<TensorChange> changes; // as in the first file
  std::vector<std::string> only_in_first, only_in_second;
  std::vector<OtherShape> other_shape;
  bool interrupted = false; // what was finished before is here

  double relative_change() const; // of all compared tensors together; NaN when all of them were zero
};

// Hears the tensor at hand and the share of all work that is done, 0 to 1; false asks to stop.
using InspectProgress = std::function<bool(const std::string& tensor, double done)>;

// `second_path` may be empty. Errors: a file that is no .safetensors file (bad_input), too little memory
// (machine_lacks).
Result<InspectReport> inspect_checkpoints(const std::string& first_path, const std::string& second_path,
                                          const InspectProgress& progress);

// Least, median and greatest of the numbers that are finite; NaN without any.
struct Spread {
  double least, median, greatest;
};
Spread spread_of(const std::vector<double>& numbers);

// With the labels of runs as people write them: "MD Muon/W", in the files "MD%20Muon/W".
InspectReport with_plain_labels(InspectReport report);
std::string inspect_table(const InspectReport& report); // for people, at most 100 columns
std::string inspect_json(const InspectReport& report);  // everything; ends with a line break

// A tensor's shape as it is written everywhere: "768 × 3072"; "1" for a scalar.
std::string shape_text(const std::vector<std::uint64_t>& shape);
// Without control characters, cut in the middle to at most `width` characters.
std::string short_name(const std::string& name, std::size_t width);

} // namespace polarscope
