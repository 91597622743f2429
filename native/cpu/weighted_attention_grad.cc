// Weighted attention, backward: scores and dout v^T are made again, tile by tile.
//
//   A = scores * w      dv = A^T dout
//   E = (dout v^T) * w  dq = E k, dk = E^T q
//   dw = scores * (dout v^T), summed over the heads that share w
//
// A team is the heads that share one dw; it is cut into parts with a dw each, and, where there are few teams,
// its keys are dealt out to hands with a dq each. What several of them made is added in a fixed order:
// results depend on nothing but the shapes. No other buffer grows with T x S.
#include "weighted_tile.h"

namespace crossover {
namespace CROSSOVER_ARCH {
namespace {

constexpr int64_t kPieces = 16;            // pieces of work that are enough for many cores
constexpr int64_t kExtraFloats = 1 << 23;  // floats in the dw of second and later parts
constexpr int64_t kMostHands = 4;

/// How the work is cut.
struct Cut {
  int64_t teams, members, parts, hands;
  bool sharedBatch, sharedHead;
  explicit Cut(const WeightedAttentionArgs& a) {
    sharedBatch = a.dw && a.dwShared[0], sharedHead = a.dw && a.dwShared[1];
    members = (sharedBatch ? a.B : 1) * (sharedHead ? a.H : 1);
    teams = a.B * a.H / most<int64_t>(1, members);
    int64_t extra = kExtraFloats / most<int64_t>(1, teams * a.T * a.S);
    parts = least(members, least(1 + extra, (kPieces + teams - 1) / most<int64_t>(1, teams)));
    parts = most<int64_t>(1, parts);
    int64_t pieces = most<int64_t>(1, teams * parts), blocks = (a.S + kTileColumns - 1) / kTileColumns;
    hands = pieces >= kPieces / 2 ? 1 : least(kMostHands, least(blocks, (kPieces + pieces - 1) / pieces));
    hands = most<int64_t>(1, hands);
  }
  int64_t batchOf(const WeightedAttentionArgs& a, int64_t team, int64_t member) const {
    if (sharedBatch) return sharedHead ? member / a.H : member;
    return sharedHead ? team : team / a.H;
  }
  int64_t headOf(const WeightedAttentionArgs& a, int64_t team, int64_t member) const {
    if (sharedHead) return member % a.H;
    return sharedBatch ? team : team % a.H;
  }
};

/// One thread's memory, in floats: `keyColumns` and `valueColumns` are transposed, the others are padded
/// rows.
struct BackwardScratch {
  float *keyColumns, *valueColumns, *keys, *queries, *dout, *scores, *products, *dk, *dv, *dq;
  template <class Take>
  void lay(const WeightedAttentionArgs& a, Take take) {
    int64_t width = roundUp(a.D, kLanes), widthV = roundUp(a.Dv, kLanes);
    keyColumns = take(a.D * kTilePitch);
    valueColumns = take(a.Dv * kTilePitch);
    keys = take(kTileColumns * width);
    queries = take(kTileRows * width);
    dout = take(kTileRows * widthV);
    scores = take(kTileRows * kTilePitch);
    products = take(kTileRows * kTilePitch);
    dk = take(kTileColumns * width);
    dv = take(kTileColumns * widthV);
    dq = take(a.T * width);
  }
  static int64_t floats(const WeightedAttentionArgs& a) {
    int64_t sum = 0;
    BackwardScratch s;
    s.lay(a, [&](int64_t n) { return sum += roundUp(n, 16), nullptr; });
    return sum;
  }
  BackwardScratch() = default;
  BackwardScratch(const WeightedAttentionArgs& a, float* p) {
    lay(a, [&](int64_t n) { return p += roundUp(n, 16), p - roundUp(n, 16); });
  }
};

/// Scores and products of one tile become A and E in place; dw, rows of `dwStride`, gets what is added to it.
void differentiateTile(int64_t rows, int64_t columns, int64_t padded, const Diagonals& d, const float* w,
                       int64_t wStride, float* scores, float* products, float* dw, int64_t dwStride) {
  for (int64_t i = 0; i < rows; i++, w += wStride) {
    float *score = scores + i * kTilePitch, *product = products + i * kTilePitch;
    auto each = [&](int64_t j, Ints lanes, int64_t have) {
      Floats x = load(score + j), p = load(product + j), weight = loadSome(w + j, have);
      store(score + j, select(lanes, x * weight, Floats{}));
      store(product + j, select(lanes, p * weight, Floats{}));
      if (!dw) return;
      float* to = dw + i * dwStride + j;
      storeSome(to, loadSome(to, have) + select(lanes, x * p, Floats{}), have);
    };
    forWeights(i, columns, padded, d, each, scores, products);
  }
}

/// One head and the keys of one hand: dk and dv are written, `dq` [T, width] and `dw` are added to.
void headGradient(const Context& context, const WeightedAttentionArgs& a, int64_t batch, int64_t head,
                  int64_t hand, int64_t hands, const BackwardScratch& s, float* dq, float* dw,
                  int64_t dwStride) {
  int64_t width = roundUp(a.D, kLanes), widthV = roundUp(a.Dv, kLanes);
  auto at = [&](const Rows4& x, int64_t row) {
    return x.data + batch * x.stride[0] + head * x.stride[1] + row * x.stride[2];
  };
  const float* weights = a.w + batch * a.wStride[0] + head * a.wStride[1];
  for (int64_t j0 = hand * kTileColumns; j0 < a.S; j0 += hands * kTileColumns) {
    if (context.stopped()) return;
    int64_t columns = least(kTileColumns, a.S - j0), padded = roundUp(columns, kLanes);
    Diagonals here = Diagonals{a.first, a.last}.from(0, j0);
    transpose(at(a.k, j0), a.k.stride[2], columns, a.D, 1, s.keyColumns, kTilePitch);
    transpose(at(a.v, j0), a.v.stride[2], columns, a.Dv, 1, s.valueColumns, kTilePitch);
    copyRows(at(a.k, j0), a.k.stride[2], columns, a.D, s.keys, width);
    zero(s.dk, columns * width);
    zero(s.dv, columns * widthV);
    int64_t last = here.lastRow(columns, a.T);
    for (int64_t i0 = here.firstRow(0, a.T) / kTileRows * kTileRows; i0 < last; i0 += kTileRows) {
      int64_t rows = least(kTileRows, a.T - i0);
      Diagonals tile = here.from(i0, 0);
      copyRows(at(a.q, i0), a.q.stride[2], rows, a.D, s.queries, width);
      copyRows(at(a.dout, i0), a.dout.stride[2], rows, a.Dv, s.dout, widthV);
      tileProduct(s.queries, width, rows, a.D, s.keyColumns, padded, tile, s.scores);
      tileProduct(s.dout, widthV, rows, a.Dv, s.valueColumns, padded, tile, s.products);
      differentiateTile(rows, columns, padded, tile, weights + i0 * a.wStride[2] + j0, a.wStride[2], s.scores,
                        s.products, dw ? dw + i0 * dwStride + j0 : nullptr, dwStride);
      product<true>(columns, widthV, rows, s.scores, kTilePitch, s.dout, widthV, s.dv, widthV, true,
                    tile.queriesOfKey());
      product<true>(columns, width, rows, s.products, kTilePitch, s.queries, width, s.dk, width, true,
                    tile.queriesOfKey());
      product<false>(rows, width, columns, s.products, kTilePitch, s.keys, width, dq + i0 * width, width,
                     true, tile.keysOfQuery());
    }
    writeRows(s.dk, width, columns, a.D, 1, at(a.dk, j0), a.dk.stride[2]);
    writeRows(s.dv, widthV, columns, a.Dv, 1, at(a.dv, j0), a.dv.stride[2]);
  }
}

/// to += from, floats.
inline void addFloats(float* to, const float* from, int64_t count) {
  for (int64_t i = 0; i < count; i++) to[i] += from[i];
}

}  // namespace

/// All outputs are assigned; dw is 0 off the diagonals [first, last), where nobody needs it.
void weightedAttentionGrad(const Context& context, const WeightedAttentionArgs& a) {
  Cut cut(a);
  int64_t width = roundUp(a.D, kLanes), pieces = cut.teams * cut.parts * cut.hands;
  int64_t sums = a.T * a.S;                 // of a dw
  int64_t rows = roundUp(a.T * width, 16);  // of a dq
  std::size_t own =
      Context::scratchStride(static_cast<std::size_t>(BackwardScratch::floats(a)) * sizeof(float));
  std::size_t shared = static_cast<std::size_t>((a.dw ? cut.teams * (cut.parts - 1) * sums : 0) +
                                                (cut.hands > 1 ? a.B * a.H * cut.hands * rows : 0)) *
                       sizeof(float);
  std::size_t threads = static_cast<std::size_t>(context.threads);
  char* memory = context.scratch(own + (shared + threads - 1) / threads);
  float* moreRows = reinterpret_cast<float*>(memory + threads * own);
  float* moreSums = moreRows + (cut.hands > 1 ? a.B * a.H * cut.hands * rows : 0);

  auto dwOf = [&](int64_t team) {
    return a.dw + cut.batchOf(a, team, 0) * a.dwStride[0] + cut.headOf(a, team, 0) * a.dwStride[1];
  };
  auto dqTo = [&](int64_t batch, int64_t head) {
    return a.dq.data + batch * a.dq.stride[0] + head * a.dq.stride[1];
  };
  parallelFor(context, pieces, 1, [&](int64_t begin, int64_t end, int thread) {
    BackwardScratch scratch(a, reinterpret_cast<float*>(memory + static_cast<std::size_t>(thread) * own));
    for (int64_t piece = begin; piece < end; piece++) {
      int64_t hand = piece % cut.hands, part = piece / cut.hands % cut.parts;
      int64_t team = piece / cut.hands / cut.parts;
      float* dw = nullptr;
      int64_t dwStride = part == 0 ? a.dwStride[2] : a.S;
      if (a.dw) {
        dw = part == 0 ? dwOf(team) : moreSums + (team * (cut.parts - 1) + part - 1) * sums;
        for (int64_t j0 = hand * kTileColumns; j0 < a.S; j0 += cut.hands * kTileColumns) {
          for (int64_t i = 0; i < a.T; i++) zero(dw + i * dwStride + j0, least(kTileColumns, a.S - j0));
        }
      }
      for (int64_t member = part; member < cut.members; member += cut.parts) {
        if (context.stopped()) return;
        int64_t batch = cut.batchOf(a, team, member), head = cut.headOf(a, team, member);
        float* dq = cut.hands == 1 ? scratch.dq : moreRows + ((batch * a.H + head) * cut.hands + hand) * rows;
        zero(dq, a.T * width);
        headGradient(context, a, batch, head, hand, cut.hands, scratch, dq, dw, dwStride);
        if (cut.hands == 1) writeRows(dq, width, a.T, a.D, 1, dqTo(batch, head), a.dq.stride[2]);
      }
    }
  });
  if (cut.hands > 1) {
    parallelFor(context, a.B * a.H, 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t head = begin; head < end; head++) {
        float* first = moreRows + head * cut.hands * rows;
        for (int64_t hand = 1; hand < cut.hands; hand++) addFloats(first, first + hand * rows, a.T * width);
        writeRows(first, width, a.T, a.D, 1, dqTo(head / a.H, head % a.H), a.dq.stride[2]);
      }
    });
  }
  if (a.dw && cut.parts > 1) {
    parallelFor(context, cut.teams * a.T, kTileRows, [&](int64_t begin, int64_t end, int) {
      for (int64_t row = begin; row < end; row++) {
        int64_t team = row / a.T, i = row % a.T;
        for (int64_t part = 1; part < cut.parts; part++) {
          addFloats(dwOf(team) + i * a.dwStride[2],
                    moreSums + (team * (cut.parts - 1) + part - 1) * sums + i * a.S, a.S);
        }
      }
    });
  }
}

}  // namespace CROSSOVER_ARCH
}  // namespace crossover
