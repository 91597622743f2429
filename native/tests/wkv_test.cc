// RWKV-6's and RWKV-7's recurrences against float64 step by step, with gradients of every input and of both
// states.
#include "check.h"

namespace crossover::check {
namespace {

/// How strong the decays are: as RWKV-7 makes them, moderate, with tokens that forget everything, all strong,
/// or so strong that gradients of log decays are smaller than what rounding leaves of the others.
enum class Decay { goose, moderate, spiked, strong, forgetful };

struct Case {
  int64_t B, T, H, N;
  Decay decay;
  bool states;
  int64_t P = N;  // value channels, of wkv7 alone
};
constexpr Case kCases[] = {{1, 1, 1, 8, Decay::goose, false},   {1, 16, 1, 16, Decay::goose, true},
                           {2, 37, 3, 24, Decay::goose, true},  {1, 50, 2, 64, Decay::goose, false},
                           {1, 33, 1, 128, Decay::goose, true}, {1, 40, 1, 64, Decay::moderate, true},
                           {1, 70, 2, 64, Decay::spiked, true}, {2, 50, 1, 40, Decay::strong, true},
                           {1, 200, 1, 64, Decay::goose, true}, {2, 37, 2, 24, Decay::forgetful, true}};
constexpr Case kRectangular[] = {{1, 1, 1, 8, Decay::goose, false, 3},
                                 {2, 37, 3, 24, Decay::goose, true, 48},
                                 {1, 50, 2, 40, Decay::spiked, true, 12},
                                 {1, 33, 1, 16, Decay::strong, true, 75}};

double logDecay(Random& random, Decay decay) {
  double x = random.uniform();
  switch (decay) {
    case Decay::goose:
      return -0.6065 * x;
    case Decay::moderate:
      return -8 * x * x;
    case Decay::spiked:
      return x < 0.05 ? -300 : x < 0.1 ? 0 : x < 0.12 ? -INFINITY : -x;
    case Decay::strong:
      return -20 * x;
    default:
      return -15 - 10 * x;
  }
}

std::size_t index(int64_t i) { return static_cast<std::size_t>(i); }

/// Buffers of [B, T, H, N] and [B, T, H, P] inputs and gradients and of states [B, H, N, P] or [B, H, P, N].
struct Sequence {
  const Case& c;
  Random random;
  int64_t rows, valueRows, matrices;
  Buffer r, k, v, a, b, logw, dy, stateIn, dstateOut, y, stateOut, saved, dr, dk, dv, da, db, dlogw, dstateIn,
      u, du;
  explicit Sequence(const Case& what)
      : c(what),
        random(static_cast<uint32_t>(what.T + what.N)),
        rows(c.B * c.T * c.H * c.N),
        valueRows(c.B * c.T * c.H * c.P),
        matrices(c.B * c.H * c.N * c.P),
        r(rows),
        k(rows),
        v(valueRows),
        a(rows),
        b(rows),
        logw(rows),
        dy(valueRows),
        stateIn(matrices),
        dstateOut(matrices),
        y(valueRows),
        stateOut(matrices),
        saved(matrices * ((c.T + kWkvChunk - 1) / kWkvChunk)),
        dr(rows),
        dk(rows),
        dv(valueRows),
        da(rows),
        db(rows),
        dlogw(rows),
        dstateIn(matrices),
        u(c.H * c.N),
        du(c.H * c.N) {
    for (Buffer* x : {&r, &v, &a, &dy, &u}) random.fill(*x);
    for (Buffer* x : {&k, &stateIn, &dstateOut}) random.fill(*x, 0.3);
    for (int64_t i = 0; i < rows; ++i) logw[i] = static_cast<float>(logDecay(random, c.decay));
    for (int64_t row = 0; row < rows; row += c.N) {  // a = -kk with |kk| = 1, b = kk * rate
      double norm = 0;
      for (int64_t i = row; i < row + c.N; ++i) norm += static_cast<double>(a[i]) * a[i];
      for (int64_t i = row; i < row + c.N; ++i) {
        a[i] = static_cast<float>(-a[i] / std::sqrt(norm));
        b[i] = static_cast<float>(-a[i] * random.uniform());
      }
    }
  }
  Rows4 as(Buffer& x) const { return sequenceRows(x, c.T, c.H, c.N); }
  Rows4 asValues(Buffer& x) const { return sequenceRows(x, c.T, c.H, c.P); }
  int64_t row(int64_t unit, int64_t t) const { return place(unit, t) * c.N; }
  int64_t valueRow(int64_t unit, int64_t t) const { return place(unit, t) * c.P; }
  int64_t place(int64_t unit, int64_t t) const { return (unit / c.H * c.T + t) * c.H + unit % c.H; }
  std::string title(const char* name) const {
    std::string text = name;
    for (int64_t n : {c.B, c.T, c.H, c.N, c.P, static_cast<int64_t>(c.decay)})
      text += " " + std::to_string(n);
    return text + " ";
  }
};

constexpr double kTolerance = 4e-6;

void checkWkv7(const KernelTable& kernels, const Case& c) {
  Sequence s(c);
  Wkv7Args x{};
  x.B = c.B, x.T = c.T, x.H = c.H, x.N = c.N, x.P = c.P;
  x.y = s.asValues(s.y), x.r = s.as(s.r), x.logw = s.as(s.logw), x.k = s.as(s.k), x.v = s.asValues(s.v);
  x.a = s.as(s.a), x.b = s.as(s.b), x.saved = s.saved.data();
  x.dy = s.asValues(s.dy), x.dr = s.as(s.dr), x.dlogw = s.as(s.dlogw), x.dk = s.as(s.dk),
  x.dv = s.asValues(s.dv);
  x.da = s.as(s.da), x.db = s.as(s.db);
  if (c.states) {
    x.stateIn = s.stateIn.data(), x.stateOut = s.stateOut.data();
    x.dstateIn = s.dstateIn.data(), x.dstateOut = s.dstateOut.data();
  }
  Machine machine;
  kernels.wkv7(machine.context, x);
  kernels.wkv7Grad(machine.context, x);

  int64_t N = c.N, P = c.P, square = N * P;
  Doubles zero(index(s.rows)), dr = zero, dk = zero, da = zero, db = zero, dlogw = zero;
  Doubles y(index(s.valueRows)), dv = y;
  Doubles stateOut(index(s.matrices)), dstateIn(index(s.matrices));
  for (int64_t unit = 0; unit < c.B * c.H; ++unit) {
    std::vector<Doubles> states(index(c.T + 1), Doubles(index(square)));
    Doubles g(index(square));
    for (int64_t i = 0; i < square && c.states; ++i) {
      states[0][index(i)] = s.stateIn[unit * square + i];
      g[index(i)] = s.dstateOut[unit * square + i];
    }
    for (int64_t t = 0; t < c.T; ++t) {
      int64_t o = s.row(unit, t), of = s.valueRow(unit, t);
      const Doubles& m = states[index(t)];
      for (int64_t i = 0; i < P; ++i) {
        double read = 0;
        for (int64_t j = 0; j < N; ++j) read += m[index(i * N + j)] * s.a[o + j];
        for (int64_t j = 0; j < N; ++j) {
          double next = m[index(i * N + j)] * std::exp(static_cast<double>(s.logw[o + j])) +
                        read * s.b[o + j] + static_cast<double>(s.v[of + i]) * s.k[o + j];
          states[index(t + 1)][index(i * N + j)] = next;
          y[index(of + i)] += next * s.r[o + j];
        }
      }
    }
    for (int64_t t = c.T - 1; t >= 0; --t) {
      int64_t o = s.row(unit, t), of = s.valueRow(unit, t);
      const Doubles &m = states[index(t)], &after = states[index(t + 1)];
      for (int64_t i = 0; i < P; ++i) {
        double read = 0, dread = 0;
        for (int64_t j = 0; j < N; ++j) {
          double& gradient = g[index(i * N + j)];
          gradient += static_cast<double>(s.dy[of + i]) * s.r[o + j];
          dr[index(o + j)] += after[index(i * N + j)] * s.dy[of + i];
          read += m[index(i * N + j)] * s.a[o + j];
          dread += gradient * s.b[o + j];
          dv[index(of + i)] += gradient * s.k[o + j];
          dk[index(o + j)] += gradient * s.v[of + i];
        }
        for (int64_t j = 0; j < N; ++j) {
          double &gradient = g[index(i * N + j)], w = std::exp(static_cast<double>(s.logw[o + j]));
          db[index(o + j)] += gradient * read;
          da[index(o + j)] += dread * m[index(i * N + j)];
          dlogw[index(o + j)] += gradient * m[index(i * N + j)] * w;
          gradient = gradient * w + dread * s.a[o + j];
        }
      }
    }
    for (int64_t i = 0; i < square; ++i) {
      stateOut[index(unit * square + i)] = states[index(c.T)][index(i)];
      dstateIn[index(unit * square + i)] = g[index(i)];
    }
  }
  std::string title = s.title("wkv7");
  expectNear(title + "y", s.y, y, kTolerance);
  expectNear(title + "dr", s.dr, dr, kTolerance);
  expectNear(title + "dk", s.dk, dk, kTolerance);
  expectNear(title + "dv", s.dv, dv, kTolerance);
  expectNear(title + "da", s.da, da, kTolerance);
  expectNear(title + "db", s.db, db, kTolerance);
  expectNear(title + "dlogw", s.dlogw, dlogw, kTolerance);
  if (!c.states) return;
  expectNear(title + "stateOut", s.stateOut, stateOut, kTolerance);
  expectNear(title + "dstateIn", s.dstateIn, dstateIn, kTolerance);
}

void checkWkv6(const KernelTable& kernels, const Case& c) {
  Sequence s(c);
  Wkv6Args x{};
  x.B = c.B, x.T = c.T, x.H = c.H, x.N = c.N;
  x.y = s.as(s.y), x.r = s.as(s.r), x.k = s.as(s.k), x.v = s.as(s.v), x.logw = s.as(s.logw);
  x.u = s.u.data(), x.saved = s.saved.data(), x.du = s.du.data();
  x.dy = s.as(s.dy), x.dr = s.as(s.dr), x.dk = s.as(s.dk), x.dv = s.as(s.dv), x.dlogw = s.as(s.dlogw);
  if (c.states) {
    x.stateIn = s.stateIn.data(), x.stateOut = s.stateOut.data();
    x.dstateIn = s.dstateIn.data(), x.dstateOut = s.dstateOut.data();
  }
  Machine machine;
  kernels.wkv6(machine.context, x);
  kernels.wkv6Grad(machine.context, x);

  int64_t N = c.N, square = N * N;
  Doubles zero(index(s.rows)), y = zero, dr = zero, dk = zero, dv = zero, dlogw = zero, du(index(c.H * N));
  Doubles stateOut(index(s.matrices)), dstateIn(index(s.matrices));
  for (int64_t unit = 0; unit < c.B * c.H; ++unit) {
    std::vector<Doubles> states(index(c.T + 1), Doubles(index(square)));
    Doubles g(index(square));
    for (int64_t i = 0; i < square && c.states; ++i) {
      states[0][index(i)] = s.stateIn[unit * square + i];
      g[index(i)] = s.dstateOut[unit * square + i];
    }
    for (int64_t step = 0; step < 2 * c.T; ++step) {
      bool forward = step < c.T;
      int64_t t = forward ? step : 2 * c.T - 1 - step, o = s.row(unit, t);
      for (int64_t i = 0; i < N; ++i) {
        double u = s.u[unit % c.H * N + i], w = std::exp(static_cast<double>(s.logw[o + i]));
        for (int64_t j = 0; j < N; ++j) {
          double m = states[index(t)][index(i * N + j)], kv = static_cast<double>(s.k[o + i]) * s.v[o + j];
          double& gradient = g[index(i * N + j)];
          if (forward) {
            y[index(o + j)] += s.r[o + i] * (u * kv + m);
            states[index(t + 1)][index(i * N + j)] = w * m + kv;
            continue;
          }
          double dy = s.dy[o + j], dkv = gradient + dy * s.r[o + i] * u;
          dr[index(o + i)] += dy * (u * kv + m);
          du[index(unit % c.H * N + i)] += dy * s.r[o + i] * kv;
          dk[index(o + i)] += dkv * s.v[o + j];
          dv[index(o + j)] += dkv * s.k[o + i];
          dlogw[index(o + i)] += gradient * m * w;
          gradient = gradient * w + dy * s.r[o + i];
        }
      }
    }
    for (int64_t i = 0; i < square; ++i) {
      stateOut[index(unit * square + i)] = states[index(c.T)][index(i)];
      dstateIn[index(unit * square + i)] = g[index(i)];
    }
  }
  std::string title = s.title("wkv6");
  expectNear(title + "y", s.y, y, kTolerance);
  expectNear(title + "dr", s.dr, dr, kTolerance);
  expectNear(title + "dk", s.dk, dk, kTolerance);
  expectNear(title + "dv", s.dv, dv, kTolerance);
  expectNear(title + "dlogw", s.dlogw, dlogw, kTolerance);
  expectNear(title + "du", s.du, du, kTolerance);
  if (!c.states) return;
  expectNear(title + "stateOut", s.stateOut, stateOut, kTolerance);
  expectNear(title + "dstateIn", s.dstateIn, dstateIn, kTolerance);
}

KERNEL_TEST(wkv6Cases, "wkv6 and its gradient, odd sizes and extreme decays") {
  for (const Case& c : kCases) checkWkv6(kernels, c);
}
KERNEL_TEST(wkv7Cases, "wkv7 and its gradient, odd sizes and extreme decays") {
  for (const Case& c : kCases) checkWkv7(kernels, c);
}
KERNEL_TEST(wkv7Rectangular, "wkv7 and its gradient, values wider and narrower than keys") {
  for (const Case& c : kRectangular) checkWkv7(kernels, c);
}

}  // namespace
}  // namespace crossover::check
