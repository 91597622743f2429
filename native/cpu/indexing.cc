// Kernels that walk lines along one dimension of strided tensors: gather, scatter, cumulate, arg_extreme,
// top_k.
#include "kernels.h"
#include "math.h"

namespace crossover::CROSSOVER_ARCH {
namespace {

/// Offsets of line number `line` in the three tensors.
struct Line {
  int64_t out = 0, x = 0, index = 0;
};
Line locate(const LineArgs& args, int64_t line) {
  Line at;
  for (int d = args.rank - 1; d >= 0; --d) {
    const int64_t position = line % args.shape[d];
    line /= args.shape[d];
    at.out += position * args.outStride[d];
    at.x += position * args.xStride[d];
    at.index += position * args.indexStride[d];
  }
  return at;
}
int64_t lineCount(const LineArgs& args) {
  int64_t lines = 1;
  for (int d = 0; d < args.rank; ++d) lines *= args.shape[d];
  return lines;
}

/// Whether a long line should end here; looks at the context now and then.
CROSSOVER_INLINE bool endsAt(const Context& context, int64_t i) {
  return (i & 0xfffff) == 0xfffff && context.stopped();
}

/// Calls f(line) for all lines; `each` is the work of one.
template <class F>
void forLines(const Context& context, const LineArgs& args, int64_t each, const F& f) {
  parallelFor(context, lineCount(args), 1 + 8192 / (each + 1), [&](int64_t begin, int64_t end, int) {
    for (int64_t line = begin; line < end; ++line) f(locate(args, line));
  });
}

template <class T>
void gatherLines(const Context& context, const LineArgs& args) {
  forLines(context, args, args.count, [&](const Line& at) {
    for (int64_t i = 0; i < args.count; ++i) {
      if (endsAt(context, i)) return;
      const int64_t from = args.index[at.index + i * args.indexStep];
      if (from < 0 || from >= args.length) return context.fail("gather index", from);
      static_cast<T*>(args.out)[at.out + i * args.outStep] =
          static_cast<const T*>(args.x)[at.x + from * args.xStep];
    }
  });
}

// Lines of different positions write different elements of `out`, so that lines run in parallel and each in
// order.
template <class T, bool Add>
void scatterLines(const Context& context, const LineArgs& args) {
  forLines(context, args, args.count, [&](const Line& at) {
    for (int64_t i = 0; i < args.count; ++i) {
      if (endsAt(context, i)) return;
      const int64_t to = args.index[at.index + i * args.indexStep];
      if (to < 0 || to >= args.length) return context.fail("scatter index", to);
      T& place = static_cast<T*>(args.out)[at.out + to * args.outStep];
      const T value = static_cast<const T*>(args.x)[at.x + i * args.xStep];
      place = Add ? static_cast<T>(place + value) : value;
    }
  });
}

template <class T, class Sum>
void cumulateLines(const Context& context, const LineArgs& args) {
  forLines(context, args, args.length, [&](const Line& at) {
    Sum total = args.kind == 0 ? Sum(0) : Sum(1);
    for (int64_t i = 0; i < args.length; ++i) {
      if (endsAt(context, i)) return;
      const int64_t p = args.flag ? args.length - 1 - i : i;
      const auto value = static_cast<Sum>(static_cast<const T*>(args.x)[at.x + p * args.xStep]);
      total = args.kind == 0 ? total + value : total * value;
      static_cast<T*>(args.out)[at.out + p * args.outStep] = static_cast<T>(total);
    }
  });
}

/// Whether a comes before b when the first wins; NaN comes before everything, as in torch.
template <class T>
bool wins(T a, T b, bool smallest) {
  if (a != a) return b == b;
  if (b != b) return false;
  return smallest ? a < b : a > b;
}

template <class T>
void argExtremeLines(const Context& context, const LineArgs& args) {
  forLines(context, args, args.length, [&](const Line& at) {
    const T* x = static_cast<const T*>(args.x) + at.x;
    int64_t best = 0;
    for (int64_t i = 1; i < args.length; ++i) {
      if (endsAt(context, i)) return;
      if (wins(x[i * args.xStep], x[best * args.xStep], args.flag)) best = i;
    }
    static_cast<int64_t*>(args.out)[at.out] = best;
  });
}

/// Stable order of positions: merges runs of doubling length between two buffers. Returns the sorted one, or
/// null when the context was stopped.
template <class T>
int64_t* sortPositions(const Context& context, const T* x, int64_t step, int64_t n, bool smallest, int64_t* a,
                       int64_t* b) {
  for (int64_t i = 0; i < n; ++i) a[i] = i;
  for (int64_t width = 1; width < n; width *= 2) {
    for (int64_t start = 0; start < n; start += 2 * width) {
      const int64_t middle = start + width < n ? start + width : n;
      const int64_t end = start + 2 * width < n ? start + 2 * width : n;
      int64_t i = start, j = middle;
      for (int64_t k = start; k < end; ++k) {
        if (endsAt(context, k)) return nullptr;
        const bool right = i >= middle || (j < end && wins(x[a[j] * step], x[a[i] * step], smallest));
        b[k] = right ? a[j++] : a[i++];
      }
    }
    int64_t* swap = a;
    a = b;
    b = swap;
  }
  return a;
}

template <class T>
void topLines(const Context& context, const LineArgs& args) {
  const std::size_t perThread = static_cast<std::size_t>(args.length) * 2 * sizeof(int64_t);
  char* memory = context.scratch(perThread);
  parallelFor(
      context, lineCount(args), 1 + 1024 / (args.length + 1), [&](int64_t begin, int64_t end, int thread) {
        auto* room = reinterpret_cast<int64_t*>(memory + static_cast<std::size_t>(thread) *
                                                             Context::scratchStride(perThread));
        for (int64_t line = begin; line < end; ++line) {
          const Line at = locate(args, line);
          const T* x = static_cast<const T*>(args.x) + at.x;
          const int64_t* order =
              sortPositions(context, x, args.xStep, args.length, !args.flag, room, room + args.length);
          if (order == nullptr) return;
          for (int64_t i = 0; i < args.count; ++i) {
            static_cast<T*>(args.out)[at.out + i * args.outStep] = x[order[i] * args.xStep];
            args.index[at.index + i * args.indexStep] = order[i];
          }
        }
      });
}

}  // namespace

void gather(const Context& context, const LineArgs& args) {
  switch (args.storage) {
    case Storage::f32:
      return gatherLines<float>(context, args);
    case Storage::bf16:
      return gatherLines<uint16_t>(context, args);
    case Storage::i64:
      return gatherLines<int64_t>(context, args);
    case Storage::u8:
      return gatherLines<uint8_t>(context, args);
  }
}

void scatter(const Context& context, const LineArgs& args) {
  switch (args.storage) {
    case Storage::f32:
      return args.flag ? scatterLines<float, true>(context, args) : scatterLines<float, false>(context, args);
    case Storage::i64:
      return args.flag ? scatterLines<int64_t, true>(context, args)
                       : scatterLines<int64_t, false>(context, args);
    case Storage::bf16:
      return scatterLines<uint16_t, false>(context, args);
    case Storage::u8:
      return scatterLines<uint8_t, false>(context, args);
  }
}

void cumulate(const Context& context, const LineArgs& args) {
  if (args.storage == Storage::f32) return cumulateLines<float, double>(context, args);
  cumulateLines<int64_t, uint64_t>(context, args);
}

void argExtreme(const Context& context, const LineArgs& args) {
  if (args.storage == Storage::f32) return argExtremeLines<float>(context, args);
  argExtremeLines<int64_t>(context, args);
}

void topK(const Context& context, const LineArgs& args) {
  if (args.storage == Storage::f32) return topLines<float>(context, args);
  topLines<int64_t>(context, args);
}

}  // namespace crossover::CROSSOVER_ARCH
