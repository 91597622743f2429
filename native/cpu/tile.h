// Products of small matrices that sit in cache: the inner loops of attention, WKV and the fallback matrix
// product.
//
// A block of kRows x kVectors accumulators stays in registers; b is read by whole vectors and every element
// of a is broadcast, so that a may be read with either order of its indices at no cost.
#pragma once

#include "vector.h"

namespace crossover {
namespace CROSSOVER_ARCH {

#if defined(__AVX512F__)
constexpr int kMaxVectors = 4;  // 32 registers
constexpr int rowsFor(int vectors) { return vectors == 4 ? 6 : vectors == 3 ? 8 : vectors == 2 ? 12 : 16; }
#else
constexpr int kMaxVectors = 2;  // 16 registers
constexpr int rowsFor(int vectors) { return vectors == 2 ? 6 : 8; }
#endif

/// c [kRows, kVectors * kLanes] (+)= a b over `depth`. a(i, p) = kAcross ? a[p * aStride + i] : a[i * aStride
/// + p].
template <int kRows, int kVectors, bool kAcross>
CROSSOVER_INLINE void productBlock(int64_t depth, const float* a, int64_t aStride, const float* b,
                                   int64_t bStride, float* c, int64_t cStride, bool accumulate) {
  Floats sum[kRows][kVectors];
#pragma GCC unroll 16
  for (int i = 0; i < kRows; i++) {
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; j++) sum[i][j] = Floats{};
  }
  for (int64_t p = 0; p < depth; p++) {
    Floats row[kVectors];
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; j++) row[j] = load(b + j * kLanes);
#pragma GCC unroll 16
    for (int i = 0; i < kRows; i++) {
      Floats x = splat(kAcross ? a[i] : a[i * aStride]);
#pragma GCC unroll 4
      for (int j = 0; j < kVectors; j++) sum[i][j] += x * row[j];
    }
    b += bStride;
    a += kAcross ? aStride : 1;
  }
#pragma GCC unroll 16
  for (int i = 0; i < kRows; i++) {
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; j++) {
      float* at = c + i * cStride + j * kLanes;
      store(at, accumulate ? load(at) + sum[i][j] : sum[i][j]);
    }
  }
}

/// Entries of a product known to be zero, left out: `none`, or a band by row of the block.
struct DepthRange {
  /// Row i of c needs p in [i + first, i + last) only; the block takes the union over its rows.
  int64_t first, last;
};
constexpr int64_t kFar = int64_t{1} << 40;
constexpr DepthRange kWholeDepth{-kFar, kFar};

template <int kRows, int kVectors, bool kAcross>
CROSSOVER_INLINE int64_t productRows(int64_t i, int64_t rows, int64_t depth, const float* a, int64_t aStride,
                                     const float* b, int64_t bStride, float* c, int64_t cStride,
                                     bool accumulate, DepthRange range) {
  for (; i + kRows <= rows; i += kRows) {
    int64_t first = most<int64_t>(0, i + range.first);
    int64_t last = least<int64_t>(depth, i + kRows - 1 + range.last);
    if (first >= last && accumulate) continue;
    const float* at = kAcross ? a + first * aStride + i : a + i * aStride + first;
    productBlock<kRows, kVectors, kAcross>(last - first, at, aStride, b + first * bStride, bStride,
                                           c + i * cStride, cStride, accumulate);
  }
  return i;
}

/// One panel of kVectors vectors of columns, all rows.
template <int kVectors, bool kAcross>
__attribute__((noinline)) void productPanel(int64_t rows, int64_t depth, const float* a, int64_t aStride,
                                            const float* b, int64_t bStride, float* c, int64_t cStride,
                                            bool accumulate, DepthRange range) {
  int64_t i = 0;
  constexpr int kFull = rowsFor(kVectors);
  i = productRows<kFull, kVectors, kAcross>(i, rows, depth, a, aStride, b, bStride, c, cStride, accumulate,
                                            range);
  if constexpr (kFull > 8) {
    i = productRows<8, kVectors, kAcross>(i, rows, depth, a, aStride, b, bStride, c, cStride, accumulate,
                                          range);
  }
  if constexpr (kFull > 4) {
    i = productRows<4, kVectors, kAcross>(i, rows, depth, a, aStride, b, bStride, c, cStride, accumulate,
                                          range);
  }
  i = productRows<2, kVectors, kAcross>(i, rows, depth, a, aStride, b, bStride, c, cStride, accumulate,
                                        range);
  productRows<1, kVectors, kAcross>(i, rows, depth, a, aStride, b, bStride, c, cStride, accumulate, range);
}

/// `vectors` (1 to kMaxVectors) vectors of columns.
template <bool kAcross>
inline void productPanelOf(int vectors, int64_t rows, int64_t depth, const float* a, int64_t aStride,
                           const float* b, int64_t bStride, float* c, int64_t cStride, bool accumulate,
                           DepthRange range) {
  switch (vectors) {
#if defined(__AVX512F__)
    case 4:
      return productPanel<4, kAcross>(rows, depth, a, aStride, b, bStride, c, cStride, accumulate, range);
    case 3:
      return productPanel<3, kAcross>(rows, depth, a, aStride, b, bStride, c, cStride, accumulate, range);
#endif
    case 2:
      return productPanel<2, kAcross>(rows, depth, a, aStride, b, bStride, c, cStride, accumulate, range);
    default:
      return productPanel<1, kAcross>(rows, depth, a, aStride, b, bStride, c, cStride, accumulate, range);
  }
}

/// c [rows, columns] (+)= a [rows, depth] b [depth, columns], where `columns` is a multiple of kLanes and
/// rows of b and c are contiguous. kAcross: a is stored [depth, rows]. With `range`, row i of c takes only
/// part of the depth.
template <bool kAcross>
inline void product(int64_t rows, int64_t columns, int64_t depth, const float* a, int64_t aStride,
                    const float* b, int64_t bStride, float* c, int64_t cStride, bool accumulate,
                    DepthRange range = kWholeDepth) {
  for (int64_t j = 0; j < columns;) {
    int64_t left = (columns - j) / kLanes;
    // 5 vectors as 3 + 2 rather than 4 + 1: a block of one vector wastes the broadcasts.
    int vectors =
        static_cast<int>(left == kMaxVectors + 1 ? (left + 1) / 2 : least<int64_t>(left, kMaxVectors));
    productPanelOf<kAcross>(vectors, rows, depth, a, aStride, b + j, bStride, c + j, cStride, accumulate,
                            range);
    j += vectors * kLanes;
  }
}

}  // namespace CROSSOVER_ARCH
}  // namespace crossover
