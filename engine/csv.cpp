#include "engine/csv.hpp"

#include "engine/metric/metric.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace polarscope {

namespace {

// The columns of all runs, in order of first appearance.
std::vector<std::string> column_names(const Frame& frame) {
  std::vector<std::string> names;
  for (const RunFrame& run : frame.runs)
    for (const MetricColumn& column : run.program->metrics())
      if (!column.hidden && std::find(names.begin(), names.end(), column.name) == names.end())
        names.push_back(column.name);
  return names;
}

struct Column {
  int index; // of the run's program, −1: this run has no such column
  const MetricColumn* info;
};

void append_value(std::string& out, const Column& column, const SeriesView& series, long step, int digits) {
  if (column.index < 0) return;
  const double value = series.at(column.index, step).value_or(std::numeric_limits<double>::quiet_NaN());
  if (!std::isnan(value)) fmt::format_to(std::back_inserter(out), "{:.{}g}", value, digits);
  else if (has_value_at(*column.info, step)) out += "nan"; // recorded as not a number; else not recorded
}

// "every 4th step from 0 to 3999, every 2nd step from …": the stretches whose rows were thinned.
std::string thinned_stretches(const RunFrame& run) {
  std::string out;
  const long last = run.series.last_step();
  for (long from = run.series.first_step(); from < last;) {
    const long stride = run.series.stride_at(from);
    long to = from;
    while (to < last && run.series.stride_at(to) == stride) to += std::max(1L, stride);
    to = std::min(to, last);
    if (stride > 1)
      out += fmt::format("{}every {}{} step from {} to {}", out.empty() ? "" : ", ", stride, stride == 2 ? "nd" : "th",
                         from, to);
    from = std::max(to, from + 1);
  }
  return out;
}

Result<void> write_run(const RunFrame& run, int member, const std::vector<std::string>& names, OutputFile& out) {
  std::vector<Column> columns;
  for (const std::string& name : names) {
    const int index = run.program->find_metric(name);
    columns.push_back({index, index < 0 ? nullptr : &run.program->metrics()[static_cast<std::size_t>(index)]});
  }
  const int digits = run.program->precision() == Precision::f64 ? 17 : 9;
  const std::string head = fmt::format("{},{},{},", csv_field(run.label), member, run.seed);
  for (long step = run.series.first_step(); step <= run.series.last_step(); ++step) {
    if (!run.series.at(0, step)) continue;
    std::string line = head + std::to_string(step);
    for (const Column& column : columns) {
      line += ',';
      append_value(line, column, run.series, step, digits);
    }
    line += '\n';
    if (auto done = out.write(line); !done) return done;
  }
  return {};
}

} // namespace

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos && !text.starts_with("#")) return text;
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

// Runs that lost the same rows are named together.
std::string thinned_rows(const Frame& frame) {
  std::vector<std::pair<std::string, std::string>> groups; // stretches, labels
  for (const RunFrame& run : frame.runs) {
    const std::string stretches = run.series.empty() ? "" : thinned_stretches(run);
    if (stretches.empty()) continue;
    const auto same = std::find_if(groups.begin(), groups.end(), [&](const auto& g) { return g.first == stretches; });
    if (same == groups.end()) groups.emplace_back(stretches, csv_field(run.label));
    else same->second += ", " + csv_field(run.label);
  }
  std::string out;
  for (const auto& [stretches, labels] : groups)
    out += fmt::format("{}of run {}: {}", out.empty() ? "" : "; ", labels, stretches);
  std::replace_if(
      out.begin(), out.end(), [](char c) { return c == '\n' || c == '\r'; }, ' '); // labels may hold any text
  return out;
}

Result<void> write_csv(const Frame& frame, OutputFile& out) {
  const std::vector<std::string> names = column_names(frame);
  const std::string thinned = thinned_rows(frame);
  std::string head = (thinned.empty() ? "" : "# kept only, " + thinned + "\n") + "run,member,seed,step";
  for (const std::string& name : names) head += "," + csv_field(name);
  if (auto done = out.write(head + "\n"); !done) return done;
  int member = 0;
  for (const RunFrame& run : frame.runs) {
    if (!run.series.empty())
      if (auto done = write_run(run, member, names, out); !done) return done;
    ++member;
  }
  return {};
}

} // namespace polarscope
