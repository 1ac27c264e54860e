// Declared and written by the problems that classify.
#include "engine/metric/metric.hpp"

namespace polarscope {

Metric accuracy_metric();

Metric accuracy_metric() {
  Metric m;
  m.name = "accuracy";
  m.title = "Held-out accuracy";
  m.formula = "share of held-out samples whose largest output is their class";
  m.meaning = "How often the network is right on samples it does not learn from.";
  m.per_parameter = false;
  m.every = 0;
  m.of_update = true;
  return m;
}

} // namespace polarscope
