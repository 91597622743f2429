// A causal convolution of every channel by itself over a few tokens, shared by forward and backward.
//
//   y_t = bias + sum over taps j of w[j] X_{t+j}
// where X are `taps` - 1 rows from before the first token (the state; zero without one), then x. Work goes by
// blocks of tokens of one batch entry, and within a block by vectors of channels that slide over its rows:
// every row is read from memory once, whatever the number of taps, and rows may lie anywhere.
#pragma once

#include "wkv_chunk.h"

namespace crossover {
namespace CROSSOVER_ARCH {

constexpr int64_t kConvTokens = 16;  // of a block
constexpr int64_t kMostTaps = 8;

/// Calls fn with the number of taps, 2 to kMostTaps, as a type.
template <class F>
void withTaps(int64_t taps, const F& fn) {
  switch (taps) {
#define CROSSOVER_TAPS(n) \
  case n:                 \
    return fn(std::integral_constant<int, n>{});
    CROSSOVER_TAPS(2)
    CROSSOVER_TAPS(3)
    CROSSOVER_TAPS(4)
    CROSSOVER_TAPS(5)
    CROSSOVER_TAPS(6)
    CROSSOVER_TAPS(7)
    CROSSOVER_TAPS(8)
#undef CROSSOVER_TAPS
  }
}

/// Rows of a convolution.
struct ConvShape {
  int64_t T, C, taps, padded, perEntry, blocks;
  explicit ConvShape(const ShortConvArgs& a)
      : T(a.T),
        C(a.C),
        taps(a.taps),
        padded(roundUp(a.C, kLanes)),
        perEntry((a.T + kConvTokens - 1) / kConvTokens),
        blocks(a.B * perEntry) {}
  int64_t before() const { return taps - 1; }
  int64_t entryOf(int64_t block) const { return block / perEntry; }
  int64_t tokenOf(int64_t block) const { return block % perEntry * kConvTokens; }
  int64_t tokensFrom(int64_t token) const { return least(kConvTokens, T - token); }
};

/// Rows of one batch entry by token: of the state, of x, and nothing after the last.
struct ConvRows {
  const float *data, *state, *none;
  int64_t stride, T, C, before;
  ConvRows(const Rows3& x, const float* states, const float* zeros, const ConvShape& shape, int64_t entry)
      : data(x.data ? x.data + entry * x.stride[0] : nullptr),
        state(states ? states + entry * shape.before() * shape.C : nullptr),
        none(zeros),
        stride(x.stride[1]),
        T(shape.T),
        C(shape.C),
        before(shape.before()) {}
  /// Token -before() is the first of the state; after the last there is nothing.
  const float* at(int64_t token) const {
    if (token < 0) return state ? state + (token + before) * C : none;
    return token < T && data ? data + token * stride : none;
  }
  void list(int64_t token, int64_t count, const float** rows) const {
    for (int64_t i = 0; i < count; i++) rows[i] = at(token + i);
  }
};

/// A vector of channels; only the last of a row may be a part of one.
template <bool kWhole>
CROSSOVER_INLINE Floats loadChannels(const float* p, int64_t count) {
  return kWhole ? load(p) : loadPart(p, count);
}
template <bool kWhole>
CROSSOVER_INLINE void storeChannels(float* p, Floats v, int64_t count) {
  if (kWhole) {
    store(p, v);
  } else {
    storePart(p, v, count);
  }
}

/// Calls fn(std::true_type, c, kLanes) for every whole vector of channels, and with false for what is left.
template <class F>
CROSSOVER_INLINE void forChannels(int64_t C, const F& fn) {
  int64_t c = 0;
  for (; c + kLanes <= C; c += kLanes) fn(std::true_type{}, c, kLanes);
  if (c < C) fn(std::false_type{}, c, C - c);
}

}  // namespace CROSSOVER_ARCH
}  // namespace crossover
