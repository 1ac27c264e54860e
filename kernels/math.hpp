// Elementary functions for op bodies, by name so that a packed scalar can overload them.
//
// In float, exp_, log_, sincos_turns_ and atan2_ are this file's own polynomials: they inline and vectorise, and they are the same
// operations on every device, so that devices differ by fused multiply-adds only. Largest errors seen over all floats
// (tests/kernels/math_test.cpp): exp_ 1.1 ulp, log_ 1 ulp, sincos_turns_ 1e-7 absolute,
// atan2_ 3e-7 relative. Numbers below 2⁻¹²⁶ count as zero,
// as everywhere in an executor. In double they are the library's.
#pragma once

#include "kernels/isa.hpp"

#include <cmath>
#include <cstdint>

POLARSCOPE_KERNELS_BEGIN

#if defined(__CUDA_ARCH__)
POLARSCOPE_FN std::uint32_t bits_(float x) { return __float_as_uint(x); }
POLARSCOPE_FN float from_bits_(std::uint32_t u) { return __uint_as_float(u); }
#else
POLARSCOPE_FN std::uint32_t bits_(float x) { return __builtin_bit_cast(std::uint32_t, x); }
POLARSCOPE_FN float from_bits_(std::uint32_t u) { return __builtin_bit_cast(float, u); }
#endif

// The elementary functions below are templates over the scalar, F: float or, in the small team, a pack of floats.
POLARSCOPE_FN std::int32_t signed_(std::uint32_t u) { return static_cast<std::int32_t>(u); }
POLARSCOPE_FN std::uint32_t unsigned_(std::int32_t i) { return static_cast<std::uint32_t>(i); }
POLARSCOPE_FN float number_(std::int32_t i) { return static_cast<float>(i); }
POLARSCOPE_FN bool any_(bool x) { return x; }

template <class R> POLARSCOPE_FN R sel(bool condition, R a, R b) { return condition ? a : b; }
template <class R> POLARSCOPE_FN R max_(R a, R b) { return a > b ? a : b; }
template <class R> POLARSCOPE_FN R min_(R a, R b) { return a < b ? a : b; }
template <class R> POLARSCOPE_FN bool finite_(R x) { return x - x == R(0); }

// The square root and the absolute value are instructions everywhere.
POLARSCOPE_FN float sqrt_(float x) { return ::sqrtf(x); }
POLARSCOPE_FN double sqrt_(double x) { return ::sqrt(x); }
POLARSCOPE_FN float abs_(float x) { return ::fabsf(x); }
POLARSCOPE_FN double abs_(double x) { return ::fabs(x); }

// eˣ = 2ⁿ eʳ with n = round(x / ln 2) and |r| ≤ ln 2 / 2; polynomial: Cephes expf.
template <class F> POLARSCOPE_FN F exp_of(F x) {
  constexpr float kRound = 12582912.0f; // 1.5 · 2²³: adding it leaves the nearest integer in the low bits
  const F shifted = x * 1.44269504088896341f + kRound;
  const F n = shifted - kRound;
  const F r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  F p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  // 2ⁿ in two factors, so that n = 128 does not overflow before the end.
  const auto k = signed_(bits_(shifted) - bits_(kRound));
  const auto half = k >> 1;
  const F low = from_bits_(unsigned_(half + 127) << 23);
  const F high = from_bits_(unsigned_(k - half + 127) << 23);
  const F y = p * low * high;
  return sel(x > 88.7228317f, F(from_bits_(0x7F800000u)), sel(x < -87.3365402f, F(0.0f), y));
}
POLARSCOPE_FN float exp_(float x) { return exp_of(x); }
POLARSCOPE_FN double exp_(double x) { return ::exp(x); }

// ln x = e ln 2 + ln m with m in [√½, √2); polynomial: Cephes logf.
template <class F> POLARSCOPE_FN F log_of(F x) {
  const auto u = bits_(x) - 0x3F3504F3u; // bits of √½: the exponent field then counts from there
  const F e = number_(signed_(u) >> 23);
  const F m = from_bits_((u & 0x007FFFFFu) + 0x3F3504F3u) - 1.0f;
  const F z = m * m;
  F p = 7.0376836292e-2f;
  p = p * m - 1.1514610310e-1f;
  p = p * m + 1.1676998740e-1f;
  p = p * m - 1.2420140846e-1f;
  p = p * m + 1.4249322787e-1f;
  p = p * m - 1.6668057665e-1f;
  p = p * m + 2.0000714765e-1f;
  p = p * m - 2.4999993993e-1f;
  p = p * m + 3.3333331174e-1f;
  F y = p * m * z - e * 2.12194440e-4f - 0.5f * z;
  y = m + y + e * 0.693359375f;
  const F infinity = from_bits_(0x7F800000u);
  y = sel(x >= infinity, infinity, y);
  y = sel(x < 1.17549435e-38f, -infinity, y);
  return sel((x < 0.0f) | (x != x), F(from_bits_(0x7FC00000u)), y);
}
POLARSCOPE_FN float log_(float x) { return log_of(x); }
POLARSCOPE_FN double log_(double x) { return ::log(x); }

template <class R> struct SinCos { R sin, cos; };

// sin and cos of 2π t for |t| ≤ 2²⁰: the reduction is exact. Polynomials: Cephes sinf, cosf on [−π/4, π/4].
template <class F> POLARSCOPE_FN SinCos<F> sincos_turns_of(F t) {
  constexpr float kRound = 12582912.0f;
  const F shifted = 4.0f * t + kRound;
  const auto quadrant = bits_(shifted) & 3u; // kRound is a multiple of 4
  const F r = (t - 0.25f * (shifted - kRound)) * 6.28318530717958648f;
  const F z = r * r;
  const F s = ((-1.9515295891e-4f * z + 8.3321608736e-3f) * z - 1.6666654611e-1f) * z * r + r;
  const F c =
      ((2.443315711809948e-5f * z - 1.388731625493765e-3f) * z + 4.166664568298827e-2f) * z * z - 0.5f * z + 1.0f;
  const auto swap = (quadrant & 1u) != 0u;
  const F sine = sel(swap, c, s), cosine = sel(swap, s, c);
  return {sel((quadrant & 2u) != 0u, -sine, sine), sel(((quadrant + 1u) & 2u) != 0u, -cosine, cosine)};
}
POLARSCOPE_FN SinCos<float> sincos_turns_(float t) { return sincos_turns_of(t); }
POLARSCOPE_FN SinCos<double> sincos_turns_(double t) {
  const double x = 6.283185307179586476925 * (t - ::nearbyint(t));
  return {::sin(x), ::cos(x)};
}

// Angle of (x, y), for finite arguments: tan reduced to [0, √2 − 1] in two steps; polynomial: Cephes atanf.
template <class F> POLARSCOPE_FN F atan2_of(F y, F x) {
  const F ax = abs_(x), ay = abs_(y);
  const F low = min_(ax, ay), high = max_(ax, ay);
  const auto wide = low > 0.41421356f * high;
  const F t = sel(high > 0.0f, sel(wide, low - high, low) / sel(wide, low + high, high), F(0.0f));
  const F z = t * t;
  F p = 8.05374449538e-2f;
  p = p * z - 1.38776856032e-1f;
  p = p * z + 1.99777106478e-1f;
  p = p * z - 3.33329491539e-1f;
  F angle = sel(wide, F(0.785398163397448f), F(0.0f)) + (p * z * t + t);
  angle = sel(ay > ax, 1.57079632679490f - angle, angle);
  angle = sel(x < 0.0f, 3.14159265358979f - angle, angle);
  angle = sel(y < 0.0f, -angle, angle);
  return sel((x != x) | (y != y), F(from_bits_(0x7FC00000u)), angle);
}
POLARSCOPE_FN float atan2_(float y, float x) { return atan2_of(y, x); }
POLARSCOPE_FN double atan2_(double y, double x) { return ::atan2(y, x); }

// Rare in a step: the library's.
POLARSCOPE_FN float log1p_(float x) { return ::log1pf(x); }
POLARSCOPE_FN double log1p_(double x) { return ::log1p(x); }
POLARSCOPE_FN float expm1_(float x) { return ::expm1f(x); }
POLARSCOPE_FN double expm1_(double x) { return ::expm1(x); }
POLARSCOPE_FN float sin_(float x) { return ::sinf(x); }
POLARSCOPE_FN double sin_(double x) { return ::sin(x); }
POLARSCOPE_FN float cos_(float x) { return ::cosf(x); }
POLARSCOPE_FN double cos_(double x) { return ::cos(x); }
POLARSCOPE_FN float pow_(float x, float y) { return ::powf(x, y); }
POLARSCOPE_FN double pow_(double x, double y) { return ::pow(x, y); }

// What goes with the scalar R: its double, what comparing gives, the seed and the random words of a run. A pack holds numbers of
// several runs, so that each of these does as well.
template <class R> struct Scalars {
  using Exact = double;
  using Truth = bool;
  using Seed = std::uint64_t;
};

// Below this a norm counts as zero: normalising gives zero (algorithms.md §0).
template <class R> struct Tiny;
template <> struct Tiny<float> { static constexpr float value = 1e-30f; };
template <> struct Tiny<double> { static constexpr double value = 1e-300; };

POLARSCOPE_KERNELS_END
