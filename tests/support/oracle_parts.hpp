// What the families of oracles are put together from: momentum and Adam states, shapings, and steps.
#pragma once

#include "tests/support/optimizer_oracle.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace polarscope::test {

using Maker = std::function<std::unique_ptr<Oracle>()>;
using Makers = std::map<std::string, Maker>;

// Each family adds its makers.
void add_plain_oracles(Makers& makers);
void add_decay_oracles(Makers& makers);
void add_projection_oracles(Makers& makers);
void add_orthogonal_oracles(Makers& makers);
void add_row_oracles(Makers& makers);
void add_scion_oracles(Makers& makers);
void add_kronecker_oracles(Makers& makers);
void add_sphere_oracles(Makers& makers);
void add_spectral_oracles(Makers& makers);
void add_md_oracles(Makers& makers);
void add_low_rank_oracles(Makers& makers);
void add_muown_oracles(Makers& makers);

// The functions below hold their state inside, so a copy made before the first step is a fresh optimizer.
using Direction = std::function<Matrix(const Hparams&, const Matrix& g)>;
using Shaping = std::function<Matrix(const Matrix& d)>;
using StartRule = std::function<Matrix(const Matrix& w)>;
using StepRule = std::function<Matrix(const Hparams&, const Matrix& w, const Matrix& g)>;

Maker rule(Hparams defaults, StepRule step, StartRule start = {});
Maker plain(Hparams defaults, Direction u);     // W ← W − ηU
Maker decoupled(Hparams defaults, Direction u); // W ← (1 − ηλ)W − ηU

Direction then(Direction first, Shaping second);

Direction raw_gradient();
enum class Form { heavy_ball, ema };
Direction momentum(Form form, bool nesterov, std::string name = "momentum");
// m̂/(√v̂ + ε), ε after the bias correction; names: prefix + beta1, beta2, eps.
Direction adam(std::string prefix = "");

double sign_of(double x); // sign(0) = 0
Matrix sign(const Matrix& m);
Matrix normalised(const Matrix& m);                        // by ‖·‖_F; 0 stays 0
Matrix scale_rows(const Matrix& m, const Vector& per_row); // row i of `m` times number i
double inner(const Matrix& a, const Matrix& b);

double kj_scale(const Matrix& d);       // √max(1, m/n)
double rms_scale(const Matrix& d);      // 0.2 √max(m, n)
double out_in_scale(const Matrix& d);   // √(m/n)
double shape_up_scale(const Matrix& d); // √max(m/n, n/m)
double spectral_scale(const Matrix& d); // √max(m, n)

// Three square blocks of a [3d, d] matrix are treated one by one.
Shaping split_qkv(Shaping one);
Shaping muon_shaping(std::string set, std::string form, double (*scale)(const Matrix&), double eps = 1e-7);

// SOAP after so many steps: factors and bases as they then are, eigenvectors in columns, averages in the bases.
struct SoapState {
  Matrix left_factor, right_factor, left_basis, right_basis, first, second;
  int steps = 0;
};
std::unique_ptr<Oracle> soap_from(bool nemo, const SoapState& state);

// The three that reparametrise or constrain, open to any direction so that golden vectors can be asked of them.
Maker hyperball(Hparams defaults, Direction direction, double eps = 1e-10);
Maker row_lengths(Hparams defaults, Direction direction, Direction lengths); // Muown
struct MdOptions {
  bool unit_rows = false; // the sphere: each row 1, else ‖Ŵ‖_F = √max(m, n)
  bool qkv = false;       // of each square block of a [3d, d] matrix
  bool row_gains = true, column_gains = true, scalar_gain = false;
  bool direct = false;             // gain map: direct, else softplus
  bool clamped_unfuse = false;     // the source's bug: the fused weight is divided by max(gain, 1e-8)
  bool start_at_row_norms = false; // preserve_init: row gains at the norms of the first weight's rows, no projection
  std::vector<double> start_rows = {}, start_columns = {}; // gains other than 1
};
Maker magnitude_direction(Hparams defaults, MdOptions options, Direction u);

} // namespace polarscope::test
