// Reference pages made from the registries, and a program as text.
#pragma once

#include "engine/program.hpp"

#include <string>
#include <vector>

namespace polarscope {

struct DocPage {
  std::string name; // file name under assets/docs/
  std::string text; // Markdown
};

// optimizers.md stages.md problems.md metrics.md scenes-keys.md
std::vector<DocPage> reference_pages();

// The steps of a program in order, by phase, with what each computes; then its slots with shapes.
std::string program_text(const StepProgram& program);

// "0 to 1", "true or false", or the words: what a setting accepts.
std::string allowed_text(const Setting& setting);

// The word for a phase of the step, as listings and the recipe panel print it.
const char* phase_name(Phase phase);

} // namespace polarscope
