// Elementary functions as branch-free scalar code that compilers vectorise. float32, about 1 to 2 units in
// the last place; NaN in gives NaN out. Polynomials are weighted minimax fits made for these intervals; range
// reductions are Cody and Waite's.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#ifndef CROSSOVER_ARCH
#define CROSSOVER_ARCH portable
#endif

namespace crossover::CROSSOVER_ARCH::math {

#ifndef CROSSOVER_INLINE
#define CROSSOVER_INLINE static inline __attribute__((always_inline))
#endif

CROSSOVER_INLINE float asFloat(int32_t bits) {
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}
CROSSOVER_INLINE int32_t asBits(float value) {
  int32_t bits;
  std::memcpy(&bits, &value, 4);
  return bits;
}
CROSSOVER_INLINE float withSign(float magnitude, float sign) {
  return asFloat((asBits(magnitude) & 0x7fffffff) | static_cast<int32_t>(asBits(sign) & 0x80000000u));
}
CROSSOVER_INLINE float magnitude(float x) { return asFloat(asBits(x) & 0x7fffffff); }

/// 2^n for -127 < n < 128, as its bits; other n, which come from NaN only, give some number.
CROSSOVER_INLINE float powerOfTwo(int32_t n) {
  return asFloat(static_cast<int32_t>(static_cast<uint32_t>(n + 127) << 23));
}

// Adding and taking away 1.5 * 2^23 rounds to the nearest integer; its low bits are then that integer.
constexpr float kRound = 12582912.0f;
constexpr int32_t kRoundBits = 0x4b400000;
constexpr float kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f, kLog2E = 1.44269504088896341f;

/// (exp(r) - 1 - r) / r^2 for |r| <= ln(2) / 2.
CROSSOVER_INLINE float exponentialTail(float r) {
  float p = 1.991562148e-04f;
  p = p * r + 1.394616469e-03f;
  p = p * r + 8.333269636e-03f;
  p = p * r + 4.166626834e-02f;
  p = p * r + 1.666666684e-01f;
  return p * r + 5.000000079e-01f;
}

CROSSOVER_INLINE float exp(float x) {
  x = x > 89.0f ? 89.0f : x;
  x = x < -104.0f ? -104.0f : x;
  const float t = x * kLog2E + kRound;
  const int32_t n = asBits(t) - kRoundBits;
  const float k = t - kRound;
  const float r = (x - k * kLn2High) - k * kLn2Low;
  const float p = exponentialTail(r) * r * r + r + 1.0f;
  const int32_t half = n >> 1;  // in two factors, so that denormal and largest results come out right
  return p * powerOfTwo(half) * powerOfTwo(n - half);
}

CROSSOVER_INLINE float exp2(float x) {
  x = x > 129.0f ? 129.0f : x;
  x = x < -151.0f ? -151.0f : x;
  const float t = x + kRound;
  const int32_t n = asBits(t) - kRoundBits;
  const float r = (x - (t - kRound)) * 0.693147180559945309f;
  const float p = exponentialTail(r) * r * r + r + 1.0f;
  const int32_t half = n >> 1;
  return p * powerOfTwo(half) * powerOfTwo(n - half);
}

CROSSOVER_INLINE float expm1(float x) {
  const float y = x > 89.0f ? 89.0f : x < -18.0f ? -18.0f : x;
  const float t = y * kLog2E + kRound;
  const int32_t n = asBits(t) - kRoundBits;
  const float k = t - kRound;
  const float r = (y - k * kLn2High) - k * kLn2Low;
  const float e = exponentialTail(r) * r * r + r;
  const float scale = powerOfTwo(n - 1);  // 2^(n - 1), so that n = 128 fits
  return 2.0f * (scale * e + (scale - 0.5f));
}

/// x = m 2^e with m in [sqrt(1/2), sqrt(2)); returns log(m) and e, in parts that add up to log(x).
CROSSOVER_INLINE float logarithm(float x, float* exponent) {
  const bool tiny = x < 1.17549435e-38f;
  const float y = tiny ? x * 8388608.0f : x;
  const int32_t bits = asBits(y);
  const int32_t e = (bits - 0x3f3504f3) >> 23;
  const float f = asFloat(bits - e * (1 << 23)) - 1.0f;
  *exponent = static_cast<float>(e) - (tiny ? 23.0f : 0.0f);
  float p = 6.915182666e-02f;
  p = p * f - 1.178971374e-01f;
  p = p * f + 1.187300984e-01f;
  p = p * f - 1.238436676e-01f;
  p = p * f + 1.421865586e-01f;
  p = p * f - 1.666924968e-01f;
  p = p * f + 2.000222669e-01f;
  p = p * f - 2.499998662e-01f;
  p = p * f + 3.333331044e-01f;
  return f + f * f * (p * f - 0.5f);
}

/// The logarithm's value where its argument is not a positive finite number.
CROSSOVER_INLINE float logarithmEdges(float x, float result) {
  const float inf = asFloat(0x7f800000), nan = asFloat(0x7fc00000);
  float edge = x == inf ? inf : result;
  edge = x == 0.0f ? -inf : edge;
  edge = x < 0.0f ? nan : edge;
  return x != x ? x : edge;
}

CROSSOVER_INLINE float log(float x) {
  float e;
  const float m = logarithm(x, &e);
  return logarithmEdges(x, e * kLn2High + (e * kLn2Low + m));
}
CROSSOVER_INLINE float log2(float x) {
  float e;
  const float m = logarithm(x, &e);
  return logarithmEdges(x, e + m * kLog2E);
}
CROSSOVER_INLINE float log1p(float x) {
  const float u = 1.0f + x;
  float e;
  const float m = logarithm(u, &e);
  // What rounding 1 + x lost, relative to u.
  const float lost = x >= 1.0f ? 1.0f - (u - x) : x - (u - 1.0f);
  const float result = e * kLn2High + (e * kLn2Low + (m + lost / u));
  return magnitude(x) < 1e-8f ? x : logarithmEdges(u, result);
}

CROSSOVER_INLINE float sigmoid(float x) { return 1.0f / (1.0f + exp(-x)); }

CROSSOVER_INLINE float tanh(float x) {
  const float a = magnitude(x);
  const float e = expm1(2.0f * (a > 10.0f ? 10.0f : a));
  const float result = withSign(e / (e + 2.0f), x);
  return x != x ? x : result;
}

CROSSOVER_INLINE float erf(float x) {
  const float t = magnitude(x) > 4.0f ? 4.0f : magnitude(x);
  const float s = x * x;
  float p = 8.327478171e-05f;
  p = p * s - 8.133213086e-04f;
  p = p * s + 5.200260480e-03f;
  p = p * s - 2.685911993e-02f;
  p = p * s + 1.128369123e-01f;
  p = p * s - 3.761263352e-01f;
  p = p * s + 1.283791666e-01f;
  float q = -5.150728630e-06f;
  q = q * t + 4.820041557e-05f;
  q = q * t + 3.607378013e-05f;
  q = q * t - 2.892325023e-03f;
  q = q * t + 2.261204774e-02f;
  q = q * t - 1.052029468e-01f;
  q = q * t - 6.356565060e-01f;
  q = q * t - 1.128544903e+00f;
  const float large = withSign(1.0f - exp(q * t), x);
  const float result = magnitude(x) < 0.92f ? p * x + x : large;
  return x != x ? x : result;
}

/// exp(x) for x <= 0, down to the smallest normal number.
CROSSOVER_INLINE float expOfNegative(float x) {
  x = x < -87.0f ? -87.0f : x;
  const float t = x * kLog2E + kRound;
  const float k = t - kRound;
  const float r = (x - k * kLn2High) - k * kLn2Low;
  const float p = exponentialTail(r) * r * r + r + 1.0f;
  return p * powerOfTwo(asBits(t) - kRoundBits);
}

/// exp(-x^2 / 2)
CROSSOVER_INLINE float bell(float x) { return expOfNegative(-0.5f * x * x); }

/// Phi(x), the standard normal distribution, given bell(x). Phi(-t) = bell(t) R(1 / (1 + 0.3 t)) for t >= 0,
/// the form of Abramowitz and Stegun 7.1.26, with a polynomial R fitted to a relative error of 4e-8.
CROSSOVER_INLINE float normalBelow(float x, float bell) {
  const float s = 1.0f / (1.0f + 0.3f * magnitude(x));
  float p = 0.03663712739944458f;
  p = p * s - 0.16073603928089142f;
  p = p * s + 0.21138422191143036f;
  p = p * s - 0.05703122168779373f;
  p = p * s + 0.12941448390483856f;
  p = p * s + 0.10004129260778427f;
  p = p * s + 0.1206454262137413f;
  p = p * s + 0.11964473128318787f;
  const float tail = p * s * bell;
  return x > 0.0f ? 1.0f - tail : tail;
}

/// log(1 + exp(x))
CROSSOVER_INLINE float softplus(float x) { return (x < 0.0f ? 0.0f : x) + log1p(exp(-magnitude(x))); }

/// Sine (quarter 0) or cosine (quarter 1) for |x| up to 1e8; the reduction runs in double.
CROSSOVER_INLINE float sine(float x, int32_t quarter) {
  const double wide = static_cast<double>(x);
  const double turns = wide * 0.63661977236758134308 + 6755399441055744.0;
  const double k = turns - 6755399441055744.0;
  int64_t integer;
  std::memcpy(&integer, &turns, 8);
  const float r = static_cast<float>((wide - k * 1.57079632679489655800) - k * 6.12323399573676603587e-17);
  const int32_t j = static_cast<int32_t>(integer) + quarter;
  const float z = r * r;
  const float s = ((-1.951565351e-04f * z + 8.332166343e-03f) * z - 1.666665476e-01f) * z * r + r;
  const float c =
      ((2.443660298e-05f * z - 1.388735194e-03f) * z + 4.166664656e-02f) * z * z - 0.5f * z + 1.0f;
  const float value = (j & 1) != 0 ? c : s;
  return (j & 2) != 0 ? -value : value;
}

/// a^b for finite a > 0, through base-2 logarithm and exponential in double.
CROSSOVER_INLINE float positivePower(float a, float b) {
  const double wide = static_cast<double>(a);
  int64_t bits;
  std::memcpy(&bits, &wide, 8);
  const int64_t e = (bits - 0x3fe6a09e667f3bcd) >> 52;
  const int64_t mantissa = bits - e * (int64_t{1} << 52);
  double m;
  std::memcpy(&m, &mantissa, 8);
  const double f = (m - 1.0) / (m + 1.0), z = f * f;
  double p = 9.79235144526054008e-02;
  p = p * z + 1.10880761852660076e-01;
  p = p * z + 1.42860549892156824e-01;
  p = p * z + 1.99999978072905149e-01;
  p = p * z + 3.33333333379104202e-01;
  double y = (static_cast<double>(e) + (p * z * f + f) * 2.88539008177792681472) * static_cast<double>(b);
  y = y > 200.0 ? 200.0 : y;
  y = y < -200.0 ? -200.0 : y;
  const double t = y + 6755399441055744.0;
  const double r = y - (t - 6755399441055744.0);
  int64_t n;
  std::memcpy(&n, &t, 8);
  double q = 1.32640627289348361e-06;
  q = q * r + 1.53100812634085634e-05;
  q = q * r + 1.54034116699216259e-04;
  q = q * r + 1.33334505601523444e-03;
  q = q * r + 9.61812922842807810e-03;
  q = q * r + 5.55041094121530507e-02;
  q = q * r + 2.40226506954679009e-01;
  q = q * r + 6.93147180545930275e-01;
  q = q * r + 1.0;
  const int64_t scaleBits = ((n & 0xfff) << 52) + 0x3ff0000000000000;
  double scale;
  std::memcpy(&scale, &scaleBits, 8);
  return static_cast<float>(q * scale);
}

}  // namespace crossover::CROSSOVER_ARCH::math
