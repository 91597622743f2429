// One block of channels of Mamba's selective scan (arXiv 2312.00752, section 3), shared by forward and
// backward.
//
//   h_t[n] = exp(dt_t A[n]) h_{t-1}[n] + dt_t x_t B_t[n];   y_t = sum over n of h_t[n] C_t[n]
// for every channel. Within a chunk the loop over n is the outer one: h[n] of a vector of channels stays in a
// register while tokens go by, and nothing of size [T, D, N] is ever written.
#pragma once

#include "wkv4_block.h"

namespace crossover {
namespace CROSSOVER_ARCH {

constexpr float kLog2E = 1.4426950408889634f, kLn2 = 0.6931471805599453f;

/// A chunk of a block: rows are padded to kChannels floats, states are [N, kChannels].
struct ScanBlock {
  int64_t n;
  float* power;              // [N, kChannels]: A log2(e)
  float* state;              // [N, kChannels]
  float *dt, *x, *dtx;       // [q, kChannels]
  float *bAcross, *cAcross;  // [N, kWkvChunk]

  void lay(Carver& carver, int64_t states) {
    n = states;
    for (float** block : {&power, &state}) *block = carver.take(n * kChannels);
    for (float** block : {&dt, &x, &dtx}) *block = carver.take(kWkvChunk * kChannels);
    // Transposing writes whole vectors of rows.
    for (float** block : {&bAcross, &cAcross}) *block = carver.take(roundUp(n, kLanes) * kWkvChunk);
  }

  void readPower(const float* a, int64_t width) {
    transposeInto(a, width, power);
    for (int64_t i = 0; i < n * kChannels; i += kLanes) store(power + i, load(power + i) * kLog2E);
  }

  void readChunk(const BlockRows& times, const BlockRows& inputs, const BlockRows& b, const BlockRows& c,
                 int64_t token, int64_t q, int64_t width) {
    times.read(token, q, width, kChannels, dt);
    inputs.read(token, q, width, kChannels, x);
    multiplyRows(dt, x, q * kChannels, dtx);
    transpose(b.at(token), b.stride, q, n, 1, bAcross, kWkvChunk);
    transpose(c.at(token), c.stride, q, n, 1, cAcross, kWkvChunk);
  }

  /// [width, N] of the program to [N, kChannels]; null: zeros.
  void transposeInto(const float* from, int64_t width, float* to) const {
    zero(to, n * kChannels);
    if (!from) return;
    for (int64_t d = 0; d < width; d++) {
      for (int64_t i = 0; i < n; i++) to[i * kChannels + d] = from[d * n + i];
    }
  }
  void transposeBack(const float* from, int64_t width, float* to) const {
    for (int64_t d = 0; d < width; d++) {
      for (int64_t i = 0; i < n; i++) to[d * n + i] = from[i * kChannels + d];
    }
  }

  /// exp(dt A) of a vector of channels; the exponent is limited to where the exponential is finite.
  CROSSOVER_INLINE static Floats decay(Floats dt, Floats power) {
    Floats exponent = dt * power;
    return exp2Of(select(exponent > 127.0f, splat(127), exponent));
  }
};

}  // namespace CROSSOVER_ARCH
}  // namespace crossover
