// Gradient norm and AdamW over all tensors of a model in one pass each; both are bound by memory bandwidth.
#include "kernels.h"
#include "math.h"

namespace crossover::CROSSOVER_ARCH {
namespace {

constexpr int64_t kPiece = 1 << 15;

/// Elements of all tensors, cut into pieces of at most kPiece that never cross a tensor.
int64_t pieceCount(const AdamTensor* tensors, int64_t count) {
  int64_t pieces = 0;
  for (int64_t t = 0; t < count; ++t) pieces += (tensors[t].count + kPiece - 1) / kPiece;
  return pieces;
}

/// Calls f(tensor, begin, end, piece) for pieces [first, last).
template <class F>
void forPieces(const AdamTensor* tensors, int64_t count, int64_t first, int64_t last, const F& f) {
  int64_t piece = 0;
  for (int64_t t = 0; t < count && piece < last; ++t) {
    const int64_t own = (tensors[t].count + kPiece - 1) / kPiece;
    for (int64_t i = piece > first ? piece : first; i < last && i < piece + own; ++i) {
      const int64_t begin = (i - piece) * kPiece;
      const int64_t end = begin + kPiece < tensors[t].count ? begin + kPiece : tensors[t].count;
      f(tensors[t], begin, end, i);
    }
    piece += own;
  }
}

}  // namespace

void gradNorm(const Context& context, const NormSquaredArgs& args) {
  const int64_t pieces = pieceCount(args.tensors, args.count);
  // One double per piece, summed in order, so that the norm does not depend on the number of threads.
  const std::size_t bytes = static_cast<std::size_t>(pieces) * sizeof(double);
  auto* sums =
      reinterpret_cast<double*>(context.scratch(bytes / static_cast<std::size_t>(context.threads) + 64));
  parallelFor(context, pieces, 4, [&](int64_t first, int64_t last, int) {
    forPieces(args.tensors, args.count, first, last,
              [&](const AdamTensor& tensor, int64_t begin, int64_t end, int64_t piece) {
                double total = 0;
                const float* g = tensor.gradient;
#pragma omp simd reduction(+ : total)
                for (int64_t i = begin; i < end; ++i)
                  total += static_cast<double>(g[i]) * static_cast<double>(g[i]);
                sums[piece] = total;
              });
  });
  double total = 0;
  for (int64_t i = 0; i < pieces; ++i) total += sums[i];
  args.out[0] = static_cast<float>(__builtin_sqrt(total));
}

void adamw(const Context& context, const AdamArgs& args) {
  const double rate = static_cast<double>(args.hyper[0]) * args.lrScale;
  const double step = static_cast<double>(args.hyper[1]);
  const double limit = static_cast<double>(args.hyper[2]);
  double clip = 1;
  if (args.gradNorm != nullptr && limit > 0) {
    clip = limit / (static_cast<double>(args.gradNorm[0]) + 1e-6);
    clip = clip > 1 ? 1 : clip;  // NaN stays NaN
  }
  const double correction1 = 1 - __builtin_pow(args.beta1, step),
               correction2 = 1 - __builtin_pow(args.beta2, step);
  const float scale = static_cast<float>(clip), decay = static_cast<float>(1 - rate * args.weightDecay);
  const float keep1 = static_cast<float>(args.beta1), fresh1 = static_cast<float>(1 - args.beta1);
  const float keep2 = static_cast<float>(args.beta2), fresh2 = static_cast<float>(1 - args.beta2);
  const float size = static_cast<float>(rate / correction1), eps = static_cast<float>(args.eps);
  const float root = static_cast<float>(1 / __builtin_sqrt(correction2));
  const int64_t pieces = pieceCount(args.tensors, args.count);
  parallelFor(context, pieces, 2, [&](int64_t first, int64_t last, int) {
    forPieces(args.tensors, args.count, first, last,
              [&](const AdamTensor& tensor, int64_t begin, int64_t end, int64_t) {
                float *p = tensor.parameter, *m = tensor.first, *v = tensor.second;
                const float* gradient = tensor.gradient;
#pragma GCC ivdep
                for (int64_t i = begin; i < end; ++i) {
                  const float g = gradient[i] * scale;
                  const float mean = m[i] * keep1 + g * fresh1;
                  const float square = v[i] * keep2 + g * g * fresh2;
                  m[i] = mean;
                  v[i] = square;
                  p[i] = p[i] * decay - size * mean / (__builtin_sqrtf(square) * root + eps);
                }
              });
  });
}

}  // namespace crossover::CROSSOVER_ARCH
