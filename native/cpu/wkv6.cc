// RWKV-6's recurrence, forward, in chunks: y = r (diag(u) k^T v + S), then S <- diag(exp(logw)) S + k^T v.
//
// One piece of work is one (batch, head); tokens go in order. `saved` holds S at the start of every chunk.
#include "wkv6_chunk.h"

namespace crossover {
namespace CROSSOVER_ARCH {

/// Any log decay <= 0 is exact to rounding; NaN spreads as in the recurrence.
void wkv6(const Context& context, const Wkv6Args& args) {
  struct Scratch {
    Wkv6Piece piece;
    float *state, *y;
    Scratch(Carver carver, const Wkv6Args& a, int64_t* floats) {
      piece.lay(carver, a.N);
      state = carver.take(piece.size * piece.size);
      y = carver.take(kMaxPiece * piece.size);
      if (floats) *floats = carver.used;
    }
  };
  int64_t floats = 0, n = args.N, chunks = (args.T + kWkvChunk - 1) / kWkvChunk;
  Scratch(Carver{nullptr}, args, &floats);
  float* memory = reinterpret_cast<float*>(context.scratch(static_cast<std::size_t>(floats) * sizeof(float)));

  parallelFor(context, args.B * args.H, 1, [&](int64_t begin, int64_t end, int thread) {
    Scratch s(Carver{memory + thread * floats}, args, nullptr);
    Wkv6Piece& piece = s.piece;
    int64_t size = piece.size;
    for (int64_t unit = begin; unit < end; unit++) {
      int64_t head = unit % args.H;
      Wkv6Heads heads(args, unit / args.H, head);
      HeadRows y(args.y, unit / args.H, head);
      copyRows(args.u + head * n, n, 1, n, piece.u, size);
      readState(args.stateIn ? args.stateIn + unit * n * n : nullptr, n, n, size, false, s.state);
      for (int64_t chunk = 0; chunk < chunks && !context.stopped(); chunk++) {
        if (args.saved) writeRows(s.state, size, n, n, 1, args.saved + (unit * chunks + chunk) * n * n, n);
        int64_t last = least(args.T, (chunk + 1) * kWkvChunk);
        prefetchChunk({heads.r, heads.k, heads.v, heads.log}, chunk + 1, args.T, n);
        prefetchChunk<true>({y}, chunk, args.T, n);
        for (int64_t token = chunk * kWkvChunk; token < last; token += piece.q) {
          piece.read(heads, token, last);
          int64_t q = piece.q;
          piece.makePairs();
          product<false>(q, size, n, piece.rState, size, s.state, size, s.y, size, false);
          product<false>(q, size, q, piece.pairs, kMaxPiece, piece.v, size, s.y, size, true);
          writeRows(s.y, size, q, n, 1, y.at(token), y.stride);
          piece.advance(s.state);
        }
      }
      if (args.stateOut) writeRows(s.state, size, n, n, 1, args.stateOut + unit * n * n, n);
    }
  });
}

}  // namespace CROSSOVER_ARCH
}  // namespace crossover
