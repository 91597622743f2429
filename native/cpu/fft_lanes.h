// Fourier transforms of as many rows at once as a vector has lanes: point i of all of them is the pair of
// vectors (real part at 2 i, imaginary part at 2 i + 1), so that every radix is vector code without shuffles.
//
// A plan (host/fourierPlan.cc) is a list of stages, each a radix and its twiddles. Stages are Stockham's with
// decimation in frequency (van Loan, Computational Frameworks for the FFT, 1992, section 1.7): they swap
// between two buffers and leave the result in order. Lengths with a prime factor above 13 are transformed by
// a convolution with a chirp (Bluestein, IEEE Trans. AU 18, 1970).
#pragma once

#include "kernels.h"
#include "vector.h"

namespace crossover {
namespace CROSSOVER_ARCH {

/// One point of every lane.
struct Point {
  Floats re, im;
};
CROSSOVER_INLINE Point operator+(Point a, Point b) { return {a.re + b.re, a.im + b.im}; }
CROSSOVER_INLINE Point operator-(Point a, Point b) { return {a.re - b.re, a.im - b.im}; }
/// a times w[0] + i w[1].
CROSSOVER_INLINE Point times(Point a, const float* w) {
  return {a.re * w[0] - a.im * w[1], a.re * w[1] + a.im * w[0]};
}
/// -i a.
CROSSOVER_INLINE Point turned(Point a) { return {a.im, -a.re}; }
CROSSOVER_INLINE Point pointAt(const Floats* x, int64_t i) { return {x[2 * i], x[2 * i + 1]}; }
CROSSOVER_INLINE void setPoint(Floats* x, int64_t i, Point p) { x[2 * i] = p.re, x[2 * i + 1] = p.im; }

CROSSOVER_INLINE void butterfly2(Point& a, Point& b) {
  const Point sum = a + b;
  b = a - b, a = sum;
}
CROSSOVER_INLINE void butterfly4(Point& a, Point& b, Point& c, Point& d) {
  butterfly2(a, c), butterfly2(b, d);
  const Point quarter = turned(d);
  d = c - quarter;
  const Point second = c + quarter;
  c = a - b, a = a + b, b = second;
}

/// The transform of kRadix points in place; `roots` are exp(-2 pi i j / kRadix), needed for odd radices.
template <int kRadix>
CROSSOVER_INLINE void butterfly(Point (&a)[kRadix], const float* roots) {
  if constexpr (kRadix == 2) {
    butterfly2(a[0], a[1]);
  } else if constexpr (kRadix == 4) {
    butterfly4(a[0], a[1], a[2], a[3]);
  } else if constexpr (kRadix == 8) {
    constexpr float kHalf = 0.70710678118654752f;
    butterfly4(a[0], a[2], a[4], a[6]), butterfly4(a[1], a[3], a[5], a[7]);
    const Point odd[4] = {a[1],
                          {(a[3].re + a[3].im) * kHalf, (a[3].im - a[3].re) * kHalf},
                          turned(a[5]),
                          {(a[7].im - a[7].re) * kHalf, (a[7].re + a[7].im) * -kHalf}};
    const Point even[4] = {a[0], a[2], a[4], a[6]};
#pragma GCC unroll 4
    for (int k = 0; k < 4; k++) a[k] = even[k] + odd[k], a[k + 4] = even[k] - odd[k];
  } else {
    constexpr int kHalf = kRadix / 2;
    Point sum[kHalf], difference[kHalf];
    const Point first = a[0];
#pragma GCC unroll 8
    for (int j = 0; j < kHalf; j++) {
      sum[j] = a[j + 1] + a[kRadix - 1 - j], difference[j] = a[j + 1] - a[kRadix - 1 - j];
      a[0] = a[0] + sum[j];
    }
#pragma GCC unroll 8
    for (int k = 1; k <= kHalf; k++) {
      Point even = first, odd{};
#pragma GCC unroll 8
      for (int j = 0; j < kHalf; j++) {
        const float* root = roots + 2 * ((j + 1) * k % kRadix);
        even.re += sum[j].re * root[0], even.im += sum[j].im * root[0];
        odd.re -= difference[j].im * root[1], odd.im += difference[j].re * root[1];
      }
      a[k] = even + odd, a[kRadix - k] = even - odd;
    }
  }
}

/// One stage: `groups` sets of twiddles, `span` neighbouring points that share each.
template <int kRadix>
void fftStage(const FftStage& stage, int64_t groups, int64_t span, const Floats* x, Floats* y) {
  const float* twiddle = stage.twiddles;
  for (int64_t p = 0; p < groups; p++, twiddle += 2 * (kRadix - 1)) {
    const Floats* from = x + 2 * p * span;
    Floats* to = y + 2 * p * kRadix * span;
    for (int64_t q = 0; q < span; q++) {
      Point a[kRadix];
#pragma GCC unroll 16
      for (int j = 0; j < kRadix; j++) a[j] = pointAt(from, q + span * groups * j);
      butterfly<kRadix>(a, stage.roots);
      setPoint(to, q, a[0]);
#pragma GCC unroll 16
      for (int k = 1; k < kRadix; k++) {
        setPoint(to, q + span * k, p == 0 ? a[k] : times(a[k], twiddle + 2 * (k - 1)));
      }
    }
  }
}

/// The stages of a plan from `x`, with `y` as the other buffer; gives the buffer that holds the result.
inline Floats* fftStages(const FftPlan& plan, Floats* x, Floats* y) {
  int64_t span = 1;
  for (int i = 0; i < plan.stageCount; i++) {
    const FftStage& stage = plan.stages[i];
    const int64_t groups = plan.length / (span * stage.radix);
    switch (stage.radix) {
#define CROSSOVER_RADIX(n)                  \
  case n:                                   \
    fftStage<n>(stage, groups, span, x, y); \
    break;
      CROSSOVER_RADIX(2)
      CROSSOVER_RADIX(3)
      CROSSOVER_RADIX(4)
      CROSSOVER_RADIX(5)
      CROSSOVER_RADIX(7)
      CROSSOVER_RADIX(8)
      CROSSOVER_RADIX(11)
      CROSSOVER_RADIX(13)
#undef CROSSOVER_RADIX
    }
    span *= stage.radix;
    std::swap(x, y);
  }
  return x;
}

/// Transforms plan.n points in `x`; `y` is the other buffer. Gives the buffer that holds the result.
inline Floats* fftLanes(const FftPlan& plan, Floats* x, Floats* y) {
  if (plan.chirp == nullptr) return fftStages(plan, x, y);
  for (int64_t i = 0; i < plan.n; i++) setPoint(x, i, times(pointAt(x, i), plan.chirp + 2 * i));
  for (int64_t i = plan.n; i < plan.length; i++) setPoint(x, i, Point{});
  Floats* spectrum = fftStages(plan, x, y);
  // With real and imaginary parts swapped before and after, a transform is the inverse one.
  for (int64_t i = 0; i < plan.length; i++) {
    const Point product = times(pointAt(spectrum, i), plan.filter + 2 * i);
    setPoint(spectrum, i, {product.im, product.re});
  }
  Floats* result = fftStages(plan, spectrum, spectrum == x ? y : x);
  for (int64_t i = 0; i < plan.n; i++) {
    const Point value = pointAt(result, i);
    setPoint(result, i, times({value.im, value.re}, plan.chirp + 2 * i));
  }
  return result;
}

/// Points [0, points) of up to kLanes rows into every `step`-th vector at `to`; lanes without a row are zero.
inline void loadRows(const float* from, int64_t rowStride, int64_t pointStride, int64_t rows, int64_t points,
                     Floats* to, int64_t step) {
  if (pointStride == 1) {
    for (int64_t i = 0; i < points; i += kLanes) {
      const int64_t count = least<int64_t>(kLanes, points - i);
      Floats block[kLanes];
      for (int64_t r = 0; r < kLanes; r++) {
        block[r] = r < rows ? loadSome(from + r * rowStride + i, count) : Floats{};
      }
      transposeBlock(block);
      for (int64_t j = 0; j < count; j++) to[(i + j) * step] = block[j];
    }
  } else if (rowStride == 1) {
    for (int64_t i = 0; i < points; i++) to[i * step] = loadSome(from + i * pointStride, rows);
  } else {
    for (int64_t i = 0; i < points; i++) {
      Floats value{};
      for (int64_t r = 0; r < rows; r++) value[r] = from[r * rowStride + i * pointStride];
      to[i * step] = value;
    }
  }
}

/// The reverse of loadRows, times `scale`.
inline void storeRows(const Floats* from, int64_t step, float scale, int64_t rows, int64_t points, float* to,
                      int64_t rowStride, int64_t pointStride) {
  if (pointStride == 1) {
    for (int64_t i = 0; i < points; i += kLanes) {
      const int64_t count = least<int64_t>(kLanes, points - i);
      Floats block[kLanes];
      for (int64_t j = 0; j < kLanes; j++) block[j] = j < count ? from[(i + j) * step] * scale : Floats{};
      transposeBlock(block);
      for (int64_t r = 0; r < rows; r++) storeSome(to + r * rowStride + i, block[r], count);
    }
  } else if (rowStride == 1) {
    for (int64_t i = 0; i < points; i++) storeSome(to + i * pointStride, from[i * step] * scale, rows);
  } else {
    for (int64_t i = 0; i < points; i++) {
      for (int64_t r = 0; r < rows; r++) to[r * rowStride + i * pointStride] = from[i * step][r] * scale;
    }
  }
}

}  // namespace CROSSOVER_ARCH
}  // namespace crossover
