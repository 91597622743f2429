// Attention of a few new queries over a cache of keys and values, as a decoder takes it step by step.
//
// Work is limited by the memory that keys and values are read from, so that each is read once for all queries
// and heads that share it, in place. A piece of work is a run of keys of one key head; the pieces' maxima and
// sums are joined at the end (arXiv 2205.14135, eq. 3). Pieces do not depend on the number of threads, and so
// the result does not.
#include <cmath>

#include "attention_tile.h"

namespace crossover {
namespace CROSSOVER_ARCH {
namespace {

/// More queries than this are a prompt: the kernel for whole sequences serves them faster.
constexpr int64_t kFewQueries = 8;
constexpr int64_t kRun = 256;  // keys per piece of work
constexpr int64_t kTile = 64;  // keys whose scores are made before their values are read

/// What one run leaves per query: the largest score, the sum of weights and the weighted sum of values.
struct Partial {
  int64_t width;  // of the sum, padded to whole vectors
  int64_t floats() const { return width + 2 * kLanes; }
  float* sum(float* p) const { return p + 2 * kLanes; }
};

/// scores[j] = q . k_j for `keys` (up to kLanes) rows.
CROSSOVER_INLINE Floats dots(const float* q, const float* k, int64_t stride, int64_t keys, int64_t depth) {
  Floats sums[kLanes];
  for (int j = 0; j < kLanes; j++) sums[j] = Floats{};
  int64_t d = 0;
  if (keys == kLanes) {
    for (; d + kLanes <= depth; d += kLanes) {
      Floats x = load(q + d);
#pragma GCC unroll 16
      for (int j = 0; j < kLanes; j++) sums[j] += x * load(k + j * stride + d);
    }
  }
  for (; d < depth; d += kLanes) {
    int64_t count = least<int64_t>(kLanes, depth - d);
    Floats x = loadPart(q + d, count);
    for (int64_t j = 0; j < keys; j++) sums[j] += x * loadPart(k + j * stride + d, count);
  }
  transposeBlock(sums);
  Floats total = sums[0];
  for (int j = 1; j < kLanes; j++) total += sums[j];
  return total;
}

/// sum [width] += weights [keys] v [keys, columns].
void addValues(const float* weights, const float* v, int64_t stride, int64_t keys, int64_t columns,
               float* sum) {
  constexpr int kBlock = 8;
  int64_t c = 0;
  for (; c + kBlock * kLanes <= columns; c += kBlock * kLanes) {
    Floats s[kBlock];
#pragma GCC unroll 8
    for (int n = 0; n < kBlock; n++) s[n] = load(sum + c + n * kLanes);
    for (int64_t j = 0; j < keys; j++) {
      Floats w = splat(weights[j]);
#pragma GCC unroll 8
      for (int n = 0; n < kBlock; n++) s[n] += w * load(v + j * stride + c + n * kLanes);
    }
#pragma GCC unroll 8
    for (int n = 0; n < kBlock; n++) store(sum + c + n * kLanes, s[n]);
  }
  for (; c < columns; c += kLanes) {
    int64_t count = least<int64_t>(kLanes, columns - c);
    Floats s = load(sum + c);
    for (int64_t j = 0; j < keys; j++) s += splat(weights[j]) * loadSome(v + j * stride + c, count);
    store(sum + c, s);
  }
}

/// Adds the mask to the scores of one query, in units of log 2.
void addMaskRow(const AttentionArgs& a, int64_t at, int64_t keys, float* scores) {
  for (int64_t j = 0; j < keys; j++) {
    int64_t place = at + j * a.maskStride[3];
    if (a.maskStorage == Storage::u8) {
      if (!static_cast<const uint8_t*>(a.mask)[place]) scores[j] = -__builtin_inff();
    } else {
      float m = static_cast<const float*>(a.mask)[place], sum = scores[j] + m * kLog2E;
      scores[j] = sum < -3e38f && m > -__builtin_inff() ? -3e38f : sum;
    }
  }
}

/// One query over `keys` keys that start at key j0: its maximum, total and sum move on.
void addTile(const AttentionArgs& a, const float* q, const float* k, const float* v, int64_t keys,
             int64_t mask, float* scores, float* partial, const Partial& layout) {
  for (int64_t j = 0; j < keys; j += kLanes) {
    int64_t count = least<int64_t>(kLanes, keys - j);
    store(scores + j, dots(q, k + j * a.k.stride[2], a.k.stride[2], count, a.D) * (a.scale * kLog2E));
  }
  if (a.mask) addMaskRow(a, mask, keys, scores);
  float top = partial[0];
  bool nan = false;
  for (int64_t j = 0; j < keys; j++) {
    nan |= scores[j] != scores[j];
    top = most(top, scores[j]);
  }
  if (nan) top = __builtin_nanf("");
  float base = top > -__builtin_inff() || nan ? top : 0;
  for (int64_t j = keys; j < roundUp(keys, kLanes); j++) scores[j] = -__builtin_inff();
  float rescale = exp2Of(splat(partial[0] - base))[0];
  Floats total{};
  for (int64_t j = 0; j < keys; j += kLanes) {
    Floats weight = exp2Of(load(scores + j) - base);
    total += weight;
    store(scores + j, weight);
  }
  float* sum = layout.sum(partial);
  if (rescale != 1.0f) {
    for (int64_t c = 0; c < layout.width; c += kLanes) store(sum + c, load(sum + c) * rescale);
  }
  partial[0] = top;
  partial[kLanes] = partial[kLanes] * rescale + sumLanes(total);
  addValues(scores, v, a.v.stride[2], keys, a.Dv, sum);
}

/// Joins the runs of one query and writes its row.
void joinRuns(float* partials, int64_t runs, const Partial& layout, int64_t columns, float* out) {
  float top = -__builtin_inff();
  for (int64_t r = 0; r < runs; r++) {
    float own = partials[r * layout.floats()];
    top = own > top || own != own ? own : top;
    if (own != own) break;
  }
  float base = top > -__builtin_inff() || top != top ? top : 0, total = 0;
  float* sum = layout.sum(partials);
  for (int64_t r = 0; r < runs; r++) {
    float* partial = partials + r * layout.floats();
    float scale = exp2Of(splat(partial[0] - base))[0];
    total += partial[kLanes] * scale;
    const float* own = layout.sum(partial);
    for (int64_t c = 0; c < layout.width; c += kLanes) {
      store(sum + c, r == 0 ? load(own + c) * scale : load(sum + c) + load(own + c) * scale);
    }
  }
  writeRows(sum, layout.width, 1, columns, total != 0 ? 1 / total : 0, out, columns);
}

void fewQueries(const Context& context, const AttentionArgs& a) {
  const Partial layout{roundUp(a.Dv, kLanes)};
  const int64_t runs = (a.S + kRun - 1) / kRun, group = a.H / a.Hkv, queries = group * a.T;
  const int64_t partials = a.B * a.H * a.T * runs * layout.floats();
  const std::size_t own = static_cast<std::size_t>(kTile) * sizeof(float);
  // One block: scores of each thread, then the partial results of all.
  const std::size_t share =
      (static_cast<std::size_t>(partials) * sizeof(float) + static_cast<std::size_t>(context.threads) - 1) /
      static_cast<std::size_t>(context.threads);
  char* memory = context.scratch(Context::scratchStride(own) + share);
  float* results = reinterpret_cast<float*>(memory + static_cast<std::size_t>(context.threads) *
                                                         Context::scratchStride(own));
  auto place = [&](int64_t b, int64_t h, int64_t i, int64_t r) {
    return results + (((b * a.H + h) * a.T + i) * runs + r) * layout.floats();
  };
  parallelFor(context, a.B * a.Hkv * runs, 1, [&](int64_t begin, int64_t end, int thread) {
    float* scores =
        reinterpret_cast<float*>(memory + static_cast<std::size_t>(thread) * Context::scratchStride(own));
    for (int64_t piece = begin; piece < end; piece++) {
      if (context.stopped()) return;
      const int64_t r = piece % runs, g = piece / runs % a.Hkv, b = piece / runs / a.Hkv;
      const float* k = a.k.data + b * a.k.stride[0] + g * a.k.stride[1];
      const float* v = a.v.data + b * a.v.stride[0] + g * a.v.stride[1];
      for (int64_t n = 0; n < queries; n++) {
        float* partial = place(b, g * group + n / a.T, n % a.T, r);
        zero(partial, layout.floats());
        partial[0] = -__builtin_inff();
      }
      for (int64_t j0 = r * kRun; j0 < least(a.S, (r + 1) * kRun); j0 += kTile) {
        const int64_t last = least(a.S, least((r + 1) * kRun, j0 + kTile));
        for (int64_t n = 0; n < queries; n++) {
          const int64_t h = g * group + n / a.T, i = n % a.T;
          const int64_t keys = least(last, a.S - a.T + i + 1) - j0;
          if (keys <= 0) continue;
          const float* q = a.q.data + b * a.q.stride[0] + h * a.q.stride[1] + i * a.q.stride[2];
          const int64_t mask =
              b * a.maskStride[0] + h * a.maskStride[1] + i * a.maskStride[2] + j0 * a.maskStride[3];
          addTile(a, q, k + j0 * a.k.stride[2], v + j0 * a.v.stride[2], keys, mask, scores, place(b, h, i, r),
                  layout);
        }
      }
    }
  });
  if (context.stopped()) return;
  for (int64_t row = 0; row < a.B * a.H * a.T; row++) {
    const int64_t b = row / a.T / a.H, h = row / a.T % a.H, i = row % a.T;
    float* out = a.out.data + b * a.out.stride[0] + h * a.out.stride[1] + i * a.out.stride[2];
    joinRuns(place(b, h, i, 0), runs, layout, a.Dv, out);
  }
}

}  // namespace

/// Exact for any sizes; a NaN or an infinity in a row of scores makes that row NaN, as in PyTorch.
void cachedAttention(const Context& context, const CachedAttentionArgs& args) {
  AttentionArgs a = args.attention;
  const int64_t end = *args.end;
  if (end < a.T || end > a.S) return context.fail("number of cached tokens", end);
  a.S = end;
  if (a.T > kFewQueries) return attention(context, a);
  fewQueries(context, a);
}

}  // namespace CROSSOVER_ARCH
}  // namespace crossover
