#include "app/projection_view.hpp"

#include "app/format.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace polarscope {
namespace {

constexpr double kElementBudget = 4e5; // kept for all paths of a picture, and for the selected run's
constexpr int kPointBudget = 4000;     // drawn by all paths of a picture
constexpr std::size_t kMostNames = 8;  // runs that are named beside their point
constexpr int kMeridians = 48, kSphereSamples = 96;
constexpr float kGhostReach =
    30; // a path before an edit keeps its place in the picture up to so many times the norm now
// Angles at which the loss is asked for: a network's costs more and is smoother.
constexpr int kFineField = Driver::kFinePlane, kCoarseField = 180;
constexpr std::uint32_t kFewElements = 256;
constexpr double kSamePlane = 0.9998; // cosine between axes of planes whose loss may stand for each other

const ParamInfo* parameter_of(const RunFrame& run, int parameter) {
  if (!run.program || parameter < 0 || parameter >= static_cast<int>(run.program->parameters().size())) return nullptr;
  return &run.program->parameters()[static_cast<std::size_t>(parameter)];
}

std::size_t elements_of(const ParamInfo& p) { return std::size_t{p.rows} * p.cols; }

// The vector that the drawing shows: the parameter, or one of its rows with the others zero.
std::vector<double> shown_part(const std::vector<double>& weight, const ParamInfo& p, const PlaneChoice& choice) {
  const int row = choice.kind == PlaneChoice::Kind::rows ? choice.row_i : choice.row;
  if (row < 0 || row >= static_cast<int>(p.rows)) return weight;
  return only_row(weight, p.cols, static_cast<std::size_t>(row));
}

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) return 0;
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// The weight that a run has at a step, or had before the step that the frame shows: as recorded, else as computed again for
// the selected run at the cursor.
bool weight_at(const Frame& frame, const RunFrame& run, int parameter, long step, std::vector<double>& weight) {
  if (run.series.weight(parameter, step, weight)) return true;
  const StateView* state = frame.state.get();
  const ParamInfo& p = run.program->parameters()[static_cast<std::size_t>(parameter)];
  if (!state || state->run != run.id || (step != state->step && step != state->step - 1)) return false;
  const SlotId wanted = step == state->step ? p.weight : p.previous;
  for (const SlotValues& slot : state->slots)
    if (slot.slot == wanted && !slot.values.empty()) {
      weight = slot.values;
      return true;
    }
  return false;
}

// One direction, or none: no plane goes through the two. Rounding of a start stored in single precision counts as none.
bool parallel(const std::vector<double>& a, const std::vector<double>& b) {
  const double aa = dot(a, a), bb = dot(b, b), ab = dot(a, b);
  if (!(aa > 0) || !(bb > 0)) return true;
  return 1 - ab * ab / aa / bb < 1e-12;
}

const std::vector<double>* weight_in(const std::shared_ptr<const Weights>& weights, int parameter) {
  if (!weights || parameter >= static_cast<int>(weights->size())) return nullptr;
  const auto& weight = (*weights)[static_cast<std::size_t>(parameter)];
  return weight.empty() ? nullptr : &weight;
}

// The step whose weight makes the plane: while playing it follows in strides, so that the picture and its loss field
// need not be remade in every frame.
long plane_step(const Frame& frame) {
  if (!frame.playing) return frame.cursor;
  const long stride = std::max(1L, frame.steps / 60);
  return frame.cursor < stride ? frame.cursor : frame.cursor / stride * stride;
}

// The plane of a start without a second direction: with the first step where it is known, else with the reference, else
// with any axis. Says which.
std::optional<Plane> plane_of_start(const RunFrame& run, const ParamInfo& p, const PlaneChoice& choice,
                                    const std::vector<double>& start, std::string& note) {
  const auto shown = shown_part(start, p, choice);
  std::vector<double> first;
  const long steps = run.program->recorded_every();
  if (run.series.weight(choice.parameter, steps, first)) {
    for (std::size_t i = 0; i < first.size(); ++i) first[i] -= start[i];
    first = shown_part(first, p, choice);
    if (!parallel(shown, first)) {
      note = "nothing has turned yet: plane of the start and its first ";
      note += steps == 1 ? "update" : std::to_string(steps) + " updates";
      return plane_through(shown, first);
    }
  }
  if (const auto* reference = weight_in(run.reference, choice.parameter))
    if (const auto other = shown_part(*reference, p, choice); !parallel(shown, other)) {
      note = "nothing has turned yet: plane of the start and the reference";
      return plane_through(shown, other);
    }
  note = "nothing has turned yet: plane of the start and one axis, of no meaning of its own";
  return plane_through(shown, shown);
}

// The step before a diverged run's last: in that one something was not finite, if only the loss or the norm.
long last_living(const RunFrame& run) { return std::max(0L, run.diverged_at - 1); }

// The weight at a step, or the last recorded one before it; of a run that has stopped the last finite one.
bool finite_weight(const Frame& frame, const RunFrame& run, int parameter, long step, std::vector<double>& weight) {
  constexpr int kMostBack = 64; // infinite numbers freeze a run within a few steps
  const auto finite = [&weight] {
    return std::all_of(weight.begin(), weight.end(), [](double x) { return std::isfinite(x); }) &&
           std::isfinite(dot(weight, weight));
  };
  if (run.diverged) step = std::min(step, last_living(run));
  if (weight_at(frame, run, parameter, step, weight) && finite()) return true;
  for (int k = 0; k < kMostBack; ++k, --step) {
    step = run.series.weight_step(parameter, step);
    if (step < 0) return false;
    if (run.series.weight(parameter, step, weight) && finite()) return true;
  }
  return false;
}

// `note`: one line where the plane is another than the chosen one.
std::optional<Plane> choose_plane(const Frame& frame, const RunFrame& run, const ParamInfo& p,
                                  const PlaneChoice& choice, long step, std::string& note) {
  note.clear();
  if (elements_of(p) == 2) return coordinate_plane(2, 0, 1);
  const std::vector<double>* start = weight_in(run.start, choice.parameter);
  std::vector<double> now;
  if (!start) return std::nullopt;
  if (!finite_weight(frame, run, choice.parameter, step, now)) now = *start;
  switch (choice.kind) {
  case PlaneChoice::Kind::weight_update: {
    std::vector<double> before;
    if (step < 1 || !weight_at(frame, run, choice.parameter, step - 1, before)) break;
    auto update = now;
    for (std::size_t i = 0; i < update.size(); ++i) update[i] -= before[i];
    return plane_through(shown_part(before, p, choice), shown_part(update, p, choice));
  }
  case PlaneChoice::Kind::start_reference:
    if (const auto* reference = weight_in(run.reference, choice.parameter))
      return plane_through(shown_part(*start, p, choice), shown_part(*reference, p, choice));
    note = "the problem has no reference: plane of start and current direction";
    break;
  case PlaneChoice::Kind::rows: {
    const auto i = static_cast<std::size_t>(std::clamp(choice.row_i, 0, static_cast<int>(p.rows) - 1));
    const auto j = static_cast<std::size_t>(std::clamp(choice.row_j, 0, static_cast<int>(p.rows) - 1));
    const std::span<const double> all = *start;
    return plane_through(only_row(all, p.cols, i), as_row(all.subspan(j * p.cols, p.cols), all.size(), i));
  }
  case PlaneChoice::Kind::start_current: break;
  }
  const auto from = shown_part(*start, p, choice), to = shown_part(now, p, choice);
  return parallel(from, to) ? plane_of_start(run, p, choice, *start, note) : plane_through(from, to);
}

ShownPart part_of(const ParamInfo& p, const PlaneChoice& choice) {
  return shown_part_of(p, choice.parameter, choice.kind == PlaneChoice::Kind::rows ? choice.row_i : choice.row);
}

ProjectionCache::Entry& path_of(const RunFrame& run, const ParamInfo& p, const Frame& frame, const PlaneChoice& choice,
                                const Plane& plane, int most, ProjectionCache& cache) {
  ProjectionCache::Entry& entry = cache.runs[run.id];
  const ShownPart part = part_of(p, choice);
  const long stride = stride_for(run.series, most);
  const long known = entry.path.last();
  const bool same_record = entry.scene == frame.scene_generation && entry.part == part && known >= 0 &&
                           stride >= entry.stride && known <= run.series.last_step() &&
                           entry.mark == path_mark(run.series, choice.parameter, known);
  const bool same = same_record && entry.plane == plane;
  const bool turned =
      same_record && !same && entry.plane.e1 == plane.e1; // start and current direction: as the cursor moves
  entry.to = run.diverged ? std::min(frame.cursor, last_living(run)) : frame.cursor;
  if (turned) turn_path(part, plane, entry.to, entry.path);
  else if (!same) entry.path = {};
  entry.scene = frame.scene_generation, entry.part = part;
  if (!same) entry.plane = plane;
  if (!same || stride != entry.stride || known < entry.to) {
    extend_path(run.series, part, plane, entry.to, stride, entry.path);
    entry.mark = path_mark(run.series, choice.parameter, entry.path.last());
  }
  entry.stride = stride;
  const long ghost_last = run.ghost.empty() ? -1 : run.ghost.last_step();
  if (!same || entry.ghost_last != ghost_last) {
    entry.ghost = {};
    if (ghost_last >= 0)
      extend_path(run.ghost, part, plane, ghost_last, stride_for(run.ghost, std::max(2, most / 2)), entry.ghost);
    entry.ghost_last = ghost_last;
  }
  return entry;
}

// The path up to `entry.to`: of the points on the grid those before it, then the exact one, or the last that is recorded.
void shown_path(const Frame& frame, const RunFrame& run, const ParamInfo& p, const PlaneChoice& choice,
                const ProjectionCache::Entry& entry, PlaneTrail& trail) {
  const auto count =
      std::upper_bound(entry.path.step.begin(), entry.path.step.end(), entry.to) - entry.path.step.begin();
  trail.step.assign(entry.path.step.begin(), entry.path.step.begin() + count);
  trail.angle.assign(entry.path.angle.begin(), entry.path.angle.begin() + count);
  trail.radius.assign(entry.path.norm.begin(), entry.path.norm.begin() + count);
  const auto add = [&trail](long step, double angle, double norm) {
    trail.step.push_back(step);
    trail.radius.push_back(static_cast<float>(norm));
    trail.angle.push_back(static_cast<float>(angle));
    if (const std::size_t n = trail.angle.size(); n > 1) unwrap_angles(std::span(trail.angle).subspan(n - 2));
  };
  const long shown = trail.step.empty() ? -1 : trail.step.back();
  if (shown == entry.to) return;
  const long stored = run.series.weight_step(choice.parameter, entry.to);
  if (std::vector<double> weight; stored < entry.to && weight_at(frame, run, choice.parameter, entry.to, weight)) {
    const PlanePoint point = project(entry.plane, shown_part(weight, p, choice));
    if (std::isfinite(point.norm)) add(entry.to, point.angle(), point.norm);
    return;
  }
  if (stored <= shown) return;
  static thread_local PlanePath last;
  last = {};
  add_points(run.series, entry.part, entry.plane, stored, stored, 1, last);
  if (!last.step.empty()) add(stored, last.angle.front(), last.norm.front());
}

// Least and greatest norm over the whole record, so that the rings keep still; by the metric where there is one.
struct NormRange {
  float least = INFINITY, most = 0;
  void add(const NormRange& other) { least = std::min(least, other.least), most = std::max(most, other.most); }
};
NormRange norm_range(const RunFrame& run, const ParamInfo& p, const PlaneChoice& choice,
                     const std::vector<float>& radius, ProjectionCache::Entry& entry) {
  NormRange range;
  for (float r : radius) range.add({r, r});
  if (!entry.ghost.norm.empty())
    if (const auto [low, high] = std::minmax_element(entry.ghost.norm.begin(), entry.ghost.norm.end());
        *high<kGhostReach * range.most&& * low> range.least / kGhostReach)
      range.add({*low, *high});
  const int row = choice.kind == PlaneChoice::Kind::rows ? choice.row_i : choice.row;
  const std::string column = row < 0 ? p.name + ".frobenius_norm" : p.name + ".row_norm[" + std::to_string(row) + "]";
  const int index = run.program->find_metric(column);
  if (index < 0 || run.series.empty()) return range;
  if (entry.norms_column != index || !(entry.norms_of == run.series)) {
    entry.norms_of = run.series, entry.norms_column = index;
    entry.norm_least = INFINITY, entry.norm_most = 0;
    if (const auto m = run.series.extent(index, 0, run.series.last_step(), true))
      entry.norm_least = static_cast<float>(m->min), entry.norm_most = static_cast<float>(m->max);
  }
  range.add({entry.norm_least, entry.norm_most});
  return range;
}

// Share and arrows of the selected run's last update.
void set_update(const Frame& frame, const RunFrame& run, const ParamInfo& p, const PlaneChoice& choice,
                const Plane& plane, int trail, PlanePicture& picture) {
  std::vector<double> now, before;
  if (frame.cursor < 1 || !weight_at(frame, run, choice.parameter, frame.cursor, now) ||
      !weight_at(frame, run, choice.parameter, frame.cursor - 1, before))
    return;
  const PlanePoint at = project(plane, shown_part(now, p, choice));
  auto update = now;
  for (std::size_t i = 0; i < update.size(); ++i) update[i] -= before[i];
  update = shown_part(update, p, choice);
  picture.share = share_in_plane(plane, update);
  if (std::isnan(picture.share)) return;
  const PlaneParts parts = parts_in_plane(plane, at, update);
  PlaneUpdate drawn;
  drawn.trail = trail;
  drawn.radial = static_cast<float>(parts.radial);
  drawn.tangential = static_cast<float>(parts.tangential);
  if (frame.state && frame.state->run == run.id && frame.state->step == frame.cursor)
    for (const SlotValues& slot : frame.state->slots)
      if (slot.slot == p.gradient && slot.values.size() == now.size()) {
        const PlaneParts gradient = parts_in_plane(plane, at, shown_part(slot.values, p, choice));
        drawn.gradient_radial = static_cast<float>(-gradient.radial);
        drawn.gradient_tangential = static_cast<float>(-gradient.tangential);
      }
  picture.update = drawn;
}

// The driver's last answer, where it belongs to this plane or to one that cannot be told apart by eye.
void set_field(const std::shared_ptr<const Driver::PlaneLoss>& loss, const Driver::PlaneRequest& wanted,
               ProjectionCache& cache, PlanePicture& picture) {
  if (!loss || loss->request.run != wanted.run || loss->request.parameter != wanted.parameter || loss->loss.size() < 8)
    return;
  if (dot(loss->request.e1, wanted.e1) < kSamePlane || dot(loss->request.e2, wanted.e2) < kSamePlane) return;
  for (double value : loss->loss)
    if (!std::isfinite(value)) return;
  if (cache.field != loss) cache.field = loss, ++cache.field_generation;
  picture.field.loss.assign(loss->loss.begin(), loss->loss.end());
  picture.field.generation = cache.field_generation;
  set_field_range(picture.field);
}

std::string plane_words(const PlaneChoice& choice) {
  switch (choice.kind) {
  case PlaneChoice::Kind::start_current: return "plane: start and current direction";
  case PlaneChoice::Kind::weight_update: return "plane: weight and update";
  case PlaneChoice::Kind::start_reference: return "plane: start and reference";
  case PlaneChoice::Kind::rows: break;
  }
  return "plane: rows " + std::to_string(choice.row_i) + " and " + std::to_string(choice.row_j);
}

} // namespace

bool has_one_plane(const RunFrame& run, int parameter) {
  const ParamInfo* p = parameter_of(run, parameter);
  return p && elements_of(*p) == 2;
}

PlaneDrawing make_plane_drawing(const Theme& theme, const Frame& frame, const PlaneChoice& choice,
                                const std::function<bool(RunId)>& shown,
                                const std::shared_ptr<const Driver::PlaneLoss>& loss, ProjectionCache& cache) {
  PlaneDrawing drawing;
  PlanePicture& picture = drawing.picture;
  const RunFrame* selected = frame.find(frame.selected);
  if (!selected && !frame.runs.empty()) selected = &frame.runs.front();
  const ParamInfo* p = selected ? parameter_of(*selected, choice.parameter) : nullptr;
  if (!p) {
    picture.empty_text = frame.runs.empty() ? "no runs: add one" : "no such parameter";
    return drawing;
  }
  std::vector<double> probe;
  if (elements_of(*p) < 2 || !selected->series.weight(choice.parameter, 0, probe)) {
    picture.empty_text = elements_of(*p) < 2 ? "one number has no direction" : "weights of this size are not recorded";
    return drawing;
  }
  const long step = plane_step(frame);
  const double mark =
      path_mark(selected->series, choice.parameter, selected->series.weight_step(choice.parameter, step)) +
      path_mark(selected->series, choice.parameter, 0);
  const bool exact = weight_at(frame, *selected, choice.parameter, step, probe);
  const bool other = cache.plane.e1.empty() || cache.scene != frame.scene_generation || cache.run != selected->id ||
                     !(cache.choice == choice) || cache.plane_step != step || cache.plane_exact != exact;
  // While a start is under the hand the plane stays: made from the moving start it would turn away beneath the pointer.
  const bool held = ImGui::IsMouseDown(ImGuiMouseButton_Left);
  if (other || (cache.plane_mark != mark && !held)) {
    std::string note;
    const auto plane = choose_plane(frame, *selected, *p, choice, step, note);
    if (!plane) {
      picture.empty_text = "the start has no direction";
      return drawing;
    }
    cache.plane = *plane;
    cache.note = std::move(note);
    cache.scene = frame.scene_generation, cache.run = selected->id, cache.choice = choice;
    cache.plane_step = step, cache.plane_mark = mark, cache.plane_exact = exact;
  }
  const std::size_t elements = elements_of(*p);
  picture.whole_space = elements == 2;
  drawing.words = picture.whole_space ? "" : plane_words(choice);
  // the selected run in detail, the others share what is left
  const int runs = std::max(1, static_cast<int>(frame.runs.size()));
  const int full = std::clamp(static_cast<int>(kElementBudget / static_cast<double>(elements)), 60, 600);
  const int most = std::clamp(
      std::min(static_cast<int>(kElementBudget / static_cast<double>(elements) / runs), kPointBudget / runs), 40, 1000);
  NormRange living, diverged;
  for (const RunFrame& run : frame.runs) {
    const ParamInfo* own = parameter_of(run, choice.parameter);
    if (!shown(run.id) || !own || elements_of(*own) != elements) continue;
    auto& entry = path_of(run, *own, frame, choice, cache.plane, &run == selected ? full : most, cache);
    PlaneTrail trail;
    trail.style = theme.run(run.style);
    trail.selected = &run == selected;
    trail.short_name = run.label;
    if (trail.selected || picture.trails.size() < kMostNames) trail.name = run.label;
    shown_path(frame, run, *own, choice, entry, trail);
    trail.ghost_angle = entry.ghost.angle, trail.ghost_radius = entry.ghost.norm;
    trail.ended = run.diverged && frame.cursor >= run.diverged_at;
    const NormRange range = norm_range(run, *own, choice, trail.radius, entry);
    (run.diverged ? diverged : living).add(range);
    if (trail.selected)
      set_update(frame, run, *own, choice, cache.plane, static_cast<int>(picture.trails.size()), picture);
    picture.trails.push_back(std::move(trail));
    drawing.runs.push_back(run.id);
  }
  if (picture.trails.empty()) picture.empty_text = "every run is hidden";
  const NormRange& range = living.most > 0 ? living : diverged; // a diverged run would take the rings with it
  if (!picture.trails.empty()) picture.radius_least = range.least, picture.radius_most = range.most;
  picture.note = cache.note;
  drawing.request = Driver::PlaneRequest{selected->id, choice.parameter, cache.plane.e1, cache.plane.e2,
                                         elements_of(*p) > kFewElements ? kCoarseField : kFineField};
  set_field(loss, *drawing.request, cache, picture);
  // In play a plane that turns is another before its loss is there.
  if (frame.playing && picture.field.empty() && !(loss && loss->request == *drawing.request))
    picture.field_note = "loss in this plane: when paused";
  if (p->invariance == Invariance::none && !picture.field.empty())
    if (std::vector<double> weight; weight_at(frame, *selected, choice.parameter, loss->step, weight))
      picture.field.norm = std::sqrt(dot(shown_part(weight, *p, choice), shown_part(weight, *p, choice)));
  return drawing;
}

std::vector<double> dragged_start(const RunFrame& run, const PlaneChoice& choice, const Plane& plane,
                                  const StartDrag& drag) {
  const ParamInfo* p = parameter_of(run, choice.parameter);
  const std::vector<double>* start = weight_in(run.start, choice.parameter);
  if (!p || !start || start->size() != plane.size()) return {};
  const auto part = shown_part(*start, *p, choice);
  const auto moved = turn_in_plane(plane, part, drag.angle, drag.radius);
  auto whole = *start;
  for (std::size_t i = 0; i < whole.size(); ++i) whole[i] += moved[i] - part[i];
  return whole;
}

std::optional<Driver::PlaneRequest> SphereLoss::update(RunId run, int parameter, std::uint64_t scene,
                                                       const std::shared_ptr<const Driver::PlaneLoss>& loss) {
  if (run != run_ || parameter != parameter_ || scene != scene_) {
    run_ = run, parameter_ = parameter, scene_ = scene, done_ = 0;
    const std::uint64_t generation = field_.generation + 1;
    field_ = {};
    field_.generation = generation;
  }
  const auto request = [&](int meridian) {
    const double a = std::numbers::pi * meridian / kMeridians;
    // from the north pole towards longitude a: half of the circle is that meridian, the other half its opposite
    return Driver::PlaneRequest{run, parameter, {0, 0, 1}, {std::cos(a), std::sin(a), 0}, kSphereSamples};
  };
  if (done_ < kMeridians && loss && loss->request == request(done_) && loss->loss.size() == kSphereSamples) {
    const int rows = kSphereSamples / 2 + 1, cols = 2 * kMeridians;
    if (field_.loss.empty())
      field_.rows = rows, field_.cols = cols, field_.loss.resize(static_cast<std::size_t>(rows * cols), NAN);
    for (int r = 0; r < rows; ++r) {
      const auto at = [&](int col) -> float& { return field_.loss[static_cast<std::size_t>(r * cols + col)]; };
      at(done_) = static_cast<float>(loss->loss[static_cast<std::size_t>(r)]);
      at(done_ + kMeridians) =
          static_cast<float>(loss->loss[static_cast<std::size_t>((kSphereSamples - r) % kSphereSamples)]);
    }
    if (++done_ == kMeridians) ++field_.generation, set_field_range(field_);
  }
  if (done_ == kMeridians) return std::nullopt;
  return request(done_);
}

namespace {

double length(const Point3& p) {
  const double x = p[0], y = p[1], z = p[2];
  return std::max(std::sqrt(x * x + y * y + z * z), 1e-30);
}

// Where the action is: the mean of where the runs start and where they are, or of start and reference before the first
// step; the starts where these cancel.
Point3 aim_of(const Frame& frame, int parameter, const std::array<double, 3>& starts,
              const std::array<double, 3>& currents) {
  std::array<double, 3> other = currents;
  const RunFrame* run = frame.find(frame.selected);
  if (const auto* reference = run && frame.cursor == 0 ? weight_in(run->reference, parameter) : nullptr;
      reference && reference->size() == 3)
    for (std::size_t i = 0; i < 3; ++i) other[i] = (*reference)[i];
  const auto unit = [](std::array<double, 3> v) {
    const double size = std::max(std::hypot(v[0], v[1], v[2]), 1e-30);
    for (double& x : v) x /= size;
    return v;
  };
  const auto a = unit(starts), b = unit(other);
  const std::array<double, 3> sum{a[0] + b[0], a[1] + b[1], a[2] + b[2]};
  const auto aim = std::hypot(sum[0], sum[1], sum[2]) > 0.2 ? unit(sum) : a;
  return {static_cast<float>(aim[0]), static_cast<float>(aim[1]), static_cast<float>(aim[2])};
}

} // namespace

SpherePicture make_sphere_picture(const Theme& theme, const Frame& frame, int parameter,
                                  const std::function<bool(RunId)>& shown, const SphereField& field) {
  SpherePicture picture;
  std::array<double, 3> starts{}, currents{};
  const bool complete =
      !field.empty() && std::none_of(field.loss.begin(), field.loss.end(), [](float v) { return !std::isfinite(v); });
  if (complete) picture.field = field;
  static thread_local std::vector<long> steps;
  static thread_local std::vector<double> weight;
  bool any_norm = false;
  for (const RunFrame& run : frame.runs) {
    const ParamInfo* p = parameter_of(run, parameter);
    if (!shown(run.id) || !p || elements_of(*p) != 3) continue;
    SphereTrail trail;
    trail.style = theme.run(run.style);
    trail.name = trail.short_name = run.label;
    trail.selected = run.id == frame.selected;
    steps.clear();
    if (!run.series.empty()) run.series.weight_steps(parameter, 0, frame.cursor, 2000, steps);
    for (long step : steps) {
      if (!run.series.weight(parameter, step, weight)) continue;
      const Point3 point{static_cast<float>(weight[0]), static_cast<float>(weight[1]), static_cast<float>(weight[2])};
      if (!std::isfinite(point[0] + point[1] + point[2])) break;
      trail.step.push_back(step);
      trail.point.push_back(point);
    }
    if (trail.point.empty()) continue;
    trail.ended = run.diverged && frame.cursor >= run.diverged_at;
    any_norm |= p->invariance == Invariance::none;
    for (std::size_t i = 0; i < 3; ++i) {
      starts[i] += static_cast<double>(trail.point.front()[i]) / length(trail.point.front());
      currents[i] += static_cast<double>(trail.point.back()[i]) / length(trail.point.back());
    }
    if (trail.selected || picture.trails.empty())
      picture.unit = std::hypot(trail.point[0][0], trail.point[0][1], trail.point[0][2]);
    picture.trails.push_back(std::move(trail));
  }
  if (any_norm) { // the sphere would show the loss at one norm, the paths stand at others
    picture.field = {};
    picture.note = "the loss depends on the norm: not painted";
  }
  picture.scene = frame.scene_generation + 1;
  picture.aim = aim_of(frame, parameter, starts, currents);
  if (picture.trails.empty())
    picture.empty_text = frame.runs.empty() ? "no runs: add one" : "no run has a parameter of three numbers";
  return picture;
}

} // namespace polarscope
