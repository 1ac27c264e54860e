// Reads every #include of kernels/, engine/ and app/ and fails on an arrow that the layers do not allow:
// app → engine → kernels. The rules are in breach(); the second test shows that each of them can fail.
#include "tests/support/catch.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

namespace fs = std::filesystem;

struct Include {
  std::string target;  // what stands between the quotes or brackets
  bool quoted = false; // "target" rather than <target>
};

bool starts_with(std::string_view text, std::string_view prefix) { return text.substr(0, prefix.size()) == prefix; }
bool ends_with(std::string_view text, std::string_view suffix) {
  return text.size() >= suffix.size() && text.substr(text.size() - suffix.size()) == suffix;
}

// The include directive of one source line, if it is one.
std::optional<Include> parse_include(std::string_view line) {
  const auto skip_blanks = [&] { line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size())); };
  skip_blanks();
  if (!starts_with(line, "#")) return std::nullopt;
  line.remove_prefix(1);
  skip_blanks();
  if (!starts_with(line, "include")) return std::nullopt;
  line.remove_prefix(7);
  skip_blanks();
  if (line.empty() || (line[0] != '"' && line[0] != '<')) return std::nullopt;
  const char closing = line[0] == '"' ? '"' : '>';
  const auto end = line.find(closing, 1);
  if (end == std::string_view::npos) return std::nullopt;
  return Include{std::string(line.substr(1, end - 1)), closing == '"'};
}

std::string layer_of(std::string_view path) {
  for (const char* layer : {"kernels", "engine", "app", "tests"})
    if (starts_with(path, std::string(layer) + "/")) return layer;
  return "";
}

// C++ standard headers have neither a dot nor a slash: <vector>. Everything else is the system's or
// third-party.
bool is_standard(std::string_view header) { return header.find_first_of("./") == std::string_view::npos; }

bool any_prefix(std::string_view text, std::initializer_list<const char*> prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(), [&](const char* p) { return starts_with(text, p); });
}

std::string kernels_breach(std::string_view file, const Include& include) {
  const std::string_view target = include.target;
  if (include.quoted) return layer_of(target) == "kernels" ? "" : "kernels include only themselves";
  static constexpr std::array kUnwanted = {"string",     "string_view", "fstream",   "iostream",  "sstream", "ostream",
                                           "filesystem", "chrono",      "exception", "stdexcept", "random",  "regex"};
  if (is_standard(target)) {
    const bool unwanted = std::find(kUnwanted.begin(), kUnwanted.end(), target) != kUnwanted.end();
    return unwanted ? "kernels know no files, clocks, strings, exceptions or library randomness" : "";
  }
  if (starts_with(file, "kernels/cuda/") && any_prefix(target, {"cuda", "cublas", "cooperative_groups", "mma.h"}))
    return "";
  if (any_prefix(target, {"immintrin.h", "cpuid.h", "ucontext.h"})) return "";
  return "kernels include no third-party header";
}

std::string engine_breach(std::string_view file, const Include& include) {
  const std::string_view target = include.target;
  if (include.quoted) {
    const std::string layer = layer_of(target);
    return layer == "engine" || layer == "kernels" ? "" : "the engine includes only itself and kernels";
  }
  if (any_prefix(target, {"imgui", "implot", "GLFW/", "GL/", "EGL/", "CLI/", "stb"})) return "the engine draws nothing";
  if (!is_standard(target) && !ends_with(file, ".cpp"))
    return "public headers of the engine include no third-party header";
  return "";
}

std::string app_breach(std::string_view file, const Include& include) {
  const std::string layer = layer_of(include.target);
  if (layer == "kernels") return "the app does not see kernels";
  if (layer == "tests") return "the app does not see tests";
  if (starts_with(file, "app/panels/") && include.target == "engine/session.hpp")
    return "panels do not see the session";
  return "";
}

// Why `file` (path from the repository root) must not have this include; empty if it may.
std::string breach(std::string_view file, const Include& include) {
  if (include.quoted && starts_with(include.target, ".")) return "paths are given from the repository root";
  const std::string layer = layer_of(file);
  if (layer == "kernels") return kernels_breach(file, include);
  if (layer == "engine") return engine_breach(file, include);
  if (layer == "app") return app_breach(file, include);
  return "not in a layer";
}

bool is_source(const fs::path& path) {
  static constexpr std::array kEndings = {".hpp", ".cpp", ".h", ".cu", ".cuh", ".inl", ".def"};
  return std::find(kEndings.begin(), kEndings.end(), path.extension().string()) != kEndings.end();
}

std::vector<fs::path> sources_below(const fs::path& root, const char* layer) {
  std::vector<fs::path> found;
  if (!fs::exists(root / layer)) return found;
  for (const auto& entry : fs::recursive_directory_iterator(root / layer))
    if (entry.is_regular_file() && is_source(entry.path())) found.push_back(entry.path());
  std::sort(found.begin(), found.end());
  return found;
}

std::string breach_of_line(std::string_view file, std::string_view line) {
  const auto include = parse_include(line);
  return include ? breach(file, *include) : "";
}

} // namespace

TEST_CASE("includes follow the layers", "[architecture]") {
  const fs::path root = POLARSCOPE_SOURCE_DIR;
  int includes = 0;
  std::vector<std::string> breaches;
  for (const char* layer : {"kernels", "engine", "app"})
    for (const fs::path& path : sources_below(root, layer)) {
      const std::string file = path.lexically_relative(root).generic_string();
      std::ifstream in(path);
      std::string line;
      for (int number = 1; std::getline(in, line); ++number) {
        const auto include = parse_include(line);
        if (!include) continue;
        ++includes;
        if (const std::string why = breach(file, *include); !why.empty())
          breaches.push_back(file + ":" + std::to_string(number) + ": " + line + " (" + why + ")");
      }
    }
  std::string all;
  for (const std::string& one : breaches) all += one + "\n";
  INFO(all);
  CHECK(breaches.empty());
  CHECK(includes > 5); // the reader found the tree
}

TEST_CASE("the include checker tells wrong arrows from right ones", "[architecture]") {
  const auto wrong = [](const char* file, const char* line) { return !breach_of_line(file, line).empty(); };

  CHECK(wrong("kernels/ops/rows.hpp", "#include \"engine/scene.hpp\""));
  CHECK(wrong("kernels/team.hpp", "#include <string>"));
  CHECK(wrong("kernels/team.hpp", "#include <Eigen/Dense>"));
  CHECK(wrong("kernels/cpu/execute.cpp", "#include <cuda_runtime.h>"));
  CHECK_FALSE(wrong("kernels/cuda/execute.cu", "#include <cuda_runtime.h>"));
  CHECK_FALSE(wrong("kernels/team.hpp", "#include <cstdint>"));
  CHECK_FALSE(wrong("kernels/team.hpp", "#include \"kernels/view.hpp\""));

  CHECK(wrong("engine/scene.cpp", "#include \"app/theme.hpp\""));
  CHECK(wrong("engine/scene.cpp", "#  include \"imgui.h\""));
  CHECK(wrong("engine/scene.cpp", "#include <GLFW/glfw3.h>"));
  CHECK(wrong("engine/scene.hpp", "#include <toml++/toml.h>"));
  CHECK(wrong("engine/scene.hpp", "  #include <fmt/format.h>"));
  CHECK(wrong("engine/scene.hpp", "#include \"../kernels/op.hpp\""));
  CHECK_FALSE(wrong("engine/scene.cpp", "#include <toml++/toml.h>"));
  CHECK_FALSE(wrong("engine/scene.hpp", "#include \"kernels/op.hpp\""));
  CHECK_FALSE(wrong("engine/scene.hpp", "#include <vector>"));

  CHECK(wrong("app/gui.cpp", "#include \"kernels/op.hpp\""));
  CHECK(wrong("app/gui.cpp", "#include \"tests/support/catch.hpp\""));
  CHECK(wrong("app/panels/polar.cpp", "#include \"engine/session.hpp\""));
  CHECK_FALSE(wrong("app/gui.cpp", "#include \"engine/session.hpp\""));
  CHECK_FALSE(wrong("app/gui.cpp", "#include \"imgui.h\""));

  CHECK_FALSE(wrong("app/gui.cpp", "// #include \"kernels/op.hpp\""));
  CHECK_FALSE(wrong("app/gui.cpp", "const char* text = \"#include\";"));
}
