// Mamba's selective scan, forward. One piece of work is a block of channels of one batch entry; tokens go in
// order. `saved` holds h as [N, D] at the start of every chunk.
#include "selective_scan_block.h"

namespace crossover {
namespace CROSSOVER_ARCH {

void selectiveScan(const Context& context, const SelectiveScanArgs& args) {
  struct Scratch {
    ScanBlock block;
    float* y;
    Scratch(Carver carver, const SelectiveScanArgs& a, int64_t* floats) {
      block.lay(carver, a.N);
      y = carver.take(kWkvChunk * kChannels);
      if (floats) *floats = carver.used;
    }
  };
  int64_t floats = 0, n = args.N, chunks = (args.T + kWkvChunk - 1) / kWkvChunk;
  int64_t blocks = (args.D + kChannels - 1) / kChannels;
  Scratch(Carver{nullptr}, args, &floats);
  float* memory = reinterpret_cast<float*>(context.scratch(static_cast<std::size_t>(floats) * sizeof(float)));

  parallelFor(context, args.B * blocks, 1, [&](int64_t begin, int64_t end, int thread) {
    Scratch s(Carver{memory + thread * floats}, args, nullptr);
    ScanBlock& block = s.block;
    for (int64_t unit = begin; unit < end; unit++) {
      int64_t batch = unit / blocks, channel = unit % blocks * kChannels;
      int64_t width = least(kChannels, args.D - channel);
      BlockRows x(args.x, batch, channel), dt(args.dt, batch, channel), y(args.y, batch, channel);
      BlockRows b(args.b, batch, 0), c(args.c, batch, 0);
      const int64_t place = (batch * args.D + channel) * n;
      block.readPower(args.a + channel * n, width);
      block.transposeInto(args.stateIn ? args.stateIn + place : nullptr, width, block.state);
      for (int64_t chunk = 0; chunk < chunks && !context.stopped(); chunk++) {
        int64_t token = chunk * kWkvChunk, q = least(kWkvChunk, args.T - token);
        if (args.saved) {
          float* to = args.saved + (batch * chunks + chunk) * n * args.D + channel;
          writeRows(block.state, kChannels, n, width, 1, to, args.D);
        }
        block.readChunk(dt, x, b, c, token, q, width);
        zero(s.y, q * kChannels);
        for (int64_t i = 0; i < n; i++) {
          const float *bs = block.bAcross + i * kWkvChunk, *cs = block.cAcross + i * kWkvChunk;
          for (int64_t d = 0; d < width; d += kLanes) {
            const Floats power = load(block.power + i * kChannels + d);
            Floats h = load(block.state + i * kChannels + d);
            for (int64_t t = 0; t < q; t++) {
              const int64_t at = t * kChannels + d;
              h = ScanBlock::decay(load(block.dt + at), power) * h + load(block.dtx + at) * bs[t];
              store(s.y + at, load(s.y + at) + h * cs[t]);
            }
            store(block.state + i * kChannels + d, h);
          }
        }
        y.write(s.y, token, q, width, kChannels);
      }
      if (args.stateOut) block.transposeBack(block.state, width, args.stateOut + place);
    }
  });
}

}  // namespace CROSSOVER_ARCH
}  // namespace crossover
