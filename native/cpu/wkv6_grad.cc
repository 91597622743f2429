// RWKV-6's recurrence, backward: chunks from the last to the first, each recomputed from its saved state.
//
// With G = dM at the end of a piece and the names of wkv6_chunk.h:
//   dA = dY V^T on and below the diagonal,  dV = A^T dY + K'' G,  dR' = dY M^T,  dK'' = V G^T
//   dM <- diag(e^(c_q)) G + R'^T dY
// and the log decays collect every factor times its gradient. All outputs are assigned. du is summed over the
// batch in a fixed order, whatever the number of threads.
#include "wkv6_chunk.h"

namespace crossover {
namespace CROSSOVER_ARCH {
namespace {

struct Scratch {
  Wkv6Piece piece;
  float* states;                     // the state at the start of every piece of a chunk
  float *dstate, *across, *dacross;  // G, M^T, G^T
  float *dy, *dv, *dr, *dk, *drPair, *dkPair, *dlog, *dbefore;  // [q, P]
  float *vAcross, *dpairs, *tail, *du;
  int64_t matrix;

  Scratch(Carver carver, const Wkv6Args& a, int64_t* floats) {
    piece.lay(carver, a.N);
    int64_t size = piece.size;
    matrix = size * size;
    states = carver.take(kMaxPiece * matrix);
    for (float** block : {&dstate, &across, &dacross}) *block = carver.take(matrix);
    for (float** block : {&dy, &dv, &dr, &dk, &drPair, &dkPair, &dlog, &dbefore}) {
      *block = carver.take(kMaxPiece * size);
    }
    vAcross = carver.take(size * kMaxPiece);
    dpairs = carver.take(kMaxPiece * kMaxPiece);
    for (float** block : {&tail, &du}) *block = carver.take(size);
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
  startTail(s.across, s.dacross, p.decay.whole(q), n, size, s.tail);
  scaleRows(s.dstate, n, size, p.decay.whole(q));
  product<true>(n, size, q, p.rState, size, s.dy, size, s.dstate, size, true);
  product<false>(q, roundUp(q, kLanes), n, s.dy, size, s.vAcross, kMaxPiece, s.dpairs, kMaxPiece, false);
  keepStrictlyLower(s.dpairs, kMaxPiece, q);
  product<false>(q, size, q, s.dpairs, kMaxPiece, p.kPair, size, s.drPair, size, false);
  product<true>(q, size, q, s.dpairs, kMaxPiece, p.rPair, size, s.dkPair, size, false);
}

/// Undoes the scaling: gradients of r and k (in dr and dk), of log decays and of u.
void differentiateRows(Scratch& s) {
  const Wkv6Piece& p = s.piece;
  int64_t size = p.size;
  const PieceDecay& d = p.decay;
  for (int64_t i = 0; i < p.q; i++) {
    Floats byV = splat(dotRows(s.dy + i * size, p.v + i * size, size));
    for (int64_t c = 0; c < size; c += kLanes) {
      int64_t at = i * size + c;
      Floats r = load(p.r + at), k = load(p.k + at), u = load(p.u + c);
      Floats dr = load(s.dr + at) * load(d.before() + at) + load(s.drPair + at) * load(d.reachBefore() + at);
      Floats endK = load(s.dk + at) * load(d.toEnd + at);
      Floats dk = endK + load(s.dkPair + at) * load(d.origin + at);
      store(s.dbefore + at, r * dr);
      store(s.dlog + at, -k * dk);
      store(s.tail + c, load(s.tail + c) + k * endK);
      // The diagonal, which no decay touches.
      store(s.dr + at, dr + byV * u * k);
      store(s.dk + at, dk + byV * u * r);
      store(s.du + c, load(s.du + c) + byV * r * k);
    }
  }
  accumulateLogDecay(s.dlog, s.dbefore, s.tail, p.q, size);
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
      readState(args.dstateOut ? args.dstateOut + unit * n * n : nullptr, n, size, false, s.dstate);
      for (int64_t chunk = chunks - 1; chunk >= 0 && !context.stopped(); chunk--) {
        prefetchChunk({heads.r, heads.k, heads.v, heads.log, g.dy}, chunk - 1, args.T, n);
        prefetchChunk<true>({g.dr, g.dk, g.dv, g.dlog}, chunk, args.T, n);
        if (chunk > 0) prefetchRows(args.saved + (unit * chunks + chunk - 1) * n * n, n, n, n);
        readState(args.saved + (unit * chunks + chunk) * n * n, n, size, false, s.states);
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
