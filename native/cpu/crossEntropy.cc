// Cross entropy with label smoothing and an ignored target, as torch.nn.functional.cross_entropy. The forward
// kernel keeps the log-sum-exp of every row; the gradient is softmax minus the target distribution.
#include "kernels.h"
#include "math.h"

namespace crossover::CROSSOVER_ARCH {
namespace {

/// Whether row i counts. Reports targets out of range.
bool counted(const Context& context, const CrossEntropyArgs& args, int64_t i) {
  const int64_t target = args.targets[i * args.targetsStride];
  if (target == args.ignoreIndex) return false;
  if (target < 0 || target >= args.C) {
    context.fail("target", target);
    return false;
  }
  return true;
}

int64_t countRows(const Context& context, const CrossEntropyArgs& args) {
  int64_t count = 0;
  for (int64_t i = 0; i < args.N; ++i) count += counted(context, args, i) ? 1 : 0;
  return count;
}

/// exp(x - shift) summed in parts of 4096 elements, so that wide rows keep their accuracy.
float sumOfExponentials(const float* x, float shift, int64_t n) {
  float total = 0;
  for (int64_t start = 0; start < n; start += 4096) {
    const int64_t end = start + 4096 < n ? start + 4096 : n;
    float part = 0;
#pragma omp simd reduction(+ : part)
    for (int64_t c = start; c < end; ++c) part += math::exp(x[c] - shift);
    total += part;
  }
  return total;
}

float largest(const float* x, int64_t n) {
  float most = x[0];
#pragma omp simd reduction(max : most)
  for (int64_t c = 0; c < n; ++c) most = x[c] > most ? x[c] : most;
  return most;
}

/// Loss of one counted row; NaN in a row gives NaN.
double rowLoss(const CrossEntropyArgs& args, int64_t i) {
  const float* x = args.logits + i * args.logitsRow;
  const float lse = args.lse[i];
  const double smooth = static_cast<double>(args.labelSmoothing);
  double loss = (1.0 - smooth) *
                (static_cast<double>(lse) - static_cast<double>(x[args.targets[i * args.targetsStride]]));
  if (smooth > 0) {
    double total = 0;
    for (int64_t c = 0; c < args.C; ++c) total += static_cast<double>(x[c]);
    loss += smooth * (static_cast<double>(lse) - total / static_cast<double>(args.C));
  }
  return loss;
}

}  // namespace

void crossEntropy(const Context& context, const CrossEntropyArgs& args) {
  const int64_t rows = countRows(context, args);
  if (context.stopped()) return;
  parallelFor(context, args.N, 1 + 16384 / (args.C + 1), [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const float* x = args.logits + i * args.logitsRow;
      const float most = largest(x, args.C);
      args.lse[i] = most + math::log(sumOfExponentials(x, most, args.C));
      if (args.reduction == 2) {
        args.loss[i] = counted(context, args, i) ? static_cast<float>(rowLoss(args, i)) : 0.0f;
      }
    }
  });
  if (args.reduction == 2 || context.stopped()) return;
  double total = 0;
  for (int64_t i = 0; i < args.N && !context.stopped(); ++i) {
    if (counted(context, args, i)) total += rowLoss(args, i);
  }
  args.loss[0] = static_cast<float>(args.reduction == 0 ? total / static_cast<double>(rows) : total);
}

void crossEntropyGrad(const Context& context, const CrossEntropyArgs& args) {
  const int64_t rows = countRows(context, args);
  if (context.stopped()) return;
  const float even = args.labelSmoothing / static_cast<float>(args.C);
  parallelFor(context, args.N, 1 + 16384 / (args.C + 1), [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const float* x = args.logits + i * args.logitsRow;
      float* dx = args.dlogits + i * args.dlogitsRow;
      if (!counted(context, args, i)) {
        for (int64_t c = 0; c < args.C; ++c) dx[c] = 0;
        continue;
      }
      const float scale = args.reduction == 2   ? args.dloss[i]
                          : args.reduction == 1 ? args.dloss[0]
                                                : args.dloss[0] / static_cast<float>(rows);
      const float lse = args.lse[i];
#pragma GCC ivdep
      for (int64_t c = 0; c < args.C; ++c) dx[c] = scale * (math::exp(x[c] - lse) - even);
      dx[args.targets[i * args.targetsStride]] -= scale * (1.0f - args.labelSmoothing);
    }
  });
}

}  // namespace crossover::CROSSOVER_ARCH
