// What drawing functions keep between frames so as not to compute it again: always a function of what it is keyed by,
// never a second source of truth.
#pragma once

#include "app/lesson.hpp"
#include "app/matching.hpp"
#include "app/plot.hpp"
#include "app/polar_plot.hpp"
#include "app/projection_view.hpp"
#include "app/sphere_plot.hpp"
#include "app/unrolled_plot.hpp"
#include "engine/optimizer/facts.hpp"
#include "engine/program_cost.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace polarscope {

struct BenchModel; // app/bench_model.hpp

// Of magnitude & direction: a metric's means and the norm, at multiples of `every`.
struct MotionCache {
  struct Run {
    std::uint64_t scene = 0;
    int norm = -1, column = -1;
    long every = 0;
    double mark = 0; // of the record at the last step kept: changes when the path was computed anew
    std::vector<long> step;
    std::vector<double> x, y;
  };
  std::map<RunId, Run> runs;
  std::vector<int> label_slots;
};

// What a run's optimizer keeps and costs, for the recipe and the parameter that the facts are of.
struct FactsCache {
  std::shared_ptr<const OptimizerSpec> recipe;
  std::string parameter;
  OptimizerFacts facts;
};

struct Caches {
  MotionCache motion;
  std::map<RunId, FactsCache> facts;
  std::map<std::uint64_t, ProgramCost> costs; // by the program's fingerprint
  std::map<std::string, PlotCache> plots;     // by panel
  ProjectionCache projection;
  struct DrawingKey { // everything that the picture of a plane is made from
    std::uint64_t number = 0;
    PlaneChoice choice;
    std::set<RunId> hidden;
    std::optional<RunId> solo;
    std::shared_ptr<const Driver::PlaneLoss> loss;
    std::uint64_t theme = 0;
    bool held = false; // a mouse button: the plane stays while a start is dragged
    bool operator==(const DrawingKey&) const = default;
  };
  PlaneDrawing drawing; // Polar and Unrolled draw the same
  std::optional<DrawingKey> drawing_key;
  PolarView polar;
  std::map<std::string, UnrolledView> unrolled; // by panel
  SphereView sphere;
  SphereLoss sphere_loss;
  bool sphere_asks = false; // its field is not complete: the engine answers one request at a time
  std::shared_ptr<const BenchModel> bench;
  std::uint64_t bench_number = 0, bench_scene = 0; // of the frame it was made from
  bool bench_thin = false;
  // Lists of the pickers: what is installed, read once, and what the open one lists.
  std::vector<ListEntry> presets, scenes, listed;

  struct Notice { // of the window's own: which, and since when on ImGui's clock
    std::uint64_t number = 0;
    double since = 0;
  };
  Notice notice;

  std::optional<RunId> name_field; // run whose name field has been given the keyboard
  RunId listed_selection = 0;      // selected run that the list of runs has been scrolled to

  // The lesson as the guide left it for this frame.
  const LessonPart* lesson_part = nullptr;
  std::size_t lesson_parts = 0;
  bool lesson_waiting = false;
};

} // namespace polarscope
