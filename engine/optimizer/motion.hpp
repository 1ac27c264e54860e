// What the stages of a recipe state about how the weight moves, one fact per part. Closed forms are composed from these
// facts (theory_lines.hpp); a stage that states nothing leaves its fact unknown, and no closed form rests on it.
#pragma once

namespace polarscope {

struct Motion {
  // Direction: what the update follows. The averages may be decaying sums: their size is the geometry's matter.
  enum class Follows { unknown, gradient, average, nesterov_average, adam };
  // Geometry: what becomes of the direction D. kept: U = D; scaled: U is D brought to a fixed norm; sliced: parts of D
  // (rows, columns, singular directions) are brought to fixed norms each, which turns it.
  enum class Shape { unknown, kept, scaled, sliced };
  // Magnitude: free, the weight is W − ηU and nothing else; held, the Frobenius norm of the weight itself is constant.
  enum class Norm { unknown, free, held };
  // Decay: decoupled as W ← (1 − ηλ)W with the hyperparameter weight_decay.
  enum class Decay { unknown, none, decoupled };

  Follows follows = Follows::unknown;
  Shape shape = Shape::unknown;
  Norm norm = Norm::unknown;
  Decay decay = Decay::unknown;
  double update_norm = 0;  // geometry: ‖U‖_F of every non-zero direction, 0 where it is not fixed
  double slice_length = 0; // geometry: elements per fixed norm, or length per number of singular directions
};

} // namespace polarscope
