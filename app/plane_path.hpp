// A run's path in a plane: projected once, kept while it grows, turned with the plane where only its second axis changes.
#pragma once

#include "engine/program.hpp"
#include "engine/projection.hpp"
#include "engine/series.hpp"

#include <cstddef>
#include <vector>

namespace polarscope {

// The part of a parameter that is shown: all of it, or one row.
struct ShownPart {
  int parameter = 0;
  std::size_t first = 0, count = 0;
  bool operator==(const ShownPart&) const = default;
};
ShownPart shown_part_of(const ParamInfo& info, int parameter, int row); // row −1: all

struct PlanePath {
  std::vector<long> step;
  std::vector<float> angle, norm; // in the plane, unwrapped; full norm of the part
  std::vector<float> along;       // first coordinate, along e1
  std::vector<float> weights;     // the part at each step, so that turning the plane reads nothing else

  std::size_t size() const { return step.size(); }
  long last() const { return step.empty() ? -1 : step.back(); }
};

// Adds the points at from, from + stride, … up to `to`; steps that are not stored are left out. Ends where the path is not
// finite: frozen by divergence.
void add_points(const SeriesView& series, const ShownPart& part, const Plane& plane, long from, long to, long stride,
                PlanePath& path);
// Points at multiples of `stride` up to `to`, added to those that are known; a stride that has grown leaves out points.
void extend_path(const SeriesView& series, const ShownPart& part, const Plane& plane, long to, long stride,
                 PlanePath& path);
// The same points up to `to` in a plane with the same e1.
void turn_path(const ShownPart& part, const Plane& plane, long to, PlanePath& path);
// The least power of two that leaves at most `most` points of the record.
long stride_for(const SeriesView& series, int most);
// A number that changes when a run's path was computed anew: of its weight at a step.
double path_mark(const SeriesView& series, int parameter, long step);

} // namespace polarscope
