// What the JSON of several reports has in common. `Json`: of nlohmann's kinds.
#pragma once

#include "engine/frame.hpp"

#include <cmath>
#include <string>
#include <utility>
#include <vector>

namespace polarscope {

// The value, or the string "nan", "inf" or "-inf": JSON has no words for what is not finite.
template <class Json> Json json_number(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  return value;
}

template <class Json> Json numbers_json(const std::vector<std::pair<std::string, double>>& numbers) {
  Json out = Json::object();
  for (const auto& [name, value] : numbers) out[name] = json_number<Json>(value);
  return out;
}

template <class Json> Json invariants_json(const std::vector<InvariantStatus>& invariants) {
  Json out = Json::array();
  for (const InvariantStatus& i : invariants)
    out.push_back(
        Json{{"name", i.name}, {"held", i.held()}, {"worst", json_number<Json>(i.worst)}, {"at_step", i.worst_step}});
  return out;
}

// Of a run or a member, and of a report: lines that all have.
template <class Json, class Run> void add_result_json(Json& one, const Run& run, const std::string& hash) {
  one["status"] = run.diverged ? "diverged" : "ok";
  one["step"] = run.step;
  one["state_hash"] = hash;
}
template <class Json, class Report> Json report_head_json(const Report& report) {
  Json json;
  json["version"] = 1;
  json["scene"] = report.scene;
  json["seed"] = report.seed;
  json["device"] = report.device;
  json["precision"] = report.precision;
  return json;
}

} // namespace polarscope
