// Magnitude against direction: what each run's norm is and how far one step turns it, on logarithmic axes, as a path
// over the steps. Straight lines of slope −1 are steps of fixed size: the angle falls as 1/norm; slope −2 is what SGD
// does on a scale-invariant loss.
#pragma once

#include "app/plot.hpp"

#include <map>
#include <span>
#include <string>
#include <vector>

namespace polarscope {

struct NormCurve {
  RunStyle style{};
  std::string name;
  bool selected = false, dimmed = false;
  PlotSource norm, turning; // columns of one series
};

struct NormCache {
  struct Path {
    long cursor = -1, last = -1;
    int column = -1;
    std::vector<long> step;
    std::vector<double> norm, turning;
  };
  std::map<std::string, Path> paths; // by name of the curve
};

struct NormSpec {
  const char* id;
  std::string y_words = "°/step";  // after "↑"
  double y_factor = 57.29577951308232; // drawn = factor × stored
  int smooth = 50;                 // steps that one point is the mean of
  std::string empty_text = "nothing turned yet: press play";
};

struct NormResult {
  int hovered = -1;
  std::optional<long> hover_step;
  std::optional<double> slope; // of the path under the pointer, d log turning / d log norm
};

// Up to the cursor of `shared`.
NormResult draw_norm_plot(const Theme& theme, ImVec2 min, ImVec2 max, const NormSpec& spec, std::span<const NormCurve> curves,
                          const PlotShared& shared, NormCache& cache);

// Means of both columns over windows of `smooth` steps, at most 240 points over [1, to]; windows without finite
// positive means are left out.
void smoothed_path(const PlotSource& norm, const PlotSource& turning, long to, int smooth, NormCache::Path& path);
// Least-squares slope of log(turning) over log(norm) around point i of a path; nullopt where the norm hardly moves.
std::optional<double> local_slope(const NormCache::Path& path, std::size_t i);

} // namespace polarscope
