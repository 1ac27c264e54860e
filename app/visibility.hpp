// Which runs are drawn. At least one always is, and the selected run is one of them: what is edited is seen.
#pragma once

#include "app/actions.hpp"

namespace polarscope {

// Shows or hides one run. While one run is shown alone, a second joins it. The last visible run stays.
void toggle_shown(ActionContext& context, RunId run);
// Shows one run alone, or all that are not hidden again.
void toggle_solo(ActionContext& context, RunId run);
void end_solo(ActionContext& context);
void show_all(ActionContext& context);

// Once per frame, before anything is drawn: forgets runs that are gone, and shows a run that was selected while it was
// hidden.
void follow_selection(ActionContext& context);

} // namespace polarscope
