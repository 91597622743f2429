// Causal depthwise convolution, backward; all outputs are assigned.
//
//   dX_{t+j} += w[j] dy_t, that is dX_s = sum over j of w[j] dy_{s-j};   dw[j] = sum over t of dy_t X_{t+j}
// Weights' gradients are summed over the tokens in a fixed order whatever the number of threads: blocks are
// dealt into at most kParts parts, each with sums of its own.
#include "short_conv_block.h"

namespace crossover {
namespace CROSSOVER_ARCH {
namespace {

constexpr int64_t kParts = 32;

void add(const float* from, int64_t count, float* to) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store(to + i, load(to + i) + load(from + i));
  if (i < count) storePart(to + i, loadPart(to + i, count - i) + loadPart(from + i, count - i), count - i);
}

/// dx of `tokens` rows from dy of these and the taps - 1 rows after them; dw [taps, padded] and dbias from dy
/// and x of these and of taps - 1 rows before.
template <int kTaps>
void differentiate(const float* const* dy, const float* const* x, int64_t tokens, const float* weight,
                   int64_t padded, float* dx, int64_t stride, float* dw, int64_t C) {
  forChannels(C, [&](auto whole, int64_t c, int64_t count) {
    constexpr bool kWhole = decltype(whole)::value;
    Floats taps[kTaps], sums[kTaps], after[kTaps], before[kTaps];
#pragma GCC unroll 8
    for (int j = 0; j < kTaps; j++) {
      taps[j] = load(weight + j * padded + c);
      sums[j] = load(dw + j * padded + c);
    }
    Floats total = load(dw + kTaps * padded + c);
#pragma GCC unroll 8
    for (int j = 0; j + 1 < kTaps; j++) {
      after[j] = loadChannels<kWhole>(dy[j] + c, count);
      before[j] = loadChannels<kWhole>(x[j] + c, count);
    }
    for (int64_t t = 0; t < tokens; t++) {
      after[kTaps - 1] = loadChannels<kWhole>(dy[t + kTaps - 1] + c, count);
      before[kTaps - 1] = loadChannels<kWhole>(x[t + kTaps - 1] + c, count);
      Floats sum = taps[kTaps - 1] * after[0];
#pragma GCC unroll 8
      for (int j = 1; j < kTaps; j++) sum += taps[kTaps - 1 - j] * after[j];
      storeChannels<kWhole>(dx + t * stride + c, sum, count);
      total += after[0];
#pragma GCC unroll 8
      for (int j = 0; j < kTaps; j++) sums[j] += after[0] * before[j];
#pragma GCC unroll 8
      for (int j = 0; j + 1 < kTaps; j++) after[j] = after[j + 1], before[j] = before[j + 1];
    }
#pragma GCC unroll 8
    for (int j = 0; j < kTaps; j++) store(dw + j * padded + c, sums[j]);
    store(dw + kTaps * padded + c, total);
  });
}

}  // namespace

void shortConvGrad(const Context& context, const ShortConvArgs& args) {
  const ConvShape shape(args);
  const int64_t taps = args.taps, padded = shape.padded, C = shape.C, before = shape.before();
  const int64_t parts = least(kParts, shape.blocks), perPart = (taps + 1) * padded;
  const int64_t floats = (taps + 1) * padded + (parts + 1) * perPart;
  const int64_t perThread = (floats + context.threads - 1) / context.threads;
  float* weight =
      reinterpret_cast<float*>(context.scratch(static_cast<std::size_t>(perThread) * sizeof(float)));
  float* none = weight + taps * padded;
  float* total = none + padded;  // then the sums of every part
  float* sums = total + perPart;
  transpose(args.weight, taps, C, taps, 1, weight, padded);
  zero(none, padded);
  zero(total, perPart);

  const auto run = [&](const float* const* dy, const float* const* x, int64_t tokens, float* dx,
                       int64_t stride, float* to) {
    withTaps(taps, [&](auto count) {
      differentiate<decltype(count)::value>(dy, x, tokens, weight, padded, dx, stride, to, C);
    });
  };
  parallelFor(context, parts, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t part = begin; part < end; part++) {
      float* own = sums + part * perPart;
      zero(own, perPart);
      const int64_t last = shape.blocks * (part + 1) / parts;
      for (int64_t block = shape.blocks * part / parts; block < last && !context.stopped(); block++) {
        const int64_t entry = shape.entryOf(block), token = shape.tokenOf(block);
        const int64_t tokens = shape.tokensFrom(token);
        const float *dy[kConvTokens + kMostTaps], *x[kConvTokens + kMostTaps];
        ConvRows(args.dy, nullptr, none, shape, entry).list(token, tokens + before, dy);
        ConvRows(args.x, args.stateIn, none, shape, entry).list(token - before, tokens + before, x);
        float* dx = args.dx.data + entry * args.dx.stride[0] + token * args.dx.stride[1];
        run(dy, x, tokens, dx, args.dx.stride[1], own);
      }
    }
  });
  for (int64_t part = 0; part < parts; part++) add(sums + part * perPart, perPart, total);
  for (int64_t c = 0; c < C; c++) {
    for (int64_t j = 0; j < taps; j++) args.dweight[c * taps + j] = total[j * padded + c];
  }
  if (args.dbias) writeRows(total + taps * padded, padded, 1, C, 1, args.dbias, C);

  for (int64_t entry = 0; entry < args.B; entry++) {
    float* dstate = args.dstateIn ? args.dstateIn + entry * before * C : nullptr;
    if (dstate) {  // rows before the first token, where there is no dy: their part of the sums is 0
      const float *dy[2 * kMostTaps], *x[2 * kMostTaps];
      ConvRows(args.dy, nullptr, none, shape, entry).list(-before, 2 * before, dy);
      for (const float*& row : x) row = none;
      run(dy, x, before, dstate, C, total);
    }
    for (int64_t i = 0; args.dstateOut && i < before; i++) {
      const int64_t token = shape.T - before + i;
      const float* from = args.dstateOut + (entry * before + i) * C;
      if (token >= 0) {
        add(from, C, args.dx.data + entry * args.dx.stride[0] + token * args.dx.stride[1]);
      } else if (dstate) {
        add(from, C, dstate + (token + before) * C);
      }
    }
  }
}

}  // namespace CROSSOVER_ARCH
}  // namespace crossover
