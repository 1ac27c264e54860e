// polarscope inspect by running the built program: exit codes, what goes to which stream, and the files.
#include "tests/support/catch.hpp"
#include "tests/support/oracle.hpp"
#include "tests/app/program.hpp"
#include "tests/support/tensors.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

using namespace polarscope::test;
using Json = nlohmann::json;

namespace {

Outcome inspect(std::vector<std::string> arguments, ProcessOptions options = {}) {
  arguments.insert(arguments.begin(), {POLARSCOPE_PROGRAM, "inspect"});
  return run_process(arguments, options);
}

std::string small_checkpoint(double factor) {
  return tensor_file({{"w", {"F32", {2, 2}, {3 * factor, 4 * factor, 0, 1}}},
                      {"b", {"F32", {2}, {1, factor}}},
                      {"step", {"I64", {1}, {7}}}});
}

std::string with_header(const std::string& header, const std::string& data) {
  const std::uint64_t length = header.size();
  std::string out(8, '\0');
  std::memcpy(out.data(), &length, 8);
  return out + header + data;
}

} // namespace

TEST_CASE("inspect prints a table, and everything as JSON", "[cli][inspect]") {
  const TemporaryFolder folder;
  const std::string first = folder.write("first.safetensors", small_checkpoint(1)),
                    second = folder.write("second.safetensors", small_checkpoint(2));
  const Outcome one = inspect({first});
  INFO(one.err);
  CHECK(one.exit_code == 0);
  CHECK(one.err.empty());
  CHECK(one.out.find("skipped: step, I64 1") != std::string::npos);
  CHECK(one.out.find("from the first file") == std::string::npos);
  const Outcome two = inspect({first, second});
  CHECK(two.exit_code == 0);
  CHECK(two.out.find("from the first file to the second") != std::string::npos);
  const Outcome json = inspect({first, second, "--json", "-"});
  CHECK(json.exit_code == 0);
  const Json report = Json::parse(json.out);
  CHECK(report.at("version") == 1);
  CHECK(report.at("complete") == true);
  const Json& w = report.at("files").at(0).at("tensors").at(0);
  CHECK(w.at("name") == "w");
  CHECK(w.at("row_norms") == Json({5.0, 1.0}));
  CHECK(w.at("singular_values").size() == 2);
  CHECK(w.at("singular_values_by") == "svd");
  CHECK(report.at("changes").at(0).at("row_radial") == Json({5.0, 0.0}));
  CHECK(report.at("changes").at(0).at("row_angle_degrees") == Json({0.0, 0.0}));
  // to a file, beside the table
  const std::string path = folder.path() + "/out.json";
  CHECK(inspect({first, second, "--json", path}).out == two.out);
  CHECK(Json::parse(read_text(path)) == report);
}

TEST_CASE("inspect refuses what is no checkpoint with one line and leaves nothing", "[cli][inspect]") {
  const TemporaryFolder folder, empty;
  const std::string good = folder.write("good.safetensors", small_checkpoint(1));
  const std::vector<std::pair<std::string, std::string>> bad = {
      {folder.write("empty.safetensors", ""), "shorter than eight bytes"},
      {folder.write("cut.safetensors", small_checkpoint(1).substr(0, small_checkpoint(1).size() - 3)),
       "lies beyond the end of the file"},
      {folder.write("header.safetensors", small_checkpoint(1).substr(0, 20)), "the header is longer than the file"},
      {folder.write(
           "overlap.safetensors",
           with_header(
               R"({"v":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"w":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
               std::string(8, 'x'))),
       "overlap"},
      {folder.write("text.safetensors", "a readme, not a checkpoint"), "the header is longer than the file"},
      {folder.path(), "is not a file"},
      {folder.path() + "/none.safetensors", "No such file"}};
  const std::string json = empty.path() + "/out.json", png = empty.path() + "/out.png";
  for (const auto& [path, expected] : bad)
    for (const std::vector<std::string>& files : {std::vector<std::string>{path}, {good, path}}) {
      std::vector<std::string> arguments = files;
      arguments.insert(arguments.end(), {"--json", json});
#if POLARSCOPE_WINDOW
      arguments.insert(arguments.end(), {"--png", png});
#endif
      const Outcome outcome = inspect(arguments);
      INFO(path);
      INFO(outcome.err);
      CHECK(outcome.exit_code == 2);
      CHECK(outcome.out.empty());
      CHECK(lines_of(outcome.err) == 1);
      CHECK(outcome.err.find("polarscope: " + path) == 0);
      CHECK(outcome.err.find(expected) != std::string::npos);
      CHECK(empty.names().empty());
    }
  CHECK(inspect({}).exit_code == 2);
  CHECK(inspect({good, "--json", "-", "--png", "-"}).exit_code == 2);
  CHECK(inspect({good, "--json", "/no/such/folder/x.json"}).exit_code == 2);
  const Outcome full = inspect({good, "--json", "/dev/full"});
  CHECK(full.exit_code == 3);
  CHECK(full.err.find("/dev/full: cannot write: No space left on device") != std::string::npos);
}

TEST_CASE("inspect draws a picture, or says that it cannot before it computes", "[cli][inspect]") {
  const TemporaryFolder folder;
  const std::string first = folder.write("first.safetensors", small_checkpoint(1)),
                    second = folder.write("second.safetensors", small_checkpoint(2));
  const std::string png = folder.path() + "/out.png";
  const Outcome outcome = inspect({first, second, "--png", png});
  INFO(outcome.err);
#if POLARSCOPE_WINDOW
  CHECK(outcome.exit_code == 0);
  CHECK(read_text(png).substr(1, 3) == "PNG");
  const Outcome piped = inspect({first, "--png", "-"});
  CHECK(piped.out.substr(1, 3) == "PNG"); // and no table before it
#else
  CHECK(outcome.exit_code == 3);
  CHECK(outcome.out.empty());
  CHECK(lines_of(outcome.err) == 1);
  CHECK(folder.names().size() == 2);
#endif
}

TEST_CASE("an interrupt while inspecting keeps the tensors that were finished", "[cli][inspect]") {
  const TemporaryFolder folder;
  Dice dice(3);
  Numbers large(3000 * 3000); // seconds of work
  for (double& v : large) v = dice.uniform();
  const std::string path =
      folder.write("large.safetensors",
                   tensor_file({{"small", {"F32", {2, 2}, {3, 4, 0, 0}}}, {"large", {"F32", {3000, 3000}, large}}}));
  ProcessOptions options;
  options.interrupt_after_ms = 1500;
  const Outcome outcome = inspect({path, "--json", folder.path() + "/out.json"}, options);
  INFO(outcome.err);
  CHECK(outcome.exit_code == 130);
  CHECK(lines_of(outcome.err) == 1);
  const Json json = Json::parse(read_text(folder.path() + "/out.json"));
  CHECK(json.at("complete") == false);
  REQUIRE(json.at("files").at(0).at("tensors").size() == 1);
  CHECK(json.at("files").at(0).at("tensors").at(0).at("name") == "small");
  CHECK(folder.names() == std::vector<std::string>{"large.safetensors", "out.json"});
}
