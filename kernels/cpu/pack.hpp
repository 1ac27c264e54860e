// One number of several members: the scalar of the packs' team, in which every vector lane is a member of its own.
//
// Pack is a vector of floats, WidePack the same number of doubles, Truths what a comparison gives. What depends on a comparison
// is written with sel() in the bodies, so that it means the same for one number and for a pack. For vectors of 16 and 32 bytes: with
// 64 a lone member, whose pack is padded, would wait for twice as many as with 32.
#pragma once

#include "kernels/cpu/matmul.hpp"
#include "kernels/math.hpp"
#include "kernels/normal.hpp"

#include <immintrin.h>
#include <type_traits>

POLARSCOPE_KERNELS_BEGIN

inline constexpr int kPack = POLARSCOPE_VECTOR_BYTES / 4; // members

typedef std::int32_t PackInts __attribute__((vector_size(POLARSCOPE_VECTOR_BYTES)));
typedef std::uint32_t PackWords __attribute__((vector_size(POLARSCOPE_VECTOR_BYTES)));
typedef std::int64_t HalfLongs __attribute__((vector_size(POLARSCOPE_VECTOR_BYTES)));
using PackFloats = gemm::Vector<float>::Type;
using HalfDoubles = gemm::Vector<double>::Type;

// The machine's conversions between a vector of 32-bit numbers and two of 64 bits.
#if defined(__AVX2__)
POLARSCOPE_FN HalfDoubles low_doubles(PackFloats v) { return _mm256_cvtps_pd(_mm256_castps256_ps128(v)); }
POLARSCOPE_FN HalfDoubles high_doubles(PackFloats v) { return _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1)); }
POLARSCOPE_FN PackFloats floats_of(HalfDoubles low, HalfDoubles high) {
  return _mm256_set_m128(_mm256_cvtpd_ps(high), _mm256_cvtpd_ps(low));
}
POLARSCOPE_FN HalfLongs low_longs(PackInts v) {
  return (HalfLongs)_mm256_cvtepi32_epi64(_mm256_castsi256_si128((__m256i)v));
}
POLARSCOPE_FN HalfLongs high_longs(PackInts v) {
  return (HalfLongs)_mm256_cvtepi32_epi64(_mm256_extracti128_si256((__m256i)v, 1));
}
POLARSCOPE_FN PackInts ints_of(HalfLongs low, HalfLongs high) {
  const __m256 even = _mm256_shuffle_ps((__m256)low, (__m256)high, 0x88);
  return (PackInts)_mm256_permute4x64_epi64(_mm256_castps_si256(even), 0xD8);
}
POLARSCOPE_FN bool any_sign(PackInts v) { return _mm256_movemask_ps((__m256)v) != 0; }
POLARSCOPE_FN PackFloats root_of(PackFloats v) { return _mm256_sqrt_ps(v); }
POLARSCOPE_FN HalfDoubles root_of(HalfDoubles v) { return _mm256_sqrt_pd(v); }
POLARSCOPE_FN HalfLongs low_product(HalfLongs a, HalfLongs b) {
  return (HalfLongs)_mm256_mul_epu32((__m256i)a, (__m256i)b);
}
#else
POLARSCOPE_FN HalfDoubles low_doubles(PackFloats v) { return _mm_cvtps_pd(v); }
POLARSCOPE_FN HalfDoubles high_doubles(PackFloats v) { return _mm_cvtps_pd(_mm_movehl_ps(v, v)); }
POLARSCOPE_FN PackFloats floats_of(HalfDoubles low, HalfDoubles high) {
  return _mm_movelh_ps(_mm_cvtpd_ps(low), _mm_cvtpd_ps(high));
}
POLARSCOPE_FN HalfLongs low_longs(PackInts v) { return (HalfLongs)_mm_cvtepi32_epi64((__m128i)v); }
POLARSCOPE_FN HalfLongs high_longs(PackInts v) { return (HalfLongs)_mm_cvtepi32_epi64(_mm_srli_si128((__m128i)v, 8)); }
POLARSCOPE_FN PackInts ints_of(HalfLongs low, HalfLongs high) {
  return (PackInts)_mm_castps_si128(_mm_shuffle_ps((__m128)low, (__m128)high, 0x88));
}
POLARSCOPE_FN bool any_sign(PackInts v) { return _mm_movemask_ps((__m128)v) != 0; }
POLARSCOPE_FN PackFloats root_of(PackFloats v) { return _mm_sqrt_ps(v); }
POLARSCOPE_FN HalfDoubles root_of(HalfDoubles v) { return _mm_sqrt_pd(v); }
POLARSCOPE_FN HalfLongs low_product(HalfLongs a, HalfLongs b) {
  return (HalfLongs)_mm_mul_epu32((__m128i)a, (__m128i)b);
}
#endif

template <class N>
concept Number = std::is_arithmetic_v<N>;

struct Truths {
  PackInts v; // −1 where true, else 0
  friend POLARSCOPE_FN Truths operator|(Truths a, Truths b) { return {a.v | b.v}; }
  friend POLARSCOPE_FN Truths operator&(Truths a, Truths b) { return {a.v & b.v}; }
  friend POLARSCOPE_FN Truths operator!(Truths a) { return {~a.v}; }
};
POLARSCOPE_FN bool any_(Truths t) { return any_sign(t.v); }

struct WidePack;

struct Pack {
  PackFloats v;
  Pack() = default;
  POLARSCOPE_FN explicit Pack(PackFloats x) : v(x) {}
  template <Number N> POLARSCOPE_FN Pack(N x) : v(PackFloats{} + static_cast<float>(x)) {}
  POLARSCOPE_FN explicit Pack(const WidePack& x);

  friend POLARSCOPE_FN Pack operator+(Pack a, Pack b) { return Pack(a.v + b.v); }
  friend POLARSCOPE_FN Pack operator-(Pack a, Pack b) { return Pack(a.v - b.v); }
  friend POLARSCOPE_FN Pack operator*(Pack a, Pack b) { return Pack(a.v * b.v); }
  friend POLARSCOPE_FN Pack operator/(Pack a, Pack b) { return Pack(a.v / b.v); }
  friend POLARSCOPE_FN Pack operator-(Pack a) { return Pack(-a.v); }
  friend POLARSCOPE_FN Truths operator<(Pack a, Pack b) { return {a.v < b.v}; }
  friend POLARSCOPE_FN Truths operator>(Pack a, Pack b) { return {a.v > b.v}; }
  friend POLARSCOPE_FN Truths operator<=(Pack a, Pack b) { return {a.v <= b.v}; }
  friend POLARSCOPE_FN Truths operator>=(Pack a, Pack b) { return {a.v >= b.v}; }
  friend POLARSCOPE_FN Truths operator==(Pack a, Pack b) { return {a.v == b.v}; }
  friend POLARSCOPE_FN Truths operator!=(Pack a, Pack b) { return {a.v != b.v}; }
  POLARSCOPE_FN Pack& operator+=(Pack b) { return *this = *this + b; }
  POLARSCOPE_FN Pack& operator-=(Pack b) { return *this = *this - b; }
  POLARSCOPE_FN Pack& operator*=(Pack b) { return *this = *this * b; }
  POLARSCOPE_FN Pack& operator/=(Pack b) { return *this = *this / b; }
};

struct WidePack {
  HalfDoubles low, high;
  WidePack() = default;
  POLARSCOPE_FN WidePack(HalfDoubles a, HalfDoubles b) : low(a), high(b) {}
  template <Number N> POLARSCOPE_FN WidePack(N x) : low(HalfDoubles{} + static_cast<double>(x)), high(low) {}
  POLARSCOPE_FN WidePack(Pack x) : low(low_doubles(x.v)), high(high_doubles(x.v)) {}

  friend POLARSCOPE_FN WidePack operator+(WidePack a, WidePack b) { return {a.low + b.low, a.high + b.high}; }
  friend POLARSCOPE_FN WidePack operator-(WidePack a, WidePack b) { return {a.low - b.low, a.high - b.high}; }
  friend POLARSCOPE_FN WidePack operator*(WidePack a, WidePack b) { return {a.low * b.low, a.high * b.high}; }
  friend POLARSCOPE_FN WidePack operator/(WidePack a, WidePack b) { return {a.low / b.low, a.high / b.high}; }
  friend POLARSCOPE_FN WidePack operator-(WidePack a) { return {-a.low, -a.high}; }
  friend POLARSCOPE_FN Truths operator<(WidePack a, WidePack b) { return {ints_of(a.low < b.low, a.high < b.high)}; }
  friend POLARSCOPE_FN Truths operator>(WidePack a, WidePack b) { return {ints_of(a.low > b.low, a.high > b.high)}; }
  friend POLARSCOPE_FN Truths operator<=(WidePack a, WidePack b) { return {ints_of(a.low <= b.low, a.high <= b.high)}; }
  friend POLARSCOPE_FN Truths operator>=(WidePack a, WidePack b) { return {ints_of(a.low >= b.low, a.high >= b.high)}; }
  friend POLARSCOPE_FN Truths operator==(WidePack a, WidePack b) { return {ints_of(a.low == b.low, a.high == b.high)}; }
  friend POLARSCOPE_FN Truths operator!=(WidePack a, WidePack b) { return {ints_of(a.low != b.low, a.high != b.high)}; }
  POLARSCOPE_FN WidePack& operator+=(WidePack b) { return *this = *this + b; }
  POLARSCOPE_FN WidePack& operator-=(WidePack b) { return *this = *this - b; }
  POLARSCOPE_FN WidePack& operator*=(WidePack b) { return *this = *this * b; }
  POLARSCOPE_FN WidePack& operator/=(WidePack b) { return *this = *this / b; }
};
POLARSCOPE_FN Pack::Pack(const WidePack& x) : v(floats_of(x.low, x.high)) {}

POLARSCOPE_FN Truths operator|(Truths a, bool b) { return b ? Truths{PackInts{} - 1} : a; }
POLARSCOPE_FN Pack sel(Truths t, Pack a, Pack b) { return Pack(t.v ? a.v : b.v); }
POLARSCOPE_FN WidePack sel(Truths t, WidePack a, WidePack b) {
  return {low_longs(t.v) ? a.low : b.low, high_longs(t.v) ? a.high : b.high};
}
POLARSCOPE_FN Pack max_(Pack a, Pack b) { return sel(a > b, a, b); }
POLARSCOPE_FN Pack min_(Pack a, Pack b) { return sel(a < b, a, b); }
POLARSCOPE_FN WidePack max_(WidePack a, WidePack b) { return sel(a > b, a, b); }
POLARSCOPE_FN WidePack min_(WidePack a, WidePack b) { return sel(a < b, a, b); }
POLARSCOPE_FN Truths finite_(Pack x) { return x - x == Pack(0); }
POLARSCOPE_FN Truths finite_(WidePack x) { return x - x == WidePack(0); }
POLARSCOPE_FN Pack sqrt_(Pack x) { return Pack(root_of(x.v)); }
POLARSCOPE_FN WidePack sqrt_(WidePack x) { return {root_of(x.low), root_of(x.high)}; }
POLARSCOPE_FN Pack abs_(Pack x) { return Pack((PackFloats)((PackWords)x.v & 0x7FFFFFFFu)); }
POLARSCOPE_FN WidePack abs_(WidePack x) {
  constexpr std::int64_t kAllButSign = 0x7FFFFFFFFFFFFFFF;
  return {(HalfDoubles)((HalfLongs)x.low & kAllButSign), (HalfDoubles)((HalfLongs)x.high & kAllButSign)};
}

// ---- whole numbers, for the elementary functions ---------------------------------------------------------------------

struct IntPack {
  PackInts v;
  friend POLARSCOPE_FN IntPack operator+(IntPack a, std::int32_t b) { return {a.v + b}; }
  friend POLARSCOPE_FN IntPack operator-(IntPack a, IntPack b) { return {a.v - b.v}; }
  friend POLARSCOPE_FN IntPack operator>>(IntPack a, int n) { return {a.v >> n}; }
};
struct WordPack {
  PackWords v;
  friend POLARSCOPE_FN WordPack operator+(WordPack a, std::uint32_t b) { return {a.v + b}; }
  friend POLARSCOPE_FN WordPack operator-(WordPack a, std::uint32_t b) { return {a.v - b}; }
  friend POLARSCOPE_FN WordPack operator&(WordPack a, std::uint32_t b) { return {a.v & b}; }
  friend POLARSCOPE_FN WordPack operator<<(WordPack a, int n) { return {a.v << n}; }
  friend POLARSCOPE_FN WordPack operator>>(WordPack a, int n) { return {a.v >> n}; }
  friend POLARSCOPE_FN Truths operator!=(WordPack a, std::uint32_t b) { return {(PackInts)(a.v != b)}; }
};
POLARSCOPE_FN WordPack bits_(Pack x) { return {(PackWords)x.v}; }
POLARSCOPE_FN Pack from_bits_(WordPack u) { return Pack((PackFloats)u.v); }
POLARSCOPE_FN IntPack signed_(WordPack u) { return {(PackInts)u.v}; }
POLARSCOPE_FN WordPack unsigned_(IntPack i) { return {(PackWords)i.v}; }
POLARSCOPE_FN Pack number_(IntPack i) { return Pack(__builtin_convertvector(i.v, PackFloats)); }

POLARSCOPE_FN Pack exp_(Pack x) { return exp_of(x); }
POLARSCOPE_FN Pack log_(Pack x) { return log_of(x); }
POLARSCOPE_FN SinCos<Pack> sincos_turns_(Pack x) { return sincos_turns_of(x); }
POLARSCOPE_FN Pack atan2_(Pack y, Pack x) { return atan2_of(y, x); }

// Powers are the library's; members mostly share base and exponent.
inline __attribute__((noinline)) WidePack pow_(WidePack x, WidePack y) {
  const double base = x.low[0], exponent = y.low[0];
  if (!any_((x != WidePack(base)) | (y != WidePack(exponent)))) return WidePack(pow_(base, exponent));
  WidePack z;
  for (int k = 0; k < kPack / 2; ++k) {
    z.low[k] = pow_(static_cast<double>(x.low[k]), static_cast<double>(y.low[k]));
    z.high[k] = pow_(static_cast<double>(x.high[k]), static_cast<double>(y.high[k]));
  }
  return z;
}

template <class F> POLARSCOPE_FN WidePack by_member(WidePack x, F f) {
  WidePack y;
  for (int k = 0; k < kPack / 2; ++k) {
    y.low[k] = f(static_cast<double>(x.low[k]));
    y.high[k] = f(static_cast<double>(x.high[k]));
  }
  return y;
}
inline __attribute__((noinline)) WidePack exp_(WidePack x) {
  return by_member(x, [](double one) { return exp_(one); });
}
inline __attribute__((noinline)) WidePack log_(WidePack x) {
  return by_member(x, [](double one) { return log_(one); });
}

// ---- random numbers: a key to each member, counters alike -----------------------------------------------------------------

// Keys as 64-bit numbers whose lower halves count, in two vectors: that is what the multiplication takes.
struct SeedPack {
  HalfLongs low[2], high[2]; // words 0 and 1 of the key
};
struct PackBits {
  WordPack v[4];
};
POLARSCOPE_FN PackBits random_bits(const SeedPack& seed, std::uint32_t stream, std::uint64_t step,
                                   std::uint32_t index) {
  HalfLongs words[2][4];
  const auto half = [&](const HalfLongs* key, HalfLongs* c) {
    constexpr std::int64_t kLower = 0xFFFFFFFF;
    HalfLongs k0 = key[0], k1 = key[1];
    c[0] = HalfLongs{} + static_cast<std::int64_t>(index);
    c[1] = HalfLongs{} + static_cast<std::int64_t>(stream);
    c[2] = HalfLongs{} + static_cast<std::int64_t>(step & kLower);
    c[3] = HalfLongs{} + static_cast<std::int64_t>(step >> 32);
    const HalfLongs m0 = HalfLongs{} + 0xD2511F53ll, m1 = HalfLongs{} + 0xCD9E8D57ll;
    POLARSCOPE_UNROLL(10)
    for (int round = 0; round < 10; ++round) {
      const HalfLongs p0 = low_product(c[0], m0), p1 = low_product(c[2], m1);
      c[0] = ((p1 >> 32) & kLower) ^ c[1] ^ k0;
      c[2] = ((p0 >> 32) & kLower) ^ c[3] ^ k1;
      c[1] = p1 & kLower;
      c[3] = p0 & kLower;
      k0 = (k0 + 0x9E3779B9ll) & kLower;
      k1 = (k1 + 0xBB67AE85ll) & kLower;
    }
  };
  half(seed.low, words[0]);
  half(seed.high, words[1]);
  PackBits bits;
  for (int k = 0; k < 4; ++k) bits.v[k] = {(PackWords)ints_of(words[0][k], words[1][k])};
  return bits;
}
template <class R> POLARSCOPE_FN Pack uniform_open(WordPack bits) {
  return (number_(signed_(bits >> 8)) + Pack(0.5f)) * Pack(1.0f / 16777216.0f);
}

template <> struct Scalars<Pack> {
  using Exact = WidePack;
  using Truth = Truths;
  using Seed = SeedPack;
  using Bits = PackBits;
};
template <> struct Tiny<Pack> { static constexpr float value = Tiny<float>::value; };

POLARSCOPE_KERNELS_END
