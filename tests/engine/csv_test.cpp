// CSV: what is written reads back to the same bits as the stored series.
#include "engine/csv.hpp"
#include "engine/files.hpp"
#include "engine/session.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/process.hpp"

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <string>
#include <vector>

using namespace polarscope;

namespace {

std::vector<std::string> cells(const std::string& line) { // these labels need no quotes
  std::vector<std::string> out;
  std::string cell;
  std::istringstream in(line);
  while (std::getline(in, cell, ',')) out.push_back(cell);
  if (line.ends_with(',')) out.emplace_back();
  return out;
}

bool same_bits(double a, double b) { return std::memcmp(&a, &b, sizeof a) == 0; }

void check_round_trip(Precision precision) {
  auto scene = load_scene("first_look");
  REQUIRE(scene.ok());
  scene->precision = precision;
  SessionOptions options;
  options.device = "cpu";
  auto session = Session::open(*scene, options);
  REQUIRE(session.ok());
  (*session)->advance(120);
  Frame frame;
  (*session)->fill(frame);

  const test::TemporaryFolder folder;
  const std::string path = folder.path() + "/x.csv";
  auto file = OutputFile::open(path);
  REQUIRE(file.ok());
  REQUIRE(write_csv(frame, *file).ok());
  REQUIRE(file->commit().ok());

  std::istringstream in(test::read_text(path));
  std::string line;
  std::getline(in, line);
  const std::vector<std::string> head = cells(line);
  int rows = 0, values = 0;
  while (std::getline(in, line)) {
    const std::vector<std::string> row = cells(line);
    REQUIRE(row.size() == head.size());
    const RunFrame& run = frame.runs[static_cast<std::size_t>(std::stoi(row[1]))];
    CHECK(row[0] == run.label);
    const long step = std::stol(row[3]);
    for (std::size_t c = 4; c < head.size(); ++c) {
      const auto stored = run.series.at(run.program->find_metric(head[c]), step);
      REQUIRE(stored.has_value());
      if (row[c].empty()) {
        CHECK(std::isnan(*stored));
        continue;
      }
      const double read =
          precision == Precision::f32 ? std::strtof(row[c].c_str(), nullptr) : std::strtod(row[c].c_str(), nullptr);
      CHECK(same_bits(read, *stored));
      ++values;
    }
    ++rows;
  }
  CHECK(rows == 2 * 121);
  CHECK(values > 2 * 121 * 4);
}

} // namespace

TEST_CASE("CSV says in one line before its header which rows were thinned", "[csv]") {
  auto scene = load_scene("first_look");
  REQUIRE(scene.ok());
  scene->steps = 40000;
  SessionOptions options;
  options.device = "cpu";
  options.memory_budget = 1 << 20;
  auto session = Session::open(*scene, options);
  REQUIRE(session.ok());
  (*session)->advance(scene->steps);
  Frame frame;
  (*session)->fill(frame);
  const test::TemporaryFolder folder;
  auto file = OutputFile::open(folder.path() + "/x.csv");
  REQUIRE((file.ok() && write_csv(frame, *file).ok() && file->commit().ok()));
  std::istringstream in(test::read_text(folder.path() + "/x.csv"));
  std::vector<std::string> notes;
  std::string line;
  while (std::getline(in, line) && line.starts_with("#")) notes.push_back(line);
  REQUIRE(notes.size() == 1);
  CHECK(line.starts_with("run,member,seed,step,"));
  CHECK(notes[0].find("# kept only, of run norm 1, norm 4: every ") == 0);
  CHECK(notes[0].find(" step from 0 to ") != std::string::npos);
  for (int rows = 0; std::getline(in, line); ++rows) CHECK_FALSE(line.starts_with("#"));
}

TEST_CASE("a field of a CSV is in quotes where it would be taken for more or for a comment", "[csv]") {
  CHECK(csv_field("norm 4") == "norm 4");
  CHECK(csv_field("no #1") == "no #1");
  CHECK(csv_field("#1") == "\"#1\"");
  CHECK(csv_field("a,b") == "\"a,b\"");
  CHECK(csv_field("a \"b\"") == "\"a \"\"b\"\"\"");
  CHECK(csv_field("a\nb") == "\"a\nb\"");
}

TEST_CASE("CSV reads back to the same bits", "[csv]") {
  SECTION("f32") { check_round_trip(Precision::f32); }
  SECTION("f64") { check_round_trip(Precision::f64); }
}
