// What was done or refused last, over the picture: where no status bar says it, as in the layout Show.
#pragma once

#include "app/panel.hpp"

namespace polarscope {

// At the lower edge: a refusal, such as a scene that cannot be read, until something newer is said or the pointer clicks
// it; what the window itself has done, such as a picture written, for some seconds. Returns the seconds after which it
// looks different without input.
double draw_notice(const PanelContext& context);

} // namespace polarscope
