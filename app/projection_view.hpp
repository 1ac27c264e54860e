// From a frame to the polar, unrolled and sphere drawings: which plane, which points of each run's path, which share of
// the last update. The maths is engine/projection; here values are chosen, thinned and kept until they change.
#pragma once

#include "app/plane_path.hpp"
#include "app/plane_picture.hpp"
#include "app/sphere_plot.hpp"
#include "engine/driver.hpp"
#include "engine/frame.hpp"
#include "engine/projection.hpp"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace polarscope {

struct PlaneChoice {
  enum class Kind {
    start_current,   // start direction and direction at the cursor
    weight_update,   // weight before the last update and that update
    start_reference, // start direction and the direction that angles are measured to
    rows,            // two rows of the start weight; the path is that of row_i
  };
  Kind kind = Kind::start_current;
  int parameter = 0;
  int row = -1; // −1: the whole parameter as one vector
  int row_i = 0, row_j = 1;
  bool operator==(const PlaneChoice&) const = default;
};
// Of a parameter of two elements there is one plane: itself. Then the choice does not matter.
bool has_one_plane(const RunFrame& run, int parameter);

// Kept by the panel between frames.
struct ProjectionCache {
  struct Entry {
    std::uint64_t scene = 0;
    long to = -1;    // the path is shown up to this step
    long stride = 0; // points are at its multiples
    double mark = 0; // a number of the path itself, which changes when it is recomputed to the same length
    Plane plane;
    ShownPart part;
    PlanePath path, ghost;
    long ghost_last = -1;
    SeriesView norms_of; // least and greatest norm of this record
    int norms_column = -1;
    float norm_least = 0, norm_most = 0;
  };
  std::map<RunId, Entry> runs;
  Plane plane; // in use
  PlaneChoice choice;
  std::uint64_t scene = 0;
  RunId run = 0;
  long plane_step = -1; // step whose weight made it
  double plane_mark = 0;
  bool plane_exact = false; // the weight of that step itself was there, not only one recorded before it
  std::string note; // why the plane is not the chosen one; "" when it is
  std::uint64_t field_generation = 0;
  std::shared_ptr<const Driver::PlaneLoss> field;
};

struct PlaneDrawing {
  PlanePicture picture;
  std::optional<Driver::PlaneRequest> request; // ask the driver for it; asking again for the same costs nothing
  std::vector<RunId> runs;                     // of picture.trails, same order
  std::string words;                           // "plane: start and current direction"
};
// Runs for which `shown` is true, in the frame's order; the selected run's plane. `loss`: what the driver last answered.
PlaneDrawing make_plane_drawing(const Theme& theme, const Frame& frame, const PlaneChoice& choice,
                                const std::function<bool(RunId)>& shown,
                                const std::shared_ptr<const Driver::PlaneLoss>& loss, ProjectionCache& cache);

// The new start weight of the dragged run's parameter (rows·cols numbers), for command::MoveStart.
std::vector<double> dragged_start(const RunFrame& run, const PlaneChoice& choice, const Plane& plane,
                                  const StartDrag& drag);

// ---- sphere: parameters of three elements -----------------------------------------------------------------------

// Collects the loss on the unit sphere from planes through its poles, one answer of the driver at a time.
class SphereLoss {
public:
  // The next plane to ask for; nullopt when the field is complete. Takes in `loss` when it answers the last request.
  std::optional<Driver::PlaneRequest> update(RunId run, int parameter, std::uint64_t scene,
                                             const std::shared_ptr<const Driver::PlaneLoss>& loss);
  const SphereField& field() const { return field_; }

private:
  SphereField field_;
  RunId run_ = 0;
  std::uint64_t scene_ = 0;
  int parameter_ = -1, done_ = 0;
};
SpherePicture make_sphere_picture(const Theme& theme, const Frame& frame, int parameter,
                                  const std::function<bool(RunId)>& shown, const SphereField& field);

} // namespace polarscope
