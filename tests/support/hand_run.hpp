// One run of a scene, driven on the CPU's executor by hand: compiled from TOML as a user writes it, without a session.
#pragma once

#include "engine/host_member.hpp"
#include "engine/scene.hpp"

#include <memory>
#include <string>
#include <vector>

namespace polarscope::test {

class HandRun {
public:
  // Run number `run` of the scene's text; row 0 is made at once. A scene that does not compile ends the test.
  explicit HandRun(const std::string& toml, std::size_t run = 0);

  bool step(long n = 1);                          // false once the run has diverged
  double metric(const std::string& column) const; // of the last row; NaN when not recorded
  std::vector<double> read(const std::string& slot) const;
  const StepProgram& program() const { return *program_; }
  const std::vector<double>& hparams() const { return hparams_; }

private:
  std::shared_ptr<const StepProgram> program_;
  std::vector<double> hparams_;
  std::unique_ptr<HostMember> member_;
};

} // namespace polarscope::test
