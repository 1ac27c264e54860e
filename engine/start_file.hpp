// start = { file = "x.safetensors" }: a parameter's start weight from a file.
#pragma once

#include "engine/program.hpp"
#include "engine/result.hpp"

#include <string>
#include <vector>

namespace polarscope {

// `weight/<parameter>` of the file, row-major, rows·cols numbers; of a recording (one dimension more) its row 0. `file`
// is looked up beside the scene's file first, then in the working folder. Errors are placed at `place`.
Result<std::vector<double>> read_start_file(const std::string& file, const std::string& scene_path,
                                            const ParamInfo& parameter, const Place& place);

} // namespace polarscope
