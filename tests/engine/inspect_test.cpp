// Inspecting checkpoints: closed forms, and an oracle in long double for movements.
#include "engine/inspect.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/oracle.hpp"
#include "tests/support/process.hpp"
#include "tests/support/tensors.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <sstream>

using namespace polarscope;
using test::Numbers;
using Tensors = std::vector<std::pair<std::string, test::Tensor>>;

namespace {

constexpr double kDegree = 180 / std::numbers::pi;

bool always(const std::string&, double) { return true; }

InspectReport inspect(const Tensors& first, const Tensors& second = {}) {
  const test::TemporaryFolder folder;
  const std::string a = folder.write("a.safetensors", test::tensor_file(first));
  const std::string b = second.empty() ? "" : folder.write("b.safetensors", test::tensor_file(second));
  auto report = inspect_checkpoints(a, b, always);
  INFO((report ? std::string() : report.error().text()));
  REQUIRE(report.ok());
  CHECK_FALSE(report->interrupted);
  return *report;
}

Numbers row_of(const Numbers& matrix, std::size_t row, std::size_t cols) {
  return {matrix.begin() + static_cast<std::ptrdiff_t>(row * cols),
          matrix.begin() + static_cast<std::ptrdiff_t>((row + 1) * cols)};
}

// w turned by `radians` towards the part of `towards` that is perpendicular to it, and made `ratio` times as long.
Numbers turned(const Numbers& w, const Numbers& towards, double radians, double ratio) {
  const Numbers across = test::minus(towards, test::scaled(w, test::dot(w, towards) / test::dot(w, w)));
  const Numbers side = test::scaled(across, test::norm(w) / test::norm(across));
  Numbers out = test::scaled(w, ratio * std::cos(radians));
  for (std::size_t i = 0; i < out.size(); ++i) out[i] += ratio * std::sin(radians) * side[i];
  return out;
}

} // namespace

TEST_CASE("norms of small tensors are the closed forms", "[inspect]") {
  const InspectReport report = inspect({{"m", {"F32", {2, 2}, {3, 4, 0, 0}}},
                                        {"deep", {"F64", {2, 1, 3}, {1, 2, 2, 0, 0, 6}}},
                                        {"bias", {"F64", {4}, {1, -1, 1, -1}}},
                                        {"scalar", {"F64", {}, {-7}}},
                                        {"diagonal", {"F64", {3, 3}, {2, 0, 0, 0, -5, 0, 0, 0, 1}}},
                                        {"zeros", {"F32", {2, 3}, Numbers(6, 0)}}});
  const auto& t = report.first.tensors;
  REQUIRE(t.size() == 6);
  CHECK(t[0].frobenius_norm == Approx(5));
  CHECK(t[0].spectral_norm == Approx(5));
  CHECK(t[0].stable_rank == Approx(1));
  CHECK(t[0].rms == Approx(2.5));
  CHECK(t[0].largest == 4);
  CHECK(t[0].row_norms == Numbers{5, 0});
  CHECK(t[0].column_norms == Numbers{3, 4});
  CHECK(t[1].rows == 2);
  CHECK(t[1].cols == 3);
  CHECK(t[1].row_norms == Numbers{3, 6});
  CHECK(t[1].column_norms[2] == Approx(std::sqrt(40.0)));
  CHECK(t[2].rows == 1);
  CHECK(t[2].row_norms == Numbers{2});
  CHECK(t[2].column_norms.empty());
  CHECK(t[2].singular_values == Numbers{2});
  CHECK(t[2].stable_rank == 1);
  CHECK(t[3].frobenius_norm == 7);
  REQUIRE(t[4].singular_values.size() == 3);
  CHECK(t[4].singular_values[0] == Approx(5));
  CHECK(t[4].singular_values[1] == Approx(2));
  CHECK(t[4].singular_values[2] == Approx(1));
  CHECK(t[4].stable_rank == Approx(30.0 / 25));
  CHECK(t[5].frobenius_norm == 0);
  CHECK(t[5].spectral_norm == 0);
  CHECK(std::isnan(t[5].stable_rank));
  CHECK(report.first.values() == 4 + 6 + 4 + 1 + 9 + 6);
  CHECK(report.first.frobenius_norm() == Approx(std::sqrt(25.0 + 45 + 4 + 49 + 30)));
}

TEST_CASE("sizes whose squares float64 cannot hold are measured all the same", "[inspect]") {
  const InspectReport report =
      inspect({{"huge", {"F64", {2, 2}, {3e200, 4e200, 0, 0}}}, {"tiny", {"F64", {2, 2}, {3e-200, 0, 4e-200, 0}}}},
              {{"huge", {"F64", {2, 2}, {6e200, 8e200, 0, 0}}}, {"tiny", {"F64", {2, 2}, {0, 3e-200, 4e-200, 0}}}});
  CHECK(report.first.tensors[0].frobenius_norm == Approx(5e200));
  CHECK(report.first.tensors[0].spectral_norm == Approx(5e200));
  CHECK(report.first.tensors[0].row_norms[0] == Approx(5e200));
  CHECK(report.first.tensors[1].frobenius_norm / 5e-200 == Approx(1));
  CHECK(report.first.tensors[1].column_norms[0] / 5e-200 == Approx(1));
  CHECK(report.changes[0].row_radial[0] == Approx(5e200));
  CHECK(report.changes[0].relative_change == Approx(1));
  CHECK(report.changes[1].row_angle[0] == Approx(90));
  CHECK(report.changes[1].row_tangential[0] / 3e-200 == Approx(1));
}

TEST_CASE("tensors that are not floating point are skipped by name", "[inspect]") {
  const InspectReport report = inspect({{"step", {"I64", {1}, {3}}},
                                        {"w", {"F32", {1, 2}, {3, 4}}},
                                        {"q", {"F8_E4M3", {2, 2}, Numbers(4)}},
                                        {"none", {"F32", {0, 3}, {}}}});
  REQUIRE(report.first.tensors.size() == 1);
  REQUIRE(report.first.skipped.size() == 3);
  const std::string text = inspect_table(report);
  CHECK(text.find("skipped: step, I64 1: not floating point\n") != std::string::npos);
  CHECK(text.find("skipped: q, F8_E4M3 2 × 2: a type that is not read\n") != std::string::npos);
  CHECK(text.find("skipped: none, F32 0 × 3: no values\n") != std::string::npos);
}

TEST_CASE("values that are not finite are counted and nothing is made up", "[inspect]") {
  const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  const Tensors bad = {{"w", {"F32", {3, 2}, {3, 4, nan, 1, inf, 0}}}};
  const InspectReport report = inspect(bad, {{"w", {"F32", {3, 2}, {6, 8, 1, 1, 1, 1}}}});
  const TensorReport& t = report.first.tensors[0];
  CHECK(t.not_finite == 2);
  CHECK(t.largest == 4);
  CHECK(t.row_norms[0] == 5);
  CHECK(std::isnan(t.row_norms[1]));
  CHECK(std::isinf(t.row_norms[2]));
  CHECK_FALSE(std::isfinite(t.frobenius_norm));
  CHECK(std::isnan(t.spectral_norm));
  CHECK(std::isnan(t.stable_rank));
  CHECK(t.singular_values.empty());
  const TensorChange& c = report.changes[0];
  CHECK(c.not_finite == 2);
  CHECK(c.row_radial[0] == Approx(5));
  CHECK(c.row_angle[0] == 0);
  CHECK(std::isnan(c.row_angle[1]));
  CHECK_FALSE(std::isfinite(c.relative_change));
  const std::string text = inspect_table(report);
  CHECK(text.find("not finite: 2 of 6 values in w;") != std::string::npos);
  CHECK(text.find("not finite: 2 rows of w") != std::string::npos);
  const auto json = nlohmann::json::parse(inspect_json(report));
  CHECK(json.at("files").at(0).at("tensors").at(0).at("row_norms") == nlohmann::json({5.0, "nan", "inf"}));
  CHECK(json.at("files").at(0).at("not_finite") == 2);
}

TEST_CASE("rows longer than a block are read in pieces", "[inspect]") {
  const std::size_t n = 1'300'000; // more than 2^20
  test::Dice dice(5);
  const Numbers first = dice.normals(n), second = dice.normals(n);
  Numbers both = first;
  both.insert(both.end(), second.begin(), second.end());
  Numbers moved = both;
  for (std::size_t i = 0; i < n; ++i) moved[i] = 1.5 * first[i];
  const InspectReport report =
      inspect({{"w", {"F64", {2, static_cast<long>(n)}, both}}}, {{"w", {"F64", {2, static_cast<long>(n)}, moved}}});
  const TensorReport& t = report.first.tensors[0];
  const double aa = test::dot(first, first), bb = test::dot(second, second), ab = test::dot(first, second);
  CHECK(t.row_norms[0] == Approx(std::sqrt(aa)).epsilon(1e-12));
  CHECK(t.row_norms[1] == Approx(std::sqrt(bb)).epsilon(1e-12));
  CHECK(t.column_norms.back() == Approx(std::hypot(first.back(), second.back())).epsilon(1e-12));
  // the eigenvalues of the 2 × 2 Gram matrix
  const double middle = 0.5 * (aa + bb), away = std::hypot(0.5 * (aa - bb), ab);
  CHECK(t.singular_values[0] == Approx(std::sqrt(middle + away)).epsilon(1e-12));
  CHECK(t.singular_values[1] == Approx(std::sqrt(middle - away)).epsilon(1e-12));
  CHECK(report.changes[0].row_radial[0] == Approx(0.5 * std::sqrt(aa)).epsilon(1e-12));
  CHECK(report.changes[0].row_tangential[0] < 1e-12 * std::sqrt(aa));
  CHECK(report.changes[0].row_tangential[1] == 0);
}

TEST_CASE("rows turned by a known angle", "[inspect]") {
  const Numbers angles = {0, 1e-9, 1e-6, 0.3, std::numbers::pi / 2, 3.1, std::numbers::pi - 1e-6};
  const Numbers ratios = {1, 1, 2.5, 0.5, 1, 1.25, 3};
  const std::size_t rows = angles.size(), cols = 9;
  test::Dice dice(17);
  Numbers first, second;
  for (std::size_t i = 0; i < rows; ++i) {
    const Numbers w = dice.normals(cols), v = turned(w, dice.normals(cols), angles[i], ratios[i]);
    first.insert(first.end(), w.begin(), w.end());
    second.insert(second.end(), v.begin(), v.end());
  }
  const std::vector<long> shape = {static_cast<long>(rows), static_cast<long>(cols)};
  const InspectReport report = inspect({{"w", {"F64", shape, first}}}, {{"w", {"F64", shape, second}}});
  const TensorChange& c = report.changes.at(0);
  for (std::size_t i = 0; i < rows; ++i) {
    INFO("row " << i);
    const Numbers w = row_of(first, i, cols), v = row_of(second, i, cols);
    CHECK(std::abs(c.row_angle[i] / kDegree - angles[i]) < 3e-15);
    CHECK(c.row_angle[i] / kDegree == Approx(test::angle(w, v)).epsilon(1e-9).margin(1e-18));
    CHECK(c.row_radial[i] == Approx(test::norm(w) * (ratios[i] * std::cos(angles[i]) - 1)).margin(1e-14));
    CHECK(c.row_tangential[i] == Approx(test::norm(w) * ratios[i] * std::sin(angles[i])).margin(1e-14));
  }
  const Numbers change = test::minus(second, first);
  CHECK(c.weight_norm == Approx(test::norm(first)).epsilon(1e-14));
  CHECK(c.change_norm == Approx(test::norm(change)).epsilon(1e-14));
  CHECK(c.relative_change == Approx(test::norm(change) / test::norm(first)).epsilon(1e-14));
  CHECK(c.angle / kDegree == Approx(test::angle(first, second)).epsilon(1e-13));
  CHECK(c.radial_fraction == Approx(test::dot(first, change) / test::norm(first) / test::norm(change)).epsilon(1e-13));
  CHECK(c.norm_ratio == Approx(test::norm(second) / test::norm(first)).epsilon(1e-14));
  CHECK(report.relative_change() == Approx(c.relative_change).epsilon(1e-14));
}

TEST_CASE("rows of zeros have no direction, before or after", "[inspect]") {
  const InspectReport report =
      inspect({{"w", {"F64", {3, 2}, {0, 0, 3, 4, 1, 0}}}}, {{"w", {"F64", {3, 2}, {1, 1, 0, 0, 1, 0}}}});
  const TensorChange& c = report.changes.at(0);
  CHECK(std::isnan(c.row_radial[0]));
  CHECK(std::isnan(c.row_angle[0]));
  CHECK(c.row_radial[1] == Approx(-5));
  CHECK(std::isnan(c.row_angle[1]));
  CHECK(c.row_angle[2] == 0);
  CHECK(c.not_finite == 0);
  CHECK(inspect_table(report).find("zero in one of the files, so without an angle: 2 rows of w") != std::string::npos);
}

TEST_CASE("what is not in both files is named", "[inspect]") {
  const test::Tensor two{"F32", {1, 2}, {3, 4}}, three{"F32", {1, 3}, {1, 2, 3}};
  const InspectReport report =
      inspect({{"same", two}, {"gone", two}, {"grown", two}, {"step", {"I64", {1}, {1}}}},
              {{"new", two}, {"grown", three}, {"same", {"F64", {1, 2}, {3, 4}}}, {"step", {"I64", {1}, {2}}}});
  REQUIRE(report.changes.size() == 1);
  CHECK(report.changes[0].name == "same");
  CHECK(report.changes[0].relative_change == 0); // another dtype, the same numbers
  CHECK(std::isnan(report.changes[0].radial_fraction));
  CHECK(report.only_in_first == std::vector<std::string>{"gone"});
  CHECK(report.only_in_second == std::vector<std::string>{"new"});
  const std::string text = inspect_table(report);
  CHECK(text.find("only in the first file: gone\n") != std::string::npos);
  CHECK(text.find("only in the second file: new\n") != std::string::npos);
  CHECK(text.find("of other shape: grown: 1 × 2, then 1 × 3\n") != std::string::npos);
}

TEST_CASE("being stopped keeps the tensors that were finished", "[inspect]") {
  const test::TemporaryFolder folder;
  const test::Tensor w{"F32", {2, 2}, {1, 2, 3, 4}};
  const std::string path = folder.write("a.safetensors", test::tensor_file({{"a", w}, {"b", w}, {"c", w}}));
  double last = 0;
  const auto report = inspect_checkpoints(path, "", [&](const std::string& tensor, double done) {
    CHECK(done >= last);
    CHECK(done <= 1);
    last = done;
    return tensor != "c";
  });
  REQUIRE(report.ok());
  CHECK(report->interrupted);
  REQUIRE(report->first.tensors.size() == 2);
  CHECK(last > 0.5);
  CHECK(nlohmann::json::parse(inspect_json(*report)).at("complete") == false);
}

TEST_CASE("the table keeps to 100 columns whatever the names are", "[inspect]") {
  const std::string long_name = std::string(70, 'x') + "\n\033[31m" + std::string(70, 'y') + "é.weight";
  const test::Tensor w{"F64", {2, 2, 2, 2, 2}, Numbers(32, -1.23456789e-100)},
      v{"F64", {2, 2, 2, 2, 2}, Numbers(32, 1.3456789e-100)};
  const std::string text = inspect_table(inspect({{long_name, w}}, {{long_name, v}, {long_name + "2", v}}));
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    INFO(line);
    CHECK(std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xC0) != 0x80; }) <= 100);
    CHECK(line.find('\033') == std::string::npos);
  }
  CHECK(text.find("….weight") == std::string::npos); // the end of the name is kept
  CHECK(text.find("é.weight") != std::string::npos);
  CHECK(short_name("abcdefghij", 5) == "ab…ij");
  CHECK(short_name("abcde", 5) == "abcde");
}

TEST_CASE("least, median and greatest", "[inspect]") {
  const Spread odd = spread_of({3, 1, 2});
  CHECK(odd.least == 1);
  CHECK(odd.median == 2);
  CHECK(odd.greatest == 3);
  CHECK(spread_of({4, 1, 2, 3}).median == 2.5);
  CHECK(spread_of({1, std::numeric_limits<double>::quiet_NaN()}).greatest == 1);
  CHECK(std::isnan(spread_of({}).median));
}
