// Mamba's selective scan, backward: chunks from the last to the first, each recomputed from its saved state.
//
// With g = dh, from the last token to the first:
//   g += dy_t C_t,  dC_t = sum over channels of dy_t h_t,  dB_t = sum over channels of g dt_t x_t,
//   d(dt_t x_t) = sum over n of g B_t,  d(dt_t A) = g exp(dt_t A) h_{t-1},  g <- exp(dt_t A) g
// All outputs are assigned. dA is summed over the batch, dB and dC over the channels, in fixed orders
// whatever the number of threads: channels are dealt into at most kParts parts, each with sums of its own.
#include "selective_scan_block.h"

namespace crossover {
namespace CROSSOVER_ARCH {
namespace {

constexpr int64_t kParts = 8;

struct Scratch {
  ScanBlock block;
  float *dy, *dt, *dtx;  // [q, kChannels]: dy, and gradients of dt (by the decay alone) and of dt x
  float *dstate, *da;    // [N, kChannels]
  float *db, *dc;        // [N, kWkvChunk]
  Scratch(Carver carver, const SelectiveScanArgs& a, int64_t* floats) {
    block.lay(carver, a.N);
    for (float** rows : {&dy, &dt, &dtx}) *rows = carver.take(kWkvChunk * kChannels);
    for (float** state : {&dstate, &da}) *state = carver.take(a.N * kChannels);
    for (float** sums : {&db, &dc}) *sums = carver.take(a.N * kWkvChunk);
    if (floats) *floats = carver.used;
  }
};

/// Sums of the lanes of kWkvChunk vectors.
CROSSOVER_INLINE void sumRows(const Floats* from, float* to) {
  for (int64_t first = 0; first < kWkvChunk; first += kLanes) {
    Floats rows[kLanes], sum{};
#pragma GCC unroll 16
    for (int i = 0; i < kLanes; i++) rows[i] = from[first + i];
    transposeBlock(rows);
#pragma GCC unroll 16
    for (int i = 0; i < kLanes; i++) sum += rows[i];
    store(to + first, sum);
  }
}

/// All of a chunk for one n.
void differentiate(Scratch& s, int64_t i, int64_t q, int64_t width) {
  ScanBlock& block = s.block;
  const float *bs = block.bAcross + i * kWkvChunk, *cs = block.cAcross + i * kWkvChunk;
  Floats db[kWkvChunk] = {}, dc[kWkvChunk] = {};
  for (int64_t d = 0; d < width; d += kLanes) {
    const Floats power = load(block.power + i * kChannels + d);
    Floats before[kWkvChunk], decay[kWkvChunk];
    Floats h = load(block.state + i * kChannels + d);
    for (int64_t t = 0; t < q; t++) {
      const int64_t at = t * kChannels + d;
      before[t] = h;
      decay[t] = ScanBlock::decay(load(block.dt + at), power);
      h = decay[t] * h + load(block.dtx + at) * bs[t];
      dc[t] += load(s.dy + at) * h;
    }
    Floats g = load(s.dstate + i * kChannels + d), da{};
    for (int64_t t = q - 1; t >= 0; t--) {
      const int64_t at = t * kChannels + d;
      g += load(s.dy + at) * cs[t];
      db[t] += g * load(block.dtx + at);
      store(s.dtx + at, load(s.dtx + at) + g * bs[t]);
      g *= decay[t];
      Floats byExponent = g * before[t];
      store(s.dt + at, load(s.dt + at) + byExponent * power);
      da += byExponent * load(block.dt + at);
    }
    store(s.dstate + i * kChannels + d, g);
    store(s.da + i * kChannels + d, load(s.da + i * kChannels + d) + da);
  }
  sumRows(db, s.db + i * kWkvChunk);
  sumRows(dc, s.dc + i * kWkvChunk);
}

/// Adds [N, kWkvChunk] to rows of N floats.
void addAcross(const float* from, int64_t q, int64_t n, float* to, int64_t stride) {
  for (int64_t t = 0; t < q; t++) {
    for (int64_t i = 0; i < n; i++) to[t * stride + i] += from[i * kWkvChunk + t];
  }
}

}  // namespace

void selectiveScanGrad(const Context& context, const SelectiveScanArgs& args) {
  int64_t floats = 0, n = args.N, chunks = (args.T + kWkvChunk - 1) / kWkvChunk;
  const int64_t blocks = (args.D + kChannels - 1) / kChannels, padded = blocks * kChannels;
  const int64_t parts = least(kParts, blocks), tokens = args.B * args.T;
  Scratch(Carver{nullptr}, args, &floats);
  // Behind the threads' own memory: dA of every batch entry, and dB and dC of every part but the first.
  const int64_t shared = args.B * n * padded + 2 * (parts - 1) * tokens * n;
  const int64_t perThread = floats + (shared + context.threads - 1) / context.threads;
  float* memory =
      reinterpret_cast<float*>(context.scratch(static_cast<std::size_t>(perThread) * sizeof(float)));
  float* da = memory + context.threads * floats;
  float* sums = da + args.B * n * padded;

  parallelFor(context, args.B * parts, 1, [&](int64_t begin, int64_t end, int thread) {
    Scratch s(Carver{memory + thread * floats}, args, nullptr);
    ScanBlock& block = s.block;
    for (int64_t unit = begin; unit < end; unit++) {
      const int64_t batch = unit / parts, part = unit % parts;
      BlockRows b(args.b, batch, 0), c(args.c, batch, 0), db(args.db, batch, 0), dc(args.dc, batch, 0);
      if (part > 0) {
        db.data = sums + ((part - 1) * args.B + batch) * args.T * n, db.stride = n;
        dc.data = db.data + (parts - 1) * tokens * n, dc.stride = n;
      }
      for (int64_t t = 0; t < args.T; t++) zero(db.at(t), n), zero(dc.at(t), n);
      for (int64_t index = blocks * part / parts; index < blocks * (part + 1) / parts; index++) {
        const int64_t channel = index * kChannels, width = least(kChannels, args.D - channel);
        BlockRows x(args.x, batch, channel), dt(args.dt, batch, channel), dy(args.dy, batch, channel);
        BlockRows dx(args.dx, batch, channel), ddt(args.ddt, batch, channel);
        const int64_t place = (batch * args.D + channel) * n;
        block.readPower(args.a + channel * n, width);
        block.transposeInto(args.dstateOut ? args.dstateOut + place : nullptr, width, s.dstate);
        zero(s.da, n * kChannels);
        for (int64_t chunk = chunks - 1; chunk >= 0 && !context.stopped(); chunk--) {
          int64_t token = chunk * kWkvChunk, q = least(kWkvChunk, args.T - token);
          const float* saved = args.saved + (batch * chunks + chunk) * n * args.D + channel;
          copyRows(saved, args.D, n, width, block.state, kChannels);
          block.readChunk(dt, x, b, c, token, q, width);
          dy.read(token, q, width, kChannels, s.dy);
          zero(s.dt, q * kChannels), zero(s.dtx, q * kChannels);
          for (int64_t i = 0; i < n; i++) differentiate(s, i, q, width);
          addAcross(s.db, q, n, db.at(token), db.stride);
          addAcross(s.dc, q, n, dc.at(token), dc.stride);
          for (int64_t i = 0; i < q * kChannels; i += kLanes) {
            const Floats product = load(s.dtx + i);
            store(s.dt + i, load(s.dt + i) * kLn2 + product * load(block.x + i));
            store(s.dtx + i, product * load(block.dt + i));
          }
          ddt.write(s.dt, token, q, width, kChannels);
          dx.write(s.dtx, token, q, width, kChannels);
        }
        writeRows(s.da, kChannels, n, kChannels, 1, da + batch * n * padded + channel, padded);
        if (args.dstateIn) block.transposeBack(s.dstate, width, args.dstateIn + place);
      }
    }
  });
  parallelFor(context, args.D, 64, [&](int64_t begin, int64_t end, int) {
    for (int64_t d = begin; d < end; d++) {
      for (int64_t i = 0; i < n; i++) {
        float sum = 0;
        for (int64_t batch = 0; batch < args.B; batch++) sum += da[(batch * n + i) * padded + d];
        args.da[d * n + i] = sum;
      }
    }
  });
  if (parts == 1) return;
  parallelFor(context, tokens, 256, [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; row++) {
      BlockRows db(args.db, row / args.T, 0), dc(args.dc, row / args.T, 0);
      float *b = db.at(row % args.T), *c = dc.at(row % args.T);
      for (int64_t part = 1; part < parts; part++) {
        const float* from = sums + ((part - 1) * tokens + row) * n;
        for (int64_t i = 0; i < n; i++) b[i] += from[i], c[i] += from[(parts - 1) * tokens * n + i];
      }
    }
  });
}

}  // namespace CROSSOVER_ARCH
}  // namespace crossover
