// The loss column itself is declared and written by the problem.
#include "engine/metric/metric.hpp"

namespace polarscope {

Metric loss_metric();

Metric loss_metric() {
  Metric m;
  m.name = "loss";
  m.title = "Loss";
  m.formula = "L(W) at the weight before the step";
  m.meaning = "Value of the problem's loss, without noise, where this step's gradient was taken.";
  m.per_parameter = false;
  m.of_update = true;
  return m;
}

} // namespace polarscope
