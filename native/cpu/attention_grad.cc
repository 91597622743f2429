// Attention, backward: recomputes the weights tile by tile from the saved log-sum-exp (arXiv 2307.08691,
// section 3.1).
//
// The outer loop runs over query blocks and finishes dq there; dk and dv add up in buffers of the whole key
// head, which every query head of its group shares. All outputs are assigned. When a batch has few key heads,
// their query blocks are split into parts with buffers of their own, added in a fixed order: results depend
// on nothing but the shapes.
#include <cmath>

#include "attention_tile.h"

namespace crossover {
namespace CROSSOVER_ARCH {
namespace {

constexpr int64_t kPieces = 8;  // split key heads into parts when there are fewer than this

/// One thread's memory, in floats. `columns` are transposed blocks of queries, `rows` plain padded ones.
struct BackwardScratch {
  float *qColumns, *qRows, *doutColumns, *doutRows, *dq, *weights, *dscores, *keys, *lse, *delta;
  template <class Take>
  void lay(const AttentionArgs& a, Take take) {
    int64_t width = roundUp(a.D, kLanes), widthV = roundUp(a.Dv, kLanes);
    qColumns = take(a.D * kQueries);
    qRows = take(kQueries * width);
    doutColumns = take(a.Dv * kQueries);
    doutRows = take(kQueries * widthV);
    dq = take(kQueries * width);
    weights = take(kKeys * kPitch);
    dscores = take(kKeys * kPitch);
    keys = take(kKeys * width);
    lse = take(kQueries);
    delta = take(kQueries);
  }
  static int64_t floats(const AttentionArgs& a) {
    int64_t sum = 0;
    BackwardScratch s;
    s.lay(a, [&](int64_t n) { return sum += roundUp(n, 16), nullptr; });
    return sum;
  }
  BackwardScratch() = default;
  BackwardScratch(const AttentionArgs& a, float* p) {
    lay(a, [&](int64_t n) { return p += roundUp(n, 16), p - roundUp(n, 16); });
  }
};

/// From scores and dout v^T of one vector of columns: weights, and gradients of the scores without the scale.
CROSSOVER_INLINE void differentiateWeights(float* weights, float* dscores, int64_t keys, const Band& band,
                                           int64_t query, const float* lse, const float* delta) {
  VectorBand seen(band, query, keys);
  Floats base = load(lse), mean = load(delta);
  // A weight is at most 1; without that bound, rounding of enormous scores (rows hidden by the most negative
  // float) would decide. NaN passes.
  auto weigh = [&](int64_t j) {
    Floats x = load(weights + j * kPitch) - base;
    return exp2Of(x > 0.0f ? Floats{} : x);
  };
  auto clear = [&](int64_t begin, int64_t end) {
    for (int64_t j = begin; j < end; j++) {
      store(weights + j * kPitch, Floats{});
      store(dscores + j * kPitch, Floats{});
    }
  };
  auto edge = [&](int64_t begin, int64_t end) {
    for (int64_t j = begin; j < end; j++) {
      Ints lanes = lanesOf(band, query, j);
      Floats weight = select(lanes, weigh(j), Floats{});
      store(weights + j * kPitch, weight);
      store(dscores + j * kPitch, select(lanes, weight * (load(dscores + j * kPitch) - mean), Floats{}));
    }
  };
  clear(0, seen.first);
  edge(seen.first, seen.fullFirst);
  for (int64_t j = seen.fullFirst; j < seen.fullLast; j++) {
    Floats weight = weigh(j);
    store(weights + j * kPitch, weight);
    store(dscores + j * kPitch, weight * (load(dscores + j * kPitch) - mean));
  }
  edge(seen.fullLast, seen.last);
  clear(seen.last, keys);
}

/// Asks for what the block of queries at i0 reads and writes.
void prefetchBlock(const AttentionArgs& a, int64_t batch, int64_t head, int64_t i0) {
  int64_t count = least(kQueries, a.T - i0);
  auto at = [&](const Rows4& x) {
    return x.data + batch * x.stride[0] + head * x.stride[1] + i0 * x.stride[2];
  };
  prefetchRows(at(a.q), a.q.stride[2], count, a.D);
  prefetchRows(at(a.dout), a.dout.stride[2], count, a.Dv);
  prefetchRows(at(a.out), a.out.stride[2], count, a.Dv);
  prefetchRows<true>(at(a.dq), a.dq.stride[2], count, a.D);
}

/// Brings a block of queries in: q and dout in both orders, log-sum-exp in units of log 2, and sum(dout *
/// out).
void loadBlock(const AttentionArgs& a, int64_t batch, int64_t head, int64_t i0, int64_t count, int64_t padded,
               const BackwardScratch& s) {
  auto at = [&](const Rows4& x) {
    return x.data + batch * x.stride[0] + head * x.stride[1] + i0 * x.stride[2];
  };
  transpose(at(a.q), a.q.stride[2], count, a.D, a.scale * kLog2E, s.qColumns, kQueries);
  copyRows(at(a.q), a.q.stride[2], count, a.D, s.qRows, roundUp(a.D, kLanes));
  transpose(at(a.dout), a.dout.stride[2], count, a.Dv, 1, s.doutColumns, kQueries);
  copyRows(at(a.dout), a.dout.stride[2], count, a.Dv, s.doutRows, roundUp(a.Dv, kLanes));
  zero(s.dq, padded * roundUp(a.D, kLanes));
  const float* out = at(a.out);
  const float* lse = a.lse + batch * a.lseStride[0] + head * a.lseStride[1] + i0 * a.lseStride[2];
  for (int64_t i = 0; i < padded; i++) {
    s.delta[i] = 0;
    s.lse[i] = __builtin_inff();  // weight 0: rows past the end and rows that see no key
    if (i >= count) continue;
    const float *x = out + i * a.out.stride[2], *dx = at(a.dout) + i * a.dout.stride[2];
    Floats sum{};
    int64_t c = 0;
    for (; c + kLanes <= a.Dv; c += kLanes) sum += load(x + c) * load(dx + c);
    if (c < a.Dv) sum += loadPart(x + c, a.Dv - c) * loadPart(dx + c, a.Dv - c);
    s.delta[i] = sumLanes(sum);
    float value = lse[i * a.lseStride[2]];
    if (value != -__builtin_inff()) s.lse[i] = value * kLog2E;
  }
}

void queryBlock(const Context& context, const AttentionArgs& a, const Band& whole, int64_t batch,
                int64_t keyHead, int64_t head, int64_t i0, const BackwardScratch& s, float* dk, float* dv) {
  int64_t count = least(kQueries, a.T - i0), padded = roundUp(count, kLanes);
  int64_t width = roundUp(a.D, kLanes), widthV = roundUp(a.Dv, kLanes);
  const float* k = a.k.data + batch * a.k.stride[0] + keyHead * a.k.stride[1];
  const float* v = a.v.data + batch * a.v.stride[0] + keyHead * a.v.stride[1];
  loadBlock(a, batch, head, i0, count, padded, s);
  if (i0 + kQueries < a.T) prefetchBlock(a, batch, head, i0 + kQueries);

  int64_t last = whole.lastKey(i0 + count - 1, a.S);
  for (int64_t j0 = whole.firstKey(i0); j0 < last; j0 += kKeys) {
    if (context.stopped()) return;
    int64_t keys = least(kKeys, last - j0);
    Band band = whole.from(i0, j0);
    const float *keyRows = k + j0 * a.k.stride[2], *valueRows = v + j0 * a.v.stride[2];
    copyRows(keyRows, a.k.stride[2], keys, a.D, s.keys, width);
    int64_t ahead = most<int64_t>(0, least(kKeys, last - j0 - kKeys));
    prefetchRows(keyRows + kKeys * a.k.stride[2], a.k.stride[2], ahead, a.D);
    prefetchRows(valueRows + kKeys * a.v.stride[2], a.v.stride[2], ahead, a.Dv);
    scores(s.keys, width, keys, a.D, s.qColumns, padded, band, s.weights);
    if (a.mask) addMask(a, batch, head, i0, count, j0, keys, s.weights);
    scores(valueRows, a.v.stride[2], keys, a.Dv, s.doutColumns, padded, band, s.dscores);
    for (int64_t i = 0; i < padded; i += kLanes) {
      differentiateWeights(s.weights + i, s.dscores + i, keys, band, i, s.lse + i, s.delta + i);
    }
    // Key j is seen by queries in [j - last + 1, j - first].
    DepthRange seers{1 - band.last, 1 - band.first};
    product<false>(keys, widthV, count, s.weights, kPitch, s.doutRows, widthV, dv + j0 * widthV, widthV, true,
                   seers);
    product<false>(keys, width, count, s.dscores, kPitch, s.qRows, width, dk + j0 * width, width, true,
                   seers);
    product<true>(padded, width, keys, s.dscores, kPitch, s.keys, width, s.dq, width, true,
                  DepthRange{band.first, band.last});
  }
  writeRows(s.dq, width, count, a.D, a.scale,
            a.dq.data + batch * a.dq.stride[0] + head * a.dq.stride[1] + i0 * a.dq.stride[2], a.dq.stride[2]);
}

/// out = scale * sum over parts of [rows, padded] buffers that lie `apart` floats from each other.
void writeSum(float* parts, int64_t count, int64_t apart, int64_t rows, int64_t padded, int64_t columns,
              float scale, float* out, int64_t outStride) {
  for (int64_t part = 1; part < count; part++) {
    const float* more = parts + part * apart;
    for (int64_t i = 0; i < rows * padded; i += kLanes) store(parts + i, load(parts + i) + load(more + i));
  }
  writeRows(parts, padded, rows, columns, scale, out, outStride);
}

}  // namespace

void attentionGrad(const Context& context, const AttentionArgs& a) {
  int64_t width = roundUp(a.D, kLanes), widthV = roundUp(a.Dv, kLanes), group = a.H / a.Hkv;
  int64_t blocks = (a.T + kQueries - 1) / kQueries, heads = a.B * a.Hkv;
  if (heads == 0) return;
  int64_t parts = most<int64_t>(1, least((kPieces + heads - 1) / heads, blocks * group));
  int64_t sums = roundUp(a.S * (width + widthV), 16);  // floats of dk and dv of one key head

  // With one part a thread reuses its own sums; with several, each piece of work keeps its own until they are
  // added.
  std::size_t own = static_cast<std::size_t>(BackwardScratch::floats(a)) * sizeof(float);
  int64_t buffers = parts == 1 ? context.threads : heads * parts;
  std::size_t sumBytes = static_cast<std::size_t>(sums) * sizeof(float) * static_cast<std::size_t>(buffers);
  std::size_t perThread = own + (sumBytes + static_cast<std::size_t>(context.threads) - 1) /
                                    static_cast<std::size_t>(context.threads);
  char* memory = context.scratch(perThread);
  float* allSums = reinterpret_cast<float*>(memory + static_cast<std::size_t>(context.threads) * own);
  Band band(a);

  auto write = [&](int64_t keyHead, float* buffer, int64_t count, int64_t first, int64_t rows) {
    int64_t batch = keyHead / a.Hkv, h = keyHead % a.Hkv;
    writeSum(buffer + first * width, count, sums, rows, width, a.D, a.scale,
             a.dk.data + batch * a.dk.stride[0] + h * a.dk.stride[1] + first * a.dk.stride[2],
             a.dk.stride[2]);
    writeSum(buffer + a.S * width + first * widthV, count, sums, rows, widthV, a.Dv, 1,
             a.dv.data + batch * a.dv.stride[0] + h * a.dv.stride[1] + first * a.dv.stride[2],
             a.dv.stride[2]);
  };
  parallelFor(context, heads * parts, 1, [&](int64_t begin, int64_t end, int thread) {
    BackwardScratch scratch(a, reinterpret_cast<float*>(memory + static_cast<std::size_t>(thread) * own));
    for (int64_t piece = begin; piece < end; piece++) {
      int64_t keyHead = piece / parts, batch = keyHead / a.Hkv, h = keyHead % a.Hkv;
      float* buffer = allSums + (parts == 1 ? thread : piece) * sums;
      prefetchBlock(a, batch, h * group, 0);
      zero(buffer, sums);
      for (int64_t turn = piece % parts; turn < group * blocks && !context.stopped(); turn += parts) {
        queryBlock(context, a, band, batch, h, h * group + turn / blocks, turn % blocks * kQueries, scratch,
                   buffer, buffer + a.S * width);
      }
      if (parts == 1) write(keyHead, buffer, 1, 0, a.S);
    }
  });
  if (parts == 1) return;
  int64_t slices = (a.S + kKeys - 1) / kKeys;
  parallelFor(context, heads * slices, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t piece = begin; piece < end; piece++) {
      int64_t keyHead = piece / slices, first = piece % slices * kKeys;
      write(keyHead, allSums + keyHead * parts * sums, parts, first, least(kKeys, a.S - first));
    }
  });
}

}  // namespace CROSSOVER_ARCH
}  // namespace crossover
