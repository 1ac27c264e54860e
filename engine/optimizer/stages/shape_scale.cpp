#include "engine/optimizer/stages/shape_scale.hpp"

#include <algorithm>
#include <cmath>

namespace polarscope {

Setting shape_scale_option() {
  return word("shape_scale", "none",
              {{"none", "1", ""},
               {"kj", "√max(1, m/n)", "KellerJordan/Muon; torch.optim.Muon original"},
               {"rms", "0.2 √max(m, n)", "Moonlight 2502.16982; torch.optim.Muon match_rms_adamw; kcc-lion/muown"},
               {"kj_rms", "0.2 √max(1, m/n)", "kcc-lion/muown optim/normuown.py"},
               {"out_in", "√(m/n)", "Scion, modula; dense Muon baseline of haeggee/Megatron-LM"},
               {"shape_up", "√max(m/n, n/m)", "haeggee/Megatron-LM, Muon on the sphere"},
               {"spectral", "√max(m, n)", "default of NVIDIA-NeMo/Emerging-Optimizers' Muon"}},
              "Factor on the update by the matrix's shape.");
}

double shape_scale(const std::string& word, std::uint32_t rows, std::uint32_t cols) {
  const double m = rows, n = cols;
  if (word == "kj") return std::sqrt(std::max(1.0, m / n));
  if (word == "rms") return 0.2 * std::sqrt(std::max(m, n));
  if (word == "kj_rms") return 0.2 * std::sqrt(std::max(1.0, m / n));
  if (word == "out_in") return std::sqrt(m / n);
  if (word == "shape_up") return std::sqrt(std::max(m / n, n / m));
  if (word == "spectral") return std::sqrt(std::max(m, n));
  return 1;
}

std::uint32_t slices_code(const std::string& word) {
  return word == "row" ? 1 : word == "column" ? 2 : word == "alternate" ? 3 : 0;
}

std::uint32_t slices_count(const std::string& word, std::uint32_t rows, std::uint32_t cols) {
  return word == "row" ? rows : word == "column" ? cols : 1;
}

} // namespace polarscope
