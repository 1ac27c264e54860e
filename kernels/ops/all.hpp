// Every op body.
#pragma once

#include "kernels/ops/adaptive.hpp"
#include "kernels/ops/constraint.hpp"
#include "kernels/ops/decompose.hpp"
#include "kernels/ops/elementwise.hpp"
#include "kernels/ops/matrix.hpp"
#include "kernels/ops/metric.hpp"
#include "kernels/ops/network.hpp"
#include "kernels/ops/optimizer.hpp"
#include "kernels/ops/population.hpp"
#include "kernels/ops/problem.hpp"
#include "kernels/ops/radial.hpp"
#include "kernels/ops/rows.hpp"
#include "kernels/ops/sampling.hpp"
#include "kernels/ops/spectral.hpp"
