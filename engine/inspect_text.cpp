// The report of inspect_checkpoints as a table for people and as JSON for programs.
#include "engine/inspect.hpp"
#include "engine/json_number.hpp"
#include "engine/report.hpp"
#include "engine/safetensors.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace polarscope {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kWidth = 100; // columns of a table
constexpr std::size_t kShapeWidth = 24;
constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();

bool continues(char c) { return (c & 0xC0) == 0x80; } // inside a UTF-8 character

std::string grouped(std::uint64_t n) {
  std::string digits = std::to_string(n);
  for (std::size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, ",");
  return digits;
}

std::string counted(std::size_t n, const char* word) {
  return fmt::format("{} {}{}", grouped(n), word, n == 1 ? "" : "s");
}

// ---- tables -------------------------------------------------------------------------------------------------------

using Rows = std::vector<std::vector<std::string>>;

// Names at the left, cut so that a line has at most kWidth columns; the first `left` columns after them are words,
// aligned left, the others numbers, aligned right. The first row is the heading.
std::string name_table(const Rows& rows, std::size_t left) {
  std::vector<std::size_t> widths(rows.front().size());
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], text_width(row[i]));
  std::size_t others = 0;
  for (std::size_t i = 1; i < widths.size(); ++i) others += widths[i] + 2;
  widths[0] = std::min(widths[0], std::max<std::size_t>(12, kWidth - std::min(kWidth, others)));
  std::string out;
  for (const auto& row : rows) {
    std::string line = short_name(row[0], widths[0]);
    line.append(widths[0] - text_width(line), ' ');
    for (std::size_t i = 1; i < row.size(); ++i) {
      const std::string space(widths[i] - text_width(row[i]), ' ');
      line += "  " + (i <= left ? row[i] + space : space + row[i]);
    }
    out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return out;
}

void add_spread(std::vector<std::string>& row, const std::vector<double>& numbers, bool known) {
  const Spread s = known ? spread_of(numbers) : Spread{kNothing, kNothing, kNothing};
  for (const double v : {s.least, s.median, s.greatest}) row.push_back(short_number(v));
}

std::string sizes_table(const CheckpointReport& report) {
  Rows rows = {{"tensor", "type", "shape", "norm", "spectral", "stable rank", "rms"}};
  for (const TensorReport& t : report.tensors)
    rows.push_back({t.name, t.dtype, short_name(shape_text(t.shape), kShapeWidth), short_number(t.frobenius_norm),
                    short_number(t.spectral_norm), short_number(t.stable_rank), short_number(t.rms)});
  const double norm = report.frobenius_norm(), rms = norm / std::sqrt(static_cast<double>(report.values()));
  rows.push_back({"all " + counted(report.tensors.size(), "tensor"), "", grouped(report.values()), short_number(norm),
                  "", "", short_number(rms)});
  return name_table(rows, 2);
}

std::string rows_table(const CheckpointReport& report) {
  Rows rows = {{"tensor", "rows: min", "median", "max", "columns: min", "median", "max"}};
  for (const TensorReport& t : report.tensors) {
    rows.push_back({t.name});
    add_spread(rows.back(), t.row_norms, t.finite());
    add_spread(rows.back(), t.column_norms, t.finite());
  }
  return name_table(rows, 0);
}

std::string checkpoint_text(const CheckpointReport& report) {
  const std::string recorded =
      report.recorded_step ? fmt::format(": a recording, its weights after step {}", *report.recorded_step) : "";
  std::string out = short_name(report.path, kWidth - std::min(recorded.size(), kWidth / 2)) + recorded + "\n\n";
  if (report.tensors.empty()) out += "no floating-point tensors\n";
  else out += sizes_table(report) + "\nnorms of rows and columns\n" + rows_table(report);
  for (const TensorReport& t : report.tensors)
    if (!t.finite())
      out += fmt::format("not finite: {} of {} in {}; no norm that they enter is a number, and there is no spectrum\n",
                         grouped(t.not_finite), counted(t.rows * t.cols, "value"), short_name(t.name, 60));
  for (const SkippedTensor& t : report.skipped)
    out += fmt::format("skipped: {}, {} {}: {}\n", short_name(t.name, 50), short_name(t.dtype, 12), shape_text(t.shape),
                       t.why);
  return out;
}

double of_largest_size(const std::vector<double>& numbers) {
  double out = kNothing;
  for (const double v : numbers)
    if (std::isfinite(v) && !(std::abs(v) <= std::abs(out))) out = v;
  return out;
}

std::string changes_text(const InspectReport& report) {
  Rows whole = {{"tensor", "change", "angle (°)", "radial share", "norm ratio"}};
  Rows each = {{"tensor", "turned (°)", "max (°)", "radial", "largest", "tangential", "max"}};
  std::string notes;
  for (const TensorChange& c : report.changes) {
    whole.push_back({c.name, short_number(c.relative_change), short_number(c.angle), short_number(c.radial_fraction),
                     short_number(c.norm_ratio)});
    const bool known = c.not_finite == 0;
    const Spread angle = spread_of(c.row_angle), radial = spread_of(c.row_radial),
                 tangential = spread_of(c.row_tangential);
    each.push_back({c.name});
    for (const double v : {angle.median, angle.greatest, radial.median, of_largest_size(c.row_radial),
                           tangential.median, tangential.greatest})
      each.back().push_back(known ? short_number(v) : "–");
    const auto still = static_cast<std::size_t>(
        std::count_if(c.row_angle.begin(), c.row_angle.end(), [](double v) { return !std::isfinite(v); }));
    if (!known) notes += fmt::format("not finite: {} of {}\n", counted(c.not_finite, "row"), short_name(c.name, 60));
    else if (still > 0)
      notes += fmt::format("zero in one of the files, so without an angle: {} of {}\n", counted(still, "row"),
                           short_name(c.name, 50));
  }
  if (report.changes.empty()) return "";
  return "from the first file to the second\n" + name_table(whole, 0) +
         "\nmovement of rows: the median one, and the most of any\n" + name_table(each, 0) + notes +
         fmt::format("all {} together: change {}\n", counted(report.changes.size(), "tensor"),
                     short_number(report.relative_change()));
}

std::string strangers_text(const InspectReport& report) {
  std::string out;
  for (const std::string& name : report.only_in_first) out += "only in the first file: " + short_name(name, 76) + "\n";
  for (const std::string& name : report.only_in_second)
    out += "only in the second file: " + short_name(name, 75) + "\n";
  for (const OtherShape& other : report.other_shape)
    out += fmt::format("of other shape: {}: {}, then {}\n", short_name(other.name, 40), shape_text(other.first),
                       shape_text(other.second));
  return out;
}

// ---- JSON ---------------------------------------------------------------------------------------------------------

Json numbers(const std::vector<double>& values) {
  Json out = Json::array();
  for (const double v : values) out.push_back(json_number<Json>(v));
  return out;
}

Json tensor_json(const TensorReport& t) {
  return {{"name", t.name},
          {"dtype", t.dtype},
          {"shape", t.shape},
          {"rows", t.rows},
          {"cols", t.cols},
          {"not_finite", t.not_finite},
          {"largest", json_number<Json>(t.largest)},
          {"frobenius_norm", json_number<Json>(t.frobenius_norm)},
          {"spectral_norm", json_number<Json>(t.spectral_norm)},
          {"stable_rank", json_number<Json>(t.stable_rank)},
          {"rms", json_number<Json>(t.rms)},
          {"row_norms", numbers(t.row_norms)},
          {"column_norms", numbers(t.column_norms)},
          {"singular_values", numbers(t.singular_values)},
          {"singular_values_by", t.gram ? "gram" : "svd"},
          {"singular_values_resolved_above", json_number<Json>(t.resolution)}};
}

Json checkpoint_json(const CheckpointReport& report) {
  Json tensors = Json::array(), skipped = Json::array();
  for (const TensorReport& t : report.tensors) tensors.push_back(tensor_json(t));
  for (const SkippedTensor& t : report.skipped)
    skipped.push_back({{"name", t.name}, {"dtype", t.dtype}, {"shape", t.shape}, {"why", t.why}});
  Json out = {{"path", report.path},
              {"tensors", tensors},
              {"skipped", skipped},
              {"values", report.values()},
              {"not_finite", report.not_finite()},
              {"frobenius_norm", json_number<Json>(report.frobenius_norm())}};
  if (report.recorded_step) out["recorded_step"] = *report.recorded_step;
  return out;
}

Json change_json(const TensorChange& c) {
  return {{"name", c.name},
          {"rows", c.rows},
          {"cols", c.cols},
          {"rows_not_finite", c.not_finite},
          {"weight_norm", json_number<Json>(c.weight_norm)},
          {"change_norm", json_number<Json>(c.change_norm)},
          {"relative_change", json_number<Json>(c.relative_change)},
          {"angle_degrees", json_number<Json>(c.angle)},
          {"radial_fraction", json_number<Json>(c.radial_fraction)},
          {"norm_ratio", json_number<Json>(c.norm_ratio)},
          {"row_radial", numbers(c.row_radial)},
          {"row_tangential", numbers(c.row_tangential)},
          {"row_angle_degrees", numbers(c.row_angle)}};
}

} // namespace

std::string shape_text(const std::vector<std::uint64_t>& shape) {
  return shape.empty() ? "1" : fmt::format("{}", fmt::join(shape, " × "));
}

std::string short_name(const std::string& name, std::size_t width) {
  std::vector<std::string> characters;
  for (const char c : name) {
    if (continues(c) && !characters.empty()) characters.back() += c;
    else characters.push_back(static_cast<unsigned char>(c) < 32 || c == 127 ? "?" : std::string(1, c));
  }
  std::string out;
  const std::size_t n = characters.size(), head = width / 2, tail = width - head - 1; // what differs is often the end
  for (std::size_t i = 0; i < n; ++i) {
    if (n <= width || i < head || i >= n - tail) out += characters[i];
    else if (i == head) out += "…";
  }
  return out;
}

InspectReport with_plain_labels(InspectReport report) {
  const auto decode = [](std::string& name) {
    const auto slash = std::min(name.find('/'), name.size());
    name = percent_decoded(name.substr(0, slash)) + name.substr(slash);
  };
  const auto decode_file = [&](CheckpointReport& file) {
    if (!file.labelled) return;
    for (TensorReport& t : file.tensors) decode(t.name);
    for (SkippedTensor& t : file.skipped) decode(t.name);
  };
  decode_file(report.first);
  if (report.second) decode_file(*report.second);
  if (report.first.labelled) {
    for (TensorChange& c : report.changes) decode(c.name);
    for (OtherShape& o : report.other_shape) decode(o.name);
    for (std::string& name : report.only_in_first) decode(name);
  }
  if (report.second && report.second->labelled)
    for (std::string& name : report.only_in_second) decode(name);
  return report;
}

std::string inspect_table(const InspectReport& encoded) {
  const InspectReport report = with_plain_labels(encoded);
  std::string out = checkpoint_text(report.first);
  if (report.second)
    out += "\n" + checkpoint_text(*report.second) + "\n" + changes_text(report) + strangers_text(report);
  return out;
}

std::string inspect_json(const InspectReport& report) {
  Json files = Json::array({checkpoint_json(report.first)});
  Json out = {{"version", 1}, {"complete", !report.interrupted}};
  if (!report.second) {
    out["files"] = files;
  } else {
    files.push_back(checkpoint_json(*report.second));
    out["files"] = files;
    out["changes"] = Json::array();
    for (const TensorChange& c : report.changes) out["changes"].push_back(change_json(c));
    out["relative_change"] = json_number<Json>(report.relative_change());
    out["only_in_first"] = report.only_in_first;
    out["only_in_second"] = report.only_in_second;
    out["other_shape"] = Json::array();
    for (const OtherShape& o : report.other_shape)
      out["other_shape"].push_back({{"name", o.name}, {"first", o.first}, {"second", o.second}});
  }
  return out.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

} // namespace polarscope
