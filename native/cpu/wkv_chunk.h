// What the chunked WKV kernels share: pieces of a chunk, their decays, and rows of a head.
//
// Matrices are M[key, value]. A piece of q tokens uses sums of log decays from its own first token:
// c_i over tokens up to and including i, p_i over tokens before i. Pairs of tokens need exp(p_i - c_j) or
// exp(c_i - c_j) for j < i, which is factored into exp(c_i - m) exp(m - c_j) with an anchor m per channel in
// the middle of the piece. A chunk is cut into pieces short enough that neither factor overflows; ordinary
// decays give one piece per chunk.
#pragma once

#include <initializer_list>

#include "kernels.h"
#include "tile.h"

namespace crossover {
namespace CROSSOVER_ARCH {

constexpr int64_t kMaxPiece = kWkvChunk;
constexpr float kMaxSpread = 64;   // of the log decays that pairs of a piece span
constexpr float kLeastLog = -200;  // exp of it is 0 in f32, as of anything below

/// Hands out 64-byte aligned blocks of a thread's scratch; with null memory it only counts.
struct Carver {
  float* memory;
  int64_t used = 0;
  float* take(int64_t floats) {
    float* block = memory ? memory + used : nullptr;
    used += roundUp(floats, 16);
    return block;
  }
};

/// Where the rows of one (batch, head) start, and how far apart tokens are.
struct HeadRows {
  float* data;
  int64_t stride;
  HeadRows(const Rows4& x, int64_t batch, int64_t head)
      : data(x.data ? x.data + batch * x.stride[0] + head * x.stride[2] : nullptr), stride(x.stride[1]) {}
  float* at(int64_t token) const { return data + token * stride; }
};

/// Asks for the rows of a chunk that comes next: rows of a head lie far apart, where hardware does not look
/// ahead.
template <bool kWrite = false>
inline void prefetchChunk(std::initializer_list<HeadRows> all, int64_t chunk, int64_t tokens,
                          int64_t columns) {
  int64_t first = chunk * kWkvChunk, count = least(kWkvChunk, tokens - first);
  if (first < 0 || count <= 0) return;
  for (const HeadRows& rows : all) {
    if (rows.data) prefetchRows<kWrite>(rows.at(first), rows.stride, count, columns);
  }
}

/// Factors exp(..) of a piece, rows of P floats.
struct PieceDecay {
  int64_t size;      // P: the head size, padded
  float* log;        // [q, P] log decays, at least kLeastLog; padding 0
  float* beforeNow;  // [q + 1, P]: row 0 is 1, row i + 1 is exp(c_i)
  float* reaches;    // [q + 1, P]: row 0 is 0, row i + 1 is exp(c_i - m)
  float* origin;     // [q, P]: exp(m - c_j); the last row is 0, for no later token reads it
  float* toEnd;      // [q, P]: exp(c_q - c_j)
  float* spread;     // [P]

  void lay(Carver& carver, int64_t padded, int64_t most = kMaxPiece) {
    size = padded;
    log = carver.take(most * padded);
    beforeNow = carver.take((most + 1) * padded);
    reaches = carver.take((most + 1) * padded);
    origin = carver.take(most * padded);
    toEnd = carver.take(most * padded);
    spread = carver.take(padded);
  }
  const float* before() const { return beforeNow; }         // exp(p_i)
  const float* now() const { return beforeNow + size; }     // exp(c_i)
  const float* reachBefore() const { return reaches; }      // exp(p_i - m)
  const float* reachNow() const { return reaches + size; }  // exp(c_i - m)
  const float* whole(int64_t q) const { return beforeNow + q * size; }

  /// Loads log decays of the tokens of a piece that starts at `from` and has at most `most` tokens; returns
  /// how many tokens the piece has.
  int64_t read(const float* from, int64_t stride, int64_t tokens, int64_t columns) {
    for (int64_t i = 0; i < tokens; i++) {
      copyRows(from + i * stride, stride, 1, columns, log + i * size, size);
      for (int64_t c = 0; c < size; c += kLanes) {
        Floats x = load(log + i * size + c);
        store(log + i * size + c, select(x < kLeastLog, splat(kLeastLog), x));
      }
    }
    // A piece of q tokens has pairs that span tokens 1 to q - 2 (from 0).
    int64_t q = least<int64_t>(tokens, 2);
    zero(spread, size);
    for (; q < tokens; q++) {
      Floats widest{};
      for (int64_t c = 0; c < size; c += kLanes) {
        Floats s = load(spread + c) - load(log + (q - 1) * size + c);
        store(spread + c, s);
        widest = maximumOf(s, widest);
      }
      bool wide = false;
      for (int lane = 0; lane < kLanes; lane++) wide |= widest[lane] > kMaxSpread;
      if (wide) break;
    }
    return q;
  }

  void prepare(int64_t q) {
    for (int64_t c = 0; c < size; c += kLanes) {
      Floats first = load(log + c), middle{}, sum{};
      for (int64_t i = 1; i + 1 < q; i++) middle += load(log + i * size + c);
      middle *= 0.5f;
      Floats anchor = expOf(first + middle);
      store(beforeNow + c, splat(1));
      store(reaches + c, Floats{});
      for (int64_t i = 0; i < q; i++) {
        if (i > 0) sum += load(log + i * size + c);
        Floats reach = expOf(sum - middle);
        store(reaches + (i + 1) * size + c, reach);
        store(beforeNow + (i + 1) * size + c, i == 0 ? expOf(first) : reach * anchor);
        store(origin + i * size + c, i + 1 < q ? expOf(middle - sum) : Floats{});
      }
      Floats end = load(reaches + q * size + c);
      for (int64_t i = 0; i + 1 < q; i++) {
        store(toEnd + i * size + c, end * load(origin + i * size + c));
      }
      store(toEnd + (q - 1) * size + c, splat(1));
    }
  }
};

/// to = a * b over q rows of P floats.
inline void multiplyRows(const float* a, const float* b, int64_t floats, float* to) {
  for (int64_t i = 0; i < floats; i += kLanes) store(to + i, load(a + i) * load(b + i));
}

/// Row i of m times factor[i].
inline void scaleRows(float* m, int64_t rows, int64_t width, const float* factor) {
  for (int64_t i = 0; i < rows; i++, m += width) {
    Floats f = splat(factor[i]);
    for (int64_t c = 0; c < width; c += kLanes) store(m + c, load(m + c) * f);
  }
}

/// Zeroes entries of a [q, q] block that lie on or above the diagonal.
inline void keepStrictlyLower(float* block, int64_t pitch, int64_t q) {
  for (int64_t i = 0; i < q; i++) {
    for (int64_t j = i; j < q; j++) block[i * pitch + j] = 0;
  }
}

inline float dotRows(const float* a, const float* b, int64_t width) {
  Floats sum{};
  for (int64_t c = 0; c < width; c += kLanes) sum += load(a + c) * load(b + c);
  return sumLanes(sum);
}

/// M [n keys, p values], rows padded to `wide` floats, from a state of the program, or zero: `across` when
/// that is [value, key].
inline void readState(const float* from, int64_t n, int64_t p, int64_t wide, bool across, float* m) {
  zero(m, n * wide);
  if (!from) return;
  if (across) {
    transpose(from, n, p, n, 1, m, wide);
  } else {
    copyRows(from, p, n, p, m, wide);
  }
}

/// Writes M back as [value, key]; `other` holds p rows of n floats, padded.
inline void writeStateAcross(const float* m, int64_t n, int64_t p, int64_t wide, float* other, float* to) {
  const int64_t size = roundUp(n, kLanes);
  transpose(m, wide, n, p, 1, other, size);
  writeRows(other, size, p, n, 1, to, n);
}

/// kept [key] = exp(c_q) * sum over values of M dM, from the transposed matrices [value, key]: what the state
/// that passes a whole piece gives the log decay of each of its tokens.
inline void decayOfKept(const float* across, const float* dacross, const float* whole, int64_t n,
                        int64_t width, float* kept) {
  for (int64_t c = 0; c < width; c += kLanes) {
    Floats sum{};
    for (int64_t v = 0; v < n; v++) sum += load(across + v * width + c) * load(dacross + v * width + c);
    store(kept + c, sum * load(whole + c));
  }
}

}  // namespace CROSSOVER_ARCH
}  // namespace crossover
