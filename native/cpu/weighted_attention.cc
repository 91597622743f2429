// Weighted attention, forward: y = ((q k^T) * w) v, tile by tile. No buffer grows with T x S.
//
// One piece of work is a block of queries of one head; pieces share nothing, so the result does not depend on
// the number of threads.
#include "weighted_tile.h"

namespace crossover {
namespace CROSSOVER_ARCH {
namespace {

constexpr int64_t kBlockRows = 4 * kTileRows;  // queries of a piece, for which keys are transposed once

/// One thread's memory, in floats.
struct ForwardScratch {
  float *keys, *values, *tile, *sum;
  static int64_t floats(const WeightedAttentionArgs& a) {
    int64_t width = roundUp(a.Dv, kLanes);
    return a.D * kTilePitch + kTileColumns * width + kTileRows * kTilePitch + kBlockRows * width;
  }
  ForwardScratch(const WeightedAttentionArgs& a, float* p) {
    int64_t width = roundUp(a.Dv, kLanes);
    keys = p, p += a.D * kTilePitch;
    values = p, p += kTileColumns * width;
    tile = p, p += kTileRows * kTilePitch;
    sum = p;
  }
};

void queryBlock(const Context& context, const WeightedAttentionArgs& a, int64_t batch, int64_t head,
                int64_t begin, const ForwardScratch& s) {
  int64_t count = least(kBlockRows, a.T - begin), width = roundUp(a.Dv, kLanes);
  auto at = [&](const Rows4& x, int64_t row) {
    return x.data + batch * x.stride[0] + head * x.stride[1] + row * x.stride[2];
  };
  const float* weights = a.w + batch * a.wStride[0] + head * a.wStride[1];
  Diagonals block = Diagonals{a.first, a.last}.from(begin, 0);
  zero(s.sum, count * width);
  for (int64_t j0 = block.firstColumn(0, a.S); j0 < block.lastColumn(count - 1, a.S); j0 += kTileColumns) {
    if (context.stopped()) return;
    int64_t columns = least(kTileColumns, a.S - j0), padded = roundUp(columns, kLanes);
    Diagonals here = block.from(0, j0);
    transpose(at(a.k, j0), a.k.stride[2], columns, a.D, 1, s.keys, kTilePitch);
    copyRows(at(a.v, j0), a.v.stride[2], columns, a.Dv, s.values, width);
    int64_t last = here.lastRow(columns, count);
    for (int64_t i0 = here.firstRow(0, count) / kTileRows * kTileRows; i0 < last; i0 += kTileRows) {
      int64_t rows = least(kTileRows, count - i0);
      Diagonals tile = here.from(i0, 0);
      tileProduct(at(a.q, begin + i0), a.q.stride[2], rows, a.D, s.keys, padded, tile, s.tile);
      for (int64_t i = 0; i < rows; i++) {
        const float* w = weights + (begin + i0 + i) * a.wStride[2] + j0;
        float* score = s.tile + i * kTilePitch;
        auto weigh = [&](int64_t j, Ints lanes, int64_t have) {
          store(score + j, select(lanes, load(score + j) * loadSome(w + j, have), Floats{}));
        };
        forWeights(i, columns, padded, tile, weigh, s.tile);
      }
      product<false>(rows, width, columns, s.tile, kTilePitch, s.values, width, s.sum + i0 * width, width,
                     true, tile.keysOfQuery());
    }
  }
  writeRows(s.sum, width, count, a.Dv, 1, at(a.out, begin), a.out.stride[2]);
}

}  // namespace

/// Exact for any sizes. Products with weights off the diagonals [first, last) are not made: there 0 times an
/// infinity is 0.
void weightedAttention(const Context& context, const WeightedAttentionArgs& a) {
  int64_t blocks = (a.T + kBlockRows - 1) / kBlockRows;
  std::size_t bytes = static_cast<std::size_t>(ForwardScratch::floats(a)) * sizeof(float);
  char* memory = context.scratch(bytes);
  parallelFor(context, a.B * a.H * blocks, 1, [&](int64_t begin, int64_t end, int thread) {
    ForwardScratch scratch(a, reinterpret_cast<float*>(memory + static_cast<std::size_t>(thread) *
                                                                    Context::scratchStride(bytes)));
    for (int64_t piece = begin; piece < end; piece++) {
      int64_t head = piece / blocks;
      queryBlock(context, a, head / a.H, head % a.H, piece % blocks * kBlockRows, scratch);
    }
  });
}

}  // namespace CROSSOVER_ARCH
}  // namespace crossover
