// A Fourier transform of one row too long for fft_lanes.h to keep all lanes of it in the cache.
//
// The row is seen as a matrix [columns->n, rows->n], row-major (the four-step algorithm; Bailey,
// J. Supercomputing 4, 1990): its columns are transformed, as many at once as there are lanes; element
// (k, j) is turned by exp(-2 pi i k j / length); the rows are transformed and stand transposed afterwards.
#pragma once

#include "fft_lanes.h"

namespace crossover {
namespace CROSSOVER_ARCH {

/// Real and imaginary parts of one row.
struct Planes {
  float *re, *im;
};

/// `from` is used up; `x` and `y` are buffers for the lanes of columns and rows.
inline void fftMatrix(const FftPlan& plan, Planes from, Planes to, Floats* x, Floats* y) {
  const FftPlan &columns = *plan.columns, &rows = *plan.rows;
  const int64_t m = columns.n, n = rows.n;
  for (int64_t j = 0; j < n; j += kLanes) {
    const int64_t count = least<int64_t>(kLanes, n - j);
    for (int64_t i = 0; i < m; i++) {
      setPoint(x, i, {loadSome(from.re + i * n + j, count), loadSome(from.im + i * n + j, count)});
    }
    const Floats* result = fftStages(columns, x, y);
    for (int64_t k = 0; k < m; k++) {
      const Point value = pointAt(result, k);
      const float* turn = plan.turns + 2 * k * n + j;
      const Floats cos = loadSome(turn, count), sin = loadSome(turn + n, count);
      storeSome(from.re + k * n + j, value.re * cos - value.im * sin, count);
      storeSome(from.im + k * n + j, value.re * sin + value.im * cos, count);
    }
  }
  for (int64_t k = 0; k < m; k += kLanes) {
    const int64_t count = least<int64_t>(kLanes, m - k);
    loadRows(from.re + k * n, n, 1, count, n, x, 2);
    loadRows(from.im + k * n, n, 1, count, n, x + 1, 2);
    const Floats* result = fftStages(rows, x, y);
    for (int64_t j = 0; j < n; j++) {
      const Point value = pointAt(result, j);
      storeSome(to.re + j * m + k, value.re, count);
      storeSome(to.im + j * m + k, value.im, count);
    }
  }
}

/// Transforms plan.n points in `x`, with `y` as the other planes; gives the planes that hold the result.
inline Planes fftLong(const FftPlan& plan, Planes x, Planes y, Floats* lanes, Floats* others) {
  if (plan.chirp == nullptr) {
    fftMatrix(plan, x, y, lanes, others);
    return y;
  }
  const auto multiply = [](Planes p, const float* w, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
      const float re = p.re[i], im = p.im[i];
      p.re[i] = re * w[2 * i] - im * w[2 * i + 1];
      p.im[i] = re * w[2 * i + 1] + im * w[2 * i];
    }
  };
  multiply(x, plan.chirp, plan.n);
  for (float* part : {x.re, x.im}) {
    for (int64_t i = plan.n; i < plan.length; i++) part[i] = 0;
  }
  fftMatrix(plan, x, y, lanes, others);
  multiply(y, plan.filter, plan.length);
  // With real and imaginary parts swapped before and after, a transform is the inverse one.
  fftMatrix(plan, {y.im, y.re}, {x.im, x.re}, lanes, others);
  multiply(x, plan.chirp, plan.n);
  return x;
}

}  // namespace CROSSOVER_ARCH
}  // namespace crossover
