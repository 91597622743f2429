// Layer norm and RMS norm over rows of n, with weights per group. Forward assigns y, mean and rstd. The
// gradient assigns or accumulates dx, dweight and dbias as its flags say; weight gradients go through one
// partial sum per range of rows, added in order.
#include "kernels.h"
#include "math.h"

namespace crossover::CROSSOVER_ARCH {
namespace {

/// Sums of x and of x^2 about `center` over n elements.
CROSSOVER_INLINE float sum(const float* x, int64_t n) {
  float total = 0;
#pragma omp simd reduction(+ : total)
  for (int64_t i = 0; i < n; ++i) total += x[i];
  return total;
}
CROSSOVER_INLINE float squares(const float* x, float center, int64_t n) {
  float total = 0;
#pragma omp simd reduction(+ : total)
  for (int64_t i = 0; i < n; ++i) total += (x[i] - center) * (x[i] - center);
  return total;
}

void forwardRow(const NormArgs& args, int64_t row, int64_t group) {
  const int64_t n = args.n;
  const float* x = args.x + row * args.xR + group * args.xG;
  float* y = args.y + row * args.yR + group * args.yG;
  const float scale = 1.0f / static_cast<float>(n);
  const float mean = args.rms ? 0.0f : sum(x, n) * scale;
  const float rstd = 1.0f / __builtin_sqrtf(squares(x, mean, n) * scale + args.eps);
  if (args.mean != nullptr) args.mean[row * args.G + group] = mean;
  if (args.rstd != nullptr) args.rstd[row * args.G + group] = rstd;
  const float* weight = args.weight == nullptr ? nullptr : args.weight + group * n;
  const float* bias = args.bias == nullptr ? nullptr : args.bias + group * n;
  if (weight == nullptr) {
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) y[i] = (x[i] - mean) * rstd;
  } else if (bias == nullptr) {
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) y[i] = ((x[i] - mean) * rstd) * weight[i];
  } else {
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) y[i] = ((x[i] - mean) * rstd) * weight[i] + bias[i];
  }
}

/// One row: dx, and this row's part of dweight and dbias added to the partial sums.
template <bool Weight, bool Accumulate>
void gradRow(const NormArgs& args, int64_t row, int64_t group, float* dweight, float* dbias) {
  const int64_t n = args.n;
  const float* x = args.x + row * args.xR + group * args.xG;
  const float* dy = args.dy + row * args.dyR + group * args.dyG;
  float* dx = args.y + row * args.yR + group * args.yG;
  const float* weight = Weight ? args.weight + group * n : nullptr;
  const float mean = args.mean == nullptr ? 0.0f : args.mean[row * args.G + group];
  const float rstd = args.rstd[row * args.G + group];
  float along = 0, total = 0;  // sums of g xhat and of g, where g = dy weight
#pragma omp simd reduction(+ : along, total)
  for (int64_t i = 0; i < n; ++i) {
    const float g = Weight ? dy[i] * weight[i] : dy[i];
    along += g * ((x[i] - mean) * rstd);
    total += g;
  }
  if (dweight != nullptr) {
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) dweight[i] += dy[i] * ((x[i] - mean) * rstd);
  }
  if (dbias != nullptr) {
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) dbias[i] += dy[i];
  }
  along /= static_cast<float>(n);
  total = args.rms ? 0.0f : total / static_cast<float>(n);
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) {
    const float g = Weight ? dy[i] * weight[i] : dy[i];
    const float value = rstd * (g - total - ((x[i] - mean) * rstd) * along);
    dx[i] = Accumulate ? dx[i] + value : value;
  }
}

}  // namespace

void norm(const Context& context, const NormArgs& args) {
  parallelFor(context, args.R * args.G, 1 + 16384 / (args.n + 1), [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) forwardRow(args, i / args.G, i % args.G);
  });
}

void normGrad(const Context& context, const NormArgs& args) {
  constexpr int64_t kParts = 32;  // whatever the number of threads, so that sums are reproducible
  const int64_t width = args.G * args.n;
  const int64_t parts = args.R < kParts ? args.R : kParts;
  const bool weights = args.dweight != nullptr, biases = args.dbias != nullptr;
  const std::size_t block = static_cast<std::size_t>(width * parts) * sizeof(float);
  // The partial sums are shared by the threads: ask for all of them in units of one thread's share.
  const std::size_t bytes = (weights || biases) ? 2 * block : 64;
  char* memory = context.scratch(bytes / static_cast<std::size_t>(context.threads) + 64);
  auto* partialWeights = reinterpret_cast<float*>(memory);
  float* partialBiases = partialWeights + width * parts;
  const auto row = args.weight != nullptr
                       ? (args.accumulateDx ? gradRow<true, true> : gradRow<true, false>)
                       : (args.accumulateDx ? gradRow<false, true> : gradRow<false, false>);
  parallelFor(context, parts, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t part = begin; part < end; ++part) {
      float* dweight = weights ? partialWeights + part * width : nullptr;
      float* dbias = biases ? partialBiases + part * width : nullptr;
      for (int64_t i = 0; i < width; ++i) {
        if (weights) dweight[i] = 0;
        if (biases) dbias[i] = 0;
      }
      for (int64_t r = args.R * part / parts; r < args.R * (part + 1) / parts; ++r) {
        if ((r & 7) == 0 && context.stopped()) return;
        for (int64_t g = 0; g < args.G; ++g) {
          row(args, r, g, weights ? dweight + g * args.n : nullptr, biases ? dbias + g * args.n : nullptr);
        }
      }
    }
  });
  const auto gather = [&](float* out, const float* partials) {
    for (int64_t i = 0; i < width; ++i) {
      float total = 0;
      for (int64_t part = 0; part < parts; ++part) total += partials[part * width + i];
      out[i] = args.accumulateWeights ? out[i] + total : total;
    }
  };
  if (weights) gather(args.dweight, partialWeights);
  if (biases) gather(args.dbias, partialBiases);
}

}  // namespace crossover::CROSSOVER_ARCH
