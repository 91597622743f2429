// Matrix product without oneDNN: blocks of c in cache, with packed blocks of a and b.
//
// One piece of work is one block of c, which keeps its sums to itself; every element adds its products in the
// same order whatever the block size, so results do not depend on the number of threads.
#include "kernels.h"
#include "tile.h"

namespace crossover {
namespace CROSSOVER_ARCH {
namespace {

constexpr int64_t kBlockRows = 192, kBlockColumns = 256, kBlockDepth = 128;
constexpr int64_t kPanel = kMaxVectors * kLanes;  // columns of b that a register block covers

/// Packs a [rows, depth] as contiguous rows of `padded` floats.
void packRows(const float* a, int64_t row, int64_t column, int64_t rows, int64_t depth, float* to,
              int64_t padded) {
  if (column == 1) {
    copyRows(a, row, rows, depth, to, padded);
  } else if (row == 1) {
    transpose(a, column, depth, rows, 1, to, padded);
  } else {
    for (int64_t i = 0; i < rows; i++) {
      for (int64_t p = 0; p < depth; p++) to[i * padded + p] = a[i * row + p * column];
    }
  }
}

/// Packs b [depth, columns] as panels of kPanel columns, each contiguous, padded with zeros.
void packPanels(const float* b, int64_t row, int64_t column, int64_t depth, int64_t columns, float* to) {
  for (int64_t j = 0; j < columns; j += kPanel, to += depth * kPanel) {
    int64_t width = least(kPanel, columns - j);
    if (column != 1 && row == 1 && width < kPanel) zero(to, depth * kPanel);
    if (column == 1) {
      copyRows(b + j, row, depth, width, to, kPanel);
    } else if (row == 1) {
      transpose(b + j * column, column, width, depth, 1, to, kPanel);
    } else {
      for (int64_t p = 0; p < depth; p++) {
        for (int64_t i = 0; i < kPanel; i++)
          to[p * kPanel + i] = i < width ? b[p * row + (j + i) * column] : 0;
      }
    }
  }
}

/// Rounds floats to the nearest bf16, ties to even; infinities and NaN stay what they are.
void roundToBf16(float* p, int64_t count) {
  for (int64_t i = 0; i < count; i += kLanes) {
    Floats value = load(p + i), rounded;
    Words bits;
    std::memcpy(&bits, &value, sizeof bits);
    bits = (bits + 0x7fffu + ((bits >> 16) & 1u)) & 0xffff0000u;
    std::memcpy(&rounded, &bits, sizeof rounded);
    store(p + i, select(value == value, rounded, value));
  }
}

struct Block {
  float *a, *b, *c;
  static constexpr int64_t kFloats =
      kBlockRows * kBlockDepth + kBlockDepth * kBlockColumns + kBlockRows * kBlockColumns;
  explicit Block(float* p) : a(p), b(a + kBlockRows * kBlockDepth), c(b + kBlockDepth * kBlockColumns) {}
};

/// Writes a row of sums to c: alpha times them, plus bias, residual and the old c where asked.
CROSSOVER_INLINE void finishRow(const GemmArgs& g, const float* sums, int64_t columns, float* c,
                                const float* bias, const float* residual) {
  for (int64_t j = 0; j < columns; j += kLanes) {
    int64_t count = least<int64_t>(kLanes, columns - j);
    Floats sum = load(sums + j) * g.alpha;
    if (bias) sum += loadSome(bias + j, count);
    if (residual) sum += loadSome(residual + j, count);
    if (g.accumulate) sum += loadSome(c + j, count);
    storeSome(c + j, sum, count);
  }
}

}  // namespace

void gemm(const Context& context, const GemmArgs& g) {
  int64_t matrices = 1, rows = kBlockRows, columns = kBlockColumns;
  for (int d = 0; d < g.batchRank; d++) matrices *= g.batch[d];
  auto pieces = [&] { return matrices * ((g.m + rows - 1) / rows) * ((g.n + columns - 1) / columns); };
  if (pieces() < 4 * context.threads) rows = kBlockRows / 2;
  if (pieces() < 4 * context.threads) columns = kBlockColumns / 2;
  std::size_t bytes = static_cast<std::size_t>(Block::kFloats) * sizeof(float);
  char* memory = context.scratch(bytes);
  int64_t across = (g.n + columns - 1) / columns, down = (g.m + rows - 1) / rows;

  parallelFor(context, pieces(), 1, [&](int64_t begin, int64_t end, int thread) {
    Block block(reinterpret_cast<float*>(memory + static_cast<std::size_t>(thread) * bytes));
    for (int64_t piece = begin; piece < end; piece++) {
      int64_t j0 = piece % across * columns, i0 = piece / across % down * rows,
              matrix = piece / across / down;
      int64_t height = least(rows, g.m - i0), width = least(columns, g.n - j0),
              padded = roundUp(width, kPanel);
      const float *a = g.a + i0 * g.aRow, *b = g.b + j0 * g.bColumn, *residual = g.residual;
      float* c = g.c;
      for (int d = g.batchRank - 1; d >= 0; matrix /= g.batch[d--]) {
        int64_t at = matrix % g.batch[d];
        a += at * g.aBatch[d], b += at * g.bBatch[d], c += at * g.cBatch[d];
        if (residual) residual += at * g.residualBatch[d];
      }
      if (g.k == 0) zero(block.c, height * padded);
      for (int64_t p = 0; p < g.k && !context.stopped(); p += kBlockDepth) {
        int64_t depth = least(kBlockDepth, g.k - p);
        packRows(a + p * g.aColumn, g.aRow, g.aColumn, height, depth, block.a, kBlockDepth);
        packPanels(b + p * g.bRow, g.bRow, g.bColumn, depth, width, block.b);
        if (g.bf16) {
          for (int64_t i = 0; i < height; i++) roundToBf16(block.a + i * kBlockDepth, roundUp(depth, kLanes));
          roundToBf16(block.b, depth * padded);
        }
        for (int64_t j = 0; j < width; j += kPanel) {
          productPanelOf<false>(kMaxVectors, height, depth, block.a, kBlockDepth, block.b + j * depth, kPanel,
                                block.c + j, padded, p > 0, kWholeDepth);
        }
      }
      for (int64_t i = 0; i < height; i++) {
        finishRow(g, block.c + i * padded, width, c + (i0 + i) * g.cRow + j0, g.bias ? g.bias + j0 : nullptr,
                  residual ? residual + (i0 + i) * g.residualRow + j0 : nullptr);
      }
    }
  });
}

}  // namespace CROSSOVER_ARCH
}  // namespace crossover
