// Causal depthwise convolution over 2 to 8 tokens, forward; y and the state after the last token are
// assigned.
#include "short_conv_block.h"

namespace crossover {
namespace CROSSOVER_ARCH {
namespace {

/// `rows` starts taps - 1 rows before the block; weights are [taps, padded].
template <int kTaps>
void convolve(const float* const* rows, int64_t tokens, const float* weight, const float* bias,
              int64_t padded, float* y, int64_t stride, int64_t C) {
  forChannels(C, [&](auto whole, int64_t c, int64_t count) {
    constexpr bool kWhole = decltype(whole)::value;
    Floats taps[kTaps], window[kTaps];
    const Floats first = load(bias + c);
#pragma GCC unroll 8
    for (int j = 0; j < kTaps; j++) taps[j] = load(weight + j * padded + c);
#pragma GCC unroll 8
    for (int j = 0; j + 1 < kTaps; j++) window[j] = loadChannels<kWhole>(rows[j] + c, count);
    for (int64_t t = 0; t < tokens; t++) {
      window[kTaps - 1] = loadChannels<kWhole>(rows[t + kTaps - 1] + c, count);
      Floats sum = first;
#pragma GCC unroll 8
      for (int j = 0; j < kTaps; j++) sum += taps[j] * window[j];
      storeChannels<kWhole>(y + t * stride + c, sum, count);
#pragma GCC unroll 8
      for (int j = 0; j + 1 < kTaps; j++) window[j] = window[j + 1];
    }
  });
}

}  // namespace

void shortConv(const Context& context, const ShortConvArgs& args) {
  constexpr int64_t kBlocksAtOnce = 4;
  const ConvShape shape(args);
  const int64_t floats = (args.taps + 2) * shape.padded;
  float* weight = reinterpret_cast<float*>(context.scratch(static_cast<std::size_t>(floats) * sizeof(float)));
  float* bias = weight + args.taps * shape.padded;
  float* none = bias + shape.padded;
  transpose(args.weight, args.taps, args.C, args.taps, 1, weight, shape.padded);
  zero(bias, 2 * shape.padded);
  if (args.bias) copyRows(args.bias, 0, 1, args.C, bias, shape.padded);

  parallelFor(context, shape.blocks, kBlocksAtOnce, [&](int64_t begin, int64_t end, int) {
    for (int64_t block = begin; block < end; block++) {
      const int64_t entry = shape.entryOf(block), token = shape.tokenOf(block);
      const int64_t tokens = shape.tokensFrom(token);
      const float* rows[kConvTokens + kMostTaps];
      ConvRows(args.x, args.stateIn, none, shape, entry)
          .list(token - shape.before(), tokens + shape.before(), rows);
      float* y = args.y.data + entry * args.y.stride[0] + token * args.y.stride[1];
      withTaps(args.taps, [&](auto taps) {
        convolve<decltype(taps)::value>(rows, tokens, weight, bias, shape.padded, y, args.y.stride[1],
                                        shape.C);
      });
    }
  });
  if (!args.stateOut) return;
  for (int64_t entry = 0; entry < args.B; entry++) {
    const ConvRows rows(args.x, args.stateIn, none, shape, entry);
    float* to = args.stateOut + entry * shape.before() * shape.C;
    for (int64_t i = 0; i < shape.before(); i++) {
      writeRows(rows.at(shape.T - shape.before() + i), 0, 1, shape.C, 1, to + i * shape.C, 0);
    }
  }
}

}  // namespace CROSSOVER_ARCH
}  // namespace crossover
