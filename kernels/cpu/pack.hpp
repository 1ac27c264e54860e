// One number of several members: the scalar of the small team's packs, in which every vector lane is a member of its own.
//
// Pack is a vector of floats, WidePack as many doubles, Truths what a comparison gives. What depends on a comparison is written
// with sel() in the bodies, so that it means the same for one number and for a pack. Needs AVX2 or AVX-512.
#pragma once

#include "kernels/math.hpp"
#include "kernels/normal.hpp"

#include <immintrin.h>
#include <type_traits>

POLARSCOPE_KERNELS_BEGIN

#if defined(__AVX512F__)
#  define POLARSCOPE_PACK_BYTES 64
#else
#  define POLARSCOPE_PACK_BYTES 32
#endif
inline constexpr int kPack = POLARSCOPE_PACK_BYTES / 4; // members

typedef float PackFloats __attribute__((vector_size(POLARSCOPE_PACK_BYTES)));
typedef std::int32_t PackInts __attribute__((vector_size(POLARSCOPE_PACK_BYTES)));
typedef std::uint32_t PackWords __attribute__((vector_size(POLARSCOPE_PACK_BYTES)));
typedef double HalfDoubles __attribute__((vector_size(POLARSCOPE_PACK_BYTES)));
typedef std::uint64_t HalfLongs __attribute__((vector_size(POLARSCOPE_PACK_BYTES)));

// What the two machines do differently: conversions between a vector of 32-bit numbers and two of 64 bits, and what a
// comparison gives: a bit per lane, or a lane of ones.
#if defined(__AVX512F__)
POLARSCOPE_FN HalfDoubles low_doubles(PackFloats v) { return _mm512_cvtps_pd(_mm512_castps512_ps256(v)); }
POLARSCOPE_FN HalfDoubles high_doubles(PackFloats v) { return _mm512_cvtps_pd(_mm512_extractf32x8_ps(v, 1)); }
POLARSCOPE_FN PackFloats floats_of(HalfDoubles low, HalfDoubles high) {
  return _mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvtpd_ps(low)), _mm512_cvtpd_ps(high), 1);
}
POLARSCOPE_FN PackInts ints_of(HalfLongs low, HalfLongs high) { // their lower halves
  const __m256i a = _mm512_cvtepi64_epi32((__m512i)low), b = _mm512_cvtepi64_epi32((__m512i)high);
  return (PackInts)_mm512_inserti32x8(_mm512_castsi256_si512(a), b, 1);
}
POLARSCOPE_FN HalfLongs low_product(HalfLongs a, HalfLongs b) {
  return (HalfLongs)_mm512_mul_epu32((__m512i)a, (__m512i)b);
}
POLARSCOPE_FN PackFloats root_of(PackFloats v) { return _mm512_sqrt_ps(v); }
POLARSCOPE_FN HalfDoubles root_of(HalfDoubles v) { return _mm512_sqrt_pd(v); }
POLARSCOPE_FN void zip(PackFloats a, PackFloats b, PackFloats& low, PackFloats& high) { // a₀, b₀, a₁, b₁ …
  low = __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  high = __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

struct Truths {
  __mmask16 v;
  friend POLARSCOPE_FN Truths operator|(Truths a, Truths b) { return {static_cast<__mmask16>(a.v | b.v)}; }
  friend POLARSCOPE_FN Truths operator|(Truths a, bool b) { return {static_cast<__mmask16>(b ? 0xFFFF : a.v)}; }
  friend POLARSCOPE_FN Truths operator&(Truths a, Truths b) { return {static_cast<__mmask16>(a.v & b.v)}; }
  friend POLARSCOPE_FN Truths operator!(Truths a) { return {static_cast<__mmask16>(~a.v)}; }
  POLARSCOPE_FN bool of(int member) const { return v >> member & 1; }
};
POLARSCOPE_FN bool any_(Truths t) { return t.v != 0; }
template <int kHow> POLARSCOPE_FN Truths compare(PackFloats a, PackFloats b) {
  return {_mm512_cmp_ps_mask(a, b, kHow)};
}
template <int kHow> POLARSCOPE_FN Truths compare(HalfDoubles a, HalfDoubles b, HalfDoubles c, HalfDoubles d) {
  return {_mm512_kunpackb(_mm512_cmp_pd_mask(c, d, kHow), _mm512_cmp_pd_mask(a, b, kHow))};
}
POLARSCOPE_FN Truths differ(PackWords a, PackWords b) { return {_mm512_cmpneq_epi32_mask((__m512i)a, (__m512i)b)}; }
POLARSCOPE_FN PackFloats choose(Truths t, PackFloats a, PackFloats b) { return _mm512_mask_blend_ps(t.v, b, a); }
POLARSCOPE_FN HalfDoubles choose_low(Truths t, HalfDoubles a, HalfDoubles b) {
  return _mm512_mask_blend_pd(static_cast<__mmask8>(t.v), b, a);
}
POLARSCOPE_FN HalfDoubles choose_high(Truths t, HalfDoubles a, HalfDoubles b) {
  return _mm512_mask_blend_pd(static_cast<__mmask8>(t.v >> 8), b, a);
}
#else
POLARSCOPE_FN HalfDoubles low_doubles(PackFloats v) { return _mm256_cvtps_pd(_mm256_castps256_ps128(v)); }
POLARSCOPE_FN HalfDoubles high_doubles(PackFloats v) { return _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1)); }
POLARSCOPE_FN PackFloats floats_of(HalfDoubles low, HalfDoubles high) {
  return _mm256_set_m128(_mm256_cvtpd_ps(high), _mm256_cvtpd_ps(low));
}
POLARSCOPE_FN PackInts ints_of(HalfLongs low, HalfLongs high) { // their lower halves
  const __m256 even = _mm256_shuffle_ps((__m256)low, (__m256)high, 0x88);
  return (PackInts)_mm256_permute4x64_epi64(_mm256_castps_si256(even), 0xD8);
}
POLARSCOPE_FN HalfLongs low_product(HalfLongs a, HalfLongs b) {
  return (HalfLongs)_mm256_mul_epu32((__m256i)a, (__m256i)b);
}
POLARSCOPE_FN PackFloats root_of(PackFloats v) { return _mm256_sqrt_ps(v); }
POLARSCOPE_FN HalfDoubles root_of(HalfDoubles v) { return _mm256_sqrt_pd(v); }
POLARSCOPE_FN void zip(PackFloats a, PackFloats b, PackFloats& low, PackFloats& high) { // a₀, b₀, a₁, b₁ …
  low = __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
  high = __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
}

struct Truths {
  PackInts v; // −1 where true, else 0
  friend POLARSCOPE_FN Truths operator|(Truths a, Truths b) { return {a.v | b.v}; }
  friend POLARSCOPE_FN Truths operator|(Truths a, bool b) { return b ? Truths{PackInts{} - 1} : a; }
  friend POLARSCOPE_FN Truths operator&(Truths a, Truths b) { return {a.v & b.v}; }
  friend POLARSCOPE_FN Truths operator!(Truths a) { return {~a.v}; }
  POLARSCOPE_FN bool of(int member) const { return v[member] != 0; }
};
POLARSCOPE_FN bool any_(Truths t) { return _mm256_movemask_ps((__m256)t.v) != 0; }
template <int kHow> POLARSCOPE_FN Truths compare(PackFloats a, PackFloats b) {
  return {(PackInts)_mm256_cmp_ps(a, b, kHow)};
}
template <int kHow> POLARSCOPE_FN Truths compare(HalfDoubles a, HalfDoubles b, HalfDoubles c, HalfDoubles d) {
  return {ints_of((HalfLongs)_mm256_cmp_pd(a, b, kHow), (HalfLongs)_mm256_cmp_pd(c, d, kHow))};
}
POLARSCOPE_FN Truths differ(PackWords a, PackWords b) { return {(PackInts)(a != b)}; }
POLARSCOPE_FN PackFloats choose(Truths t, PackFloats a, PackFloats b) { return _mm256_blendv_ps(b, a, (__m256)t.v); }
POLARSCOPE_FN HalfDoubles choose_low(Truths t, HalfDoubles a, HalfDoubles b) {
  const __m256i wide = _mm256_cvtepi32_epi64(_mm256_castsi256_si128((__m256i)t.v));
  return _mm256_blendv_pd(b, a, (__m256d)wide);
}
POLARSCOPE_FN HalfDoubles choose_high(Truths t, HalfDoubles a, HalfDoubles b) {
  const __m256i wide = _mm256_cvtepi32_epi64(_mm256_extracti128_si256((__m256i)t.v, 1));
  return _mm256_blendv_pd(b, a, (__m256d)wide);
}
#endif

// As many vectors as lanes, rows for columns.
POLARSCOPE_FN void transpose(PackFloats (&rows)[kPack]) {
  POLARSCOPE_UNROLL(4)
  for (int width = 1; width < kPack; width *= 2) {
    PackFloats next[kPack];
    POLARSCOPE_UNROLL(8)
    for (int i = 0; i < kPack / 2; ++i) zip(rows[i], rows[kPack / 2 + i], next[2 * i], next[2 * i + 1]);
    POLARSCOPE_UNROLL(16)
    for (int i = 0; i < kPack; ++i) rows[i] = next[i];
  }
}

template <class N>
concept Number = std::is_arithmetic_v<N>;

// The operators that both kinds of pack have, from those of their vectors.
#define POLARSCOPE_PACK_OPERATORS(P)                                                                                   \
  friend POLARSCOPE_FN Truths operator<(P a, P b) { return P::compare<_CMP_LT_OQ>(a, b); }                             \
  friend POLARSCOPE_FN Truths operator>(P a, P b) { return P::compare<_CMP_GT_OQ>(a, b); }                             \
  friend POLARSCOPE_FN Truths operator<=(P a, P b) { return P::compare<_CMP_LE_OQ>(a, b); }                            \
  friend POLARSCOPE_FN Truths operator>=(P a, P b) { return P::compare<_CMP_GE_OQ>(a, b); }                            \
  friend POLARSCOPE_FN Truths operator==(P a, P b) { return P::compare<_CMP_EQ_OQ>(a, b); }                            \
  friend POLARSCOPE_FN Truths operator!=(P a, P b) { return P::compare<_CMP_NEQ_UQ>(a, b); }                           \
  POLARSCOPE_FN P& operator+=(P b) { return *this = *this + b; }                                                       \
  POLARSCOPE_FN P& operator-=(P b) { return *this = *this - b; }                                                       \
  POLARSCOPE_FN P& operator*=(P b) { return *this = *this * b; }                                                       \
  POLARSCOPE_FN P& operator/=(P b) { return *this = *this / b; }

struct WidePack;

struct Pack {
  PackFloats v;
  Pack() = default;
  POLARSCOPE_FN explicit Pack(PackFloats x) : v(x) {}
  template <Number N> POLARSCOPE_FN Pack(N x) : v(static_cast<float>(x) - PackFloats{}) {} // −0 stays −0
  POLARSCOPE_FN explicit Pack(const WidePack& x);

  friend POLARSCOPE_FN Pack operator+(Pack a, Pack b) { return Pack(a.v + b.v); }
  friend POLARSCOPE_FN Pack operator-(Pack a, Pack b) { return Pack(a.v - b.v); }
  friend POLARSCOPE_FN Pack operator*(Pack a, Pack b) { return Pack(a.v * b.v); }
  friend POLARSCOPE_FN Pack operator/(Pack a, Pack b) { return Pack(a.v / b.v); }
  friend POLARSCOPE_FN Pack operator-(Pack a) { return Pack(-a.v); }
  template <int kHow> static POLARSCOPE_FN Truths compare(Pack a, Pack b) { return kernels::compare<kHow>(a.v, b.v); }
  POLARSCOPE_PACK_OPERATORS(Pack)
};

struct WidePack {
  HalfDoubles low, high;
  WidePack() = default;
  POLARSCOPE_FN WidePack(HalfDoubles a, HalfDoubles b) : low(a), high(b) {}
  template <Number N> POLARSCOPE_FN WidePack(N x) : low(static_cast<double>(x) - HalfDoubles{}), high(low) {}
  POLARSCOPE_FN WidePack(Pack x) : low(low_doubles(x.v)), high(high_doubles(x.v)) {}

  friend POLARSCOPE_FN WidePack operator+(WidePack a, WidePack b) { return {a.low + b.low, a.high + b.high}; }
  friend POLARSCOPE_FN WidePack operator-(WidePack a, WidePack b) { return {a.low - b.low, a.high - b.high}; }
  friend POLARSCOPE_FN WidePack operator*(WidePack a, WidePack b) { return {a.low * b.low, a.high * b.high}; }
  friend POLARSCOPE_FN WidePack operator/(WidePack a, WidePack b) { return {a.low / b.low, a.high / b.high}; }
  friend POLARSCOPE_FN WidePack operator-(WidePack a) { return {-a.low, -a.high}; }
  template <int kHow> static POLARSCOPE_FN Truths compare(WidePack a, WidePack b) {
    return kernels::compare<kHow>(a.low, b.low, a.high, b.high);
  }
  POLARSCOPE_PACK_OPERATORS(WidePack)
};
POLARSCOPE_FN Pack::Pack(const WidePack& x) : v(floats_of(x.low, x.high)) {}

#undef POLARSCOPE_PACK_OPERATORS

POLARSCOPE_FN Pack sel(Truths t, Pack a, Pack b) { return Pack(choose(t, a.v, b.v)); }
POLARSCOPE_FN WidePack sel(Truths t, WidePack a, WidePack b) {
  return {choose_low(t, a.low, b.low), choose_high(t, a.high, b.high)};
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
  constexpr std::uint64_t kAllButSign = 0x7FFFFFFFFFFFFFFF;
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
  friend POLARSCOPE_FN Truths operator!=(WordPack a, std::uint32_t b) { return differ(a.v, PackWords{} + b); }
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

// The library's functions take members one by one.
POLARSCOPE_FN float& number(Pack& x, int member) { return reinterpret_cast<float*>(&x)[member]; }
POLARSCOPE_FN double& number(WidePack& x, int member) { return reinterpret_cast<double*>(&x)[member]; }
template <class P, class F> POLARSCOPE_FN P by_member(P x, F f) {
  for (int k = 0; k < kPack; ++k) number(x, k) = f(number(x, k), k);
  return x;
}
#define POLARSCOPE_BY_MEMBER(name, P)                                                                                  \
  inline __attribute__((noinline)) P name(P x) {                                                                       \
    return by_member(x, [](auto one, int) { return name(one); });                                                      \
  }
POLARSCOPE_BY_MEMBER(exp_, WidePack)
POLARSCOPE_BY_MEMBER(log_, WidePack)
POLARSCOPE_BY_MEMBER(log1p_, Pack)
POLARSCOPE_BY_MEMBER(expm1_, Pack)
#undef POLARSCOPE_BY_MEMBER

// Members mostly share base and exponent.
inline __attribute__((noinline)) WidePack pow_(WidePack x, WidePack y) {
  const double base = number(x, 0), exponent = number(y, 0);
  if (!any_((x != WidePack(base)) | (y != WidePack(exponent)))) return WidePack(pow_(base, exponent));
  return by_member(x, [&](double one, int k) { return pow_(one, number(y, k)); });
}

// ---- random numbers: a key to each member, counters alike -----------------------------------------------------------------

// 32-bit numbers in 64 bits, whose upper halves are anything: that is what the multiplication takes.
struct SeedPack {
  struct {
    HalfLongs low, high;
  } word[2];
};
struct PackBits {
  WordPack v[4];
};
// philox() of half the members.
POLARSCOPE_FN void philox_half(HalfLongs (&c)[4], HalfLongs k0, HalfLongs k1) {
  const HalfLongs m0 = HalfLongs{} + 0xD2511F53u, m1 = HalfLongs{} + 0xCD9E8D57u;
  POLARSCOPE_UNROLL(10)
  for (int round = 0; round < 10; ++round) {
    const HalfLongs p0 = low_product(c[0], m0), p1 = low_product(c[2], m1);
    c[0] = (p1 >> 32) ^ c[1] ^ k0;
    c[2] = (p0 >> 32) ^ c[3] ^ k1;
    c[1] = p1;
    c[3] = p0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
}
POLARSCOPE_FN PackBits random_bits(const SeedPack& seed, std::uint32_t stream, std::uint64_t step,
                                   std::uint32_t index) {
  HalfLongs low[4] = {HalfLongs{} + index, HalfLongs{} + stream, HalfLongs{} + step, HalfLongs{} + (step >> 32)};
  HalfLongs high[4] = {low[0], low[1], low[2], low[3]};
  philox_half(low, seed.word[0].low, seed.word[1].low);
  philox_half(high, seed.word[0].high, seed.word[1].high);
  PackBits bits;
  for (int k = 0; k < 4; ++k) bits.v[k] = {(PackWords)ints_of(low[k], high[k])};
  return bits;
}
template <class R> POLARSCOPE_FN Pack uniform_open(WordPack bits) {
  return min_((number_(signed_(bits >> 8)) + Pack(0.5f)) * Pack(1.0f / 16777216.0f), Pack(1.0f - 1.0f / 16777216.0f));
}

template <> struct Scalars<Pack> {
  using Exact = WidePack;
  using Truth = Truths;
  using Seed = SeedPack;
};
template <> struct Tiny<Pack> { static constexpr float value = Tiny<float>::value; };

POLARSCOPE_KERNELS_END
