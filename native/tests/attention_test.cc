// Attention against float64, forward and backward, on slices of one matrix as models use it.
#include <limits>

#include "check.h"

namespace crossover::check {
namespace {

enum class Mask { none, added, hiding };

struct Case {
  int64_t B, H, Hkv, T, S, D, Dv;
  bool causal;
  int64_t window;
  Mask mask;
};

std::string describe(const Case& c) {
  std::string text = "attention";
  for (int64_t n : {c.B, c.H, c.Hkv, c.T, c.S, c.D, c.Dv}) text += " " + std::to_string(n);
  return text + (c.causal ? " causal" : "") + " window " + std::to_string(c.window);
}

/// q, k and v lie side by side in rows of one matrix [B, L, columns], and so do their gradients.
struct Packed {
  int64_t L, columns;
  explicit Packed(const Case& c) : L(std::max(c.T, c.S)), columns(c.H * c.D + c.Hkv * (c.D + c.Dv)) {}
  Rows4 q(Buffer& x, const Case& c) const { return {x.data(), {L * columns, c.D, columns}}; }
  Rows4 k(Buffer& x, const Case& c) const { return {x.data() + c.H * c.D, {L * columns, c.D, columns}}; }
  Rows4 v(Buffer& x, const Case& c) const {
    return {x.data() + (c.H + c.Hkv) * c.D, {L * columns, c.Dv, columns}};
  }
};

float* at(const Rows4& x, int64_t b, int64_t h, int64_t t) {
  return x.data + b * x.stride[0] + h * x.stride[1] + t * x.stride[2];
}

struct Expected {
  Doubles out, lse, dq, dk, dv;  // each contiguous [B, H, T, D]
};

bool visible(const AttentionArgs& a, int64_t i, int64_t j) {
  int64_t last = i + a.S - a.T;
  if ((a.causal || a.window > 0) && j > last) return false;
  return a.window == 0 || j > last - a.window;
}

Expected reference(const AttentionArgs& a) {
  auto size = [](int64_t n) { return Doubles(static_cast<std::size_t>(n)); };
  Expected e{size(a.B * a.H * a.T * a.Dv), size(a.B * a.H * a.T), size(a.B * a.H * a.T * a.D),
             size(a.B * a.Hkv * a.S * a.D), size(a.B * a.Hkv * a.S * a.Dv)};
  std::vector<double> p(static_cast<std::size_t>(a.S));
  for (int64_t unit = 0; unit < a.B * a.H * a.T; ++unit) {
    int64_t i = unit % a.T, h = unit / a.T % a.H, b = unit / a.T / a.H, g = h / (a.H / a.Hkv);
    const float *q = at(a.q, b, h, i), *dout = at(a.dout, b, h, i);
    double top = -std::numeric_limits<double>::infinity(), total = 0, delta = 0;
    for (int64_t j = 0; j < a.S; ++j) {
      double score = 0;
      for (int64_t d = 0; d < a.D; ++d) score += static_cast<double>(q[d]) * at(a.k, b, g, j)[d];
      score *= a.scale;
      bool seen = visible(a, i, j);
      int64_t m = b * a.maskStride[0] + h * a.maskStride[1] + i * a.maskStride[2] + j * a.maskStride[3];
      if (a.mask && a.maskStorage == Storage::f32) score += static_cast<const float*>(a.mask)[m];
      if (a.mask && a.maskStorage == Storage::u8) seen = seen && static_cast<const uint8_t*>(a.mask)[m] != 0;
      p[static_cast<std::size_t>(j)] = seen ? score : -std::numeric_limits<double>::infinity();
      top = std::max(top, p[static_cast<std::size_t>(j)]);
    }
    bool any = std::isfinite(top);
    for (double& x : p) total += x = any ? std::exp(x - top) : 0;
    e.lse[static_cast<std::size_t>(unit)] = any ? top + std::log(total) : top;
    for (double& x : p) x = any ? x / total : 0;
    for (int64_t c = 0; c < a.Dv; ++c) {
      double sum = 0;
      for (int64_t j = 0; j < a.S; ++j) sum += p[static_cast<std::size_t>(j)] * at(a.v, b, g, j)[c];
      e.out[static_cast<std::size_t>(unit * a.Dv + c)] = sum;
      delta += sum * dout[c];
    }
    for (int64_t j = 0; j < a.S; ++j) {
      double weight = p[static_cast<std::size_t>(j)], dweight = 0;
      for (int64_t c = 0; c < a.Dv; ++c) {
        dweight += static_cast<double>(dout[c]) * at(a.v, b, g, j)[c];
        e.dv[static_cast<std::size_t>(((b * a.Hkv + g) * a.S + j) * a.Dv + c)] += weight * dout[c];
      }
      double dscore = weight * (dweight - delta) * a.scale;
      for (int64_t d = 0; d < a.D; ++d) {
        e.dq[static_cast<std::size_t>(unit * a.D + d)] += dscore * at(a.k, b, g, j)[d];
        e.dk[static_cast<std::size_t>(((b * a.Hkv + g) * a.S + j) * a.D + d)] += dscore * q[d];
      }
    }
  }
  return e;
}

void compare(const std::string& what, const Rows4& actual, int64_t B, int64_t H, int64_t T, int64_t D,
             const Doubles& expected) {
  Buffer copy(B * H * T * D);
  for (int64_t row = 0; row < B * H * T; ++row) {
    std::memcpy(copy.data() + row * D, at(actual, row / T / H, row / T % H, row % T),
                static_cast<std::size_t>(D) * sizeof(float));
  }
  expectNear(what, copy, expected, 4e-6, 0.1);  // one key alone has gradient 0
}

void check(const KernelTable& kernels, const Case& c) {
  Random random(static_cast<uint32_t>(c.T * 31 + c.D));
  Packed packed(c);
  Buffer x(c.B * packed.L * packed.columns), dx(x.size());
  Buffer out(c.B * c.T * c.H * c.Dv), dout(out.size()), lse(c.B * c.H * c.T), added(c.H * c.T * c.S);
  random.fill(x);
  random.fill(dout);
  random.fill(added);
  std::vector<uint8_t> hiding(static_cast<std::size_t>(c.T * c.S));
  for (uint8_t& m : hiding) m = random.uniform() < 0.7;

  AttentionArgs a{};
  a.B = c.B, a.H = c.H, a.Hkv = c.Hkv, a.T = c.T, a.S = c.S, a.D = c.D, a.Dv = c.Dv;
  a.scale = 1 / std::sqrt(static_cast<float>(c.D));
  a.causal = c.causal, a.window = c.window;
  a.q = packed.q(x, c), a.k = packed.k(x, c), a.v = packed.v(x, c);
  a.dq = packed.q(dx, c), a.dk = packed.k(dx, c), a.dv = packed.v(dx, c);
  a.out = {out.data(), {c.T * c.H * c.Dv, c.Dv, c.H * c.Dv}};
  a.dout = {dout.data(), {c.T * c.H * c.Dv, c.Dv, c.H * c.Dv}};
  a.lse = lse.data(), a.lseStride[0] = c.H * c.T, a.lseStride[1] = c.T, a.lseStride[2] = 1;
  if (c.mask == Mask::added) {
    a.mask = added.data(), a.maskStorage = Storage::f32;
    a.maskStride[1] = c.T * c.S, a.maskStride[2] = c.S, a.maskStride[3] = 1;
  } else if (c.mask == Mask::hiding) {
    a.mask = hiding.data(), a.maskStorage = Storage::u8, a.maskStride[2] = 1, a.maskStride[3] = c.T;
  }
  Machine machine;
  kernels.attention(machine.context, a);
  kernels.attentionGrad(machine.context, a);
  Expected e = reference(a);
  std::string title = describe(c);
  compare(title + " out", a.out, c.B, c.H, c.T, c.Dv, e.out);
  compare(title + " dq", a.dq, c.B, c.H, c.T, c.D, e.dq);
  compare(title + " dk", a.dk, c.B, c.Hkv, c.S, c.D, e.dk);
  compare(title + " dv", a.dv, c.B, c.Hkv, c.S, c.Dv, e.dv);
  for (std::size_t i = 0; i < e.lse.size(); ++i) {
    float value = lse[static_cast<int64_t>(i)];
    bool same = std::isfinite(e.lse[i]) ? std::fabs(value - e.lse[i]) < 4e-6 : value == e.lse[i];
    expect(same, title + " lse");
  }
}

KERNEL_TEST(attentionSizes, "attention and its gradient, odd sizes, groups, windows and masks") {
  for (const Case& c : std::initializer_list<Case>{{1, 1, 1, 1, 1, 8, 8, true, 0, Mask::none},
                                                   {2, 3, 3, 33, 33, 16, 16, true, 0, Mask::none},
                                                   {1, 2, 2, 130, 130, 64, 64, true, 0, Mask::none},
                                                   {1, 2, 1, 140, 140, 64, 64, false, 0, Mask::none},
                                                   {2, 4, 2, 97, 97, 24, 40, true, 0, Mask::none},
                                                   {1, 4, 1, 65, 150, 48, 80, true, 0, Mask::none},
                                                   {1, 2, 2, 150, 65, 32, 32, true, 0, Mask::none},
                                                   {1, 1, 1, 150, 150, 128, 128, true, 0, Mask::none},
                                                   {1, 1, 1, 20, 70, 256, 256, false, 0, Mask::none},
                                                   {1, 2, 2, 260, 260, 40, 40, true, 37, Mask::none},
                                                   {1, 1, 1, 60, 200, 64, 64, false, 100, Mask::none},
                                                   {1, 2, 1, 70, 140, 64, 64, false, 0, Mask::added},
                                                   {2, 2, 2, 140, 70, 20, 12, true, 0, Mask::hiding},
                                                   {1, 9, 3, 77, 77, 65, 33, true, 0, Mask::added}}) {
    check(kernels, c);
  }
}

/// One head of T x T causal attention with a mask row per query; returns out, dq, dk and dv.
std::vector<float> runOnce(const KernelTable& kernels, int threads, int64_t T, const float* mask) {
  constexpr int64_t kSize = 24;
  Random random(7);
  Buffer q(T * kSize), k(T * kSize), v(T * kSize), out(T * kSize), dout(T * kSize), lse(T);
  Buffer dq(T * kSize), dk(T * kSize), dv(T * kSize);
  for (Buffer* x : {&q, &k, &v, &dout}) random.fill(*x);
  auto rows = [&](Buffer& x) { return Rows4{x.data(), {T * kSize, T * kSize, kSize}}; };
  AttentionArgs a{};
  a.B = a.H = a.Hkv = 1, a.T = a.S = T, a.D = a.Dv = kSize;
  a.scale = 0.2f, a.causal = mask == nullptr;
  a.q = rows(q), a.k = rows(k), a.v = rows(v), a.out = rows(out), a.dout = rows(dout);
  a.dq = rows(dq), a.dk = rows(dk), a.dv = rows(dv);
  a.lse = lse.data(), a.lseStride[0] = a.lseStride[1] = T, a.lseStride[2] = 1;
  a.mask = mask, a.maskStorage = Storage::f32, a.maskStride[2] = T, a.maskStride[3] = 1;
  Machine machine(threads);
  kernels.attention(machine.context, a);
  kernels.attentionGrad(machine.context, a);
  std::vector<float> all;
  for (const Buffer* x : {&out, &dq, &dk, &dv}) all.insert(all.end(), x->data(), x->data() + x->size());
  all.insert(all.end(), v.data(), v.data() + v.size());
  return all;
}

KERNEL_TEST(attentionThreads, "attention: the same bits with one thread and with three") {
  std::vector<float> one = runOnce(kernels, 1, 700, nullptr), three = runOnce(kernels, 3, 700, nullptr);
  expect(std::memcmp(one.data(), three.data(), one.size() * sizeof(float)) == 0, "bits differ");
}

KERNEL_TEST(attentionHiddenRows,
            "attention: a row of -inf gives 0, a row of the most negative float the mean") {
  constexpr int64_t T = 20, kSize = 24;
  std::vector<float> mask(T * T, 0.0f);
  for (std::size_t j = 0; j < T; ++j) {
    mask[3 * T + j] = -INFINITY;
    mask[5 * T + j] = -std::numeric_limits<float>::max();
  }
  std::vector<float> all = runOnce(kernels, 1, T, mask.data());
  const float* v = all.data() + 4 * T * kSize;
  for (int64_t c = 0; c < kSize; ++c) {
    double mean = 0;
    for (int64_t j = 0; j < T; ++j) mean += v[j * kSize + c] / static_cast<double>(T);
    expect(all[static_cast<std::size_t>(3 * kSize + c)] == 0, "a hidden row");
    expect(all[static_cast<std::size_t>((T + 3) * kSize + c)] == 0, "dq of a hidden row");
    expect(std::fabs(all[static_cast<std::size_t>(5 * kSize + c)] - mean) < 1e-6, "a row of equal scores");
  }
  for (float x : all) expect(std::isfinite(x), "all values are finite");
}

KERNEL_TEST(attentionCancelled, "attention stops when the run is cancelled") {
  Machine machine;
  machine.cancel = true;
  AttentionArgs a{};
  Buffer x(64 * 16), out(64 * 16), lse(64);
  Random(1).fill(x);
  a.B = a.H = a.Hkv = 1, a.T = a.S = 64, a.D = a.Dv = 16, a.scale = 1;
  a.q = a.k = a.v = {x.data(), {0, 0, 16}};
  a.out = {out.data(), {0, 0, 16}};
  kernels.attention(machine.context, a);
  expect(std::isnan(out[0]), "nothing is computed");
}

}  // namespace
}  // namespace crossover::check
