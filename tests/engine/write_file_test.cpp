#include "engine/files.hpp"

#include "tests/support/catch.hpp"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include <unistd.h>

using namespace polarscope;
namespace fs = std::filesystem;

namespace {

struct TemporaryFolder {
  fs::path path = fs::temp_directory_path() / ("polarscope_write_file_" + std::to_string(::getpid()));
  TemporaryFolder() { fs::create_directories(path); }
  ~TemporaryFolder() { fs::remove_all(path); }
  std::size_t entries() const { return static_cast<std::size_t>(std::distance(fs::directory_iterator(path), {})); }
};

std::string content(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

} // namespace

TEST_CASE("a file is written whole and replaces the old one", "[write_file]") {
  TemporaryFolder folder;
  const fs::path file = folder.path / "series.csv";
  REQUIRE(write_file(file.string(), "old").ok());
  const std::string bytes("a\0b\n", 4);
  REQUIRE(write_file(file.string(), bytes).ok());
  CHECK(content(file) == bytes);
  CHECK(folder.entries() == 1);
}

TEST_CASE("a link stays a link to the replaced file", "[write_file]") {
  TemporaryFolder folder;
  REQUIRE(write_file((folder.path / "real").string(), "old").ok());
  fs::create_symlink("real", folder.path / "link");
  REQUIRE(write_file((folder.path / "link").string(), "new").ok());
  CHECK(fs::is_symlink(folder.path / "link"));
  CHECK(content(folder.path / "real") == "new");
}

TEST_CASE("a temporary file that another process left under the same number stays, and is in nobody's way",
          "[write_file]") {
  TemporaryFolder folder;
  const fs::path file = folder.path / "result.json";
  const auto left = [&](const std::string& which) {
    return folder.path / ("result.json." + std::to_string(::getpid()) + which + ".part");
  };
  std::ofstream(left("")) << "a stranger's";
  std::ofstream(left(".2")) << "another's";
  REQUIRE(write_file(file.string(), "ours").ok());
  CHECK(content(file) == "ours");
  CHECK(content(left("")) == "a stranger's");
  CHECK(content(left(".2")) == "another's");
  CHECK(folder.entries() == 3);
  const auto never_committed = OutputFile::open(file.string()); // two at once do not meet either
  REQUIRE(never_committed.ok());
  REQUIRE(write_file(file.string(), "again").ok());
  CHECK(content(file) == "again");
}

TEST_CASE("what cannot be written is one line and leaves nothing behind", "[write_file]") {
  TemporaryFolder folder;
  const auto missing = write_file((folder.path / "none" / "x.csv").string(), "x");
  REQUIRE_FALSE(missing.ok());
  CHECK(missing.error().kind == ErrorKind::bad_input);
  CHECK(missing.error().text().find("x.csv: cannot write: No such file or directory") != std::string::npos);

  const auto directory = write_file(folder.path.string(), "x");
  REQUIRE_FALSE(directory.ok());
  CHECK(directory.error().kind == ErrorKind::bad_input);
  CHECK(folder.entries() == 0);
}

TEST_CASE("devices are written in place and a full one is the machine's lack", "[write_file]") {
  REQUIRE(write_file("/dev/null", "x").ok());
  CHECK(fs::is_character_file("/dev/null"));
  const auto full = write_file("/dev/full", "x");
  REQUIRE_FALSE(full.ok());
  CHECK(full.error().kind == ErrorKind::machine_lacks);
}
