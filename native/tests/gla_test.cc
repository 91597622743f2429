// Gated linear attention against float64 step by step, with gradients of every input and of both states; and
// gradients by finite differences where every decay is extreme.
#include "check.h"

namespace crossover::check {
namespace {

/// How strong the decays are; `one` is a value that all tokens have.
struct Decay {
  enum Kind { slow, moderate, spiked, strong, one } kind;
  double value = 0;
};

struct Case {
  int64_t B, T, H, G, N, P;
  bool perHead;
  Decay decay;
  bool states;
  double scale = 1;
};
constexpr Case kCases[] = {
    {1, 1, 1, 1, 8, 8, false, {Decay::slow}, false},
    {1, 64, 1, 1, 16, 16, false, {Decay::slow}, true},
    {2, 37, 3, 3, 24, 40, false, {Decay::slow}, true, 0.2},
    {1, 131, 2, 2, 64, 64, false, {Decay::moderate}, true},
    {1, 70, 2, 2, 128, 24, false, {Decay::spiked}, true},
    {2, 50, 1, 1, 40, 128, false, {Decay::strong}, true},
    {1, 90, 6, 2, 16, 8, false, {Decay::moderate}, false},
    {1, 70, 1, 1, 32, 32, false, {Decay::one, 0}, true},
    {1, 70, 1, 1, 32, 32, false, {Decay::one, -1e-6}, true},
    {1, 70, 1, 1, 32, 32, false, {Decay::one, -20}, true},
    {1, 70, 1, 1, 32, 32, false, {Decay::one, -200}, true},
    {1, 1, 1, 1, 8, 8, true, {Decay::slow}, false},
    {1, 64, 1, 1, 16, 16, true, {Decay::slow}, true},
    {2, 37, 3, 3, 24, 40, true, {Decay::slow}, true, 0.2},
    {1, 131, 10, 2, 128, 64, true, {Decay::moderate}, true},
    {1, 200, 5, 1, 16, 20, true, {Decay::spiked}, true},
    {2, 65, 1, 1, 40, 128, true, {Decay::strong}, false},
    {1, 70, 2, 1, 32, 32, true, {Decay::one, 0}, true},
    {1, 70, 2, 1, 32, 32, true, {Decay::one, -1e-6}, true},
    {1, 70, 2, 1, 32, 32, true, {Decay::one, -20}, true},
    {1, 70, 2, 1, 32, 32, true, {Decay::one, -200}, true},
};

double logDecay(Random& random, Decay decay) {
  double x = random.uniform();
  switch (decay.kind) {
    case Decay::slow:
      return -0.1 * x;
    case Decay::moderate:
      return -8 * x * x;
    case Decay::spiked:
      return x < 0.05 ? -300 : x < 0.1 ? 0 : x < 0.12 ? -INFINITY : -x;
    case Decay::strong:
      return -20 * x;
    default:
      return decay.value;
  }
}

std::size_t index(int64_t i) { return static_cast<std::size_t>(i); }

struct Problem {
  const Case& c;
  Random random;
  int64_t keys, values, decays, matrices, width;
  Buffer q, k, v, logw, dy, stateIn, dstateOut, y, stateOut, saved, dq, dk, dv, dlogw, dstateIn;
  explicit Problem(const Case& what)
      : c(what),
        random(static_cast<uint32_t>(what.T + what.N)),
        keys(c.B * c.T * c.G * c.N),
        values(c.B * c.T * c.H * c.P),
        decays(c.B * c.T * c.H * (c.perHead ? 1 : c.N)),
        matrices(c.B * c.H * c.N * c.P),
        width(c.perHead ? 1 : c.N),
        q(keys),
        k(keys),
        v(values),
        logw(decays),
        dy(values),
        stateIn(matrices),
        dstateOut(matrices),
        y(values),
        stateOut(matrices),
        saved(matrices * ((c.T + kGlaChunk - 1) / kGlaChunk)),
        dq(keys),
        dk(keys),
        dv(values),
        dlogw(decays),
        dstateIn(matrices) {
    for (Buffer* x : {&q, &v, &dy}) random.fill(*x);
    for (Buffer* x : {&k, &stateIn, &dstateOut}) random.fill(*x, 0.3);
    for (int64_t i = 0; i < decays; ++i) logw[i] = static_cast<float>(logDecay(random, c.decay));
  }
  GlaArgs args() {
    GlaArgs x{};
    x.B = c.B, x.T = c.T, x.H = c.H, x.G = c.G, x.N = c.N, x.P = c.P;
    x.perHead = c.perHead, x.scale = static_cast<float>(c.scale);
    auto keyed = [this](Buffer& b) { return sequenceRows(b, c.T, c.G, c.N); };
    auto valued = [this](Buffer& b) { return sequenceRows(b, c.T, c.H, c.P); };
    x.y = valued(y), x.q = keyed(q), x.k = keyed(k), x.v = valued(v);
    x.logw = sequenceRows(logw, c.T, c.H, width), x.saved = saved.data();
    x.dy = valued(dy), x.dq = keyed(dq), x.dk = keyed(dk), x.dv = valued(dv);
    x.dlogw = sequenceRows(dlogw, c.T, c.H, width);
    if (c.states) {
      x.stateIn = stateIn.data(), x.stateOut = stateOut.data();
      x.dstateIn = dstateIn.data(), x.dstateOut = dstateOut.data();
    }
    return x;
  }
  std::string title() const {
    std::string text = c.perHead ? "gla per head" : "gla";
    for (int64_t n : {c.B, c.T, c.H, c.G, c.N, c.P}) text += " " + std::to_string(n);
    return text + " decay " + std::to_string(c.decay.kind) + " " + std::to_string(c.decay.value) + " ";
  }
};

constexpr double kTolerance = 4e-6;

void checkGla(const KernelTable& kernels, const Case& c) {
  Problem s(c);
  Machine machine;
  GlaArgs args = s.args();
  kernels.gla(machine.context, args);
  kernels.glaGrad(machine.context, args);

  int64_t N = c.N, P = c.P, square = N * P;
  Doubles y(index(s.values)), dv(index(s.values)), dq(index(s.keys)), dk(index(s.keys)),
      dlogw(index(s.decays));
  Doubles stateOut(index(s.matrices)), dstateIn(index(s.matrices));
  for (int64_t unit = 0; unit < c.B * c.H; ++unit) {
    int64_t b = unit / c.H, h = unit % c.H, group = h / (c.H / c.G);
    std::vector<Doubles> states(index(c.T + 1), Doubles(index(square)));
    Doubles g(index(square));
    for (int64_t i = 0; i < square && c.states; ++i) {
      states[0][index(i)] = s.stateIn[unit * square + i];
      g[index(i)] = s.dstateOut[unit * square + i];
    }
    for (int64_t step = 0; step < 2 * c.T; ++step) {
      bool forward = step < c.T;
      int64_t t = forward ? step : 2 * c.T - 1 - step;
      int64_t key = ((b * c.T + t) * c.G + group) * N, value = ((b * c.T + t) * c.H + h) * P;
      int64_t decay = ((b * c.T + t) * c.H + h) * s.width;
      const Doubles& before = states[index(t)];
      Doubles& after = states[index(t + 1)];
      for (int64_t i = 0; i < N; ++i) {
        int64_t at = decay + (c.perHead ? 0 : i);
        double w = std::exp(static_cast<double>(s.logw[at])), q = s.q[key + i] * c.scale;
        for (int64_t j = 0; j < P; ++j) {
          int64_t m = i * P + j;
          if (forward) {
            after[index(m)] = w * before[index(m)] + static_cast<double>(s.k[key + i]) * s.v[value + j];
            y[index(value + j)] += q * after[index(m)];
            continue;
          }
          double& gradient = g[index(m)];
          gradient += q * s.dy[value + j];
          dq[index(key + i)] += c.scale * after[index(m)] * s.dy[value + j];
          dk[index(key + i)] += gradient * s.v[value + j];
          dv[index(value + j)] += gradient * s.k[key + i];
          dlogw[index(at)] += gradient * before[index(m)] * w;
          gradient *= w;
        }
      }
    }
    for (int64_t i = 0; i < square; ++i) {
      stateOut[index(unit * square + i)] = states[index(c.T)][index(i)];
      dstateIn[index(unit * square + i)] = g[index(i)];
    }
  }
  std::string title = s.title();
  expectNear(title + "y", s.y, y, kTolerance);
  expectNear(title + "dq", s.dq, dq, kTolerance);
  expectNear(title + "dk", s.dk, dk, kTolerance);
  expectNear(title + "dv", s.dv, dv, kTolerance);
  // Small where everything is forgotten: what rounding leaves of other gradients would be larger.
  expectNear(title + "dlogw", s.dlogw, dlogw, kTolerance);
  if (!c.states) return;
  expectNear(title + "stateOut", s.stateOut, stateOut, kTolerance);
  expectNear(title + "dstateIn", s.dstateIn, dstateIn, kTolerance);
}

KERNEL_TEST(glaCases, "gla and its gradient, odd sizes and extreme decays") {
  for (const Case& c : kCases) checkGla(kernels, c);
}

KERNEL_TEST(glaThreads, "gla is the same to the bit on one thread and on three") {
  for (bool perHead : {false, true}) {
    const Case c{2, 70, 10, 2, 24, 40, perHead, {Decay::moderate}, true};
    Problem one(c), three(c);
    Machine first(1), second(3);
    for (auto [problem, machine] : {std::pair{&one, &first}, std::pair{&three, &second}}) {
      GlaArgs args = problem->args();
      kernels.gla(machine->context, args);
      kernels.glaGrad(machine->context, args);
    }
    for (auto member : {&Problem::y, &Problem::dq, &Problem::dk, &Problem::dv, &Problem::dlogw}) {
      const Buffer &a = one.*member, &b = three.*member;
      expect(std::memcmp(a.data(), b.data(), index(a.size()) * sizeof(float)) == 0, one.title() + "differs");
    }
  }
}

KERNEL_TEST(glaNaN, "a NaN in a token reaches what follows it and nothing before") {
  for (bool perHead : {false, true}) {
    const Case c{1, 100, 1, 1, 16, 16, perHead, {Decay::slow}, true};
    Problem s(c);
    s.k[40 * c.N + 3] = std::nanf("");
    Machine machine;
    kernels.gla(machine.context, s.args());
    for (int64_t i = 0; i < s.values; ++i) {
      expect(std::isnan(s.y[i]) == (i >= 40 * c.P), s.title() + "at " + std::to_string(i));
    }
  }
}

}  // namespace
}  // namespace crossover::check
