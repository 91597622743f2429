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
      piece.lay(carver, a.N);
      state = carver.take(piece.size * piece.size);
      other = carver.take(piece.size * piece.size);
      y = carver.take(kMaxPiece * piece.size);
      if (floats) *floats = carver.used;
    }
  };
  int64_t floats = 0, n = args.N, chunks = (args.T + kWkvChunk - 1) / kWkvChunk;
  Scratch(Carver{nullptr}, args, &floats);
  float* memory = reinterpret_cast<float*>(context.scratch(static_cast<std::size_t>(floats) * sizeof(float)));

  parallelFor(context, args.B * args.H, 1, [&](int64_t begin, int64_t end, int thread) {
    Scratch s(Carver{memory + thread * floats}, args, nullptr);
    Wkv7Piece& piece = s.piece;
    int64_t size = piece.size;
    for (int64_t unit = begin; unit < end; unit++) {
      Wkv7Heads heads(args, unit / args.H, unit % args.H);
      HeadRows y(args.y, unit / args.H, unit % args.H);
      readState(args.stateIn ? args.stateIn + unit * n * n : nullptr, n, size, true, s.state);
      for (int64_t chunk = 0; chunk < chunks && !context.stopped(); chunk++) {
        if (args.saved) writeRows(s.state, size, n, n, 1, args.saved + (unit * chunks + chunk) * n * n, n);
        int64_t last = least(args.T, (chunk + 1) * kWkvChunk);
        prefetchChunk({heads.r, heads.log, heads.k, heads.v, heads.a, heads.b}, chunk + 1, args.T, n);
        prefetchChunk<true>({y}, chunk, args.T, n);
        for (int64_t token = chunk * kWkvChunk; token < last; token += piece.q) {
          piece.read(heads, token, last);
          int64_t q = piece.q;
          piece.makePairs();
          piece.solve(s.state);
          product<false>(q, size, n, piece.arState + q * size, size, s.state, size, s.y, size, false);
          product<false>(q, size, 2 * q, piece.pairs + q * kPairPitch, kPairPitch, piece.uv, size, s.y, size,
                         true);
          writeRows(s.y, size, q, n, 1, y.at(token), y.stride);
          piece.advance(s.state);
        }
      }
      if (args.stateOut) writeState(s.state, n, size, true, s.other, args.stateOut + unit * n * n);
    }
  });
}

}  // namespace CROSSOVER_ARCH
}  // namespace crossover
