// RWKV-4's recurrence and Mamba's selective scan against float64 token by token, with gradients of every
// input and of both states.
#include "check.h"

namespace crossover::check {
namespace {

std::size_t index(int64_t i) { return static_cast<std::size_t>(i); }
float single(double x) { return static_cast<float>(x); }

Rows3 rows3(Buffer& buffer, int64_t T, int64_t C) { return Rows3{buffer.data(), {T * C, C}}; }
int64_t chunksOf(int64_t T) { return (T + kWkvChunk - 1) / kWkvChunk; }

/// Which keys and decays: ordinary; keys of +-80; decays that forget at once; decays that forget nothing.
enum class Kind { plain, keys, fast, slow };

struct Wkv4Case {
  int64_t B, T, C;
  Kind kind;
  bool states;
};
constexpr Wkv4Case kWkv4Cases[] = {{1, 1, 1, Kind::plain, false},  {2, 16, 32, Kind::plain, true},
                                   {1, 37, 75, Kind::keys, false}, {3, 50, 8, Kind::keys, true},
                                   {1, 33, 128, Kind::fast, true}, {2, 70, 40, Kind::slow, true},
                                   {1, 300, 24, Kind::slow, false}};

void checkWkv4(const KernelTable& kernels, const Wkv4Case& c) {
  const int64_t B = c.B, T = c.T, C = c.C, all = B * T * C, states = B * 3 * C;
  Random random(static_cast<uint32_t>(T + C));
  Buffer k(all), v(all), dy(all), y(all), dk(all), dv(all), logw(C), u(C), dlogw(C), du(C);
  Buffer stateIn(states), stateOut(states), dstateIn(states), dstateOut(states), saved(states * chunksOf(T));
  for (Buffer* x : {&k, &v, &dy, &u, &stateIn, &dstateOut}) random.fill(*x);
  for (int64_t i = 0; i < all; ++i) {
    if (c.kind == Kind::keys) k[i] = single(160 * random.uniform() - 80);
  }
  for (int64_t i = 0; i < C; ++i) {
    const double x = random.uniform();
    logw[i] = single(c.kind == Kind::fast   ? (x < 0.3 ? -1e30 : -100 * x)
                     : c.kind == Kind::slow ? -1e-7 * x
                                            : -3 * x);
  }
  for (int64_t i = 0; i < B * C; ++i) {  // sums of weights of an earlier text: positive, of a usable size
    const int64_t place = i / C * 3 * C + C + i % C;
    stateIn[place] = single(1 + random.uniform());
    if (c.kind == Kind::keys) stateIn[place + C] *= 40;
  }
  Wkv4Args x{};
  x.B = B, x.T = T, x.C = C, x.logw = logw.data(), x.u = u.data(), x.saved = saved.data();
  x.y = rows3(y, T, C), x.k = rows3(k, T, C), x.v = rows3(v, T, C), x.dy = rows3(dy, T, C);
  x.dk = rows3(dk, T, C), x.dv = rows3(dv, T, C), x.dlogw = dlogw.data(), x.du = du.data();
  if (c.states) {
    x.stateIn = stateIn.data(), x.stateOut = stateOut.data();
    x.dstateIn = dstateIn.data(), x.dstateOut = dstateOut.data();
  }
  Machine machine;
  kernels.wkv4(machine.context, x);
  kernels.wkv4Grad(machine.context, x);

  // Straight through the stable recurrence, with its larger exponent as a variable of its own.
  Doubles ey(index(all)), edk = ey, edv = ey, elogw(index(C)), eu = elogw, eout(index(states)), ein = eout;
  struct Step {
    double aa, bb, pp;
  };
  for (int64_t unit = 0; unit < B * C; ++unit) {
    const int64_t b = unit / C, channel = unit % C, at = b * 3 * C + channel;
    const double w = logw[channel], bonus = u[channel];
    std::vector<Step> steps{c.states ? Step{stateIn[at], stateIn[at + C], stateIn[at + 2 * C]}
                                     : Step{0, 0, -1e38}};
    for (int64_t t = 0; t < T; ++t) {
      const int64_t i = (b * T + t) * C + channel;
      const Step s = steps.back();
      const double p = std::max(s.pp, bonus + k[i]), e1 = std::exp(s.pp - p), e2 = std::exp(bonus + k[i] - p);
      ey[index(i)] = (e1 * s.aa + e2 * v[i]) / (e1 * s.bb + e2);
      const double q = std::max(s.pp + w, static_cast<double>(k[i]));
      const double f1 = std::exp(s.pp + w - q), f2 = std::exp(k[i] - q);
      steps.push_back({f1 * s.aa + f2 * v[i], f1 * s.bb + f2, q});
    }
    double ga = 0, gb = 0, gp = 0;
    if (c.states) ga = dstateOut[at], gb = dstateOut[at + C], gp = dstateOut[at + 2 * C];
    for (int64_t t = T - 1; t >= 0; --t) {
      const int64_t i = (b * T + t) * C + channel;
      const Step s = steps[index(t)], next = steps[index(t + 1)];
      const double f1 = std::exp(s.pp + w - next.pp), f2 = std::exp(k[i] - next.pp);
      const double byDecayed = (ga * s.aa + gb * s.bb) * f1, byKey = (ga * v[i] + gb) * f2;
      const double byLarger = gp - byDecayed - byKey;
      const bool kept = s.pp + w >= k[i];
      elogw[index(channel)] += byDecayed + (kept ? byLarger : 0);
      edk[index(i)] += byKey + (kept ? 0 : byLarger);
      edv[index(i)] += ga * f2;
      const double p = std::max(s.pp, bonus + k[i]), e1 = std::exp(s.pp - p), e2 = std::exp(bonus + k[i] - p);
      const double weight = e1 * s.bb + e2, g = dy[i] / weight, value = (e1 * s.aa + e2 * v[i]) / weight;
      gp = byDecayed + (kept ? byLarger : 0) + g * e1 * (s.aa - value * s.bb);
      ga = ga * f1 + g * e1, gb = gb * f1 - g * value * e1;
      edv[index(i)] += g * e2;
      edk[index(i)] += g * e2 * (v[i] - value), eu[index(channel)] += g * e2 * (v[i] - value);
    }
    eout[index(at)] = steps.back().aa, eout[index(at + C)] = steps.back().bb,
    eout[index(at + 2 * C)] = steps.back().pp;
    ein[index(at)] = ga, ein[index(at + C)] = gb, ein[index(at + 2 * C)] = gp;
  }
  std::string title = "wkv4";
  for (int64_t n : {B, T, C, static_cast<int64_t>(c.kind)}) title += " " + std::to_string(n);
  // Exponents of 80 are known to 80 * 2^-24 only, and weights to as much relatively.
  const double tolerance = c.kind == Kind::keys ? 4e-5 : 8e-6;
  expectNear(title + " y", y, ey, tolerance);
  expectNear(title + " dk", dk, edk, tolerance);
  expectNear(title + " dv", dv, edv, tolerance);
  expectNear(title + " dlogw", dlogw, elogw, tolerance);
  expectNear(title + " du", du, eu, tolerance);
  if (!c.states) return;
  expectNear(title + " stateOut", stateOut, eout, tolerance);
  expectNear(title + " dstateIn", dstateIn, ein, tolerance);
}

struct ScanCase {
  int64_t B, T, D, N;
  double decay;  // dt A goes from 0 to -decay
  bool states;
};
constexpr ScanCase kScanCases[] = {{1, 1, 1, 1, 1, false},     {2, 16, 32, 16, 1, true},
                                   {1, 37, 75, 16, 200, true}, {3, 50, 8, 5, 200, false},
                                   {1, 33, 128, 8, 4, true},   {2, 40, 300, 3, 1e-3, true},
                                   {1, 300, 24, 16, 1, true},  {1, 20, 40, 128, 20, true}};

void checkScan(const KernelTable& kernels, const ScanCase& c) {
  const int64_t B = c.B, T = c.T, D = c.D, N = c.N, all = B * T * D, narrow = B * T * N, states = B * D * N;
  Random random(static_cast<uint32_t>(T + D));
  Buffer in(all), dt(all), dy(all), y(all), din(all), ddt(all), b(narrow), cs(narrow), db(narrow),
      dcs(narrow);
  Buffer a(D * N), da(D * N), stateIn(states), stateOut(states), dstateIn(states), dstateOut(states);
  Buffer saved(states * chunksOf(T));
  for (Buffer* x : {&in, &dy, &b, &cs, &stateIn, &dstateOut}) random.fill(*x);
  for (int64_t i = 0; i < all; ++i) dt[i] = single(random.uniform());
  for (int64_t i = 0; i < D * N; ++i) a[i] = single(-c.decay * random.uniform());
  SelectiveScanArgs x{};
  x.B = B, x.T = T, x.D = D, x.N = N, x.a = a.data(), x.saved = saved.data(), x.da = da.data();
  x.y = rows3(y, T, D), x.x = rows3(in, T, D), x.dt = rows3(dt, T, D), x.b = rows3(b, T, N),
  x.c = rows3(cs, T, N);
  x.dy = rows3(dy, T, D), x.dx = rows3(din, T, D), x.ddt = rows3(ddt, T, D);
  x.db = rows3(db, T, N), x.dc = rows3(dcs, T, N);
  if (c.states) {
    x.stateIn = stateIn.data(), x.stateOut = stateOut.data();
    x.dstateIn = dstateIn.data(), x.dstateOut = dstateOut.data();
  }
  Machine machine;
  kernels.selectiveScan(machine.context, x);
  kernels.selectiveScanGrad(machine.context, x);

  Doubles ey(index(all)), edin = ey, eddt = ey, edb(index(narrow)), edc = edb, eda(index(D * N));
  Doubles eout(index(states)), ein = eout;
  for (int64_t unit = 0; unit < B * D; ++unit) {
    for (int64_t n = 0; n < N; ++n) {
      const double power = a[unit % D * N + n];
      Doubles h{c.states ? stateIn[unit * N + n] : 0.0};
      const auto at = [&](int64_t t) { return (unit / D * T + t) * D + unit % D; };
      const auto state = [&](int64_t t) { return (unit / D * T + t) * N + n; };
      for (int64_t t = 0; t < T; ++t) {
        const double step = dt[at(t)];
        h.push_back(std::exp(step * power) * h.back() + step * in[at(t)] * b[state(t)]);
        ey[index(at(t))] += h.back() * cs[state(t)];
      }
      double g = c.states ? dstateOut[unit * N + n] : 0.0;
      for (int64_t t = T - 1; t >= 0; --t) {
        const int64_t i = at(t), s = state(t);
        const double step = dt[i], decay = std::exp(step * power), before = h[index(t)];
        g += static_cast<double>(dy[i]) * cs[s];
        edc[index(s)] += dy[i] * h[index(t + 1)];
        edb[index(s)] += g * step * in[i];
        edin[index(i)] += g * step * b[s];
        eddt[index(i)] += g * (static_cast<double>(in[i]) * b[s] + power * decay * before);
        eda[index(unit % D * N + n)] += g * decay * before * step;
        g *= decay;
      }
      eout[index(unit * N + n)] = h.back(), ein[index(unit * N + n)] = g;
    }
  }
  std::string title = "selective_scan";
  for (int64_t n : {B, T, D, N}) title += " " + std::to_string(n);
  title += " " + std::to_string(c.decay);
  constexpr double kTolerance = 8e-6;
  expectNear(title + " y", y, ey, kTolerance);
  expectNear(title + " dx", din, edin, kTolerance);
  expectNear(title + " ddt", ddt, eddt, kTolerance);
  expectNear(title + " dA", da, eda, kTolerance);
  expectNear(title + " dB", db, edb, kTolerance);
  expectNear(title + " dC", dcs, edc, kTolerance);
  if (!c.states) return;
  expectNear(title + " stateOut", stateOut, eout, kTolerance);
  expectNear(title + " dstateIn", dstateIn, ein, kTolerance);
}

KERNEL_TEST(wkv4Cases, "wkv4 and its gradient, odd sizes, keys of 80 and extreme decays") {
  for (const Wkv4Case& c : kWkv4Cases) checkWkv4(kernels, c);
}
KERNEL_TEST(scanCases, "selective_scan and its gradient, odd sizes and extreme decays") {
  for (const ScanCase& c : kScanCases) checkScan(kernels, c);
}

}  // namespace
}  // namespace crossover::check
