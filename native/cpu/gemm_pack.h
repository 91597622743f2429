// Factors of a matrix product, rewritten in the order in which its register blocks read them.
#pragma once

#include "kernels.h"
#include "tile.h"

namespace crossover {
namespace CROSSOVER_ARCH {

constexpr int kBlockHeight = rowsFor(kMaxVectors);  // rows of a that a register block covers
constexpr int64_t kPanel = kMaxVectors * kLanes;    // columns of b that it covers

/// One panel of b [depth, columns <= kPanel]: rows of kPanel floats, padded with zeros.
inline void packPanel(const GemmArgs& g, const float* b, int64_t depth, int64_t columns, float* to) {
  if (g.bColumn == 1) {
    copyRows(b, g.bRow, depth, columns, to, kPanel);
  } else if (g.bRow == 1) {
    if (columns < kPanel) zero(to, depth * kPanel);
    transpose(b, g.bColumn, columns, depth, 1, to, kPanel);
  } else {
    for (int64_t p = 0; p < depth; p++) {
      for (int64_t j = 0; j < kPanel; j++)
        to[p * kPanel + j] = j < columns ? b[p * g.bRow + j * g.bColumn] : 0;
    }
  }
  if (g.bf16) roundToBf16(to, depth * kPanel);
}

/// Rows of a as register blocks read them. Block i (rows i to i + kBlockHeight) starts at data + i * step;
/// element (r, p) of it is at r * stride + p, or with `across` at p * stride + r.
struct LeftRows {
  const float* data;
  int64_t step, stride;
  bool across;
};

/// Floats that packRows may write for `rows` rows of `depth` floats.
constexpr int64_t leftFloats(int64_t rows, int64_t depth) {
  return (rows + kBlockHeight) * (depth + 48) + kLanes;
}

/// Rows of a, stored by columns, as blocks of kBlockHeight rows, each [depth][kBlockHeight]; `readable` rows
/// lie in a column.
inline void packAcross(const float* a, int64_t column, int64_t rows, int64_t readable, int64_t depth,
                       float* to) {
  constexpr int64_t kRead = (kBlockHeight + kLanes - 1) / kLanes * kLanes;
  for (int64_t i = 0; i < rows; i += kBlockHeight) {
    const float* from = a + i;
    // Vectors overlap: what one writes too much, the next row or block overwrites.
    const bool whole = i + kRead <= readable;
    const int64_t count = least<int64_t>(kBlockHeight, rows - i);
    for (int64_t p = 0; p < depth; p++, from += column, to += kBlockHeight) {
      if (whole) {
        for (int64_t r = 0; r < kBlockHeight; r += kLanes) store(to + r, load(from + r));
      } else {
        for (int64_t r = 0; r < count; r++) to[r] = from[r];
      }
    }
  }
}

/// Rows of a from row `row`, `depth` columns from column `column`: read where they are when that is quick and
/// `copies` does not ask for more.
inline LeftRows packRows(const GemmArgs& g, const float* matrix, int64_t row, int64_t rows, int64_t column,
                         int64_t depth, bool copies, float* to) {
  const float* a = matrix + row * g.aRow + column * g.aColumn;
  if (g.aColumn == 1 && !copies && !g.bf16) return {a, g.aRow, g.aRow, false};
  if (g.aRow == 1 && g.aColumn != 1) {
    packAcross(a, g.aColumn, rows, g.m - row, depth, to);
    if (g.bf16) roundToBf16(to, roundUp(rows, kBlockHeight) * depth);
    return {to, depth, kBlockHeight, true};
  }
  // An odd number of cache lines a row, lest rows of a power of two fall on the same few sets.
  const int64_t padded = roundUp(depth, 32) + 16;
  if (g.aColumn == 1) {
    copyRows(a, g.aRow, rows, depth, to, padded);
  } else {
    for (int64_t i = 0; i < rows; i++) {
      for (int64_t p = 0; p < depth; p++) to[i * padded + p] = a[i * g.aRow + p * g.aColumn];
    }
  }
  if (g.bf16) {
    for (int64_t i = 0; i < rows; i++) roundToBf16(to + i * padded, depth);
  }
  return {to, padded, padded, false};
}

}  // namespace CROSSOVER_ARCH
}  // namespace crossover
