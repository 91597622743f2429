// RWKV-7's recurrence, backward: chunks from the last to the first, each recomputed from its saved state.
//
// With G = dM at the end of a piece and the names of wkv7_chunk.h:
//   dU = B'' G + RB^T dY,  dW = (I - AB)^-T dU,  dV = K'' G + RK^T dY + AK^T dW
//   dA' = dW M^T, dR' = dY M^T, dB'' = U G^T, dK'' = V G^T, d(pairs) = (dW, dY) (U, V)^T on and below the
//   diagonal dM <- diag(e^(c_q)) G + A'^T dW + R'^T dY
// The log decay of token t collects what of every factor crosses t, as sums of what does not cancel, so that
// it is exact where everything is forgotten:
//   kept + reads of the state after t + writes to it before t + pairs of tokens on both sides of t
// All outputs are assigned.
#include "wkv7_chunk.h"

namespace crossover {
namespace CROSSOVER_ARCH {
namespace {

struct Scratch {
  Wkv7Piece piece;
  float* states;           // the state at the start of every piece of a chunk
  float *dstate, *across;  // G, and M^T
  float* dacross;          // G^T
  float *dwy, *dv;         // [2q, wide] (dW, dY), [q, wide]
  float *uvAcross, *dpairs;
  float *darState, *dbkState, *dbkPair;  // [2q, P]
  float *dlog, *kept;
  int64_t matrix;

  Scratch(Carver carver, const Wkv7Args& a, int64_t* floats) {
    piece.lay(carver, a.N, a.P);
    const int64_t size = piece.size, wide = piece.wide;
    matrix = size * wide;
    states = carver.take(kMaxPiece * matrix);
    for (float** block : {&dstate, &across, &dacross}) *block = carver.take(matrix);
    for (float** block : {&darState, &dbkState, &dbkPair}) {
      *block = carver.take(2 * kMaxPiece * size);
    }
    dwy = carver.take(2 * kMaxPiece * wide);
    dv = carver.take(kMaxPiece * wide);
    dlog = carver.take(kMaxPiece * size);
    uvAcross = carver.take(wide * kPairPitch);
    dpairs = carver.take(kPairPitch * kPairPitch);
    kept = carver.take(size);
    if (floats) *floats = carver.used;
  }
};

struct Gradients {
  HeadRows dy, dr, dlog, dk, dv, da, db;
  Gradients(const Wkv7Args& x, int64_t batch, int64_t head)
      : dy(x.dy, batch, head),
        dr(x.dr, batch, head),
        dlog(x.dlogw, batch, head),
        dk(x.dk, batch, head),
        dv(x.dv, batch, head),
        da(x.da, batch, head),
        db(x.db, batch, head) {}
};

/// dW from dU, in place: backward substitution with AB^T in blocks of 4 rows.
void solveTransposed(const float* pairs, int64_t q, int64_t wide, float* dw) {
  for (int64_t first = (q - 1) / 4 * 4; first >= 0; first -= 4) {
    int64_t rows = least<int64_t>(4, q - first), after = first + rows;
    if (after < q) {
      product<true>(rows, wide, q - after, pairs + after * kPairPitch + first, kPairPitch, dw + after * wide,
                    wide, dw + first * wide, wide, true);
    }
    for (int64_t i = rows - 2; i >= 0; i--) {
      const float* column = pairs + (first + i + 1) * kPairPitch + first + i;
      product<true>(1, wide, rows - 1 - i, column, kPairPitch, dw + (first + i + 1) * wide, wide,
                    dw + (first + i) * wide, wide, true);
    }
  }
}

/// Gradients of the state products and of the pairs; G^T and M^T are made here.
void differentiateProducts(Scratch& s, const float* state) {
  const Wkv7Piece& x = s.piece;
  const int64_t q = x.q, n = x.n, size = x.size, p = x.p, wide = x.wide;
  const float *rPairs = x.pairs + q * kPairPitch, *dy = s.dwy + q * wide;
  transpose(state, wide, n, p, 1, s.across, size);
  transpose(s.dstate, wide, n, p, 1, s.dacross, size);
  product<false>(q, wide, n, x.bkState, size, s.dstate, wide, s.dwy, wide, false);
  product<true>(q, wide, q, rPairs, kPairPitch, dy, wide, s.dwy, wide, true);
  solveTransposed(x.pairs, q, wide, s.dwy);
  product<false>(q, wide, n, x.bkState + q * size, size, s.dstate, wide, s.dv, wide, false);
  product<true>(q, wide, q, rPairs + q, kPairPitch, dy, wide, s.dv, wide, true);
  product<true>(q, wide, q, x.pairs + q, kPairPitch, s.dwy, wide, s.dv, wide, true);
  product<false>(2 * q, size, p, s.dwy, wide, s.across, size, s.darState, size, false);
  product<false>(2 * q, size, p, x.uv, wide, s.dacross, size, s.dbkState, size, false);
  decayOfKept(s.across, s.dacross, x.decay.whole(q), p, size, s.kept);
  scaleRows(s.dstate, n, wide, x.decay.whole(q));
  product<true>(n, wide, 2 * q, x.arState, size, s.dwy, wide, s.dstate, wide, true);

  transpose(x.uv, wide, 2 * q, p, 1, s.uvAcross, kPairPitch);
  product<false>(2 * q, roundUp(2 * q, kLanes), p, s.dwy, wide, s.uvAcross, kPairPitch, s.dpairs, kPairPitch,
                 false);
  for (int64_t corner : {int64_t{0}, q, q * kPairPitch, q * kPairPitch + q}) {
    keepStrictlyLower(s.dpairs + corner, kPairPitch, q);
  }
  product<true>(2 * q, size, 2 * q, s.dpairs, kPairPitch, x.arPair, size, s.dbkPair, size, false);
}

/// Gradients of a, r, b, k over the blocks above (in darState and dbkState), and of log decays, for kVectors
/// vectors of channels: rows of d(pairs) bkPair are made here, for what they amount to at every token is what
/// crosses it. `byU` and `byV` are the diagonals of RB and RK.
template <int kVectors>
void differentiateColumns(Scratch& s, const float* byU, const float* byV, int64_t column) {
  const Wkv7Piece& p = s.piece;
  const int64_t q = p.q, size = p.size, half = q * size;
  const PieceDecay& d = p.decay;
  Floats crossing[kMaxPiece][kVectors], before[kMaxPiece][kVectors], now[kMaxPiece][kVectors];
  Floats earlier[kVectors];
#pragma GCC unroll 2
  for (int x = 0; x < kVectors; x++) earlier[x] = load(s.kept + column + x * kLanes);
  for (int64_t i = 0; i < q; i++) {
    const float *pairsA = s.dpairs + i * kPairPitch, *pairsR = pairsA + q * kPairPitch;
    Floats pairA[kVectors], pairR[kVectors], ofA[kVectors], ofR[kVectors];
#pragma GCC unroll 2
    for (int x = 0; x < kVectors; x++) {
      pairA[x] = load(p.arPair + i * size + column + x * kLanes);
      pairR[x] = load(p.arPair + half + i * size + column + x * kLanes);
      ofA[x] = ofR[x] = Floats{};
    }
    for (int64_t j = 0; j < i; j++) {
      const float* bk = p.bkPair + j * size + column;
      const Floats ab = splat(pairsA[j]), ak = splat(pairsA[q + j]);
      const Floats rb = splat(pairsR[j]), rk = splat(pairsR[q + j]);
#pragma GCC unroll 2
      for (int x = 0; x < kVectors; x++) {
        const Floats b = load(bk + x * kLanes), k = load(bk + half + x * kLanes);
        crossing[j][x] += pairA[x] * ofA[x] + pairR[x] * ofR[x];
        ofA[x] += ab * b + ak * k;
        ofR[x] += rb * b + rk * k;
      }
    }
#pragma GCC unroll 2
    for (int x = 0; x < kVectors; x++) {
      const int64_t at = i * size + column + x * kLanes, other = half + at;
      const Floats a = load(p.ar + at), r = load(p.ar + other), b = load(p.bk + at), k = load(p.bk + other);
      const Floats fromA = load(s.darState + at) * load(d.before() + at);
      const Floats fromR = load(s.darState + other) * load(d.now() + at);
      const Floats toB = load(s.dbkState + at) * load(d.toEnd + at);
      const Floats toK = load(s.dbkState + other) * load(d.toEnd + at);
      before[i][x] = a * fromA, now[i][x] = r * fromR;
      crossing[i][x] = earlier[x] + pairR[x] * ofR[x];
      earlier[x] += b * toB + k * toK;
      // The diagonal, which no decay touches, comes last.
      const Floats db = toB + load(s.dbkPair + at) * load(d.origin + at);
      const Floats dk = toK + load(s.dbkPair + other) * load(d.origin + at);
      store(s.darState + at, fromA + ofA[x] * load(d.reachBefore() + at));
      store(s.darState + other, fromR + ofR[x] * load(d.reachNow() + at) + byU[i] * b + byV[i] * k);
      store(s.dbkState + at, db + byU[i] * r);
      store(s.dbkState + other, dk + byV[i] * r);
    }
  }
  Floats later[kVectors] = {};
  for (int64_t t = q - 1; t >= 0; t--) {
#pragma GCC unroll 2
    for (int x = 0; x < kVectors; x++) {
      later[x] += now[t][x];
      store(s.dlog + t * size + column + x * kLanes, crossing[t][x] + later[x]);
      later[x] += before[t][x];
    }
  }
}

void differentiateRows(Scratch& s) {
  const Wkv7Piece& p = s.piece;
  const int64_t q = p.q, size = p.size, wide = p.wide;
  float byU[kMaxPiece], byV[kMaxPiece];
  for (int64_t i = 0; i < q; i++) {
    const float* dy = s.dwy + (q + i) * wide;
    byU[i] = dotRows(dy, p.uv + i * wide, wide);
    byV[i] = dotRows(dy, p.uv + (q + i) * wide, wide);
  }
  int64_t column = 0;
  for (; column + 2 * kLanes <= size; column += 2 * kLanes) differentiateColumns<2>(s, byU, byV, column);
  if (column < size) differentiateColumns<1>(s, byU, byV, column);
}

void differentiatePiece(Scratch& s, const Wkv7Heads& heads, const Gradients& g, int64_t token, int64_t end,
                        const float* state) {
  Wkv7Piece& x = s.piece;
  x.read(heads, token, end);
  x.makePairs();
  x.solve(state);
  const int64_t q = x.q, n = x.n, size = x.size, half = q * size, wide = x.wide;
  if (g.dy.data) {
    copyRows(g.dy.at(token), g.dy.stride, q, x.p, s.dwy + q * wide, wide);
  } else {
    zero(s.dwy + q * wide, q * wide);
  }
  differentiateProducts(s, state);
  differentiateRows(s);
  writeRows(s.darState, size, q, n, 1, g.da.at(token), g.da.stride);
  writeRows(s.darState + half, size, q, n, 1, g.dr.at(token), g.dr.stride);
  writeRows(s.dbkState, size, q, n, 1, g.db.at(token), g.db.stride);
  writeRows(s.dbkState + half, size, q, n, 1, g.dk.at(token), g.dk.stride);
  writeRows(s.dv, wide, q, x.p, 1, g.dv.at(token), g.dv.stride);
  writeRows(s.dlog, size, q, n, 1, g.dlog.at(token), g.dlog.stride);
}

/// All pieces of a chunk, the last first.
void differentiateChunk(Scratch& s, const Wkv7Heads& heads, const Gradients& g, int64_t token, int64_t end) {
  Wkv7Piece& p = s.piece;
  int64_t starts[kMaxPiece], pieces = 0;
  for (;;) {
    starts[pieces] = token;
    int64_t q = p.decay.read(heads.log.at(token), heads.log.stride, end - token, p.n);
    if (token + q >= end) break;
    p.read(heads, token, end);
    p.makePairs();
    float* next = s.states + (pieces + 1) * s.matrix;
    p.solve(s.states + pieces * s.matrix);
    for (int64_t i = 0; i < s.matrix; i++) next[i] = s.states[pieces * s.matrix + i];
    p.advance(next);
    token += q;
    pieces++;
  }
  for (; pieces >= 0; pieces--) {
    differentiatePiece(s, heads, g, starts[pieces], end, s.states + pieces * s.matrix);
    end = starts[pieces];
  }
}

}  // namespace

void wkv7Grad(const Context& context, const Wkv7Args& args) {
  int64_t floats = 0, n = args.N, p = args.P, chunks = (args.T + kWkvChunk - 1) / kWkvChunk;
  Scratch(Carver{nullptr}, args, &floats);
  float* memory = reinterpret_cast<float*>(context.scratch(static_cast<std::size_t>(floats) * sizeof(float)));
  parallelFor(context, args.B * args.H, 1, [&](int64_t begin, int64_t end, int thread) {
    Scratch s(Carver{memory + thread * floats}, args, nullptr);
    const int64_t wide = s.piece.wide;
    for (int64_t unit = begin; unit < end; unit++) {
      Wkv7Heads heads(args, unit / args.H, unit % args.H);
      Gradients g(args, unit / args.H, unit % args.H);
      readState(args.dstateOut ? args.dstateOut + unit * p * n : nullptr, n, p, wide, true, s.dstate);
      for (int64_t chunk = chunks - 1; chunk >= 0 && !context.stopped(); chunk--) {
        prefetchChunk({heads.r, heads.log, heads.k, heads.a, heads.b}, chunk - 1, args.T, n);
        prefetchChunk({heads.v, g.dy}, chunk - 1, args.T, p);
        prefetchChunk<true>({g.dr, g.dlog, g.dk, g.da, g.db}, chunk, args.T, n);
        prefetchChunk<true>({g.dv}, chunk, args.T, p);
        const float* saved = args.saved + (unit * chunks + chunk) * n * p;
        if (chunk > 0) prefetchRows(saved - n * p, p, n, p);
        readState(saved, n, p, wide, false, s.states);
        differentiateChunk(s, heads, g, chunk * kWkvChunk, least(args.T, (chunk + 1) * kWkvChunk));
      }
      if (args.dstateIn) writeStateAcross(s.dstate, n, p, wide, s.across, args.dstateIn + unit * p * n);
    }
  });
}

}  // namespace CROSSOVER_ARCH
}  // namespace crossover
