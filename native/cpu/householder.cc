// QR by Householder reflections in float64, one column after the other; columns to the right are updated in
// parallel.
#include "kernels.h"

namespace crossover::CROSSOVER_ARCH {
namespace {

double dot(const double* a, const double* b, int64_t n) {
  double lanes[8] = {};
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    for (int k = 0; k < 8; ++k) lanes[k] += a[i + k] * b[i + k];
  }
  double sum = 0;
  for (; i < n; ++i) sum += a[i] * b[i];
  for (double lane : lanes) sum += lane;
  return sum;
}

/// column -= (scale v . column) v
void reflect(double* column, const double* v, double scale, int64_t n) {
  const double factor = scale * dot(v, column, n);
  for (int64_t i = 0; i < n; ++i) column[i] -= factor * v[i];
}

}  // namespace

void householder(const Context& context, const HouseholderArgs& args) {
  const int64_t m = args.m, n = args.n;
  const auto grain = [&](int64_t length) { return 1 + 32768 / (length + 1); };
  for (int64_t j = 0; j < n && !context.stopped(); ++j) {
    double* v = args.a + j * m + j;
    const int64_t length = m - j;
    const double norm = __builtin_sqrt(dot(v, v, length));
    // R's diagonal is -copysign(norm, v[0]); v = x - R e1, H = I - scale v v'.
    const double diagonal = v[0] > 0 ? -norm : norm;
    args.sign[j] = diagonal > 0 ? 1 : diagonal < 0 ? -1 : 0;
    v[0] -= diagonal;
    const double square = dot(v, v, length);
    args.scale[j] = square > 0 ? 2 / square : 0;
    parallelFor(context, n - j - 1, grain(length), [&](int64_t begin, int64_t end, int) {
      for (int64_t c = begin; c < end; ++c) reflect(args.a + (j + 1 + c) * m + j, v, args.scale[j], length);
    });
  }
  // Q = H0 H1 ... applied to the first n columns of the identity, from the last column back, in place.
  for (int64_t j = n - 1; j >= 0 && !context.stopped(); --j) {
    double* v = args.a + j * m + j;
    const int64_t length = m - j;
    parallelFor(context, n - j - 1, grain(length), [&](int64_t begin, int64_t end, int) {
      for (int64_t c = begin; c < end; ++c) reflect(args.a + (j + 1 + c) * m + j, v, args.scale[j], length);
    });
    // Column j of Q from e_j: e_j - scale v[0] v.
    const double factor = args.scale[j] * v[0];
    for (int64_t i = 0; i < j; ++i) args.a[j * m + i] = 0;
    for (int64_t i = length - 1; i >= 0; --i) v[i] = (i == 0 ? 1.0 : 0.0) - factor * v[i];
  }
  for (int64_t j = 0; j < n && !context.stopped(); ++j) {
    for (int64_t i = 0; i < m; ++i) args.a[j * m + i] *= args.sign[j];
  }
}

}  // namespace crossover::CROSSOVER_ARCH
