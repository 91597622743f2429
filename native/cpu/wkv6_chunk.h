// One piece of RWKV-6's recurrence in matrix form (arXiv 2404.05892), shared by forward and backward.
//
//   R' = r e^p, K'' = k e^(c_q - c)                                                        rows of P channels
//   A = strict(r e^(p_i - c_j) k), with sum(r u k) on the diagonal                         [q, q]
//   Y = R' M + A V;   M <- diag(e^(c_q)) M + K''^T V
#pragma once

#include "wkv_chunk.h"

namespace crossover {
namespace CROSSOVER_ARCH {

struct Wkv6Heads {
  HeadRows r, k, v, log;
  Wkv6Heads(const Wkv6Args &x, int64_t batch, int64_t head)
      : r(x.r, batch, head), k(x.k, batch, head), v(x.v, batch, head), log(x.logw, batch, head) {}
};

struct Wkv6Piece {
  int64_t n, size, q;
  PieceDecay decay;
  float *u;                // [P]
  float *r, *k, *v;        // [q, P] as given
  float *rState, *kState;  // R', K''
  float *rPair, *kPair;    // scaled for pairs
  float *across;           // [P, q] transposed kPair
  float *pairs;            // [q, q]: A

  void lay(Carver &carver, int64_t headSize) {
    n = headSize;
    size = roundUp(headSize, kLanes);
    decay.lay(carver, size);
    u = carver.take(size);
    for (float **block : {&r, &k, &v, &rState, &kState, &rPair, &kPair})
      *block = carver.take(kMaxPiece * size);
    across = carver.take(size * kMaxPiece);
    pairs = carver.take(kMaxPiece * kMaxPiece);
  }

  /// Reads the piece that starts at `token` and ends before `end`; sets q.
  void read(const Wkv6Heads &heads, int64_t token, int64_t end) {
    q = decay.read(heads.log.at(token), heads.log.stride, end - token, n);
    decay.prepare(q);
    copyRows(heads.r.at(token), heads.r.stride, q, n, r, size);
    copyRows(heads.k.at(token), heads.k.stride, q, n, k, size);
    copyRows(heads.v.at(token), heads.v.stride, q, n, v, size);
    multiplyRows(r, decay.before(), q * size, rState);
    multiplyRows(r, decay.reachBefore(), q * size, rPair);
    multiplyRows(k, decay.toEnd, q * size, kState);
    multiplyRows(k, decay.origin, q * size, kPair);
  }

  void makePairs() {
    transpose(kPair, size, q, n, 1, across, kMaxPiece);
    product<false>(q, roundUp(q, kLanes), n, rPair, size, across, kMaxPiece, pairs, kMaxPiece, false);
    keepStrictlyLower(pairs, kMaxPiece, q);
    for (int64_t i = 0; i < q; i++) {
      Floats sum{};
      for (int64_t c = i * size; c < (i + 1) * size; c += kLanes) {
        sum += load(r + c) * load(u + c - i * size) * load(k + c);
      }
      pairs[i * kMaxPiece + i] = sumLanes(sum);
    }
  }

  /// The state at the end of the piece, in place.
  void advance(float *m) const {
    scaleRows(m, n, size, decay.whole(q));
    product<true>(n, size, q, kState, size, v, size, m, size, true);
  }
};

}  // namespace CROSSOVER_ARCH
}  // namespace crossover
