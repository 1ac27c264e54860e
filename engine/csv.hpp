// Recorded series as comma-separated values (interface.md, "run --csv").
#pragma once

#include "engine/files.hpp"
#include "engine/frame.hpp"
#include "engine/result.hpp"

#include <string>

namespace polarscope {

// One header, one row per run and recorded step. Values read back to the same bits: 9 significant digits for f32, 17
// for f64; empty where a metric was not recorded. Where rows were thinned away, comment lines ("#") before the header
// say from which step to which.
Result<void> write_csv(const Frame& frame, OutputFile& out);

// A text as one field, in quotes where it would be taken for several, for the end of a row or for a comment.
std::string csv_field(const std::string& text);

// What those lines say: "of run norm 1: every 4th step from 0 to 3999, …"; "" where every row was kept.
std::string thinned_rows(const Frame& frame);

} // namespace polarscope
