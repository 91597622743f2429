// Weighted attention against float64, forward and every gradient, on slices of one matrix as models use it.
#include "check.h"

namespace crossover::check {
namespace {

constexpr int64_t kNone = int64_t{1} << 40;

struct Case {
  int64_t B, H, T, S, D, Dv;
  int64_t wB, wH;  // 1 where the weights are shared
  int64_t first = -kNone, last = kNone;
};

std::string describe(const Case& c) {
  std::string text = "weighted attention";
  for (int64_t n : {c.B, c.H, c.T, c.S, c.D, c.Dv, c.wB, c.wH}) text += " " + std::to_string(n);
  return text;
}

/// A [B, H, T, N] tensor stored [B, T, H, N] with room between rows.
struct Tensor {
  int64_t B, H, T, N;
  Buffer data;
  Tensor(int64_t b, int64_t h, int64_t t, int64_t n) : B(b), H(h), T(t), N(n), data(b * t * h * (n + 3)) {}
  Rows4 rows() { return {data.data(), {T * H * (N + 3), N + 3, H * (N + 3)}}; }
  float& at(int64_t b, int64_t h, int64_t t, int64_t n) { return data[((b * T + t) * H + h) * (N + 3) + n]; }
};

void compare(const std::string& what, Tensor& actual, const Doubles& expected) {
  Buffer copy(actual.B * actual.H * actual.T * actual.N);
  for (int64_t i = 0; i < copy.size(); ++i) {
    int64_t n = i % actual.N, t = i / actual.N % actual.T, unit = i / actual.N / actual.T;
    copy[i] = actual.at(unit / actual.H, unit % actual.H, t, n);
  }
  expectNear(what, copy, expected, 4e-6, 0.1);
}

struct Problem {
  Case c;
  Tensor q, k, v, out, dout, dq, dk, dv;
  Buffer w, dw;
  explicit Problem(const Case& given)
      : c(given),
        q(c.B, c.H, c.T, c.D),
        k(c.B, c.H, c.S, c.D),
        v(c.B, c.H, c.S, c.Dv),
        out(c.B, c.H, c.T, c.Dv),
        dout(c.B, c.H, c.T, c.Dv),
        dq(c.B, c.H, c.T, c.D),
        dk(c.B, c.H, c.S, c.D),
        dv(c.B, c.H, c.S, c.Dv),
        w(c.wB * c.wH * c.T * c.S),
        dw(w.size()) {
    Random random(static_cast<uint32_t>(c.T * 31 + c.D));
    for (Tensor* x : {&q, &k, &v, &dout}) random.fill(x->data);
    random.fill(w);
    for (int64_t i = 0; i < w.size(); ++i) {
      if (!visible(i / c.S % c.T, i % c.S)) w[i] = 0;
    }
  }
  bool visible(int64_t i, int64_t j) const { return j - i >= c.first && j - i < c.last; }
  WeightedAttentionArgs args(bool wantsWeights) {
    WeightedAttentionArgs a{};
    a.B = c.B, a.H = c.H, a.T = c.T, a.S = c.S, a.D = c.D, a.Dv = c.Dv;
    a.first = c.first, a.last = c.last;
    a.q = q.rows(), a.k = k.rows(), a.v = v.rows(), a.out = out.rows(), a.dout = dout.rows();
    a.dq = dq.rows(), a.dk = dk.rows(), a.dv = dv.rows();
    a.w = w.data();
    a.wStride[0] = c.wB == 1 ? 0 : c.wH * c.T * c.S, a.wStride[1] = c.wH == 1 ? 0 : c.T * c.S;
    a.wStride[2] = c.S;
    if (wantsWeights) {
      a.dw = dw.data();
      for (int d = 0; d < 3; ++d) a.dwStride[d] = a.wStride[d];
      a.dwShared[0] = c.wB != c.B, a.dwShared[1] = c.wH != c.H;
    }
    return a;
  }
};

struct Expected {
  Doubles out, dq, dk, dv, dw;  // contiguous [B, H, rows, columns]
};

Expected reference(Problem& p) {
  const Case& c = p.c;
  auto size = [](int64_t n) { return Doubles(static_cast<std::size_t>(n)); };
  Expected e{size(c.B * c.H * c.T * c.Dv), size(c.B * c.H * c.T * c.D), size(c.B * c.H * c.S * c.D),
             size(c.B * c.H * c.S * c.Dv), size(p.w.size())};
  auto cell = [](Doubles& x, int64_t row, int64_t columns, int64_t column) -> double& {
    return x[static_cast<std::size_t>(row * columns + column)];
  };
  for (int64_t unit = 0; unit < c.B * c.H * c.T; ++unit) {
    int64_t i = unit % c.T, h = unit / c.T % c.H, b = unit / c.T / c.H, head = b * c.H + h;
    for (int64_t j = 0; j < c.S; ++j) {
      if (!p.visible(i, j)) continue;
      int64_t at = ((c.wB == 1 ? 0 : b) * c.wH + (c.wH == 1 ? 0 : h)) * c.T + i;
      double w = p.w[at * c.S + j], score = 0, product = 0;
      for (int64_t d = 0; d < c.D; ++d) {
        score += static_cast<double>(p.q.at(b, h, i, d)) * p.k.at(b, h, j, d);
      }
      for (int64_t d = 0; d < c.Dv; ++d) {
        product += static_cast<double>(p.dout.at(b, h, i, d)) * p.v.at(b, h, j, d);
        cell(e.out, unit, c.Dv, d) += score * w * p.v.at(b, h, j, d);
        cell(e.dv, head * c.S + j, c.Dv, d) += score * w * p.dout.at(b, h, i, d);
      }
      for (int64_t d = 0; d < c.D; ++d) {
        cell(e.dq, unit, c.D, d) += product * w * p.k.at(b, h, j, d);
        cell(e.dk, head * c.S + j, c.D, d) += product * w * p.q.at(b, h, i, d);
      }
      cell(e.dw, at, c.S, j) += score * product;
    }
  }
  return e;
}

void check(const KernelTable& kernels, const Case& c) {
  Problem p(c);
  Machine machine;
  kernels.weightedAttention(machine.context, p.args(true));
  kernels.weightedAttentionGrad(machine.context, p.args(true));
  Expected e = reference(p);
  std::string title = describe(c);
  compare(title + " out", p.out, e.out);
  compare(title + " dq", p.dq, e.dq);
  compare(title + " dk", p.dk, e.dk);
  compare(title + " dv", p.dv, e.dv);
  expectNear(title + " dw", p.dw, e.dw, 4e-6, 0.1);
}

KERNEL_TEST(weightedAttentionSizes,
            "weighted attention and its gradient: odd sizes, shared weights, diagonals") {
  for (const Case& c : std::initializer_list<Case>{{1, 1, 1, 1, 8, 8, 1, 1},
                                                   {2, 3, 33, 33, 16, 16, 1, 3, -kNone, 1},
                                                   {3, 2, 130, 130, 64, 64, 1, 2, -kNone, 1},
                                                   {2, 2, 256, 256, 64, 64, 1, 2, -kNone, 1},
                                                   {1, 1, 300, 300, 32, 32, 1, 1, -kNone, 1},
                                                   {1, 1, 150, 520, 24, 40, 1, 1},
                                                   {5, 2, 65, 150, 48, 80, 1, 1, -kNone, 86},
                                                   {2, 2, 150, 65, 128, 128, 2, 2, -kNone, 0},
                                                   {2, 3, 140, 70, 20, 12, 2, 1},
                                                   {2, 2, 290, 290, 40, 40, 1, 1, -37, 5},
                                                   {1, 2, 77, 200, 65, 33, 1, 2, 50, 120},
                                                   {4, 1, 20, 20, 8, 16, 1, 1, 30, 40}}) {
    check(kernels, c);
  }
}

KERNEL_TEST(weightedAttentionThreads,
            "weighted attention: the same bits with one thread and with three, with and without dw") {
  for (const Case& c : std::initializer_list<Case>{{3, 2, 200, 200, 24, 24, 1, 2, -kNone, 1},
                                                   {1, 1, 300, 520, 24, 24, 1, 1}}) {
    Problem one(c), three(c), none(c);
    Machine single(1), several(3);
    kernels.weightedAttention(single.context, one.args(true));
    kernels.weightedAttentionGrad(single.context, one.args(true));
    kernels.weightedAttention(several.context, three.args(true));
    kernels.weightedAttentionGrad(several.context, three.args(true));
    kernels.weightedAttentionGrad(several.context, none.args(false));
    auto same = [](Tensor& x, Tensor& y) {
      for (int64_t unit = 0; unit < x.B * x.H * x.T; ++unit) {
        int64_t t = unit % x.T, h = unit / x.T % x.H, b = unit / x.T / x.H;
        if (std::memcmp(&x.at(b, h, t, 0), &y.at(b, h, t, 0), static_cast<std::size_t>(x.N) * sizeof(float)))
          return false;
      }
      return true;
    };
    expect(same(one.out, three.out) && same(one.dq, three.dq) && same(one.dk, three.dk), "bits differ");
    expect(same(one.dv, three.dv), "bits of dv differ");
    expect(std::memcmp(one.dw.data(), three.dw.data(), static_cast<std::size_t>(one.dw.size()) * 4) == 0,
           "bits of dw differ");
    expect(std::isnan(none.dw[0]) && std::isfinite(none.dq.at(0, 0, 0, 0)),
           "dw is written without being wanted");
  }
}

KERNEL_TEST(weightedAttentionDiagonals,
            "weighted attention: what is off the diagonals is not read as a number") {
  Problem p({1, 1, 128, 128, 16, 16, 1, 1, -kNone, 1});
  for (int64_t d = 0; d < 16; ++d) p.k.at(0, 0, 127, d) = INFINITY, p.v.at(0, 0, 127, d) = 1;
  Machine machine;
  kernels.weightedAttention(machine.context, p.args(false));
  expect(std::isfinite(p.out.at(0, 0, 0, 0)), "a later key reaches an early query");
  expect(!std::isfinite(p.out.at(0, 0, 127, 0)), "an infinity vanishes");
}

KERNEL_TEST(weightedAttentionCancelled, "weighted attention stops when the run is cancelled") {
  Problem p({1, 1, 64, 64, 16, 16, 1, 1});
  Machine machine;
  machine.cancel = true;
  kernels.weightedAttention(machine.context, p.args(true));
  kernels.weightedAttentionGrad(machine.context, p.args(true));
  expect(std::isnan(p.out.at(0, 0, 0, 0)) && std::isnan(p.dk.at(0, 0, 0, 0)), "nothing is computed");
}

}  // namespace
}  // namespace crossover::check
