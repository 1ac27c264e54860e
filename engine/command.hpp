// Everything a user can ask of a running session, as data. The window, the lessons, the tests and later the journal
// speak this language and no other.
#pragma once

#include "engine/optimizer/spec.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

namespace polarscope {

using RunId = std::uint32_t; // never reused within a session

enum class EditMode { from_here, from_start }; // from_start recomputes the whole path to the same head

namespace command {
struct Play {};
struct Pause {};
struct StepBy {
  long steps;
}; // negative: cursor back; beyond the head: compute
struct MoveCursor {
  long step;
}; // clamped to [0, head]; never computes
struct ComputeTo {
  long step;
}; // pause, compute until head = step, cursor there
struct SetSpeed {
  double steps_per_second;
};                 // 0 = as fast as possible
struct Restart {}; // head and cursor to 0, edits kept as starting values
struct SetHparam {
  RunId run;
  std::string name;
  double value;
  EditMode mode;
  bool preview =
      false; // while dragging: replaced by the next at the same step, never an event. Steps made meanwhile stand
};
struct MoveStart { // new start weight of one parameter: recomputes from step 0
  RunId run;
  std::string parameter;
  std::vector<double> point; // rows·cols
  bool preview = false;
};
struct CancelPreview {
  RunId run;
}; // a drag was given up: the run's path is again the one before its first preview
struct AddRun {
  std::string optimizer;
}; // a preset's name: joins at step 0 and catches up to the head
struct DuplicateRun {
  RunId run;
};
struct RemoveRun {
  RunId run;
};
struct RenameRun {
  RunId run;
  std::string label;
};
struct SelectRun {
  RunId run;
}; // whose state is shown at the cursor
// Another chain of stages for one part of a run's recipe: the run is made again and catches up from step 0. Numbers that
// the new stages know keep their values; numbers that come back are as opened.
struct SetPart {
  RunId run;
  Part part; // not schedule
  StageChain chain;
  std::string route = {}; // target of the route whose recipe is meant; "": the run's own recipe
};
struct
    SetSchedule { // the same with how one hyperparameter changes over the steps; kind "constant" without warmup: none
  RunId run;
  std::string hparam; // as the recipe that is meant calls it
  ScheduleSpec schedule;
  std::string route = {};
};
struct ResetRecipe {
  RunId run;
}; // the stages and schedules that the run was opened with
struct OpenScene {
  std::string name;
};
} // namespace command

using Command =
    std::variant<command::Play, command::Pause, command::StepBy, command::MoveCursor, command::ComputeTo,
                 command::SetSpeed, command::Restart, command::SetHparam, command::MoveStart, command::CancelPreview,
                 command::AddRun, command::DuplicateRun, command::RemoveRun, command::RenameRun, command::SelectRun,
                 command::SetPart, command::SetSchedule, command::ResetRecipe, command::OpenScene>;

} // namespace polarscope
