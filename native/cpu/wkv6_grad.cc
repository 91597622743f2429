// RWKV-6's recurrence, backward: chunks from the last to the first, each recomputed from its saved state.
//
// With G = dM at the end of a piece and the names of wkv6_chunk.h:
//   dA = dY V^T on and below the diagonal,  dV = A^T dY + K'' G,  dR' = dY M^T,  dK'' = V G^T
//   dM <- diag(e^(c_q)) G + R'^T dY
// The log decay of token t collects what of every factor crosses t, as sums of what does not cancel, so that
// it is exact where everything is forgotten:
//   kept + reads of the state after t + writes to it before t + pairs of tokens on both sides of t
// All outputs are assigned. du is summed over the batch in a fixed order, whatever the number of threads.
#include "wkv6_chunk.h"

namespace crossover {
namespace CROSSOVER_ARCH {
namespace {

struct Scratch {
  Wkv6Piece piece;
  float* states;                             // the state at the start of every piece of a chunk
  float *dstate, *across, *dacross;          // G, M^T, G^T
  float *dy, *dv, *dr, *dk, *dkPair, *dlog;  // [q, P]
  float *vAcross, *dpairs, *kept, *du;
  int64_t matrix;

  Scratch(Carver carver, const Wkv6Args& a, int64_t* floats) {
    piece.lay(carver, a.N);
    int64_t size = piece.size;
    matrix = size * size;
    states = carver.take(kMaxPiece * matrix);
    for (float** block : {&dstate, &across, &dacross}) *block = carver.take(matrix);
    for (float** block : {&dy, &dv, &dr, &dk, &dkPair, &dlog}) {
      *block = carver.take(kMaxPiece * size);
    }
    vAcross = carver.take(size * kMaxPiece);
    dpairs = carver.take(kMaxPiece * kMaxPiece);
    for (float** block : {&kept, &du}) *block = carver.take(size);
    if (floats) *floats = carver.used;
  }
};

struct Gradients {
  HeadRows dy, dr, dk, dv, dlog;
  Gradients(const Wkv6Args& x, int64_t batch, int64_t head)
      : dy(x.dy, batch, head),
        dr(x.dr, batch, head),
        dk(x.dk, batch, head),
        dv(x.dv, batch, head),
        dlog(x.dlogw, batch, head) {}
};

void differentiateProducts(Scratch& s, const float* state) {
  const Wkv6Piece& p = s.piece;
  int64_t q = p.q, n = p.n, size = p.size;
  transpose(state, size, n, n, 1, s.across, size);
  transpose(s.dstate, size, n, n, 1, s.dacross, size);
  transpose(p.v, size, q, n, 1, s.vAcross, kMaxPiece);
  product<false>(q, size, n, p.kState, size, s.dstate, size, s.dv, size, false);
  product<true>(q, size, q, p.pairs, kMaxPiece, s.dy, size, s.dv, size, true);
  product<false>(q, size, n, s.dy, size, s.across, size, s.dr, size, false);
  product<false>(q, size, n, p.v, size, s.dacross, size, s.dk, size, false);
  decayOfKept(s.across, s.dacross, p.decay.whole(q), n, size, s.kept);
  scaleRows(s.dstate, n, size, p.decay.whole(q));
  product<true>(n, size, q, p.rState, size, s.dy, size, s.dstate, size, true);
  product<false>(q, roundUp(q, kLanes), n, s.dy, size, s.vAcross, kMaxPiece, s.dpairs, kMaxPiece, false);
  keepStrictlyLower(s.dpairs, kMaxPiece, q);
  product<true>(q, size, q, s.dpairs, kMaxPiece, p.rPair, size, s.dkPair, size, false);
}

/// Gradients of r and k (in dr and dk), of log decays and of u, for kVectors vectors of channels: rows of
/// d(pairs) kPair are made here, for what they amount to at every token is what crosses it. `byV` is the
/// diagonal of dA.
template <int kVectors>
void differentiateColumns(Scratch& s, const float* byV, int64_t column) {
  const Wkv6Piece& p = s.piece;
  const int64_t q = p.q, size = p.size;
  const PieceDecay& d = p.decay;
  Floats crossing[kMaxPiece][kVectors], reads[kMaxPiece][kVectors], earlier[kVectors], du[kVectors];
#pragma GCC unroll 2
  for (int x = 0; x < kVectors; x++) {
    earlier[x] = load(s.kept + column + x * kLanes);
    du[x] = load(s.du + column + x * kLanes);
  }
  for (int64_t i = 0; i < q; i++) {
    Floats pair[kVectors], sum[kVectors];
#pragma GCC unroll 2
    for (int x = 0; x < kVectors; x++) {
      pair[x] = load(p.rPair + i * size + column + x * kLanes), sum[x] = Floats{};
    }
    for (int64_t j = 0; j < i; j++) {
      const Floats dpair = splat(s.dpairs[i * kMaxPiece + j]);
#pragma GCC unroll 2
      for (int x = 0; x < kVectors; x++) {
        crossing[j][x] += pair[x] * sum[x];
        sum[x] += dpair * load(p.kPair + j * size + column + x * kLanes);
      }
    }
#pragma GCC unroll 2
    for (int x = 0; x < kVectors; x++) {
      const int64_t c = column + x * kLanes, at = i * size + c;
      const Floats r = load(p.r + at), k = load(p.k + at), u = load(p.u + c);
      const Floats fromState = load(s.dr + at) * load(d.before() + at);
      const Floats toState = load(s.dk + at) * load(d.toEnd + at);
      reads[i][x] = r * fromState;
      crossing[i][x] = earlier[x];
      earlier[x] += k * toState;
      // The diagonal, which no decay touches, comes last.
      store(s.dr + at, fromState + sum[x] * load(d.reachBefore() + at) + byV[i] * u * k);
      store(s.dk + at, toState + load(s.dkPair + at) * load(d.origin + at) + byV[i] * u * r);
      du[x] += byV[i] * r * k;
    }
  }
  Floats later[kVectors] = {};
  for (int64_t t = q - 1; t >= 0; t--) {
#pragma GCC unroll 2
    for (int x = 0; x < kVectors; x++) {
      store(s.dlog + t * size + column + x * kLanes, crossing[t][x] + later[x]);
      later[x] += reads[t][x];
    }
  }
#pragma GCC unroll 2
  for (int x = 0; x < kVectors; x++) store(s.du + column + x * kLanes, du[x]);
}

void differentiateRows(Scratch& s) {
  const Wkv6Piece& p = s.piece;
  const int64_t size = p.size;
  float byV[kMaxPiece];
  for (int64_t i = 0; i < p.q; i++) byV[i] = dotRows(s.dy + i * size, p.v + i * size, size);
  int64_t column = 0;
  for (; column + 2 * kLanes <= size; column += 2 * kLanes) differentiateColumns<2>(s, byV, column);
  if (column < size) differentiateColumns<1>(s, byV, column);
}

void differentiatePiece(Scratch& s, const Wkv6Heads& heads, const Gradients& g, int64_t token, int64_t end,
                        const float* state) {
  Wkv6Piece& p = s.piece;
  p.read(heads, token, end);
  p.makePairs();
  int64_t q = p.q, n = p.n, size = p.size;
  if (g.dy.data) {
    copyRows(g.dy.at(token), g.dy.stride, q, n, s.dy, size);
  } else {
    zero(s.dy, q * size);
  }
  differentiateProducts(s, state);
  differentiateRows(s);
  writeRows(s.dr, size, q, n, 1, g.dr.at(token), g.dr.stride);
  writeRows(s.dk, size, q, n, 1, g.dk.at(token), g.dk.stride);
  writeRows(s.dv, size, q, n, 1, g.dv.at(token), g.dv.stride);
  writeRows(s.dlog, size, q, n, 1, g.dlog.at(token), g.dlog.stride);
}

/// All pieces of a chunk, the last first.
void differentiateChunk(Scratch& s, const Wkv6Heads& heads, const Gradients& g, int64_t token, int64_t end) {
  Wkv6Piece& p = s.piece;
  int64_t starts[kMaxPiece], pieces = 0;
  for (;;) {
    starts[pieces] = token;
    int64_t q = p.decay.read(heads.log.at(token), heads.log.stride, end - token, p.n);
    if (token + q >= end) break;
    p.read(heads, token, end);
    float* next = s.states + (pieces + 1) * s.matrix;
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

void wkv6Grad(const Context& context, const Wkv6Args& args) {
  int64_t floats = 0, n = args.N, chunks = (args.T + kWkvChunk - 1) / kWkvChunk;
  Scratch(Carver{nullptr}, args, &floats);
  std::size_t own = static_cast<std::size_t>(floats) * sizeof(float);
  std::size_t shares =
      static_cast<std::size_t>(args.B * args.H * n) * sizeof(float);  // du of every (batch, head)
  std::size_t threads = static_cast<std::size_t>(context.threads);
  float* memory = reinterpret_cast<float*>(context.scratch(own + (shares + threads - 1) / threads));
  float* du = memory + context.threads * floats;

  parallelFor(context, args.B * args.H, 1, [&](int64_t begin, int64_t end, int thread) {
    Scratch s(Carver{memory + thread * floats}, args, nullptr);
    int64_t size = s.piece.size;
    for (int64_t unit = begin; unit < end; unit++) {
      int64_t head = unit % args.H;
      Wkv6Heads heads(args, unit / args.H, head);
      Gradients g(args, unit / args.H, head);
      copyRows(args.u + head * n, n, 1, n, s.piece.u, size);
      zero(s.du, size);
      readState(args.dstateOut ? args.dstateOut + unit * n * n : nullptr, n, n, size, false, s.dstate);
      for (int64_t chunk = chunks - 1; chunk >= 0 && !context.stopped(); chunk--) {
        prefetchChunk({heads.r, heads.k, heads.v, heads.log, g.dy}, chunk - 1, args.T, n);
        prefetchChunk<true>({g.dr, g.dk, g.dv, g.dlog}, chunk, args.T, n);
        if (chunk > 0) prefetchRows(args.saved + (unit * chunks + chunk - 1) * n * n, n, n, n);
        readState(args.saved + (unit * chunks + chunk) * n * n, n, n, size, false, s.states);
        differentiateChunk(s, heads, g, chunk * kWkvChunk, least(args.T, (chunk + 1) * kWkvChunk));
      }
      writeRows(s.du, size, 1, n, 1, du + unit * n, n);
      if (args.dstateIn) writeRows(s.dstate, size, n, n, 1, args.dstateIn + unit * n * n, n);
    }
  });
  if (context.stopped()) return;
  for (int64_t i = 0; i < args.H * n; i++) {
    float sum = 0;
    for (int64_t batch = 0; batch < args.B; batch++) sum += du[batch * args.H * n + i];
    args.du[i] = sum;
  }
}

}  // namespace CROSSOVER_ARCH
}  // namespace crossover
