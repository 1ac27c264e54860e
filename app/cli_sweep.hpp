// What `sweep` and `compare` share: going through members with progress, interrupt and a journal.
#pragma once

#include "app/cli_scene.hpp"
#include "engine/sweep_journal.hpp"
#include "engine/sweep_report.hpp"

#include <memory>
#include <string>
#include <utility>

namespace CLI {
class App;
}

namespace polarscope {

struct SweepArguments {
  SceneArguments scene;
  std::string csv, json;
  double tail = 10; // percent of the steps
  bool fresh = false;
};

// --csv, --json, --tail, --fresh.
void add_sweep_options(CLI::App& command, SweepArguments& arguments);

// Members that are computed, now or by an interrupted command before this one.
class SweepWork {
public:
  explicit SweepWork(const SweepArguments& arguments);
  SweepWork(const SweepWork&) = delete;
  SweepWork& operator=(const SweepWork&) = delete;

  // Opens the results' files and the scene's journal, and says on stderr what was kept.
  Result<void> open(const Scene& scene);
  // Every member of the scene, which may have got more of them since; false when interrupted.
  Result<bool> run(const Scene& scene);
  SweepReport report(const Scene& scene) const; // of the members known so far
  // The files, and on stdout `text` where no file goes there. Removes the journal when everything is `finished`.
  Result<void> write(const SweepReport& report, const std::string& json, const std::string& text, bool finished);
  int exit_code(const SweepReport& report, bool finished) const; // after write()

private:
  // Beside the first result that is a file (then second), else in the user's folder; "" where there is none.
  std::pair<std::string, bool> journal_path(std::uint64_t key) const;

  const SweepArguments& arguments_;
  SweepRunOptions options_;
  Target csv_, json_;
  std::unique_ptr<SweepJournal> journal_;
  KnownResults known_;
  ProgressLine progress_;
};

} // namespace polarscope
