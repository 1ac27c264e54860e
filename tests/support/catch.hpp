// Catch2, version 2 or 3, by one include. Tests keep to what both have.
#pragma once

#if POLARSCOPE_CATCH2 >= 3
#  include <catch2/catch_all.hpp>
using Catch::Approx;
#else
#  include <catch2/catch.hpp>
#endif
