// What forward and backward attention share: tiles of transposed scores and the bands that hide entries.
//
// Scores are kept transposed, [keys, queries]: a softmax over keys is then element-wise work on vectors of
// queries, and neither keys nor values have to be transposed. Scores are in units of log 2, so that exp2
// suffices.
#pragma once

#include "kernels.h"
#include "tile.h"

namespace crossover {
namespace CROSSOVER_ARCH {

constexpr int64_t kQueries = 128;  // queries per tile
constexpr int64_t kKeys = 64;      // keys per tile
constexpr int64_t kPitch =
    kQueries + kLanes;  // floats per row of a tile; not a power of two, for the cache's sake
constexpr float kLog2E = 1.44269504f;
constexpr float kLn2 = 0.693147181f;

/// Which (query, key) pairs exist: query i sees keys in [i + first, i + last), both bounds clipped to [0, S).
struct Band {
  int64_t first, last;
  explicit Band(const AttentionArgs& a) {
    bool bounded = a.causal || a.window > 0;
    last = bounded ? a.S - a.T + 1 : kFar;
    first = a.window > 0 ? a.S - a.T - a.window + 1 : -kFar;
  }
  /// The band seen from query i0 and key j0.
  Band from(int64_t i0, int64_t j0) const {
    Band moved = *this;
    moved.first += i0 - j0;
    moved.last += i0 - j0;
    return moved;
  }
  int64_t firstKey(int64_t query) const { return most<int64_t>(0, query + first); }
  int64_t lastKey(int64_t query, int64_t keys) const {
    return most<int64_t>(0, least<int64_t>(keys, query + last));
  }
};

/// The keys of a tile that one vector of queries sees: all of its lanes in [fullFirst, fullLast), some of
/// them in [first, last).
struct VectorBand {
  int64_t first, fullFirst, fullLast, last;
  VectorBand(const Band& band, int64_t query, int64_t keys) {
    first = least(band.firstKey(query), keys);
    last = most(first, band.lastKey(query + kLanes - 1, keys));
    fullFirst = least(most(first, band.firstKey(query + kLanes - 1)), last);
    fullLast = most(fullFirst, least(last, band.lastKey(query, keys)));
  }
};

/// Lanes of the vector at `query` that see `key`.
CROSSOVER_INLINE Ints lanesOf(const Band& band, int64_t query, int64_t key) {
  // query + lane + first <= key < query + lane + last
  int32_t newest = static_cast<int32_t>(least<int64_t>(kLanes, key - query - band.first));
  int32_t oldest = static_cast<int32_t>(most<int64_t>(-1, key - query - band.last));
  Ints lane = laneNumbers();
  return (lane <= newest) & (lane > oldest);
}

/// tile [keys, queries] = rows [keys, depth] columns [depth, queries], leaving out most of what no query
/// sees. `columns` has kQueries floats per row; `queries` is a multiple of kLanes.
inline void scores(const float* rows, int64_t rowStride, int64_t keys, int64_t depth, const float* columns,
                   int64_t queries, const Band& band, float* tile) {
  auto part = [&](int64_t first, int64_t last, int64_t i, int64_t vectors) {
    if (first >= last) return;
    productPanelOf<false>(static_cast<int>(vectors), last - first, depth, rows + first * rowStride, rowStride,
                          columns + i, kQueries, tile + first * kPitch + i, kPitch, false, kWholeDepth);
  };
  for (int64_t i = 0; i < queries;) {
    int64_t vectors = least<int64_t>(kMaxVectors, (queries - i) / kLanes), half = vectors / 2 * kLanes;
    int64_t first = least(band.firstKey(i), keys), last = band.lastKey(i + vectors * kLanes - 1, keys);
    // On the diagonal the later keys are seen by the second half of the queries only.
    int64_t middle = half > 0 ? band.lastKey(i + half - 1, keys) : last;
    if (last - middle < kLanes) middle = last;
    part(first, middle, i, vectors);
    part(most(first, middle), last, i + half, vectors - half / kLanes);
    i += vectors * kLanes;
  }
}

/// Adds the mask to a tile of scores, in units of log 2: f32 masks are added, u8 masks hide where 0. A finite
/// mask leaves finite scores, so that a row hidden by the most negative float stays a mean, as in PyTorch.
inline void addMask(const AttentionArgs& a, int64_t batch, int64_t head, int64_t i0, int64_t queries,
                    int64_t j0, int64_t keys, float* tile) {
  int64_t base =
      batch * a.maskStride[0] + head * a.maskStride[1] + i0 * a.maskStride[2] + j0 * a.maskStride[3];
  for (int64_t j = 0; j < keys; j++) {
    float* row = tile + j * kPitch;
    int64_t at = base + j * a.maskStride[3];
    if (a.maskStorage == Storage::u8) {
      const uint8_t* mask = static_cast<const uint8_t*>(a.mask) + at;
      for (int64_t i = 0; i < queries; i++) {
        if (!mask[i * a.maskStride[2]]) row[i] = -__builtin_inff();
      }
    } else {
      const float* mask = static_cast<const float*>(a.mask) + at;
      for (int64_t i = 0; i < queries; i++) {
        float m = mask[i * a.maskStride[2]], sum = row[i] + m * kLog2E;
        row[i] = sum < -3e38f && m > -__builtin_inff() ? -3e38f : sum;
      }
    }
  }
}

}  // namespace CROSSOVER_ARCH
}  // namespace crossover
