// Scenes as text for tests of sessions.
#pragma once

#include "engine/session.hpp"
#include "tests/support/catch.hpp"

#include <fmt/format.h>

#include <string>
#include <vector>

namespace polarscope::test {

struct SceneText {
  std::string precision = "f32";
  long steps = 1000;
  int runs = 1;
  double noise = 0.5;
  std::string optimizer = "sgd";
  std::string problem = "circle";
  std::vector<std::string> start = {"{ radius = 1.0, angle = -2.35 }", "{ radius = 4.0, angle = -2.35 }"};
  std::vector<double> lr = {0.1}; // of the runs in turn
  std::string extra = {};         // more tables at the end
};

inline std::string text_of(const SceneText& s) {
  std::string text = fmt::format("[scene]\ntitle = \"test\"\nseed = 11\nsteps = {}\nprecision = \"{}\"\n\n"
                                 "[problem]\nkind = \"{}\"\nnoise = {}\n",
                                 s.steps, s.precision, s.problem, s.noise);
  for (int i = 0; i < s.runs; ++i) {
    const auto k = static_cast<std::size_t>(i);
    text += fmt::format("\n[[run]]\nlabel = \"run {}\"\noptimizer = \"{}\"\nhparam.lr = {}\nseed = {}\n", i,
                        s.optimizer, s.lr[k % s.lr.size()], 100 + i);
    if (!s.start.empty()) text += fmt::format("start = {}\n", s.start[k % s.start.size()]);
  }
  return text + s.extra;
}

inline Scene scene_of(const SceneText& s) {
  auto scene = parse_scene(text_of(s), "test.toml");
  if (!scene) FAIL(scene.error().text());
  return *scene;
}

inline std::unique_ptr<Session> open_session(Scene scene, SessionOptions options = {}) {
  if (options.device == "auto") options.device = "cpu";
  auto session = Session::open(std::move(scene), options);
  if (!session) FAIL(session.error().text());
  return std::move(*session);
}

inline std::unique_ptr<Session> open_session(const SceneText& s, SessionOptions options = {}) {
  return open_session(scene_of(s), std::move(options));
}

inline Frame frame_of(Session& session) {
  Frame f;
  session.fill(f);
  return f;
}

// Applies a command that must succeed; the sentence.
inline std::string done(Session& session, const Command& command) {
  const auto said = session.apply(command);
  if (!said) FAIL(said.error().text());
  return *said;
}

} // namespace polarscope::test
