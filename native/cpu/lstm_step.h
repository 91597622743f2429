// What an LSTM's forward and backward steps share: a weight matrix packed once per call, and the product of a
// few rows with one panel of it.
#pragma once

#include "wkv_chunk.h"

namespace crossover {
namespace CROSSOVER_ARCH {

constexpr int64_t kPanel = 4 * kLanes;       // columns of a panel
constexpr int kRows = kLanes > 8 ? 6 : 3;    // rows that go through a panel together
constexpr int64_t kLeastProducts = 1 << 18;  // multiply-adds of a step that are worth waking a thread for

/// sums[r] += a[r] times panel [depth, kPanel], for rows of `a` that lie `stride` floats apart.
template <int kCount>
CROSSOVER_INLINE void panelProduct(const float* a, int64_t stride, const float* panel, int64_t depth,
                                   Floats (&sums)[kRows][4]) {
  Floats local[kCount][4];
#pragma GCC unroll 8
  for (int r = 0; r < kCount; r++) {
#pragma GCC unroll 4
    for (int g = 0; g < 4; g++) local[r][g] = sums[r][g];
  }
  for (int64_t k = 0; k < depth; k++, panel += kPanel) {
    Floats w[4];
#pragma GCC unroll 4
    for (int g = 0; g < 4; g++) w[g] = load(panel + g * kLanes);
#pragma GCC unroll 8
    for (int r = 0; r < kCount; r++) {
      const Floats left = splat(a[r * stride + k]);
#pragma GCC unroll 4
      for (int g = 0; g < 4; g++) local[r][g] += left * w[g];
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kCount; r++) {
#pragma GCC unroll 4
    for (int g = 0; g < 4; g++) sums[r][g] = local[r][g];
  }
}

/// The same for `count` (1 to kRows) rows.
inline void rowsProduct(int64_t count, const float* a, int64_t stride, const float* panel, int64_t depth,
                        Floats (&sums)[kRows][4]) {
  switch (count) {
    case 1:
      return panelProduct<1>(a, stride, panel, depth, sums);
    case 2:
      return panelProduct<2>(a, stride, panel, depth, sums);
    case 3:
      return panelProduct<3>(a, stride, panel, depth, sums);
#if defined(__AVX512F__)
    case 4:
      return panelProduct<4>(a, stride, panel, depth, sums);
    case 5:
      return panelProduct<5>(a, stride, panel, depth, sums);
    default:
      return panelProduct<6>(a, stride, panel, depth, sums);
#endif
  }
}

/// Memory all threads share, from the scratch of all of them.
inline float* sharedMemory(const Context& context, int64_t floats) {
  const int64_t perThread = (floats + context.threads - 1) / context.threads;
  return reinterpret_cast<float*>(context.scratch(static_cast<std::size_t>(perThread) * sizeof(float)));
}

/// fn(begin, end) over the blocks of one step: shared by threads where a step is long enough, the same blocks
/// by the same thread every step, so that their weights stay near it.
template <class F>
inline void shareStep(const Context& context, int64_t blocks, int64_t products, const F& fn) {
  if (products < kLeastProducts) {
    fn(0, blocks);
  } else {
    parallelStatic(context, blocks, [&](int64_t begin, int64_t end, int) { fn(begin, end); });
  }
}

}  // namespace CROSSOVER_ARCH
}  // namespace crossover
