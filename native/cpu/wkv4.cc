// RWKV-4's recurrence, forward. One piece of work is a block of channels of one batch entry; tokens go in
// order. `saved` holds the state (aa, bb, pp) at the start of every chunk.
#include "wkv4_block.h"

namespace crossover {
namespace CROSSOVER_ARCH {

void wkv4(const Context& context, const Wkv4Args& args) {
  struct Scratch {
    float *k, *v, *y, *state, *logw, *u;
    Scratch(Carver carver, int64_t* floats) {
      for (float** block : {&k, &v, &y}) *block = carver.take(kWkvChunk * kChannels);
      state = carver.take(3 * kChannels);
      for (float** block : {&logw, &u}) *block = carver.take(kChannels);
      if (floats) *floats = carver.used;
    }
  };
  int64_t floats = 0, chunks = (args.T + kWkvChunk - 1) / kWkvChunk;
  int64_t blocks = (args.C + kChannels - 1) / kChannels;
  Scratch(Carver{nullptr}, &floats);
  float* memory = reinterpret_cast<float*>(context.scratch(static_cast<std::size_t>(floats) * sizeof(float)));

  parallelFor(context, args.B * blocks, 1, [&](int64_t begin, int64_t end, int thread) {
    Scratch s(Carver{memory + thread * floats}, nullptr);
    for (int64_t unit = begin; unit < end; unit++) {
      int64_t batch = unit / blocks, channel = unit % blocks * kChannels;
      int64_t width = least(kChannels, args.C - channel);
      BlockRows k(args.k, batch, channel), v(args.v, batch, channel), y(args.y, batch, channel);
      copyRows(args.logw + channel, 0, 1, width, s.logw, kChannels);
      copyRows(args.u + channel, 0, 1, width, s.u, kChannels);
      const int64_t place = batch * 3 * args.C + channel;
      readState(args.stateIn ? args.stateIn + place : nullptr, args.C, width, s.state);
      for (int64_t chunk = 0; chunk < chunks && !context.stopped(); chunk++) {
        int64_t token = chunk * kWkvChunk, q = least(kWkvChunk, args.T - token);
        if (args.saved) {
          float* to = args.saved + (batch * chunks + chunk) * 3 * args.C + channel;
          writeRows(s.state, kChannels, 3, width, 1, to, args.C);
        }
        k.read(token, q, width, kChannels, s.k);
        v.read(token, q, width, kChannels, s.v);
        for (int64_t c = 0; c < width; c += kLanes) {
          Floats aa = load(s.state + c), bb = load(s.state + kChannels + c);
          Floats pp = load(s.state + 2 * kChannels + c);
          const Floats logw = load(s.logw + c), u = load(s.u + c);
          for (int64_t i = 0; i < q; i++) {
            Floats key = load(s.k + i * kChannels + c), value = load(s.v + i * kChannels + c);
            Weights now(pp, u + key), next(pp + logw, key);
            store(s.y + i * kChannels + c,
                  (now.first * aa + now.second * value) / (now.first * bb + now.second));
            aa = next.first * aa + next.second * value;
            bb = next.first * bb + next.second;
            pp = maximumOf(pp + logw, key);
          }
          store(s.state + c, aa), store(s.state + kChannels + c, bb), store(s.state + 2 * kChannels + c, pp);
        }
        y.write(s.y, token, q, width, kChannels);
      }
      if (args.stateOut) writeRows(s.state, kChannels, 3, width, 1, args.stateOut + place, args.C);
    }
  });
}

}  // namespace CROSSOVER_ARCH
}  // namespace crossover
