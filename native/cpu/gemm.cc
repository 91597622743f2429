// Matrix product: blocks of a and b rewritten for the caches, multiplied by register blocks.
//
// The plan is that of Goto and van de Geijn, "Anatomy of high-performance matrix multiplication" (2008): a
// panel of b stays in first-level cache while register blocks pass over the rows of a, which stay in the
// second level. Every element adds its products in an order that depends on k alone, so results do not depend
// on the number of threads.
#include "gemm_pack.h"

namespace crossover {
namespace CROSSOVER_ARCH {
namespace {

constexpr int64_t kMostRows = 48;    // of a in second-level cache; a piece of work
constexpr int64_t kMostDepth = 768;  // 48 KB of a panel of b: longer sums pass over c more than once
constexpr int64_t kSharedFloats = int64_t{1}
                                  << 20;  // of b that all threads read: a part of third-level cache
constexpr int64_t kPrivateColumns = 128;  // of b when each thread has its own, in second-level cache
constexpr int64_t kCopyColumns = 256;     // results so wide pay for a copy of the rows of a
constexpr int64_t kLeftFloats = leftFloats(kMostRows, kMostDepth);
constexpr int64_t kPiecesPerThread = 4;

/// One matrix of the batch.
struct Matrix {
  const float *a, *b, *residual;
  float* c;
};

Matrix matrixAt(const GemmArgs& g, int64_t index) {
  Matrix at{g.a, g.b, g.residual, g.c};
  for (int d = g.batchRank - 1; d >= 0; index /= g.batch[d--]) {
    const int64_t i = index % g.batch[d];
    at.a += i * g.aBatch[d], at.b += i * g.bBatch[d], at.c += i * g.cBatch[d];
    if (at.residual) at.residual += i * g.residualBatch[d];
  }
  return at;
}

/// Part of the sums.
struct Depth {
  int64_t begin, size;
};
/// Pass `index` of `passes` over sums of k products.
Depth depthOf(int64_t k, int64_t passes, int64_t index) {
  const int64_t size = roundUp((k + passes - 1) / passes, kLanes), begin = least(index * size, k);
  return {begin, least(size, k - begin)};
}
int64_t passesOf(int64_t k) { return most<int64_t>(1, (k + kMostDepth - 1) / kMostDepth); }

/// Adds a row of sums to c; the first pass brings bias, residual and the old c where asked.
CROSSOVER_INLINE void finishRow(const GemmArgs& g, bool first, const float* sums, int64_t columns, float* c,
                                const float* bias, const float* residual) {
  for (int64_t j = 0; j < columns; j += kLanes) {
    int64_t count = least<int64_t>(kLanes, columns - j);
    Floats sum = load(sums + j) * g.alpha;
    if (first && bias) sum += loadSome(bias + j, count);
    if (first && residual) sum += loadSome(residual + j, count);
    if (!first || g.accumulate) sum += loadSome(c + j, count);
    storeSome(c + j, sum, count);
  }
}

/// kRows rows of a times a panel of b, added to c.
template <int kRows, bool kAcross>
CROSSOVER_INLINE void registerBlock(const GemmArgs& g, Depth depth, const float* a, int64_t stride,
                                    const float* panel, int64_t columns, float* c, const float* bias,
                                    const float* residual) {
  const bool first = depth.begin == 0;
  if (columns == kPanel && g.alpha == 1 && !(first && (bias || residual))) {
    prefetchRows<true>(c, g.cRow, kRows, columns);
    productBlock<kRows, kMaxVectors, kAcross>(depth.size, a, stride, panel, kPanel, c, g.cRow,
                                              !first || g.accumulate);
    return;
  }
  alignas(64) float sums[kRows * kPanel];
  productBlock<kRows, kMaxVectors, kAcross>(depth.size, a, stride, panel, kPanel, sums, kPanel, false);
  for (int r = 0; r < kRows; r++) {
    finishRow(g, first, sums + r * kPanel, columns, c + r * g.cRow, bias,
              residual ? residual + r * g.residualRow : nullptr);
  }
}

/// `rows` rows of c, `columns` of one panel.
template <bool kAcross>
__attribute__((noinline)) void panelRows(const GemmArgs& g, Depth depth, const LeftRows& a, int64_t rows,
                                         const float* panel, int64_t columns, float* c, const float* bias,
                                         const float* residual) {
  const auto block = [&](auto height, int64_t i, int64_t r) {
    registerBlock<decltype(height)::value, kAcross>(
        g, depth, a.data + i * a.step + r * (kAcross ? 1 : a.stride), a.stride, panel, columns,
        c + (i + r) * g.cRow, bias, residual ? residual + (i + r) * g.residualRow : nullptr);
  };
  int64_t i = 0;
  for (; i + kBlockHeight <= rows; i += kBlockHeight)
    block(std::integral_constant<int, kBlockHeight>{}, i, 0);
  int64_t r = 0;
  for (; i + r + 4 <= rows; r += 4) block(std::integral_constant<int, 4>{}, i, r);
  for (; i + r + 2 <= rows; r += 2) block(std::integral_constant<int, 2>{}, i, r);
  if (i + r < rows) block(std::integral_constant<int, 1>{}, i, r);
}

/// `rows` rows of c from row i, `columns` columns from column j, whose panels of b are packed.
void multiply(const GemmArgs& g, const Matrix& at, Depth depth, int64_t i, int64_t rows, int64_t j,
              int64_t columns, const float* panels, float* scratch) {
  const LeftRows a = packRows(g, at.a, i, rows, depth.begin, depth.size, columns >= kCopyColumns, scratch);
  for (int64_t x = 0; x < columns; x += kPanel, panels += depth.size * kPanel) {
    float* c = at.c + i * g.cRow + j + x;
    const float* bias = g.bias ? g.bias + j + x : nullptr;
    const float* residual = at.residual ? at.residual + i * g.residualRow + j + x : nullptr;
    const int64_t width = least(kPanel, columns - x);
    if (a.across)
      panelRows<true>(g, depth, a, rows, panels, width, c, bias, residual);
    else
      panelRows<false>(g, depth, a, rows, panels, width, c, bias, residual);
  }
}

/// One matrix: all threads pack a part of b, then share it.
void multiplyOne(const Context& context, const GemmArgs& g) {
  const Matrix at = matrixAt(g, 0);
  const int64_t passes = passesOf(g.k), deepest = most<int64_t>(1, depthOf(g.k, passes, 0).size);
  const int64_t widest = kSharedFloats / deepest;
  const int64_t parts = (g.n + widest - 1) / widest, wide = roundUp((g.n + parts - 1) / parts, kPanel);
  const int64_t shared = deepest * wide, total = shared + kLeftFloats * context.threads;
  float* panels = reinterpret_cast<float*>(
      context.scratch(static_cast<std::size_t>(total / context.threads + 1) * sizeof(float)));
  const int64_t down = (g.m + kMostRows - 1) / kMostRows;
  for (int64_t j = 0; j < g.n; j += wide) {
    const int64_t columns = least(wide, g.n - j), across = (columns + kPanel - 1) / kPanel;
    const int64_t strips = least(across, (kPiecesPerThread * context.threads + down - 1) / down);
    for (int64_t pass = 0; pass < passes; pass++) {
      const Depth depth = depthOf(g.k, passes, pass);
      const float* b = at.b + depth.begin * g.bRow + j * g.bColumn;
      parallelFor(context, across, 1, [&](int64_t begin, int64_t end, int) {
        for (int64_t x = begin; x < end; x++) {
          packPanel(g, b + x * kPanel * g.bColumn, depth.size, least(kPanel, columns - x * kPanel),
                    panels + x * depth.size * kPanel);
        }
      });
      parallelFor(context, down * strips, 1, [&](int64_t begin, int64_t end, int thread) {
        float* scratch = panels + shared + thread * kLeftFloats;
        for (int64_t piece = begin; piece < end; piece++) {
          const int64_t strip = piece % strips, i = piece / strips * kMostRows;
          const int64_t from = across * strip / strips * kPanel;
          const int64_t to = least(columns, across * (strip + 1) / strips * kPanel);
          multiply(g, at, depth, i, least(kMostRows, g.m - i), j + from, to - from,
                   panels + from * depth.size, scratch);
        }
      });
    }
  }
}

/// Many matrices, or rows of them, each with panels of b of its own.
void multiplyMany(const Context& context, const GemmArgs& g, int64_t matrices) {
  const int64_t passes = passesOf(g.k), deepest = most<int64_t>(1, depthOf(g.k, passes, 0).size);
  const int64_t wanted = (kPiecesPerThread * context.threads + matrices - 1) / matrices;
  const int64_t height = roundUp((g.m + wanted - 1) / wanted, kMostRows), down = (g.m + height - 1) / height;
  const int64_t floats = deepest * kPrivateColumns + kLeftFloats;
  const std::size_t bytes = static_cast<std::size_t>(floats) * sizeof(float);
  char* memory = context.scratch(bytes);
  parallelFor(context, matrices * down, 1, [&](int64_t begin, int64_t end, int thread) {
    float* panels =
        reinterpret_cast<float*>(memory + static_cast<std::size_t>(thread) * Context::scratchStride(bytes));
    for (int64_t piece = begin; piece < end; piece++) {
      const Matrix at = matrixAt(g, piece / down);
      const int64_t top = piece % down * height, bottom = least(g.m, top + height);
      for (int64_t j = 0; j < g.n; j += kPrivateColumns) {
        const int64_t columns = least(kPrivateColumns, g.n - j);
        for (int64_t pass = 0; pass < passes && !context.stopped(); pass++) {
          const Depth depth = depthOf(g.k, passes, pass);
          const float* b = at.b + depth.begin * g.bRow + j * g.bColumn;
          for (int64_t x = 0; x < columns; x += kPanel) {
            packPanel(g, b + x * g.bColumn, depth.size, least(kPanel, columns - x), panels + x * depth.size);
          }
          for (int64_t i = top; i < bottom && !context.stopped(); i += kMostRows) {
            multiply(g, at, depth, i, least(kMostRows, bottom - i), j, columns, panels,
                     panels + deepest * kPrivateColumns);
          }
        }
      }
    }
  });
}

}  // namespace

void gemm(const Context& context, const GemmArgs& g) {
  int64_t matrices = 1;
  for (int d = 0; d < g.batchRank; d++) matrices *= g.batch[d];
  if (matrices == 0 || g.m == 0 || g.n == 0) return;
  if (matrices == 1)
    multiplyOne(context, g);
  else
    multiplyMany(context, g, matrices);
}

}  // namespace CROSSOVER_ARCH
}  // namespace crossover
