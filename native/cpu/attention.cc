// Attention, forward: one pass over the keys with a running maximum and sum (arXiv 2205.14135, 2307.08691).
//
// One piece of work is a block of queries of one head; pieces share nothing, so the result does not depend on
// the number of threads. No buffer grows with T x S.
#include <cmath>

#include "attention_tile.h"

namespace crossover {
namespace CROSSOVER_ARCH {
namespace {

/// One thread's memory, in floats.
struct ForwardScratch {
  float *queries, *tile, *values, *sum, *maximum, *total;
  static int64_t floats(const AttentionArgs& a) {
    int64_t width = roundUp(a.Dv, kLanes);
    return a.D * kQueries + kKeys * kPitch + kKeys * width + kQueries * width + 2 * kQueries;
  }
  ForwardScratch(const AttentionArgs& a, float* p) {
    int64_t width = roundUp(a.Dv, kLanes);
    queries = p, p += a.D * kQueries;
    tile = p, p += kKeys * kPitch;
    values = p, p += kKeys * width;
    sum = p, p += kQueries * width;
    maximum = p, p += kQueries;
    total = p;
  }
};

/// Turns one vector of columns of scores into weights exp2(score - maximum); returns what the old sums are
/// scaled by.
CROSSOVER_INLINE Floats weigh(float* column, int64_t keys, const Band& band, int64_t query, float* maximum,
                              float* total) {
  VectorBand seen(band, query, keys);
  auto hide = [&](int64_t begin, int64_t end) {
    for (int64_t j = begin; j < end; j++) {
      float* at = column + j * kPitch;
      store(at, select(lanesOf(band, query, j), load(at), splat(-__builtin_inff())));
    }
  };
  hide(seen.first, seen.fullFirst);
  hide(seen.fullLast, seen.last);
  Floats old = load(maximum), even = old, odd = old;
  int64_t j = seen.first;
  for (; j + 2 <= seen.last; j += 2) {
    even = maximumOf(load(column + j * kPitch), even);
    odd = maximumOf(load(column + (j + 1) * kPitch), odd);
  }
  if (j < seen.last) even = maximumOf(load(column + j * kPitch), even);
  Floats top = maximumOf(even, odd);
  Floats base = select(top > -__builtin_inff(), top, Floats{});
  for (j = 0; j < seen.first; j++) store(column + j * kPitch, Floats{});
  Floats sum{};
  for (; j < seen.last; j++) {
    Floats weight = exp2Of(load(column + j * kPitch) - base);
    sum += weight;
    store(column + j * kPitch, weight);
  }
  for (; j < keys; j++) store(column + j * kPitch, Floats{});
  Floats rescale = exp2Of(old - base);
  store(total, load(total) * rescale + sum);
  store(maximum, top);
  return rescale;
}

/// Rows of `sum` times the matching lanes of `rescale`.
inline void rescaleRows(float* sum, int64_t width, Floats rescale) {
  for (int lane = 0; lane < kLanes; lane++) {
    float factor = rescale[lane];
    if (factor == 1.0f) continue;
    for (int64_t c = 0; c < width; c += kLanes)
      store(sum + lane * width + c, load(sum + lane * width + c) * factor);
  }
}

void queryBlock(const Context& context, const AttentionArgs& a, const Band& whole, int64_t batch,
                int64_t head, int64_t i0, const ForwardScratch& s) {
  int64_t count = least(kQueries, a.T - i0), padded = roundUp(count, kLanes), width = roundUp(a.Dv, kLanes);
  int64_t keyHead = head / (a.H / a.Hkv);
  const float* q = a.q.data + batch * a.q.stride[0] + head * a.q.stride[1] + i0 * a.q.stride[2];
  const float* k = a.k.data + batch * a.k.stride[0] + keyHead * a.k.stride[1];
  const float* v = a.v.data + batch * a.v.stride[0] + keyHead * a.v.stride[1];
  transpose(q, a.q.stride[2], count, a.D, a.scale * kLog2E, s.queries, kQueries);
  if (i0 > 0) prefetchRows(q - kQueries * a.q.stride[2], a.q.stride[2], kQueries, a.D);  // the next block
  zero(s.sum, padded * width);
  zero(s.total, padded);
  for (int64_t i = 0; i < padded; i++) s.maximum[i] = -__builtin_inff();

  float* out = a.out.data + batch * a.out.stride[0] + head * a.out.stride[1] + i0 * a.out.stride[2];
  prefetchRows<true>(out, a.out.stride[2], count, a.Dv);
  prefetchRows(k, a.k.stride[2], least(kKeys, a.S), a.D);
  prefetchRows(v, a.v.stride[2], least(kKeys, a.S), a.Dv);
  int64_t last = whole.lastKey(i0 + count - 1, a.S);
  for (int64_t j0 = whole.firstKey(i0); j0 < last; j0 += kKeys) {
    if (context.stopped()) return;
    int64_t keys = least(kKeys, last - j0);
    Band band = whole.from(i0, j0);
    copyRows(v + j0 * a.v.stride[2], a.v.stride[2], keys, a.Dv, s.values, width);
    int64_t next = j0 + kKeys, ahead = most<int64_t>(0, least(kKeys, last - next));
    prefetchRows(k + next * a.k.stride[2], a.k.stride[2], ahead, a.D);
    prefetchRows(v + next * a.v.stride[2], a.v.stride[2], ahead, a.Dv);
    scores(k + j0 * a.k.stride[2], a.k.stride[2], keys, a.D, s.queries, padded, band, s.tile);
    if (a.mask) addMask(a, batch, head, i0, count, j0, keys, s.tile);
    for (int64_t i = 0; i < padded; i += kLanes) {
      Floats rescale = weigh(s.tile + i, keys, band, i, s.maximum + i, s.total + i);
      if (j0 > whole.firstKey(i0)) rescaleRows(s.sum + i * width, width, rescale);
    }
    product<true>(padded, width, keys, s.tile, kPitch, s.values, width, s.sum, width, true,
                  DepthRange{band.first, band.last});
  }

  for (int64_t i = 0; i < count; i++) {
    bool seen = s.total[i] != 0;
    writeRows(s.sum + i * width, width, 1, a.Dv, seen ? 1 / s.total[i] : 0, out + i * a.out.stride[2],
              a.out.stride[2]);
    if (a.lse) {
      a.lse[batch * a.lseStride[0] + head * a.lseStride[1] + (i0 + i) * a.lseStride[2]] =
          seen ? s.maximum[i] * kLn2 + std::log(s.total[i]) : -__builtin_inff();
    }
  }
}

}  // namespace

/// Exact for any T, S, D and Dv; a NaN or an infinity in a row of scores makes that row NaN, as in PyTorch.
void attention(const Context& context, const AttentionArgs& a) {
  int64_t blocks = (a.T + kQueries - 1) / kQueries;
  std::size_t bytes = static_cast<std::size_t>(ForwardScratch::floats(a)) * sizeof(float);
  char* memory = context.scratch(bytes);
  Band band(a);
  // Whole heads where there are enough: their keys and values then stay in one core's cache.
  int64_t grain = a.B * a.H >= 4 * context.threads ? blocks : 1;
  parallelFor(context, a.B * a.H * blocks, grain, [&](int64_t begin, int64_t end, int thread) {
    ForwardScratch scratch(a, reinterpret_cast<float*>(memory + static_cast<std::size_t>(thread) *
                                                                    Context::scratchStride(bytes)));
    for (int64_t piece = begin; piece < end; piece++) {
      int64_t block = blocks - 1 - piece % blocks,
              head = piece / blocks;  // the longest blocks of a head first
      queryBlock(context, a, band, head / a.H, head % a.H, block * kQueries, scratch);
    }
  });
}

}  // namespace CROSSOVER_ARCH
}  // namespace crossover
