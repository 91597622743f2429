// RWKV-7's recurrence, forward, in chunks: S <- S (diag(exp(logw)) + a^T b) + v^T k, then y = S r^T.
//
// One piece of work is one (batch, head); tokens go in order. `saved` holds M = S^T at the start of every
// chunk.
#include "wkv7_chunk.h"

namespace crossover {
namespace CROSSOVER_ARCH {

/// Any log decay <= 0 is exact to rounding; NaN spreads as in the recurrence.
void wkv7(const Context& context, const Wkv7Args& args) {
  struct Scratch {
    Wkv7Piece piece;
    float *state, *other, *y;
    Scratch(Carver carver, const Wkv7Args& a, int64_t* floats) {
      piece.lay(carver, a.N, a.P);
      state = carver.take(piece.size * piece.wide);
      other = carver.take(piece.size * piece.wide);
      y = carver.take(kMaxPiece * piece.wide);
      if (floats) *floats = carver.used;
    }
  };
  int64_t floats = 0, n = args.N, p = args.P, chunks = (args.T + kWkvChunk - 1) / kWkvChunk;
  Scratch(Carver{nullptr}, args, &floats);
  float* memory = reinterpret_cast<float*>(context.scratch(static_cast<std::size_t>(floats) * sizeof(float)));

  parallelFor(context, args.B * args.H, 1, [&](int64_t begin, int64_t end, int thread) {
    Scratch s(Carver{memory + thread * floats}, args, nullptr);
    Wkv7Piece& piece = s.piece;
    const int64_t size = piece.size, wide = piece.wide;
    for (int64_t unit = begin; unit < end; unit++) {
      Wkv7Heads heads(args, unit / args.H, unit % args.H);
      HeadRows y(args.y, unit / args.H, unit % args.H);
      readState(args.stateIn ? args.stateIn + unit * p * n : nullptr, n, p, wide, true, s.state);
      for (int64_t chunk = 0; chunk < chunks && !context.stopped(); chunk++) {
        if (args.saved) writeRows(s.state, wide, n, p, 1, args.saved + (unit * chunks + chunk) * n * p, p);
        int64_t last = least(args.T, (chunk + 1) * kWkvChunk);
        prefetchChunk({heads.r, heads.log, heads.k, heads.a, heads.b}, chunk + 1, args.T, n);
        prefetchChunk({heads.v}, chunk + 1, args.T, p);
        prefetchChunk<true>({y}, chunk, args.T, p);
        for (int64_t token = chunk * kWkvChunk; token < last; token += piece.q) {
          piece.read(heads, token, last);
          int64_t q = piece.q;
          piece.makePairs();
          piece.solve(s.state);
          product<false>(q, wide, n, piece.arState + q * size, size, s.state, wide, s.y, wide, false);
          product<false>(q, wide, 2 * q, piece.pairs + q * kPairPitch, kPairPitch, piece.uv, wide, s.y, wide,
                         true);
          writeRows(s.y, wide, q, p, 1, y.at(token), y.stride);
          piece.advance(s.state);
        }
      }
      if (args.stateOut) writeStateAcross(s.state, n, p, wide, s.other, args.stateOut + unit * p * n);
    }
  });
}

}  // namespace CROSSOVER_ARCH
}  // namespace crossover
