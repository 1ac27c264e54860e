// Output files: whole or not at all.
#pragma once

#include "engine/result.hpp"

#include <string>
#include <string_view>

namespace polarscope {

// Writes to a temporary name in the same folder, then renames over `path`; on any error the old file stays
// and the temporary one goes. "-" is standard output; devices and pipes are written in place. A full disk is
// an error of kind machine_lacks, everything else (missing folder, no permission, a directory) of kind
// bad_input.
Result<void> write_file(const std::string& path, std::string_view bytes);

} // namespace polarscope
