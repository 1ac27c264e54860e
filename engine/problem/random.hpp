// Random numbers for a problem's data and start: made on the host, in double, from the run's seed by counter, so that
// every device starts from the same numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace polarscope {

// One stream per use; never reuse a number. The device's gradient noise has its own (kernels/ops/problem.hpp), and so have
// samples that are new in every step.
enum class Stream : std::uint32_t {
  start = 16,
  reference = 17,
  inputs = 18,
  teacher = 19,
  scales = 20,
  planes = 21,
  targets = 22,
  labels = 23,
  order = 24,
  fresh_inputs = 40,
  fresh_labels = 41,
  gains = 4096 // and the parameter's number: the start of low-rank gains
};

std::vector<double> normal_numbers(std::uint64_t seed, Stream stream, std::size_t count);

// `count` class numbers 0 … classes − 1, each as likely as any other.
std::vector<double> random_labels(std::uint64_t seed, std::uint32_t classes, std::size_t count);

} // namespace polarscope
