// One block of channels of RWKV-4's recurrence (arXiv 2305.13048, appendix D), shared by forward and
// backward.
//
// A channel keeps the sums aa = sum e^(..) v and bb = sum e^(..), both divided by e^pp, where pp is the
// largest exponent so far:
//   y = (e^pp aa + e^(u + k) v) / (e^pp bb + e^(u + k));   e^pp aa <- e^(pp + logw) aa + e^k v, bb alike
// Exponentials are taken of differences from the larger exponent only, so that none overflows.
#pragma once

#include "wkv_chunk.h"

namespace crossover {
namespace CROSSOVER_ARCH {

constexpr int64_t kChannels = 4 * kLanes;  // of a block

/// Weights of two exponents, e^(a - q) and e^(b - q) with q the larger: one of them is 1.
struct Weights {
  Floats first, second;
  Weights() = default;
  CROSSOVER_INLINE Weights(Floats a, Floats b) {
    Floats d = a - b, one = splat(1);
    Floats e = expOf(select(d > 0, -d, d));
    first = select(d > 0, one, e);
    second = select(d > 0, e, one);
  }
};

/// Rows of one batch entry, from the first channel of a block.
struct BlockRows {
  float* data;
  int64_t stride;
  BlockRows(const Rows3& x, int64_t batch, int64_t channel)
      : data(x.data ? x.data + batch * x.stride[0] + channel : nullptr), stride(x.stride[1]) {}
  float* at(int64_t token) const { return data + token * stride; }
  /// Copies a chunk of `width` channels to rows of `padded` floats; zeros where there is no tensor.
  void read(int64_t token, int64_t tokens, int64_t width, int64_t padded, float* to) const {
    if (data) {
      copyRows(at(token), stride, tokens, width, to, padded);
    } else {
      zero(to, tokens * padded);
    }
  }
  void write(const float* from, int64_t token, int64_t tokens, int64_t width, int64_t padded) const {
    writeRows(from, padded, tokens, width, 1, at(token), stride);
  }
};

struct Wkv4State {
  Floats aa, bb, pp;
};

/// The state before the first token is (0, 0, -1e38).
constexpr float kNoExponent = -1e38f;

/// `from` holds aa, bb, pp in rows of `stride` floats, or is null for the first state.
inline void readState(const float* from, int64_t stride, int64_t width, float* state) {
  zero(state, 3 * kChannels);
  if (from) {
    copyRows(from, stride, 3, width, state, kChannels);
  } else {
    for (int64_t c = 0; c < kChannels; c++) state[2 * kChannels + c] = kNoExponent;
  }
}

}  // namespace CROSSOVER_ARCH
}  // namespace crossover
