// Embedding rows and their gradient. The gradient is deterministic: each thread owns a range of columns and
// walks the indices in order.
#include "kernels.h"
#include "math.h"

namespace crossover::CROSSOVER_ARCH {
namespace {

bool checkIndices(const Context& context, const EmbeddingArgs& args) {
  for (int64_t i = 0; i < args.N; ++i) {
    const int64_t row = args.index[i * args.indexStride];
    if (row < 0 || row >= args.V) {
      context.fail("embedding index", row);
      return false;
    }
  }
  return true;
}

}  // namespace

void embedding(const Context& context, const EmbeddingArgs& args) {
  if (!checkIndices(context, args)) return;
  parallelFor(context, args.N, 1 + 16384 / (args.D + 1), [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const float* from = args.x + args.index[i * args.indexStride] * args.xRow;
      float* to = args.out + i * args.outRow;
      for (int64_t d = 0; d < args.D; ++d) to[d] = from[d];
    }
  });
}

void embeddingGrad(const Context& context, const EmbeddingArgs& args) {
  if (!checkIndices(context, args)) return;
  // Each thread takes a range of columns: every thread then does the same work whatever the indices are.
  parallelStatic(context, (args.D + 15) / 16, [&](int64_t begin, int64_t end, int) {
    const int64_t first = begin * 16, last = end * 16 < args.D ? end * 16 : args.D;
    const int64_t between = 1 + (1 << 20) / (last - first + 1);  // rows between two looks at `stopped`
    if (!args.accumulate) {
      for (int64_t v = 0; v < args.V; ++v) {
        if (v % between == 0 && context.stopped()) return;
        float* to = args.out + v * args.outRow;
        for (int64_t d = first; d < last; ++d) to[d] = 0;
      }
    }
    for (int64_t i = 0; i < args.N; ++i) {
      if (i % between == 0 && context.stopped()) return;
      const float* from = args.x + i * args.xRow;
      float* to = args.out + args.index[i * args.indexStride] * args.outRow;
#pragma GCC ivdep
      for (int64_t d = first; d < last; ++d) to[d] += from[d];
    }
  });
}

}  // namespace crossover::CROSSOVER_ARCH
