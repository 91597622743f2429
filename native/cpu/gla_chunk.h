// Gated linear attention in matrix form (arXiv 2312.06635, section 4; one decay per head: 2405.21060, section
// 6), shared by forward and backward. M [key, value], c the sums of log decays from the start of a stretch of
// q tokens:
//
//   A_ij = sum over n of q_in e^(c_in - c_jn) k_jn for j <= i                              [q, q]
//   Y = (q e^c) M + A V;   M <- diag(e^(c_q)) M + (k e^(c_q - c))^T V
//
// With decays per channel the exponential is factored with an anchor (wkv_chunk.h) and a stretch is a piece
// of a chunk; with one decay per head it is a matrix of its own, never above 1, and a stretch is a whole
// chunk.
#pragma once

#include "wkv_chunk.h"

namespace crossover {
namespace CROSSOVER_ARCH {

constexpr int64_t kGlaPiece = 32;  // most tokens of a stretch with decays per channel
constexpr int64_t kGlaHeads = 4;   // most heads that share the products of one key head in a unit of work
constexpr int64_t kGlaUnits = 8;   // units below which heads share less, so that threads find work at B = 1

inline int64_t chunksOf(const GlaArgs& a) { return (a.T + kGlaChunk - 1) / kGlaChunk; }

/// What one unit of work covers: heads [first, last) of one batch, which read key head `group`.
struct GlaUnit {
  int64_t batch, group, part, first, last;
};

/// Units in a fixed order: batches, key heads, parts of the heads that share one.
struct GlaUnits {
  int64_t batches, groups, shared, parts = 0, each = 0;
  explicit GlaUnits(const GlaArgs& a) : batches(a.B), groups(a.G), shared(a.G > 0 ? a.H / a.G : 0) {
    if (shared == 0 || batches == 0) return;
    const int64_t alone = least(shared, (kGlaUnits + batches * groups - 1) / (batches * groups));
    parts = a.perHead ? most((shared + kGlaHeads - 1) / kGlaHeads, alone) : shared;
    each = (shared + parts - 1) / parts, parts = (shared + each - 1) / each;
  }
  int64_t count() const { return batches * groups * parts; }
  GlaUnit at(int64_t i) const {
    GlaUnit unit{};
    unit.part = i % parts, unit.group = i / parts % groups, unit.batch = i / parts / groups;
    unit.first = unit.group * shared + least(shared, unit.part * each);
    unit.last = unit.group * shared + least(shared, (unit.part + 1) * each);
    return unit;
  }
};

/// to[i] = from[i] * factor[i] for rows.
inline void scaledRows(const float* from, int64_t rows, int64_t width, const float* factor, float* to) {
  for (int64_t i = 0; i < rows; i++, from += width, to += width) {
    Floats f = splat(factor[i]);
    for (int64_t c = 0; c < width; c += kLanes) store(to + c, load(from + c) * f);
  }
}

/// c [q, q] = a b^T on and below the diagonal, from b transposed with rows `pitch` apart; some of what lies
/// above it is left out, the rest is finite or not and to be ignored.
inline void lowerProduct(int64_t q, int64_t depth, const float* a, int64_t aStride, const float* across,
                         int64_t pitch, float* c) {
  constexpr int64_t kColumns = 32;
  for (int64_t j = 0; j < q; j += kColumns) {
    int64_t columns = least(kColumns, roundUp(q - j, kLanes));
    product<false>(q - j, columns, depth, a + j * aStride, aStride, across + j, pitch, c + j * pitch + j,
                   pitch, false);
  }
}

constexpr DepthRange kLowerRows{-kFar, 1};    // row i of a lower triangle: entries up to i
constexpr DepthRange kLowerColumns{0, kFar};  // column j of it: entries from j

/// A stretch with decays per channel.
struct GlaPiece {
  int64_t n, size, p, wide, q;  // size, wide: key and value size, padded
  float scale;
  PieceDecay decay;
  float *r, *k, *v;        // [q, size or wide]; r is q times the scale
  float *rState, *kState;  // r e^c, k e^(c_q - c)
  float *rPair, *kPair;    // scaled for pairs
  float* across;           // kPair transposed
  float* pairs;            // [q, q]: A

  void lay(Carver& carver, const GlaArgs& a) {
    n = a.N, size = roundUp(a.N, kLanes), p = a.P, wide = roundUp(a.P, kLanes), scale = a.scale;
    decay.lay(carver, size, kGlaPiece);
    for (float** block : {&r, &k, &rState, &kState, &rPair, &kPair}) *block = carver.take(kGlaPiece * size);
    v = carver.take(kGlaPiece * wide);
    across = carver.take(size * kGlaPiece);
    pairs = carver.take(kGlaPiece * kGlaPiece);
  }

  /// Length of the piece that starts at `token` and ends before `end`.
  int64_t measure(const HeadRows& logw, int64_t token, int64_t end) {
    return decay.read(logw.at(token), logw.stride, least(kGlaPiece, end - token), n);
  }

  /// What `advance` needs; sets q.
  void readKeys(const HeadRows& keys, const HeadRows& values, const HeadRows& logw, int64_t token,
                int64_t end) {
    q = measure(logw, token, end);
    decay.prepare(q);
    copyRows(keys.at(token), keys.stride, q, n, k, size);
    copyRows(values.at(token), values.stride, q, p, v, wide);
    multiplyRows(k, decay.toEnd, q * size, kState);
  }

  /// What the rows of y need, after `readKeys`.
  void readQueries(const HeadRows& queries, int64_t token) {
    copyRows(queries.at(token), queries.stride, q, n, r, size);
    for (int64_t i = 0; i < q * size; i += kLanes) store(r + i, load(r + i) * scale);
    multiplyRows(r, decay.now(), q * size, rState);
    multiplyRows(r, decay.reachNow(), q * size, rPair);
    multiplyRows(k, decay.origin, q * size, kPair);
    transpose(kPair, size, q, n, 1, across, kGlaPiece);
    lowerProduct(q, n, rPair, size, across, kGlaPiece, pairs);
    keepStrictlyLower(pairs, kGlaPiece, q);
    for (int64_t i = 0; i < q; i++) pairs[i * kGlaPiece + i] = dotRows(r + i * size, k + i * size, size);
  }

  /// The state at the end of the piece, in place.
  void advance(float* m) const {
    scaleRows(m, n, wide, decay.whole(q));
    product<true>(n, wide, q, kState, size, v, wide, m, wide, true);
  }
};

/// Decays of one head over a chunk, one number per token.
struct GlaDecay {
  float *high, *low;          // [q] c in two parts: differences of nearby sums keep their precision
  float *now, *toEnd, whole;  // [q] e^(c_i), [q] e^(c_q - c_j), e^(c_q)
  float* between;             // [q, q]: e^(c_i - c_j) for j <= i, 0 above

  void lay(Carver& carver) {
    for (float** row : {&high, &low, &now, &toEnd}) *row = carver.take(kGlaChunk);
    between = carver.take(kGlaChunk * kGlaChunk);
  }

  Floats difference(float top, float rest, int64_t j) const {
    Floats d = (top - load(high + j)) + (rest - load(low + j));
    return select(d > 0.0f, Floats{}, d);
  }

  void read(const HeadRows& logw, int64_t token, int64_t q) {
    double sum = 0;
    for (int64_t i = 0; i < q; i++) {
      float x = *logw.at(token + i);
      sum += x < kLeastLog ? kLeastLog : x;
      high[i] = static_cast<float>(sum);
      low[i] = static_cast<float>(sum - high[i]);
    }
    int64_t padded = roundUp(q, kLanes);
    for (int64_t i = q; i < padded; i++) high[i] = high[q - 1], low[i] = low[q - 1];
    for (int64_t j = 0; j < padded; j += kLanes) {
      store(now + j, expOf(load(high + j) + load(low + j)));
      store(toEnd + j, expOf(difference(high[q - 1], low[q - 1], j)));
    }
    whole = now[q - 1];
    for (int64_t i = 0; i < q; i++) {
      float* row = between + i * kGlaChunk;
      for (int64_t j = 0; j < padded; j += kLanes) {
        store(row + j, j <= i ? expOf(difference(high[i], low[i], j)) : Floats{});
      }
      for (int64_t j = i + 1; j < q; j++) row[j] = 0;
    }
  }
};

/// Rows of a chunk that heads of one key head share.
struct GlaShared {
  int64_t n, size, p, wide, q;
  float scale;
  float *r, *k;   // [q, size]; r is q times the scale
  float* across;  // k transposed
  float* raw;     // [q, q]: r k^T on and below the diagonal

  void lay(Carver& carver, const GlaArgs& a) {
    n = a.N, size = roundUp(a.N, kLanes), p = a.P, wide = roundUp(a.P, kLanes), scale = a.scale;
    for (float** block : {&r, &k}) *block = carver.take(kGlaChunk * size);
    across = carver.take(size * kGlaChunk);
    raw = carver.take(kGlaChunk * kGlaChunk);
  }

  void read(const HeadRows& queries, const HeadRows& keys, int64_t token, int64_t end) {
    q = end - token;
    copyRows(queries.at(token), queries.stride, q, n, r, size);
    for (int64_t i = 0; i < q * size; i += kLanes) store(r + i, load(r + i) * scale);
    copyRows(keys.at(token), keys.stride, q, n, k, size);
    transpose(k, size, q, n, 1, across, kGlaChunk);
    lowerProduct(q, n, r, size, across, kGlaChunk, raw);
  }

  /// A of one head: on and below the diagonal raw times the decay, 0 above.
  void pairs(const GlaDecay& decay, float* a) const { lowerTimes(raw, decay.between, q, a); }

  static void lowerTimes(const float* x, const float* lower, int64_t q, float* to) {
    for (int64_t i = 0; i < q; i++) {
      for (int64_t j = 0; j <= i; j += kLanes) {
        int64_t at = i * kGlaChunk + j;
        Floats factor = load(lower + at);
        store(to + at, select(laneNumbers() > static_cast<int>(i - j), Floats{}, load(x + at) * factor));
      }
      for (int64_t j = roundUp(i + 1, kLanes); j < q; j += kLanes) store(to + i * kGlaChunk + j, Floats{});
    }
  }
};

/// The padded state [n, wide] from a state of the program, or zero.
inline void readGlaState(const float* from, int64_t n, int64_t p, int64_t wide, float* m) {
  if (from) {
    copyRows(from, p, n, p, m, wide);
  } else {
    zero(m, n * wide);
  }
}

}  // namespace CROSSOVER_ARCH
}  // namespace crossover
