#include "engine/driver.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <deque>
#include <limits>
#include <mutex>
#include <system_error>
#include <thread>

namespace polarscope {

namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr double kBurst = 0.012;        // seconds of computing between two looks at the commands
constexpr double kFrameTime = 1 / 60.0; // least time between two frames while playing
constexpr double kDebt = 0.1;           // steps that playing owes are forgotten beyond this many seconds
constexpr double kSpeedWindow = 0.5;    // seconds over which the achieved speed is measured
constexpr double kStepsPerPlane = 19;   // seconds of steps for a second of planes
constexpr int kCheapPlane = 1 << 14;    // elements × samples that are computed between two frames without a thought

double seconds_since(Clock::time_point t) { return Seconds(Clock::now() - t).count(); }

// Of commands that wait, a preview is replaced by the next of the same thing: only the newest can still be seen.
bool replaces(const Command& newer, const Command& older) {
  if (const auto* a = std::get_if<command::SetHparam>(&newer), *b = std::get_if<command::SetHparam>(&older); a && b)
    return b->preview && a->run == b->run && a->name == b->name && a->mode == b->mode;
  if (const auto* a = std::get_if<command::MoveStart>(&newer), *b = std::get_if<command::MoveStart>(&older); a && b)
    return b->preview && a->run == b->run && a->parameter == b->parameter;
  return std::holds_alternative<command::MoveCursor>(newer) && std::holds_alternative<command::MoveCursor>(older);
}

} // namespace

struct Driver::Impl {
  // ---- shared, under the mutex
  mutable std::mutex mutex;
  std::condition_variable changed;
  std::deque<Command> queue;
  std::optional<PlaneRequest> wanted_plane;
  std::shared_ptr<const Frame> frame;
  std::shared_ptr<const PlaneLoss> plane;
  bool threaded = false;
  bool stopping = false;
  bool working = false; // commands taken but not finished, playing, or catching up

  // ---- the engine thread's (or pump()'s) own
  std::unique_ptr<Session> session;
  SessionOptions options;
  std::function<void()> wake;
  bool playing = false;
  double speed = 50, carry = 0;
  std::optional<long> target; // a ComputeTo or StepBy under way
  std::uint64_t number = 0, generation = 1;
  std::string notice;
  bool notice_is_error = false;
  double achieved = 0;
  long made_in_window = 0;
  Clock::time_point window_start = Clock::now(), last_turn = Clock::now(), last_frame{};
  bool dirty = true;                         // something to publish
  std::optional<PlaneRequest> plane_request; // what the published plane was made for
  long plane_cursor = -1;
  double plane_cost = 0; // seconds that the last one took
  Clock::time_point plane_done{};
  std::shared_ptr<const StateView> state;
  std::optional<std::pair<RunId, long>> state_of; // what `state` shows; empty when a command may have changed it
  std::thread thread;
  std::optional<Error> not_started;

  bool pending() const { return playing || target.has_value() || catching_up || looking; }
  bool catching_up = false;
  bool looking = false; // for the state at the cursor

  void say(Result<std::string> result) {
    notice_is_error = !result.ok();
    notice = result ? *result : result.error().text();
  }
  void take(const Command& c);
  void open_scene(const std::string& name);
  bool drain();
  long advance_for(long most, double seconds);
  void look(double seconds);
  void play(double seconds, double limit);
  void compute_to_target(double limit);
  void turn(double seconds, bool by_hand);
  bool plane_is_due() const;
  bool other_plane_is_wanted() const;
  void update_plane(bool other);
  void publish();
  void run();
  std::optional<double> wait_time() const;
};

void Driver::Impl::open_scene(const std::string& name) {
  auto scene = load_scene(name);
  if (!scene) return say(scene.error());
  SessionOptions beside = options; // the open scene stays when this one cannot be opened
  beside.memory_in_use = static_cast<double>(session->memory_bytes());
  auto opened = Session::open(std::move(*scene), beside);
  if (!opened) return say(opened.error());
  session = std::move(*opened);
  ++generation;
  playing = false;
  target.reset();
  plane_request.reset();
  speed = session->scene().speed;
  say(fmt::format("opened {}", session->scene().title));
}

void Driver::Impl::take(const Command& c) {
  state_of.reset();
  plane_cursor = -1;
  dirty = true;
  if (const auto* open = std::get_if<command::OpenScene>(&c)) return open_scene(open->name);
  if (const auto failed = session->failure(); failed && session->computes(c)) {
    playing = false;
    target.reset();
    return say(*failed);
  }
  if (std::holds_alternative<command::Play>(c)) {
    playing = !(session->at_end() && session->cursor() == session->head());
    target.reset();
    carry = 0;
    if (!playing) return say(fmt::format("the scene ends at step {}", session->head()));
  }
  if (std::holds_alternative<command::Pause>(c)) playing = false;
  if (std::holds_alternative<command::Restart>(c)) target.reset();
  if (const auto* s = std::get_if<command::SetSpeed>(&c);
      s && s->steps_per_second >= 0 && std::isfinite(s->steps_per_second))
    speed = s->steps_per_second;
  // Computing ahead is done in slices, so that the next command and the next frame need not wait for it.
  const auto* to = std::get_if<command::ComputeTo>(&c);
  const auto* by = std::get_if<command::StepBy>(&c);
  if (to || by) {
    playing = false;
    const long wanted = to ? to->step : session->cursor() + by->steps;
    if (wanted > session->head()) {
      target = std::min(wanted, session->scene().steps);
      return say(wanted > *target ? fmt::format("step {}: the scene ends here", *target)
                                  : fmt::format("step {}", *target));
    }
    target.reset();
  }
  if (std::holds_alternative<command::MoveCursor>(c)) target.reset();
  say(session->apply(c));
}

bool Driver::Impl::drain() {
  std::deque<Command> taken;
  {
    std::lock_guard lock(mutex);
    taken.swap(queue);
    working = working || !taken.empty();
  }
  for (std::size_t i = 0; i < taken.size(); ++i)
    if (i + 1 == taken.size() || !replaces(taken[i + 1], taken[i])) take(taken[i]);
  return !taken.empty();
}

long Driver::Impl::advance_for(long most, double seconds) {
  const long made = session->advance(most, seconds);
  made_in_window += made;
  return made;
}

// The selected run's state at the cursor. Far from a keyframe that takes a while: pictures come without it until then.
void Driver::Impl::look(double seconds) {
  const std::pair<RunId, long> wanted{session->selected(), session->cursor()};
  looking = false;
  if (state_of && *state_of == wanted) return;
  auto view = session->look_at(wanted.first, wanted.second, seconds);
  const bool had = state != nullptr;
  state = view ? *view : nullptr;
  looking = view && !state && !session->failure();
  if (state || had) dirty = true;
  if (catching_up || looking) state_of.reset();
  else state_of = wanted;
}

// What `seconds` of playing ask for: first what exists is shown again, then steps are computed, for `limit` at most.
void Driver::Impl::play(double seconds, double limit) {
  const bool unbounded = speed == 0;
  carry = unbounded ? 0 : std::min(carry + seconds * speed, std::max(1.0, kDebt * speed) + seconds * speed);
  long owed = unbounded ? std::numeric_limits<long>::max() : static_cast<long>(carry);
  if (owed < 1) return;
  dirty = true;
  const long behind = session->head() - session->cursor();
  if (behind > 0) {
    // As fast as possible means a whole second of a 60 Hz screen for what is there already.
    const long shown = std::min(behind, unbounded ? std::max(1l, session->head() / 60) : owed);
    (void)session->apply(command::MoveCursor{session->cursor() + shown});
    made_in_window += shown;
    if (!unbounded) carry -= static_cast<double>(shown);
    owed -= shown;
    if (behind > shown || unbounded) return;
  }
  const long made = owed > 0 ? advance_for(owed, limit) : 0;
  if (!unbounded) carry = std::min(carry - static_cast<double>(made), std::max(1.0, kDebt * speed));
  if (const auto failed = session->failure()) {
    playing = false;
    say(*failed);
  } else if (session->at_end()) {
    playing = false;
    say(fmt::format("the scene ends at step {}", session->head()));
  }
}

void Driver::Impl::compute_to_target(double limit) {
  if (session->cursor() != session->head()) (void)session->apply(command::MoveCursor{session->head()});
  const long left = *target - session->head();
  if (left > 0) advance_for(left, limit);
  if (session->head() >= *target || session->failure()) target.reset();
  dirty = true;
}

// Of a network a plane costs many steps: while steps are wanted it takes a twentieth of the time.
bool Driver::Impl::plane_is_due() const {
  return !threaded || !pending() || seconds_since(plane_done) >= kStepsPerPlane * plane_cost;
}

// Under the mutex.
bool Driver::Impl::other_plane_is_wanted() const {
  return wanted_plane && !(plane_request && *plane_request == *wanted_plane) && plane_is_due();
}

// `other`: than the published one is wanted; else that one is made again where the cursor has moved.
void Driver::Impl::update_plane(bool other) {
  std::optional<PlaneRequest> wanted = plane_request;
  if (other) {
    std::lock_guard lock(mutex);
    wanted = wanted_plane;
  } else {
    if (!wanted || plane_cursor == session->cursor() || !plane_is_due()) return;
    // While the cursor runs, a plane that depends on it is renewed only where that is cheap.
    const bool cheap = static_cast<int>(wanted->e1.size()) * wanted->samples <= kCheapPlane;
    if (pending() && !cheap) return;
  }
  const auto start = Clock::now();
  auto made = std::make_shared<PlaneLoss>();
  made->request = *wanted;
  made->loss = session->plane_loss(wanted->run, wanted->parameter, wanted->e1, wanted->e2, wanted->samples);
  plane_request = std::move(wanted);
  plane_cursor = made->step = session->cursor();
  plane_done = Clock::now();
  plane_cost = Seconds(plane_done - start).count();
  dirty = true;
  std::lock_guard lock(mutex);
  plane = std::move(made);
}

void Driver::Impl::publish() {
  auto f = std::make_shared<Frame>();
  f->number = ++number;
  f->scene_generation = generation;
  f->playing = playing;
  f->speed = speed;
  if (const double window = seconds_since(window_start); window >= kSpeedWindow) {
    achieved = static_cast<double>(made_in_window) / window;
    made_in_window = 0;
    window_start = Clock::now();
  }
  f->achieved_speed = playing ? achieved : 0;
  f->notice = notice;
  f->notice_is_error = notice_is_error;
  session->fill(*f);
  f->computing = f->computing || target.has_value();
  f->state = state;
  {
    std::lock_guard lock(mutex);
    frame = std::move(f);
    working = pending() || !queue.empty();
  }
  dirty = false;
  last_frame = Clock::now();
  if (wake) wake();
}

void Driver::Impl::turn(double seconds, bool by_hand) {
  const bool commanded = drain();
  const double slice = by_hand ? std::numeric_limits<double>::infinity() : kBurst;
  const bool was_catching_up = catching_up;
  catching_up = session->continue_work(kBurst);
  if (was_catching_up || catching_up) dirty = true;
  if (!catching_up) {
    if (target) compute_to_target(kBurst);
    else if (playing) play(seconds, speed == 0 ? kBurst : slice);
  }
  if (!playing) achieved = 0, made_in_window = 0, window_start = Clock::now();
  const bool due = seconds_since(last_frame) >= kFrameTime, asked = [this] {
    std::lock_guard lock(mutex);
    return other_plane_is_wanted();
  }();
  const bool wanted = (dirty || asked) && (by_hand || commanded || asked || !pending() || due);
  const bool was_looking = looking;
  if (wanted || was_looking) look(slice);
  if (!wanted && !(was_looking && !looking)) return;
  if (!looking) update_plane(asked);
  publish();
}

// Seconds until there is something to do without a command; none: only a command will do.
std::optional<double> Driver::Impl::wait_time() const {
  if (catching_up || target || looking) return 0;
  if (!playing) return std::nullopt;
  if (speed == 0) return session->cursor() < session->head() ? kFrameTime : 0;
  if (carry >= 1) return 0; // computing is slower than the speed asked for
  // The next step, but not more often than a screen shows.
  return std::max(kFrameTime - seconds_since(last_frame), (1 - carry) / speed);
}

void Driver::Impl::run() {
  for (;;) {
    const auto now = Clock::now();
    turn(Seconds(now - last_turn).count(), false);
    last_turn = now;
    const std::optional<double> wait = wait_time();
    std::unique_lock lock(mutex);
    const auto ready = [this] { return stopping || !queue.empty() || other_plane_is_wanted(); };
    if (!wait) changed.wait(lock, ready);
    else if (*wait > 0) changed.wait_for(lock, Seconds(*wait), ready);
    if (stopping) return;
    if (!wait) last_turn = Clock::now(); // time asleep is not time played
  }
}

Driver::Driver(std::unique_ptr<Session> session, SessionOptions options, bool threaded, std::function<void()> wake)
    : impl_(std::make_unique<Impl>()) {
  impl_->session = std::move(session);
  impl_->options = std::move(options);
  impl_->wake = std::move(wake);
  impl_->speed = impl_->session->scene().speed;
  impl_->look(std::numeric_limits<double>::infinity());
  impl_->publish();
  impl_->threaded = threaded;
  if (!threaded) return;
  try {
    impl_->thread = std::thread([this] { impl_->run(); });
  } catch (const std::system_error& error) {
    impl_->not_started =
        machine_lacks(fmt::format("the engine's thread cannot be started: {}", error.code().message()));
  }
}

const std::optional<Error>& Driver::failure() const { return impl_->not_started; }

Driver::~Driver() {
  {
    std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->changed.notify_all();
  if (impl_->thread.joinable()) impl_->thread.join();
}

void Driver::send(Command command) {
  {
    std::lock_guard lock(impl_->mutex);
    impl_->queue.push_back(std::move(command));
  }
  impl_->changed.notify_all();
}

std::shared_ptr<const Frame> Driver::frame() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->frame;
}

void Driver::pump(double seconds) { impl_->turn(seconds, true); }

bool Driver::busy() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->working || !impl_->queue.empty();
}

void Driver::request_plane(PlaneRequest request) {
  {
    std::lock_guard lock(impl_->mutex);
    if (impl_->wanted_plane && *impl_->wanted_plane == request) return;
    impl_->wanted_plane = std::move(request);
  }
  impl_->changed.notify_all();
}

std::shared_ptr<const Driver::PlaneLoss> Driver::plane() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->plane;
}

} // namespace polarscope
