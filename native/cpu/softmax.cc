// Softmax and log-softmax over rows of contiguous floats, and their gradients. Outputs are assigned and may
// be the input itself. A row that holds NaN or +inf, or only -inf, becomes NaN, as in PyTorch.
#include <cmath>

#include "kernels.h"
#include "vector.h"

namespace crossover {
namespace CROSSOVER_ARCH {
namespace {

/// Calls visit(offset, count) for every vector of a row; count is kLanes except at the end of the row.
template <class Visit>
CROSSOVER_INLINE void forVectors(int64_t n, const Visit& visit) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) visit(i, static_cast<int64_t>(kLanes));
  if (i < n) visit(i, n - i);
}
/// v in the first `count` lanes, `other` in the rest.
CROSSOVER_INLINE Floats keepFirst(Floats v, int64_t count, float other) {
  return count == kLanes ? v : select(laneNumbers() < static_cast<int32_t>(count), v, splat(other));
}

/// A sum in blocks of 64 vectors, so that rounding does not grow with the length of a long row.
struct RowSum {
  Floats block{}, all{};
  int count = 0;
  CROSSOVER_INLINE void add(Floats v) {
    block += v;
    if (++count == 64) {
      all += block;
      block = Floats{};
      count = 0;
    }
  }
  CROSSOVER_INLINE float value() const { return sumLanes(all + block); }
};

CROSSOVER_INLINE float rowMaximum(const float* x, int64_t n) {
  Floats top = splat(-__builtin_inff());
  forVectors(n, [&](int64_t i, int64_t count) {
    top = maximumOf(keepFirst(loadSome(x + i, count), count, -__builtin_inff()), top);
  });
  return maxLanes(top);
}

template <class Row>
void forRows(const Context& context, const SoftmaxArgs& a, const Row& row) {
  int64_t grain = most<int64_t>(1, 16384 / most<int64_t>(1, a.n));
  parallelFor(context, a.rows, grain, [&](int64_t begin, int64_t end, int) {
    for (int64_t r = begin; r < end; r++) {
      row(a.out + r * a.outStride, a.a + r * a.aStride, a.b ? a.b + r * a.bStride : nullptr);
    }
  });
}

}  // namespace

/// y = exp(x - max) / sum
void softmax(const Context& context, const SoftmaxArgs& a) {
  forRows(context, a, [n = a.n](float* y, const float* x, const float*) {
    float top = rowMaximum(x, n);
    RowSum sum;
    forVectors(n, [&](int64_t i, int64_t count) {
      Floats e = expOf(loadSome(x + i, count) - top);
      storeSome(y + i, e, count);
      sum.add(keepFirst(e, count, 0));
    });
    float scale = 1 / sum.value();
    forVectors(n, [&](int64_t i, int64_t count) { storeSome(y + i, loadSome(y + i, count) * scale, count); });
  });
}

/// dx = y (dy - sum(y dy))
void softmaxGrad(const Context& context, const SoftmaxArgs& a) {
  forRows(context, a, [n = a.n](float* dx, const float* y, const float* dy) {
    RowSum sum;
    forVectors(n,
               [&](int64_t i, int64_t count) { sum.add(loadSome(y + i, count) * loadSome(dy + i, count)); });
    float dot = sum.value();
    forVectors(n, [&](int64_t i, int64_t count) {
      storeSome(dx + i, loadSome(y + i, count) * (loadSome(dy + i, count) - dot), count);
    });
  });
}

/// y = x - max - log(sum(exp(x - max)))
void logSoftmax(const Context& context, const SoftmaxArgs& a) {
  forRows(context, a, [n = a.n](float* y, const float* x, const float*) {
    float top = rowMaximum(x, n);
    RowSum sum;
    forVectors(n, [&](int64_t i, int64_t count) {
      sum.add(keepFirst(expOf(loadSome(x + i, count) - top), count, 0));
    });
    float log = std::log(sum.value());
    forVectors(
        n, [&](int64_t i, int64_t count) { storeSome(y + i, loadSome(x + i, count) - top - log, count); });
  });
}

/// dx = dy - exp(y) sum(dy)
void logSoftmaxGrad(const Context& context, const SoftmaxArgs& a) {
  forRows(context, a, [n = a.n](float* dx, const float* y, const float* dy) {
    RowSum sum;
    forVectors(n, [&](int64_t i, int64_t count) { sum.add(loadSome(dy + i, count)); });
    float total = sum.value();
    forVectors(n, [&](int64_t i, int64_t count) {
      storeSome(dx + i, loadSome(dy + i, count) - expOf(loadSome(y + i, count)) * total, count);
    });
  });
}

}  // namespace CROSSOVER_ARCH
}  // namespace crossover
