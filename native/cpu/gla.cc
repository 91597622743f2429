// Gated linear attention, forward, in chunks: S <- diag(exp(logw)) S + k^T v, then y = scale q S.
//
// One piece of work is one (batch, head) with decays per channel, and a few heads that share a key head with
// one decay per head; tokens go in order. `saved` holds S at the start of every chunk.
#include "gla_chunk.h"

namespace crossover {
namespace CROSSOVER_ARCH {
namespace {

struct ChannelScratch {
  GlaPiece piece;
  float *state, *y;
  ChannelScratch(Carver carver, const GlaArgs& a, int64_t* floats) {
    piece.lay(carver, a);
    state = carver.take(piece.n * piece.wide);
    y = carver.take(kGlaPiece * piece.wide);
    if (floats) *floats = carver.used;
  }
};

void runChannels(const Context& context, const GlaArgs& args, const GlaUnit& unit, ChannelScratch& s) {
  GlaPiece& piece = s.piece;
  int64_t n = args.N, p = args.P, wide = piece.wide, head = unit.batch * args.H + unit.first;
  HeadRows q(args.q, unit.batch, unit.group), k(args.k, unit.batch, unit.group);
  HeadRows v(args.v, unit.batch, unit.first), logw(args.logw, unit.batch, unit.first);
  HeadRows y(args.y, unit.batch, unit.first);
  readGlaState(args.stateIn ? args.stateIn + head * n * p : nullptr, n, p, wide, s.state);
  for (int64_t chunk = 0; chunk < chunksOf(args) && !context.stopped(); chunk++) {
    if (args.saved)
      writeRows(s.state, wide, n, p, 1, args.saved + (head * chunksOf(args) + chunk) * n * p, p);
    int64_t end = least(args.T, (chunk + 1) * kGlaChunk);
    for (int64_t token = chunk * kGlaChunk; token < end; token += piece.q) {
      piece.readKeys(k, v, logw, token, end);
      piece.readQueries(q, token);
      product<false>(piece.q, wide, n, piece.rState, piece.size, s.state, wide, s.y, wide, false);
      product<false>(piece.q, wide, piece.q, piece.pairs, kGlaPiece, piece.v, wide, s.y, wide, true,
                     kLowerRows);
      writeRows(s.y, wide, piece.q, p, 1, y.at(token), y.stride);
      piece.advance(s.state);
    }
  }
  if (args.stateOut) writeRows(s.state, wide, n, p, 1, args.stateOut + head * n * p, p);
}

struct HeadScratch {
  GlaShared shared;
  GlaDecay decay;
  float *states, *v, *y, *pairs;  // `states`: one for each head of the unit
  HeadScratch(Carver carver, const GlaArgs& a, int64_t* floats) {
    shared.lay(carver, a);
    decay.lay(carver);
    states = carver.take(kGlaHeads * shared.n * shared.wide);
    for (float** block : {&v, &y}) *block = carver.take(kGlaChunk * shared.wide);
    pairs = carver.take(kGlaChunk * kGlaChunk);
    if (floats) *floats = carver.used;
  }
};

void runHeads(const Context& context, const GlaArgs& args, const GlaUnit& unit, HeadScratch& s) {
  GlaShared& shared = s.shared;
  int64_t n = args.N, p = args.P, size = shared.size, wide = shared.wide, matrix = n * wide;
  HeadRows q(args.q, unit.batch, unit.group), k(args.k, unit.batch, unit.group);
  for (int64_t h = unit.first; h < unit.last; h++) {
    const float* given = args.stateIn ? args.stateIn + (unit.batch * args.H + h) * n * p : nullptr;
    readGlaState(given, n, p, wide, s.states + (h - unit.first) * matrix);
  }
  for (int64_t chunk = 0; chunk < chunksOf(args) && !context.stopped(); chunk++) {
    int64_t token = chunk * kGlaChunk, end = least(args.T, token + kGlaChunk), count = end - token;
    shared.read(q, k, token, end);
    for (int64_t h = unit.first; h < unit.last; h++) {
      HeadRows v(args.v, unit.batch, h), y(args.y, unit.batch, h);
      float* state = s.states + (h - unit.first) * matrix;
      int64_t place = (unit.batch * args.H + h) * chunksOf(args) + chunk;
      if (args.saved) writeRows(state, wide, n, p, 1, args.saved + place * n * p, p);
      s.decay.read(HeadRows(args.logw, unit.batch, h), token, count);
      copyRows(v.at(token), v.stride, count, p, s.v, wide);
      shared.pairs(s.decay, s.pairs);
      product<false>(count, wide, n, shared.r, size, state, wide, s.y, wide, false);
      scaledRows(s.y, count, wide, s.decay.now, s.y);
      product<false>(count, wide, count, s.pairs, kGlaChunk, s.v, wide, s.y, wide, true, kLowerRows);
      writeRows(s.y, wide, count, p, 1, y.at(token), y.stride);
      scaledRows(s.v, count, wide, s.decay.toEnd, s.v);
      Floats whole = splat(s.decay.whole);
      for (int64_t i = 0; i < matrix; i += kLanes) store(state + i, load(state + i) * whole);
      product<true>(n, wide, count, shared.k, size, s.v, wide, state, wide, true);
    }
  }
  for (int64_t h = unit.first; h < unit.last && args.stateOut; h++) {
    float* to = args.stateOut + (unit.batch * args.H + h) * n * p;
    writeRows(s.states + (h - unit.first) * matrix, wide, n, p, 1, to, p);
  }
}

template <class Scratch, class Run>
void runUnits(const Context& context, const GlaArgs& args, Run run) {
  int64_t floats = 0;
  Scratch(Carver{nullptr}, args, &floats);
  float* memory = reinterpret_cast<float*>(context.scratch(static_cast<std::size_t>(floats) * sizeof(float)));
  GlaUnits units(args);
  parallelFor(context, units.count(), 1, [&](int64_t begin, int64_t end, int thread) {
    Scratch scratch(Carver{memory + thread * floats}, args, nullptr);
    for (int64_t i = begin; i < end; i++) run(context, args, units.at(i), scratch);
  });
}

}  // namespace

/// Any log decay <= 0 is exact to rounding; NaN spreads as in the recurrence.
void gla(const Context& context, const GlaArgs& args) {
  if (args.perHead) {
    runUnits<HeadScratch>(context, args, runHeads);
  } else {
    runUnits<ChannelScratch>(context, args, runChannels);
  }
}

}  // namespace CROSSOVER_ARCH
}  // namespace crossover
