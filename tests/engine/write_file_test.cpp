#include "engine/files.hpp"

#include "tests/support/catch.hpp"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/file.h>
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

TEST_CASE("temporary files of killed processes go when the same file is written again", "[write_file]") {
  TemporaryFolder folder;
  const fs::path file = folder.path / "result.json";
  const std::string killed = "99999999"; // beyond the largest number of a process
  const auto make = [&](const std::string& name) {
    std::ofstream(folder.path / name) << "begun";
    return folder.path / name;
  };
  const fs::path left = make("result.json." + killed + ".part");
  const fs::path living = make("result.json." + std::to_string(::getppid()) + ".part");
  const fs::path locked = make("result.json.99999998.part"); // as by a writer in a container
  const int writer = ::open(locked.c_str(), O_RDWR | O_CLOEXEC);
  REQUIRE(writer >= 0);
  REQUIRE(::flock(writer, LOCK_EX | LOCK_NB) == 0);
  std::vector<fs::path> others;
  for (const std::string& name :
       {"other.json." + killed + ".part", "result.json" + killed + ".part", "result.json.0" + killed + ".part",
        "result.json.-" + killed + ".part", "result.json." + killed + "x.part", "result.json." + killed + ".part2",
        "result.json." + killed + killed + ".part", std::string("result.json..part"), std::string("result.json.part")})
    others.push_back(make(name));
  fs::create_directory(folder.path / "result.json.99999997.part");
  others.push_back(folder.path / "result.json.99999997.part");
  REQUIRE(write_file(file.string(), "whole").ok());
  CHECK(content(file) == "whole");
  CHECK_FALSE(fs::exists(left));
  CHECK(fs::exists(living));
  CHECK(fs::exists(locked));
  for (const fs::path& other : others) {
    INFO(other.string());
    CHECK(fs::exists(other));
  }
  ::close(writer);
  REQUIRE(write_file(file.string(), "again").ok());
  CHECK_FALSE(fs::exists(locked));
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
