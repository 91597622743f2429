// One piece of RWKV-7's recurrence in matrix form (the WY form of arXiv 2503.14456), shared by forward and
// backward.
//
//   A' = a e^p, R' = r e^c, B'' = b e^(c_q - c), K'' = k e^(c_q - c)                          rows of P
//   channels AB = strict(a e^(p_i - c_j) b), AK, and RB, RK which also hold the diagonal               [q, q]
//   U = (I - AB)^-1 (A' M + AK V);   Y = R' M + RB U + RK V;   M <- diag(e^(c_q)) M + B''^T U + K''^T V
//
// Rows of keys (a, r, b, k) have n channels, padded to `size`; rows of values (U, V, Y, M) have p, padded to
// `wide`. Pairs of matrices that meet in one product are stacked: rows 0 to q - 1 belong to the first, q to
// 2q - 1 to the second.
#pragma once

#include "wkv_chunk.h"

namespace crossover {
namespace CROSSOVER_ARCH {

constexpr int64_t kPairPitch = 2 * kMaxPiece;

struct Wkv7Heads {
  HeadRows r, log, k, v, a, b;
  Wkv7Heads(const Wkv7Args& x, int64_t batch, int64_t head)
      : r(x.r, batch, head),
        log(x.logw, batch, head),
        k(x.k, batch, head),
        v(x.v, batch, head),
        a(x.a, batch, head),
        b(x.b, batch, head) {}
};

struct Wkv7Piece {
  int64_t n, size, p, wide, q;
  PieceDecay decay;
  float *ar, *bk;            // [2q, size] as given: (a, r) and (b, k)
  float *arState, *bkState;  // (A', R') and (B'', K'')
  float *arPair, *bkPair;    // scaled for pairs
  float* across;             // [size, 2q] transposed bkPair
  float* pairs;              // [2q, 2q]: AB AK over RB RK
  float* uv;                 // [2q, wide]: (U, V)

  void lay(Carver& carver, int64_t keys, int64_t values) {
    n = keys, size = roundUp(keys, kLanes);
    p = values, wide = roundUp(values, kLanes);
    decay.lay(carver, size);
    for (float** block : {&ar, &bk, &arState, &bkState, &arPair, &bkPair}) {
      *block = carver.take(2 * kMaxPiece * size);
    }
    uv = carver.take(2 * kMaxPiece * wide);
    across = carver.take(size * kPairPitch);
    pairs = carver.take(kPairPitch * kPairPitch);
  }

  /// Reads the piece that starts at `token` and ends before `end`; sets q.
  void read(const Wkv7Heads& heads, int64_t token, int64_t end) {
    q = decay.read(heads.log.at(token), heads.log.stride, end - token, n);
    decay.prepare(q);
    copyRows(heads.a.at(token), heads.a.stride, q, n, ar, size);
    copyRows(heads.r.at(token), heads.r.stride, q, n, ar + q * size, size);
    copyRows(heads.b.at(token), heads.b.stride, q, n, bk, size);
    copyRows(heads.k.at(token), heads.k.stride, q, n, bk + q * size, size);
    copyRows(heads.v.at(token), heads.v.stride, q, p, uv + q * wide, wide);
    int64_t half = q * size;
    multiplyRows(ar, decay.before(), half, arState);
    multiplyRows(ar + half, decay.now(), half, arState + half);
    multiplyRows(ar, decay.reachBefore(), half, arPair);
    multiplyRows(ar + half, decay.reachNow(), half, arPair + half);
    for (int64_t offset : {int64_t{0}, half}) {
      multiplyRows(bk + offset, decay.toEnd, half, bkState + offset);
      multiplyRows(bk + offset, decay.origin, half, bkPair + offset);
    }
  }

  /// The four [q, q] matrices.
  void makePairs() {
    transpose(bkPair, size, 2 * q, n, 1, across, kPairPitch);
    product<false>(2 * q, roundUp(2 * q, kLanes), n, arPair, size, across, kPairPitch, pairs, kPairPitch,
                   false);
    for (int64_t corner : {int64_t{0}, q, q * kPairPitch, q * kPairPitch + q}) {
      keepStrictlyLower(pairs + corner, kPairPitch, q);
    }
    for (int64_t i = 0; i < q; i++) {
      const float* r = ar + (q + i) * size;
      pairs[(q + i) * kPairPitch + i] = dotRows(r, bk + i * size, size);
      pairs[(q + i) * kPairPitch + q + i] = dotRows(r, bk + (q + i) * size, size);
    }
  }

  /// U from the state at the start of the piece: forward substitution in blocks of 4 rows.
  void solve(const float* m) {
    product<false>(q, wide, n, arState, size, m, wide, uv, wide, false);
    product<false>(q, wide, q, pairs + q, kPairPitch, uv + q * wide, wide, uv, wide, true);
    for (int64_t first = 0; first < q; first += 4) {
      int64_t rows = least<int64_t>(4, q - first);
      const float* block = pairs + first * kPairPitch;
      if (first > 0)
        product<false>(rows, wide, first, block, kPairPitch, uv, wide, uv + first * wide, wide, true);
      for (int64_t i = 1; i < rows; i++) {
        product<false>(1, wide, i, block + i * kPairPitch + first, kPairPitch, uv + first * wide, wide,
                       uv + (first + i) * wide, wide, true);
      }
    }
  }

  /// The state at the end of the piece, in place.
  void advance(float* m) const {
    scaleRows(m, n, wide, decay.whole(q));
    product<true>(n, wide, 2 * q, bkState, size, uv, wide, m, wide, true);
  }
};

}  // namespace CROSSOVER_ARCH
}  // namespace crossover
