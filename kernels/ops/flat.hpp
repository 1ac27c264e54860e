// Loops over a whole matrix as one row of numbers.
#pragma once

#include "kernels/view.hpp"

POLARSCOPE_KERNELS_BEGIN
namespace ops {

// Elements to visit: with padding, unless it is one short row.
template <class R> POLARSCOPE_FN int flat_size(const Mat<R>& a) { return a.rows == 1 ? a.cols : a.size(); }

} // namespace ops
POLARSCOPE_KERNELS_END
