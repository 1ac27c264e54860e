// polarscope inspect: what the weights in a checkpoint are like, and how they moved to another one.
#include "app/cli.hpp"
#include "app/cli_scene.hpp"
#include "engine/files.hpp"
#include "engine/inspect.hpp"
#include "engine/spectrum.hpp"

#if POLARSCOPE_WINDOW
#  include "app/inspect_picture.hpp"
#endif

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <memory>

namespace polarscope {

void inspect_command(Commands& commands);

namespace {

struct InspectArguments {
  std::string first, second, json, png;
};

// On a terminal: the share done, the tensor at hand, and the time left.
class InspectProgressLine {
public:
  ~InspectProgressLine() {
    if (drawn_) fmt::print(stderr, "\r\033[K");
  }
  void draw(const std::string& tensor, double done) {
    const auto now = Clock::now();
    if (!terminal_ || now < next_) return;
    next_ = now + std::chrono::milliseconds(200);
    const double passed = std::chrono::duration<double>(now - start_).count();
    fmt::print(stderr, "\r\033[K{:3.0f} %  {}", 100 * done, short_name(tensor, 40));
    if (done > 0.02 && passed > 1) fmt::print(stderr, "  {:.0f} s left", passed / done * (1 - done));
    std::fflush(stderr);
    drawn_ = true;
  }

private:
  using Clock = std::chrono::steady_clock;
  const bool terminal_ = ::isatty(STDERR_FILENO) == 1;
  const Clock::time_point start_ = Clock::now();
  Clock::time_point next_ = start_ + std::chrono::milliseconds(300);
  bool drawn_ = false;
};

Result<void> check_arguments(const InspectArguments& a) {
  if (a.json == "-" && a.png == "-") return bad_input("only one result can go to stdout");
#if !POLARSCOPE_WINDOW
  if (!a.png.empty())
    return machine_lacks(fmt::format("{} needs the window's code, which this program was built without", a.png));
#endif
  return {};
}

Result<void> write_picture(const InspectReport& report, const std::string& path) {
#if POLARSCOPE_WINDOW
  auto image = render_inspection(report);
  if (!image) return image.error();
  return write_png(*image, path);
#else
  (void)report;
  (void)path;
  return {}; // refused before
#endif
}

Result<int> inspect(const InspectArguments& a) {
  if (auto done = check_arguments(a); !done) return done.error();
  const InterruptGuard guard;
  std::optional<OutputFile> json;
  if (!a.json.empty()) { // opened first, so that a bad name costs no computing
    auto file = OutputFile::open(a.json);
    if (!file) return file.error();
    json.emplace(std::move(*file));
  }
  auto progress = std::make_unique<InspectProgressLine>();
  const auto report = inspect_checkpoints(a.first, a.second, [&](const std::string& tensor, double done) {
    progress->draw(tensor, done);
    return !InterruptGuard::requested();
  });
  progress.reset();
  if (!report) return report.error();
  if (a.json != "-" && a.png != "-")
    if (auto done = write_file("-", inspect_table(*report)); !done) return done.error();
  if (json) {
    if (auto done = json->write(inspect_json(*report)); !done) return done.error();
    if (auto done = json->commit(); !done) return done.error();
  }
  if (report->interrupted) {
    fmt::print(stderr, "polarscope: interrupted; the tensors before are complete\n");
    return InterruptGuard::exit_code();
  }
  if (!a.png.empty())
    if (auto done = write_picture(*report, a.png); !done) return done.error();
  return 0;
}

std::string footer() {
  return fmt::format(
      "Singular values come from a decomposition in float64 where the smaller side is at most {0}, and\n"
      "beyond from the Gram matrix: then those below 1e-8 of the largest are never resolved, and below\n"
      "sqrt(n * 2.2e-16) of it, n the smaller side (7e-7 for 2048), they may be rounding. The JSON names\n"
      "method and limit. Memory is a few n * n numbers, whatever the size of the file.",
      kLargestSvd);
}

} // namespace

void inspect_command(Commands& commands) {
  auto arguments = std::make_shared<InspectArguments>();
  CLI::App* command =
      commands.app.add_subcommand("inspect", "Norms and spectra of a checkpoint, and how its rows moved to another");
  command->add_option("CKPT", arguments->first, "A .safetensors file")->required();
  command->add_option("CKPT2", arguments->second, "A later one: how each row moved, along its direction and across");
  command->add_option("--json", arguments->json, "Every number, row by row; - is stdout")->type_name("FILE");
  command->add_option("--png", arguments->png, "A picture of at most 12 matrices; - is stdout")->type_name("FILE");
  command->footer(footer());
  command->callback([arguments, &commands] {
    commands.chosen = [arguments] {
      const auto code = inspect(*arguments);
      return code ? *code : complain(code.error());
    };
  });
}

} // namespace polarscope
