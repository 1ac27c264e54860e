// The engine thread: owns a Session, takes commands, paces playing, publishes frames. Decides no semantics.
#pragma once

#include "engine/command.hpp"
#include "engine/frame.hpp"
#include "engine/session.hpp"

#include <functional>
#include <memory>

namespace polarscope {

class Driver {
public:
  // `threaded` false: nothing runs unless pump() is called (tests, shot). `wake` is called from the engine thread
  // after a frame was published, to wake a window that waits for events.
  Driver(std::unique_ptr<Session> session, SessionOptions options, bool threaded, std::function<void()> wake = {});
  ~Driver();                                   // finishes the burst under way and joins
  const std::optional<Error>& failure() const; // why a threaded one has no thread: nothing will be done

  void send(Command command);                 // any thread
  std::shared_ptr<const Frame> frame() const; // any thread, never null
  // One turn of the loop by hand: drains commands, computes what `seconds` of playing ask for, publishes.
  void pump(double seconds);
  // True while commands, playing or catching up are pending.
  bool busy() const;

  // The loss field of a plane, computed on the engine thread between bursts and kept until the plane changes; null
  // until it is ready. See Session::plane_loss.
  static constexpr int kFinePlane = 720; // samples of a loss field that may take its time
  struct PlaneRequest {
    RunId run = 0;
    int parameter = 0;
    std::vector<double> e1, e2;
    int samples = kFinePlane;
    bool operator==(const PlaneRequest&) const = default;
  };
  void request_plane(PlaneRequest request);
  struct PlaneLoss {
    PlaneRequest request;
    std::vector<double> loss;
    long step = 0; // cursor at which it was computed: whose norm it has where the loss is not scale-invariant
  };
  std::shared_ptr<const PlaneLoss> plane() const;

private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

} // namespace polarscope
