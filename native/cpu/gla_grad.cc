// Gated linear attention, backward: chunks from the last to the first, each recomputed from its saved state.
//
// With G = dM at the end of a stretch and the names of gla_chunk.h:
//   dA = dY V^T on and below the diagonal,  dV = A^T dY + (k e^(c_q - c)) G
//   d(q e^c) = dY M^T,  d(k e^(c_q - c)) = V G^T,  dM <- diag(e^(c_q)) G + (q e^c)^T dY
// and the log decays collect every factor times its gradient. All outputs are assigned. Heads that share keys
// add their gradients in a fixed order, whatever the number of threads.
#include "gla_chunk.h"

namespace crossover {
namespace CROSSOVER_ARCH {
namespace {

/// Gradients of one unit's keys: of all its heads, in the output or in a share that is summed at the end.
struct KeyRows {
  float *dq, *dk;
  int64_t qStride, kStride;
};

struct ChannelScratch {
  GlaPiece piece;
  float* states;                     // the state at the start of every piece of a chunk
  float *dstate, *across, *dacross;  // G, M^T, G^T
  float *dy, *dv;                    // [q, wide]
  float *dr, *dk, *drPair, *dkPair;  // [q, size]
  float *reads, *writes;             // [q, size], by differentiateRows
  float *vAcross, *dpairs, *kept;
  int64_t matrix;

  ChannelScratch(Carver carver, const GlaArgs& a, int64_t* floats) {
    piece.lay(carver, a);
    matrix = piece.n * piece.wide;
    states = carver.take(kGlaChunk / 2 * matrix);  // a piece has two tokens or more, but for the last
    dstate = carver.take(matrix);
    for (float** block : {&across, &dacross}) *block = carver.take(piece.p * piece.size);
    for (float** block : {&dy, &dv}) *block = carver.take(kGlaPiece * piece.wide);
    for (float** block : {&dr, &dk, &drPair, &dkPair, &reads, &writes}) {
      *block = carver.take(kGlaPiece * piece.size);
    }
    vAcross = carver.take(piece.wide * kGlaPiece);
    dpairs = carver.take(kGlaPiece * kGlaPiece);
    kept = carver.take(piece.size);
    if (floats) *floats = carver.used;
  }
};

struct ChannelRows {
  HeadRows q, k, v, logw, dy, dv, dlogw;
  ChannelRows(const GlaArgs& a, const GlaUnit& unit)
      : q(a.q, unit.batch, unit.group),
        k(a.k, unit.batch, unit.group),
        v(a.v, unit.batch, unit.first),
        logw(a.logw, unit.batch, unit.first),
        dy(a.dy, unit.batch, unit.first),
        dv(a.dv, unit.batch, unit.first),
        dlogw(a.dlogw, unit.batch, unit.first) {}
};

void differentiateProducts(ChannelScratch& s, const float* state) {
  const GlaPiece& x = s.piece;
  int64_t q = x.q, n = x.n, size = x.size, p = x.p, wide = x.wide;
  transpose(state, wide, n, p, 1, s.across, size);
  transpose(s.dstate, wide, n, p, 1, s.dacross, size);
  transpose(x.v, wide, q, p, 1, s.vAcross, kGlaPiece);
  product<false>(q, wide, n, x.kState, size, s.dstate, wide, s.dv, wide, false);
  product<true>(q, wide, q, x.pairs, kGlaPiece, s.dy, wide, s.dv, wide, true, kLowerColumns);
  product<false>(q, size, p, s.dy, wide, s.across, size, s.dr, size, false);
  product<false>(q, size, p, x.v, wide, s.dacross, size, s.dk, size, false);
  decayOfKept(s.across, s.dacross, x.decay.whole(q), p, size, s.kept);
  scaleRows(s.dstate, n, wide, x.decay.whole(q));
  product<true>(n, wide, q, x.rState, size, s.dy, wide, s.dstate, wide, true);
  lowerProduct(q, p, s.dy, wide, s.vAcross, kGlaPiece, s.dpairs);
  keepStrictlyLower(s.dpairs, kGlaPiece, q);
  product<false>(q, size, q, s.dpairs, kGlaPiece, x.kPair, size, s.drPair, size, false, kLowerRows);
  product<true>(q, size, q, s.dpairs, kGlaPiece, x.rPair, size, s.dkPair, size, false, kLowerColumns);
}

/// Undoes the scaling: gradients of q and k, in dr and dk; what reads of the state and writes to it give
/// their log decays, in `reads` and `writes`.
void differentiateRows(ChannelScratch& s) {
  const GlaPiece& x = s.piece;
  int64_t size = x.size;
  const PieceDecay& d = x.decay;
  for (int64_t i = 0; i < x.q; i++) {
    Floats byV = splat(dotRows(s.dy + i * x.wide, x.v + i * x.wide, x.wide));
    for (int64_t c = 0; c < size; c += kLanes) {
      int64_t at = i * size + c;
      Floats r = load(x.r + at), k = load(x.k + at);
      Floats fromState = load(s.dr + at) * load(d.now() + at), toState = load(s.dk + at) * load(d.toEnd + at);
      store(s.reads + at, r * fromState);
      store(s.writes + at, k * toState);
      // The diagonal, which no decay touches, comes last.
      store(s.dr + at, fromState + load(s.drPair + at) * load(d.reachNow() + at) + byV * k);
      store(s.dk + at, toState + load(s.dkPair + at) * load(d.origin + at) + byV * r);
    }
  }
}

/// Gradients of log decays, without differences of what should cancel, in place of `reads`:
/// dlog_t = kept + sum over i >= t of reads_i + sum over j < t of writes_j
///        + sum over j < t <= i of dA_ij r_i k_j e^(c_i - c_j).
void differentiateDecays(ChannelScratch& s) {
  const GlaPiece& x = s.piece;
  int64_t size = x.size, q = x.q;
  for (int64_t c = 0; c < size; c += kLanes) {
    Floats later{}, earlier = load(s.kept + c);
    for (int64_t t = q - 1; t >= 0; t--) {
      later += load(s.reads + t * size + c);
      store(s.reads + t * size + c, later);
    }
    Floats sums[kGlaPiece] = {};  // of token i: dA_ij k_j e^(m - c_j) over j < t
    for (int64_t t = 0; t < q; t++) {
      Floats crossing{}, key = load(x.kPair + t * size + c);
      for (int64_t i = t; i < q; i++) {
        crossing += load(x.rPair + i * size + c) * sums[i];
        sums[i] += splat(s.dpairs[i * kGlaPiece + t]) * key;  // 0 for i = t
      }
      store(s.reads + t * size + c, load(s.reads + t * size + c) + earlier + crossing);
      earlier += load(s.writes + t * size + c);
    }
  }
}

void differentiatePiece(ChannelScratch& s, const ChannelRows& rows, const KeyRows& to, int64_t token,
                        int64_t end, const float* state) {
  GlaPiece& x = s.piece;
  x.readKeys(rows.k, rows.v, rows.logw, token, end);
  x.readQueries(rows.q, token);
  if (rows.dy.data) {
    copyRows(rows.dy.at(token), rows.dy.stride, x.q, x.p, s.dy, x.wide);
  } else {
    zero(s.dy, x.q * x.wide);
  }
  differentiateProducts(s, state);
  differentiateRows(s);
  if (rows.dlogw.data) differentiateDecays(s);
  writeRows(s.dr, x.size, x.q, x.n, x.scale, to.dq + token * to.qStride, to.qStride);
  writeRows(s.dk, x.size, x.q, x.n, 1, to.dk + token * to.kStride, to.kStride);
  writeRows(s.dv, x.wide, x.q, x.p, 1, rows.dv.at(token), rows.dv.stride);
  if (rows.dlogw.data) writeRows(s.reads, x.size, x.q, x.n, 1, rows.dlogw.at(token), rows.dlogw.stride);
}

/// All pieces of a chunk, the last first.
void differentiateChunk(ChannelScratch& s, const ChannelRows& rows, const KeyRows& to, int64_t token,
                        int64_t end) {
  GlaPiece& x = s.piece;
  int64_t starts[kGlaChunk / 2], pieces = 0;
  for (;;) {
    starts[pieces] = token;
    int64_t q = x.measure(rows.logw, token, end);
    if (token + q >= end) break;
    x.readKeys(rows.k, rows.v, rows.logw, token, end);
    float* next = s.states + (pieces + 1) * s.matrix;
    for (int64_t i = 0; i < s.matrix; i++) next[i] = s.states[pieces * s.matrix + i];
    x.advance(next);
    token += q;
    pieces++;
  }
  for (; pieces >= 0; pieces--) {
    differentiatePiece(s, rows, to, starts[pieces], end, s.states + pieces * s.matrix);
    end = starts[pieces];
  }
}

void runChannels(const Context& context, const GlaArgs& args, const GlaUnit& unit, const KeyRows& to,
                 ChannelScratch& s) {
  int64_t n = args.N, p = args.P, wide = s.piece.wide, head = unit.batch * args.H + unit.first;
  int64_t chunks = chunksOf(args);
  ChannelRows rows(args, unit);
  readGlaState(args.dstateOut ? args.dstateOut + head * n * p : nullptr, n, p, wide, s.dstate);
  for (int64_t chunk = chunks - 1; chunk >= 0 && !context.stopped(); chunk--) {
    readGlaState(args.saved + (head * chunks + chunk) * n * p, n, p, wide, s.states);
    differentiateChunk(s, rows, to, chunk * kGlaChunk, least(args.T, (chunk + 1) * kGlaChunk));
  }
  if (args.dstateIn) writeRows(s.dstate, wide, n, p, 1, args.dstateIn + head * n * p, p);
}

struct HeadScratch {
  GlaShared shared;
  GlaDecay decay;
  float *states, *dstates;   // M, and G of each head of the unit
  float *across, *dacross;   // [P, size]: M^T, G^T
  float *v, *dy, *dv;        // [q, wide]
  float *dq, *dk, *dqState;  // [q, size]
  float *vAcross, *pairs, *dpairs, *draw;
  float *reads, *writes, *sums, *dlog;  // [q]

  HeadScratch(Carver carver, const GlaArgs& a, int64_t* floats) {
    shared.lay(carver, a);
    decay.lay(carver);
    states = carver.take(shared.n * shared.wide);
    dstates = carver.take(kGlaHeads * shared.n * shared.wide);
    for (float** block : {&across, &dacross}) *block = carver.take(shared.p * shared.size);
    for (float** block : {&v, &dy, &dv}) *block = carver.take(kGlaChunk * shared.wide);
    for (float** block : {&dq, &dk, &dqState}) *block = carver.take(kGlaChunk * shared.size);
    vAcross = carver.take(shared.wide * kGlaChunk);
    for (float** block : {&pairs, &dpairs, &draw}) *block = carver.take(kGlaChunk * kGlaChunk);
    for (float** row : {&reads, &writes, &sums, &dlog}) *row = carver.take(kGlaChunk);
    if (floats) *floats = carver.used;
  }
};

/// Gradients of log decays, without differences of what should cancel. `pairs` holds dA A transposed, zero
/// but for i > j: dlog_t = kept + sum over i >= t of reads_i + sum over j < t of writes_j + sum over j < t <=
/// i of (dA A)_ij.
void differentiateDecay(HeadScratch& s, float kept, int64_t q) {
  float later = 0, earlier = 0;
  for (int64_t t = q - 1; t >= 0; t--) s.dlog[t] = later += s.reads[t];
  zero(s.sums, kGlaChunk);  // of token i: over the pairs with j < t, and 0 for i < t
  for (int64_t t = 0; t < q; t++) {
    Floats crossing{};
    for (int64_t i = 0; i < kGlaChunk; i += kLanes) {
      Floats sum = load(s.sums + i);
      crossing += sum;
      store(s.sums + i, sum + load(s.pairs + t * kGlaChunk + i));
    }
    s.dlog[t] += kept + earlier + sumLanes(crossing);
    earlier += s.writes[t];
    s.sums[t] = 0;
  }
}

void differentiateHead(HeadScratch& s, const GlaArgs& args, int64_t batch, int64_t head, int64_t token,
                       int64_t q, float* dstate) {
  const GlaShared& x = s.shared;
  int64_t n = x.n, size = x.size, p = x.p, wide = x.wide;
  HeadRows v(args.v, batch, head), dy(args.dy, batch, head), dv(args.dv, batch, head);
  HeadRows dlogw(args.dlogw, batch, head);
  const GlaDecay& d = s.decay;
  s.decay.read(HeadRows(args.logw, batch, head), token, q);
  copyRows(v.at(token), v.stride, q, p, s.v, wide);
  if (dy.data) {
    copyRows(dy.at(token), dy.stride, q, p, s.dy, wide);
  } else {
    zero(s.dy, q * wide);
  }
  // Pairs of tokens.
  x.pairs(d, s.pairs);
  transpose(s.v, wide, q, p, 1, s.vAcross, kGlaChunk);
  lowerProduct(q, p, s.dy, wide, s.vAcross, kGlaChunk, s.dpairs);
  GlaShared::lowerTimes(s.dpairs, d.between, q, s.dpairs);
  for (int64_t i = 0; i < q; i++) {
    for (int64_t j = i * kGlaChunk; j < i * kGlaChunk + roundUp(i + 1, kLanes); j += kLanes) {
      store(s.draw + j, load(s.draw + j) + load(s.dpairs + j));
    }
  }
  // What the state hands in and takes out. v and dy are scaled in place once their own gradients are made.
  product<false>(q, wide, n, x.k, size, dstate, wide, s.dv, wide, false);
  scaledRows(s.dv, q, wide, d.toEnd, s.dv);
  for (int64_t i = 0; i < q; i++) s.writes[i] = dotRows(s.v + i * wide, s.dv + i * wide, wide);
  product<true>(q, wide, q, s.pairs, kGlaChunk, s.dy, wide, s.dv, wide, true, kLowerColumns);
  writeRows(s.dv, wide, q, p, 1, dv.at(token), dv.stride);
  scaledRows(s.dy, q, wide, d.now, s.dy);
  scaledRows(s.v, q, wide, d.toEnd, s.v);
  transpose(s.states, wide, n, p, 1, s.across, size);
  transpose(dstate, wide, n, p, 1, s.dacross, size);
  product<false>(q, size, p, s.dy, wide, s.across, size, s.dqState, size, false);
  for (int64_t i = 0; i < q; i++) s.reads[i] = dotRows(x.r + i * size, s.dqState + i * size, size);
  for (int64_t i = 0; i < q * size; i += kLanes) store(s.dq + i, load(s.dq + i) + load(s.dqState + i));
  product<false>(q, size, p, s.v, wide, s.dacross, size, s.dk, size, true);
  float kept = d.whole * dotRows(s.states, dstate, n * wide);
  Floats whole = splat(d.whole);
  for (int64_t i = 0; i < n * wide; i += kLanes) store(dstate + i, load(dstate + i) * whole);
  product<true>(n, wide, q, x.r, size, s.dy, wide, dstate, wide, true);
  if (!dlogw.data) return;
  GlaShared::lowerTimes(x.raw, s.dpairs, q, s.dpairs);  // dA A = (dA e) raw
  keepStrictlyLower(s.dpairs, kGlaChunk, q);
  zero(s.pairs, kGlaChunk * kGlaChunk);
  transpose(s.dpairs, kGlaChunk, q, q, 1, s.pairs, kGlaChunk);
  differentiateDecay(s, kept, q);
  for (int64_t i = 0; i < q; i++) *dlogw.at(token + i) = s.dlog[i];
}

void runHeads(const Context& context, const GlaArgs& args, const GlaUnit& unit, const KeyRows& to,
              HeadScratch& s) {
  GlaShared& x = s.shared;
  int64_t n = args.N, p = args.P, size = x.size, wide = x.wide, matrix = n * wide;
  int64_t chunks = chunksOf(args), first = unit.batch * args.H;
  HeadRows q(args.q, unit.batch, unit.group), k(args.k, unit.batch, unit.group);
  for (int64_t h = unit.first; h < unit.last; h++) {
    const float* given = args.dstateOut ? args.dstateOut + (first + h) * n * p : nullptr;
    readGlaState(given, n, p, wide, s.dstates + (h - unit.first) * matrix);
  }
  for (int64_t chunk = chunks - 1; chunk >= 0 && !context.stopped(); chunk--) {
    int64_t token = chunk * kGlaChunk, end = least(args.T, token + kGlaChunk), count = end - token;
    x.read(q, k, token, end);
    zero(s.dq, count * size), zero(s.dk, count * size), zero(s.draw, kGlaChunk * kGlaChunk);
    for (int64_t h = unit.first; h < unit.last; h++) {
      readGlaState(args.saved + ((first + h) * chunks + chunk) * n * p, n, p, wide, s.states);
      differentiateHead(s, args, unit.batch, h, token, count, s.dstates + (h - unit.first) * matrix);
    }
    product<false>(count, size, count, s.draw, kGlaChunk, x.k, size, s.dq, size, true, kLowerRows);
    product<true>(count, size, count, s.draw, kGlaChunk, x.r, size, s.dk, size, true, kLowerColumns);
    writeRows(s.dq, size, count, n, x.scale, to.dq + token * to.qStride, to.qStride);
    writeRows(s.dk, size, count, n, 1, to.dk + token * to.kStride, to.kStride);
  }
  for (int64_t h = unit.first; h < unit.last && args.dstateIn; h++) {
    writeRows(s.dstates + (h - unit.first) * matrix, wide, n, p, 1, args.dstateIn + (first + h) * n * p, p);
  }
}

/// to [B, T, G, N] = sum over parts of the shares [part, B, T, G, N].
void sumShares(const Context& context, const GlaArgs& args, int64_t parts, const float* shares,
               const Rows4& to) {
  int64_t rows = args.B * args.T * args.G, n = args.N;
  parallelFor(context, rows, 256, [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; row++) {
      int64_t group = row % args.G, token = row / args.G % args.T, batch = row / args.G / args.T;
      float* out = HeadRows(to, batch, group).at(token);
      for (int64_t i = 0; i < n; i++) {
        float sum = 0;
        for (int64_t part = 0; part < parts; part++) sum += shares[(part * rows + row) * n + i];
        out[i] = sum;
      }
    }
  });
}

template <class Scratch, class Run>
void runUnits(const Context& context, const GlaArgs& args, Run run) {
  int64_t floats = 0;
  Scratch(Carver{nullptr}, args, &floats);
  GlaUnits units(args);
  std::size_t own = static_cast<std::size_t>(floats) * sizeof(float);
  int64_t all = args.B * args.T * args.G * args.N;  // gradients of one share
  std::size_t shares = units.parts > 1 ? static_cast<std::size_t>(2 * units.parts * all) * sizeof(float) : 0;
  std::size_t threads = static_cast<std::size_t>(context.threads);
  float* memory = reinterpret_cast<float*>(context.scratch(own + (shares + threads - 1) / threads));
  float* dq = memory + context.threads * floats;
  float* dk = dq + units.parts * all;

  parallelFor(context, units.count(), 1, [&](int64_t begin, int64_t end, int thread) {
    Scratch scratch(Carver{memory + thread * floats}, args, nullptr);
    for (int64_t i = begin; i < end; i++) {
      GlaUnit unit = units.at(i);
      HeadRows q(args.dq, unit.batch, unit.group), k(args.dk, unit.batch, unit.group);
      KeyRows to{q.data, k.data, q.stride, k.stride};
      if (units.parts > 1) {
        int64_t start = unit.part * all + (unit.batch * args.T * args.G + unit.group) * args.N;
        to = {dq + start, dk + start, args.G * args.N, args.G * args.N};
      }
      run(context, args, unit, to, scratch);
    }
  });
  if (units.parts <= 1 || context.stopped()) return;
  sumShares(context, args, units.parts, dq, args.dq);
  sumShares(context, args, units.parts, dk, args.dk);
}

}  // namespace

void glaGrad(const Context& context, const GlaArgs& args) {
  if (args.perHead) {
    runUnits<HeadScratch>(context, args, runHeads);
  } else {
    runUnits<ChannelScratch>(context, args, runChannels);
  }
}

}  // namespace CROSSOVER_ARCH
}  // namespace crossover
