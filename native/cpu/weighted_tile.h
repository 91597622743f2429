// What forward and backward weighted attention share: tiles of scores [queries, keys] and the diagonals on
// which weights are.
#pragma once

#include "kernels.h"
#include "tile.h"

namespace crossover {
namespace CROSSOVER_ARCH {

constexpr int64_t kTileRows = 64;      // queries per tile
constexpr int64_t kTileColumns = 128;  // keys per tile
constexpr int64_t kTilePitch =
    kTileColumns +
    kLanes;  // floats per row of a tile and of transposed keys; not a power of two, for the cache

/// Weights are at (i, j) with first <= j - i < last; everywhere else they are zero by construction.
struct Diagonals {
  int64_t first, last;
  /// As seen from query i0 and key j0.
  Diagonals from(int64_t i0, int64_t j0) const { return {first + i0 - j0, last + i0 - j0}; }
  /// The queries, clipped to [0, count), that some key in [begin, end) has a weight for.
  int64_t firstRow(int64_t begin, int64_t count) const {
    return least(count, most<int64_t>(0, begin - last + 1));
  }
  int64_t lastRow(int64_t end, int64_t count) const { return least(count, most<int64_t>(0, end - first)); }
  /// The keys, clipped to [0, count), that query i has a weight for.
  int64_t firstColumn(int64_t i, int64_t count) const { return least(count, most<int64_t>(0, i + first)); }
  int64_t lastColumn(int64_t i, int64_t count) const { return least(count, most<int64_t>(0, i + last)); }
  DepthRange keysOfQuery() const { return {first, last}; }
  DepthRange queriesOfKey() const { return {1 - last, 1 - first}; }
};

/// tile [rows, padded] = a [rows, depth] columns [depth, padded], leaving out most of what has no weight.
inline void tileProduct(const float* a, int64_t aStride, int64_t rows, int64_t depth, const float* columns,
                        int64_t padded, const Diagonals& d, float* tile) {
  for (int64_t j = 0; j < padded;) {
    int64_t vectors = least<int64_t>(kMaxVectors, (padded - j) / kLanes);
    int64_t first = d.firstRow(j, rows), last = d.lastRow(j + vectors * kLanes, rows);
    if (first < last) {
      productPanelOf<false>(static_cast<int>(vectors), last - first, depth, a + first * aStride, aStride,
                            columns + j, kTilePitch, tile + first * kTilePitch + j, kTilePitch, false,
                            kWholeDepth);
    }
    j += vectors * kLanes;
  }
}

/// Calls each(j, lanes, count) for every vector of row i of a tile with a weight, in order: `lanes` are those
/// that have one, `count` how many columns the tensor has there. Zeroes the rest of the row, in every tile
/// given.
template <class Each, class... Tiles>
CROSSOVER_INLINE void forWeights(int64_t i, int64_t columns, int64_t padded, const Diagonals& d,
                                 const Each& each, Tiles... tiles) {
  int64_t first = d.firstColumn(i, columns), last = d.lastColumn(i, columns);
  int64_t begin = first / kLanes * kLanes, end = most(begin, roundUp(last, kLanes));
  if (first >= last) begin = end = 0;
  auto clear = [&](float* tile) {
    float* row = tile + i * kTilePitch;
    for (int64_t j = 0; j < begin; j += kLanes) store(row + j, Floats{});
    for (int64_t j = end; j < padded; j += kLanes) store(row + j, Floats{});
  };
  (clear(tiles), ...);
  for (int64_t j = begin; j < end; j += kLanes) {
    Ints lane = laneNumbers() + static_cast<int32_t>(j);
    Ints lanes = (lane >= static_cast<int32_t>(first)) & (lane < static_cast<int32_t>(last));
    each(j, lanes, least<int64_t>(kLanes, columns - j));
  }
}

}  // namespace CROSSOVER_ARCH
}  // namespace crossover
