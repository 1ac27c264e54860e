// The user's own folder and what the window remembers in it between starts. Nothing here is needed to start: a missing,
// broken or read-only folder gives the defaults.
#pragma once

#include "app/view_state.hpp"
#include "engine/result.hpp"

#include <string>
#include <string_view>

namespace polarscope {

// $POLARSCOPE_CONFIG, else $XDG_CONFIG_HOME/polarscope, else ~/.config/polarscope; "" when none is known.
std::string config_folder();

// Makes the folder and writes the file whole or not at all.
Result<void> write_to_config_folder(const std::string& name, std::string_view text);

// Theme, size, layout and hidden panels as TOML text, and back. Reading ignores what it does not know.
std::string settings_text(const ViewState& view);
void read_settings(std::string_view text, ViewState& view);

} // namespace polarscope
