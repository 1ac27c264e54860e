#include "engine/inspect.hpp"

#include "engine/report.hpp"
#include "engine/safetensors.hpp"
#include "engine/spectrum.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <limits>
#include <span>
#include <string_view>
#include <utility>

namespace polarscope {
namespace {

constexpr std::string_view kRecorded = "weight/";
constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();
constexpr std::uint64_t kBlockNumbers = 1 << 20;         // 8 MiB of float64
constexpr double kSafeLeast = 1e-140, kSafeMost = 1e140; // sizes whose squares float64 holds

// A tensor as it is looked at: as it is stored, or the last step of a recorded one.
struct Look : TensorInfo {
  const TensorInfo* stored;
  std::uint64_t first = 0; // element of the stored one
};

class Checkpoint {
public:
  static Result<Checkpoint> open(const std::string& path) {
    auto file = SafetensorsFile::open(path);
    if (!file) return file.error();
    return Checkpoint(std::move(*file));
  }
  const SafetensorsFile& file() const { return file_; }
  const std::vector<Look>& tensors() const { return tensors_; }
  std::optional<long> recorded_step() const { return recorded_step_; }
  bool labelled() const { return labelled_; }
  const Look* find(const std::string& name) const {
    const auto it = std::find_if(tensors_.begin(), tensors_.end(), [&](const Look& t) { return t.name == name; });
    return it == tensors_.end() ? nullptr : &*it;
  }

private:
  explicit Checkpoint(SafetensorsFile file) : file_(std::move(file)) {
    const auto& metadata = file_.metadata();
    const auto word = [&](const char* key) { return metadata.contains(key) ? metadata.at(key) : std::string(); };
    const bool recording = word("format").starts_with("polarscope record");
    labelled_ = recording && !word("runs").empty() && word("runs") != "1";
    const long every = std::max(1L, std::strtol(word("every").c_str(), nullptr, 10));
    for (const TensorInfo& tensor : file_.tensors()) {
      if (!recording) tensors_.push_back({tensor, &tensor});
      else if (tensor.name.starts_with(kRecorded) && tensor.shape.size() >= 2 && tensor.shape[0] > 0)
        add_recorded(tensor, every);
    }
  }

  void add_recorded(const TensorInfo& tensor, long every) {
    Look look{tensor, &tensor};
    look.name = tensor.name.substr(kRecorded.size());
    look.shape.erase(look.shape.begin());
    look.first = tensor.elements() - look.elements();
    const long step = static_cast<long>(tensor.shape[0] - 1) * every;
    recorded_step_ = std::max(recorded_step_.value_or(0), step);
    tensors_.push_back(std::move(look));
  }

  SafetensorsFile file_;
  std::vector<Look> tensors_;
  std::optional<long> recorded_step_;
  bool labelled_ = false;
};

// A tensor of a file as a matrix, read in blocks and multiplied by a power of two.
class Matrix {
public:
  Matrix(const Checkpoint& checkpoint, const Look& tensor) : file_(&checkpoint.file()), tensor_(&tensor) {
    if (tensor.shape.size() >= 2) rows_ = tensor.shape[0];
    cols_ = rows_ == 0 ? 0 : tensor.elements() / rows_;
  }

  std::uint64_t rows() const { return rows_; }
  std::uint64_t cols() const { return cols_; }
  void set_scale(double scale) { scale_ = scale; }

  Result<void> read(std::uint64_t row, std::uint64_t rows, std::uint64_t col, std::uint64_t cols,
                    std::vector<double>& out) const {
    out.clear();
    const bool whole_rows = cols == cols_;
    for (std::uint64_t r = row; r < row + rows; r += whole_rows ? rows : 1) {
      auto piece = file_->read(*tensor_->stored, tensor_->first + r * cols_ + col, whole_rows ? rows * cols : cols);
      if (!piece) return piece.error();
      if (whole_rows) out = std::move(*piece);
      else out.insert(out.end(), piece->begin(), piece->end());
    }
    if (scale_ != 1)
      for (double& v : out) v *= scale_;
    return {};
  }

private:
  const SafetensorsFile* file_;
  const Look* tensor_;
  std::uint64_t rows_ = 1, cols_ = 1;
  double scale_ = 1;
};

// The power of two by which numbers of this size are multiplied so that their squares stay numbers.
double safe_scale(double largest) {
  if (largest == 0 || (largest >= kSafeLeast && largest <= kSafeMost)) return 1;
  return std::ldexp(1.0, std::clamp(-std::ilogb(largest), -1000, 1000));
}

// Calls `visit(row, col, numbers, count)` for every piece of a row, in order. Pieces are whole rows but for very long
// ones. `visit` gets one pointer per matrix; all are of the same shape. False: stopped.
template <class Visit>
Result<bool> for_each_row(std::span<const Matrix> matrices, const std::function<bool(double)>& keep_going,
                          Visit visit) {
  const std::uint64_t rows = matrices[0].rows(), cols = matrices[0].cols();
  const std::uint64_t cols_each = std::min(cols, kBlockNumbers),
                      rows_each = std::max<std::uint64_t>(1, kBlockNumbers / cols);
  std::vector<std::vector<double>> blocks(matrices.size());
  std::vector<const double*> at(matrices.size());
  for (std::uint64_t row = 0; row < rows; row += rows_each)
    for (std::uint64_t col = 0; col < cols; col += cols_each) {
      if (!keep_going((static_cast<double>(row) + static_cast<double>(col) / static_cast<double>(cols)) /
                      static_cast<double>(rows)))
        return false;
      const std::uint64_t r_count = std::min(rows_each, rows - row), c_count = std::min(cols_each, cols - col);
      for (std::size_t m = 0; m < matrices.size(); ++m)
        if (auto done = matrices[m].read(row, r_count, col, c_count, blocks[m]); !done) return done.error();
      for (std::uint64_t r = 0; r < r_count; ++r) {
        for (std::size_t m = 0; m < matrices.size(); ++m) at[m] = blocks[m].data() + r * c_count;
        visit(row + r, col, at.data(), c_count);
      }
    }
  return true;
}

// ---- one tensor ---------------------------------------------------------------------------------------------------

// Norms of rows and columns, and the whole; everything but the spectrum, in units of 1/scale.
Result<bool> measure_norms(const Matrix& matrix, const std::function<bool(double)>& keep_going, TensorReport& out) {
  out.not_finite = 0;
  out.largest = 0;
  out.row_norms.assign(matrix.rows(), 0);
  out.column_norms.assign(matrix.rows() > 1 ? matrix.cols() : 0, 0);
  auto done = for_each_row({&matrix, 1}, keep_going,
                           [&](std::uint64_t row, std::uint64_t col, const double* const* at, std::uint64_t count) {
                             double sum = 0;
                             for (std::uint64_t i = 0; i < count; ++i) {
                               const double v = at[0][i], square = v * v;
                               if (std::isfinite(v)) out.largest = std::max(out.largest, std::abs(v));
                               else ++out.not_finite;
                               sum += square;
                               if (!out.column_norms.empty()) out.column_norms[col + i] += square;
                             }
                             out.row_norms[row] += sum;
                           });
  if (!done || !*done) return done;
  double total = 0;
  for (double& v : out.row_norms) total += v, v = std::sqrt(v);
  for (double& v : out.column_norms) v = std::sqrt(v);
  out.frobenius_norm = std::sqrt(total);
  return true;
}

void multiply(TensorReport& report, double factor) {
  for (auto* numbers : {&report.row_norms, &report.column_norms, &report.singular_values})
    for (double& v : *numbers) v *= factor;
  for (double* number : {&report.largest, &report.frobenius_norm, &report.spectral_norm, &report.resolution})
    *number *= factor;
}

Result<bool> measure_spectrum(const Matrix& matrix, const std::function<bool(double)>& keep_going, TensorReport& out) {
  out.spectral_norm = out.stable_rank = kNothing;
  if (!out.finite()) return true;
  if (std::min(out.rows, out.cols) == 1) {
    out.singular_values = {out.frobenius_norm};
  } else {
    const auto read = [&](std::uint64_t row, std::uint64_t rows, std::uint64_t col, std::uint64_t cols,
                          std::vector<double>& block) { return matrix.read(row, rows, col, cols, block); };
    auto spectrum = singular_values(out.rows, out.cols, read, keep_going);
    if (!spectrum) return spectrum.error();
    if (!*spectrum) return false;
    out.singular_values = std::move((*spectrum)->values);
    out.gram = (*spectrum)->gram;
    out.resolution = (*spectrum)->resolution;
  }
  out.spectral_norm = out.singular_values.front();
  const double ratio = out.frobenius_norm / out.spectral_norm;
  out.stable_rank = ratio * ratio; // 0/0 for zeros
  return true;
}

// False: stopped.
Result<bool> measure_tensor(const Checkpoint& file, const Look& tensor, const std::function<bool(double)>& keep_going,
                            TensorReport& out) {
  Matrix matrix(file, tensor);
  out.name = tensor.name;
  out.dtype = tensor.dtype;
  out.shape = tensor.shape;
  out.rows = matrix.rows();
  out.cols = matrix.cols();
  constexpr double kNorms = 0.1; // their share of the work, roughly
  const auto norms = [&](double done) { return keep_going(kNorms * done); };
  if (auto done = measure_norms(matrix, norms, out); !done || !*done) return done;
  const double scale = safe_scale(out.largest);
  if (scale != 1) {
    matrix.set_scale(scale);
    if (auto done = measure_norms(matrix, norms, out); !done || !*done) return done;
  }
  if (auto done = measure_spectrum(
          matrix, [&](double share) { return keep_going(kNorms + (1 - kNorms) * share); }, out);
      !done || !*done)
    return done;
  multiply(out, 1 / scale);
  out.rms = out.frobenius_norm / std::sqrt(static_cast<double>(tensor.elements()));
  return true;
}

std::string reason_to_skip(const TensorInfo& tensor) {
  if (!is_floating(tensor.dtype))
    return dtype_bytes(tensor.dtype) > 0 ? "not floating point" : "a type that is not read";
  if (tensor.elements() == 0) return "no values";
  return "";
}

// Proportional to the time that a tensor takes.
double work_of(const TensorInfo& tensor) {
  if (!reason_to_skip(tensor).empty()) return 0;
  const double rows = tensor.shape.size() >= 2 ? static_cast<double>(tensor.shape[0]) : 1;
  const double values = static_cast<double>(tensor.elements()), side = std::min(rows, values / rows);
  return values * (side + 16) + (side > static_cast<double>(kLargestSvd) ? 5 : 10) * side * side * side + 1e5;
}

// Shares of all the work.
class Work {
public:
  explicit Work(const InspectProgress& progress) : progress_(progress) {}
  void expect(double work) { all_ += work; }
  // What a part of this much work reports to.
  std::function<bool(double)> part(const std::string& name, double work) {
    const double before = std::exchange(begun_, begun_ + work);
    return [this, name, work, before](double done) { return progress_(name, (before + work * done) / all_); };
  }

private:
  const InspectProgress& progress_;
  double all_ = 0, begun_ = 0;
};

Result<bool> measure_file(const Checkpoint& file, Work& work, CheckpointReport& out) {
  out.recorded_step = file.recorded_step();
  out.labelled = file.labelled();
  for (const Look& tensor : file.tensors()) {
    if (const std::string why = reason_to_skip(tensor); !why.empty()) {
      out.skipped.push_back({tensor.name, tensor.dtype, tensor.shape, why});
      continue;
    }
    TensorReport report;
    auto done = measure_tensor(file, tensor, work.part(tensor.name, work_of(tensor)), report);
    if (!done || !*done) return done;
    out.tensors.push_back(std::move(report));
  }
  return true;
}

// ---- two checkpoints ----------------------------------------------------------------------------------------------

struct Moments { // of w, w' = w + Δ, and what is perpendicular to w in Δ
  double ww = 0, dd = 0, wd = 0, vv = 0, perpendicular = 0;
  void add(const Moments& m) { ww += m.ww, dd += m.dd, wd += m.wd, vv += m.vv; }
  double radial() const { return wd / std::sqrt(ww); } // 0/0 for w = 0
  double tangential() const { return ww > 0 ? std::sqrt(perpendicular) : kNothing; }
  // atan2 loses nothing near 0 and 180 degrees, where acos of the cosine loses half of the digits.
  double angle() const {
    return ww > 0 && vv > 0 ? degrees(std::atan2(tangential(), std::sqrt(ww) + radial())) : kNothing;
  }
};

Moments moments_of(const double* w, const double* v, std::uint64_t count) {
  Moments m;
  for (std::uint64_t i = 0; i < count; ++i) {
    const double d = v[i] - w[i];
    m.ww += w[i] * w[i];
    m.dd += d * d;
    m.wd += w[i] * d;
    m.vv += v[i] * v[i];
  }
  return m;
}

double perpendicular_square(const double* w, const double* v, std::uint64_t count, double along) {
  double sum = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    const double p = (v[i] - w[i]) - along * w[i];
    sum += p * p;
  }
  return sum;
}

void fill_change(TensorChange& out, const std::vector<Moments>& rows, const Moments& all, double scale) {
  for (const Moments& m : rows) {
    out.row_radial.push_back(m.radial() / scale);
    out.row_tangential.push_back(m.tangential() / scale);
    out.row_angle.push_back(m.angle());
    out.not_finite += !std::isfinite(m.ww + m.vv);
  }
  const double weight = std::sqrt(all.ww), change = std::sqrt(all.dd);
  out.weight_norm = weight / scale;
  out.change_norm = change / scale;
  out.relative_change = change / weight;
  out.angle = all.angle();
  out.radial_fraction = all.wd / (weight * change);
  out.norm_ratio = std::sqrt(all.vv) / weight;
}

// False: stopped.
Result<bool> measure_change(Matrix first, Matrix second, double largest, const std::function<bool(double)>& keep_going,
                            TensorChange& out) {
  const double scale = safe_scale(largest);
  first.set_scale(scale);
  second.set_scale(scale);
  const std::array<Matrix, 2> both = {first, second};
  out.rows = first.rows();
  out.cols = first.cols();
  std::vector<Moments> rows(first.rows());
  Moments all;
  auto done = for_each_row(
      both, [&](double d) { return keep_going(0.5 * d); },
      [&](std::uint64_t row, std::uint64_t, const double* const* at, std::uint64_t count) {
        const Moments m = moments_of(at[0], at[1], count);
        rows[row].add(m);
        all.add(m);
      });
  if (!done || !*done) return done;
  // Subtracting the parallel part first keeps small perpendicular parts exact; ‖Δ‖² − radial² would cancel.
  const double along = all.wd / all.ww;
  done = for_each_row(
      both, [&](double d) { return keep_going(0.5 + 0.5 * d); },
      [&](std::uint64_t row, std::uint64_t, const double* const* at, std::uint64_t count) {
        rows[row].perpendicular += perpendicular_square(at[0], at[1], count, rows[row].wd / rows[row].ww);
        all.perpendicular += perpendicular_square(at[0], at[1], count, along);
      });
  if (!done || !*done) return done;
  fill_change(out, rows, all, scale);
  return true;
}

const TensorReport* find(const CheckpointReport& report, const std::string& name) {
  const auto it =
      std::find_if(report.tensors.begin(), report.tensors.end(), [&](const TensorReport& t) { return t.name == name; });
  return it == report.tensors.end() ? nullptr : &*it;
}

double change_work(const TensorInfo& tensor) { return 32 * static_cast<double>(tensor.elements()); }

Result<bool> compare(const Checkpoint& first, const Checkpoint& second, Work& work, InspectReport& out) {
  for (const Look& a : first.tensors()) {
    const Look* b = second.find(a.name);
    if (!b) out.only_in_first.push_back(a.name);
    else if (a.shape != b->shape) out.other_shape.push_back({a.name, a.shape, b->shape});
    const TensorReport *first_report = find(out.first, a.name), *second_report = find(*out.second, a.name);
    if (!b || a.shape != b->shape || !first_report || !second_report) continue;
    TensorChange change;
    change.name = a.name;
    auto done =
        measure_change(Matrix(first, a), Matrix(second, *b), std::max(first_report->largest, second_report->largest),
                       work.part(a.name, change_work(a)), change);
    if (!done || !*done) return done;
    out.changes.push_back(std::move(change));
  }
  for (const Look& b : second.tensors())
    if (!first.find(b.name)) out.only_in_second.push_back(b.name);
  return true;
}

Result<bool> inspect_all(const Checkpoint& first, const Checkpoint* second, const InspectProgress& progress,
                         InspectReport& out) {
  Work work(progress);
  for (const Checkpoint* file : {&first, second})
    if (file)
      for (const Look& tensor : file->tensors()) work.expect(work_of(tensor));
  if (second)
    for (const Look& tensor : first.tensors())
      if (const Look* other = second->find(tensor.name); other && other->shape == tensor.shape)
        work.expect(change_work(tensor));
  if (auto done = measure_file(first, work, out.first); !done || !*done || !second) return done;
  if (auto done = measure_file(*second, work, *out.second); !done || !*done) return done;
  return compare(first, *second, work, out);
}

} // namespace

std::uint64_t CheckpointReport::values() const {
  std::uint64_t n = 0;
  for (const TensorReport& t : tensors) n += t.rows * t.cols;
  return n;
}

std::uint64_t CheckpointReport::not_finite() const {
  std::uint64_t n = 0;
  for (const TensorReport& t : tensors) n += t.not_finite;
  return n;
}

double CheckpointReport::frobenius_norm() const {
  double norm = 0;
  for (const TensorReport& t : tensors) norm = std::hypot(norm, t.frobenius_norm);
  return norm;
}

double InspectReport::relative_change() const {
  double weight = 0, change = 0;
  for (const TensorChange& c : changes)
    weight = std::hypot(weight, c.weight_norm), change = std::hypot(change, c.change_norm);
  return change / weight;
}

Result<InspectReport> inspect_checkpoints(const std::string& first_path, const std::string& second_path,
                                          const InspectProgress& progress) {
  auto first = Checkpoint::open(first_path);
  if (!first) return first.error();
  InspectReport out;
  out.first.path = first_path;
  std::optional<Checkpoint> second;
  if (!second_path.empty()) {
    auto opened = Checkpoint::open(second_path);
    if (!opened) return opened.error();
    second.emplace(std::move(*opened));
    out.second.emplace().path = second_path;
  }
  const auto finished = inspect_all(*first, second ? &*second : nullptr, progress, out);
  if (!finished) return finished.error();
  out.interrupted = !*finished;
  return out;
}

Spread spread_of(const std::vector<double>& numbers) {
  std::vector<double> sorted;
  std::copy_if(numbers.begin(), numbers.end(), std::back_inserter(sorted), [](double v) { return std::isfinite(v); });
  if (sorted.empty()) return {kNothing, kNothing, kNothing};
  std::sort(sorted.begin(), sorted.end());
  const std::size_t half = sorted.size() / 2;
  const double median = sorted.size() % 2 ? sorted[half] : 0.5 * (sorted[half - 1] + sorted[half]);
  return {sorted.front(), median, sorted.back()};
}

} // namespace polarscope
