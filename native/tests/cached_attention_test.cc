// Attention over a cache against attention over the same rows: few and many queries, runs that end anywhere.
#include <limits>

#include "check.h"

namespace crossover::check {
namespace {

enum class Mask { none, added, hiding };

struct Case {
  int64_t B, H, Hkv, T, S, end, D, Dv;
  Mask mask;
};

std::string describe(const Case& c) {
  std::string text = "cached attention";
  for (int64_t n : {c.B, c.H, c.Hkv, c.T, c.S, c.end, c.D, c.Dv}) text += " " + std::to_string(n);
  return text;
}

/// A case with its memory: q and out [B, T, H, ..], caches [B, Hkv, S, ..], NaN behind `end`.
struct Problem {
  Buffer q, k, v, out, added;
  std::vector<uint8_t> hiding;
  int64_t end;
  CachedAttentionArgs args{};

  explicit Problem(const Case& c)
      : q(c.B * c.T * c.H * c.D),
        k(c.B * c.Hkv * c.S * c.D),
        v(c.B * c.Hkv * c.S * c.Dv),
        out(c.B * c.T * c.H * c.Dv),
        added(c.H * c.T * c.S),
        hiding(static_cast<std::size_t>(c.T * c.S)),
        end(c.end) {
    Random random(static_cast<uint32_t>(c.end * 31 + c.D));
    random.fill(q);
    random.fill(k);
    random.fill(v);
    random.fill(added);
    for (uint8_t& m : hiding) m = random.uniform() < 0.6;
    for (int64_t row = 0; row < c.B * c.Hkv * c.S; ++row) {
      if (row % c.S < c.end) continue;
      for (int64_t d = 0; d < c.D; ++d) k[row * c.D + d] = std::nanf("");
      for (int64_t d = 0; d < c.Dv; ++d) v[row * c.Dv + d] = std::nanf("");
    }
    AttentionArgs& a = args.attention;
    a.B = c.B, a.H = c.H, a.Hkv = c.Hkv, a.T = c.T, a.S = c.S, a.D = c.D, a.Dv = c.Dv;
    a.scale = 1 / std::sqrt(static_cast<float>(c.D)), a.causal = true;
    a.q = {q.data(), {c.T * c.H * c.D, c.D, c.H * c.D}};
    a.k = {k.data(), {c.Hkv * c.S * c.D, c.S * c.D, c.D}};
    a.v = {v.data(), {c.Hkv * c.S * c.Dv, c.S * c.Dv, c.Dv}};
    a.out = {out.data(), {c.T * c.H * c.Dv, c.Dv, c.H * c.Dv}};
    if (c.mask == Mask::added) {
      a.mask = added.data(), a.maskStorage = Storage::f32;
      a.maskStride[1] = c.T * c.S, a.maskStride[2] = c.S, a.maskStride[3] = 1;
    } else if (c.mask == Mask::hiding) {
      a.mask = hiding.data(), a.maskStorage = Storage::u8, a.maskStride[2] = c.S, a.maskStride[3] = 1;
    }
    args.end = &end;
  }
};

/// In float64, key by key.
Doubles reference(const Case& c, Problem& p) {
  const AttentionArgs& a = p.args.attention;
  Doubles out(static_cast<std::size_t>(p.out.size()));
  for (int64_t row = 0; row < c.B * c.T * c.H; ++row) {
    const int64_t b = row / c.H / c.T, i = row / c.H % c.T, h = row % c.H, g = h / (c.H / c.Hkv);
    const int64_t keys = c.end - c.T + i + 1;
    std::vector<double> scores;
    double top = -std::numeric_limits<double>::infinity(), total = 0;
    for (int64_t j = 0; j < keys; ++j) {
      double score = 0;
      for (int64_t d = 0; d < c.D; ++d)
        score += static_cast<double>(p.q[row * c.D + d]) * p.k[((b * c.Hkv + g) * c.S + j) * c.D + d];
      score *= a.scale;
      const int64_t m = h * a.maskStride[1] + i * a.maskStride[2] + j * a.maskStride[3];
      if (c.mask == Mask::added) score += p.added[m];
      if (c.mask == Mask::hiding && !p.hiding[static_cast<std::size_t>(m)])
        score = -std::numeric_limits<double>::infinity();
      scores.push_back(score);
      top = std::max(top, score);
    }
    if (!std::isfinite(top)) continue;  // no key is seen: 0
    for (double& s : scores) total += s = std::exp(s - top);
    for (int64_t j = 0; j < keys; ++j) {
      for (int64_t d = 0; d < c.Dv; ++d)
        out[static_cast<std::size_t>(row * c.Dv + d)] +=
            scores[static_cast<std::size_t>(j)] / total * p.v[((b * c.Hkv + g) * c.S + j) * c.Dv + d];
    }
  }
  return out;
}

KERNEL_TEST(cachedAttentionSizes, "cached attention: odd sizes, groups, masks, few queries and many") {
  const Case cases[] = {
      {1, 6, 6, 1, 700, 1, 64, 64, Mask::none},   {1, 6, 6, 1, 700, 65, 64, 64, Mask::none},
      {1, 6, 2, 1, 700, 700, 64, 64, Mask::none}, {2, 4, 1, 3, 300, 259, 40, 72, Mask::none},
      {1, 3, 3, 5, 600, 513, 7, 13, Mask::added}, {1, 2, 2, 8, 100, 8, 33, 5, Mask::hiding},
      {1, 4, 2, 9, 600, 300, 64, 64, Mask::none}, {2, 2, 2, 130, 400, 257, 16, 24, Mask::hiding},
      {1, 1, 1, 1, 1, 1, 1, 1, Mask::none},       {1, 2, 1, 1, 520, 512, 128, 128, Mask::hiding},
  };
  for (const Case& c : cases) {
    Problem p(c);
    Machine machine;
    kernels.cachedAttention(machine.context, p.args);
    expectNear(describe(c), p.out, reference(c, p), 4e-6, 0.1);
  }
}

KERNEL_TEST(cachedAttentionThreads, "cached attention: the same bits with one thread and with three") {
  const Case c{1, 4, 2, 2, 900, 801, 64, 64, Mask::none};
  Problem one(c), three(c);
  Machine alone(1), several(3);
  kernels.cachedAttention(alone.context, one.args);
  kernels.cachedAttention(several.context, three.args);
  for (int64_t i = 0; i < one.out.size(); ++i) expect(one.out[i] == three.out[i], "same bits");
}

KERNEL_TEST(cachedAttentionEnd, "cached attention: an end outside the cache is bad data") {
  for (int64_t end : {int64_t{1}, int64_t{11}, int64_t{-1}}) {
    Problem p(Case{1, 1, 1, 2, 10, 5, 4, 4, Mask::none});
    p.end = end;
    Machine machine;
    kernels.cachedAttention(machine.context, p.args);
    expect(machine.failure.value == end && machine.failure.what.load() != nullptr, "refused");
  }
}

KERNEL_TEST(cachedAttentionNan, "cached attention: a NaN in a seen row reaches the result") {
  Problem p(Case{1, 1, 1, 1, 600, 600, 8, 8, Mask::none});
  p.k[300 * 8] = std::nanf("");
  Machine machine;
  kernels.cachedAttention(machine.context, p.args);
  for (int64_t i = 0; i < 8; ++i) expect(std::isnan(p.out[i]), "NaN");
}

}  // namespace
}  // namespace crossover::check
