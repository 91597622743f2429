// wkv4, selective_scan and lstm token by token with their states, as a decoder runs them, against whole
// sequences; and their gradients with one thread and with three.
#include "check.h"

namespace crossover::check {
namespace {

constexpr int64_t kB = 2, kT = 37, kC = 43, kN = 5;
constexpr double kTolerance = 2e-6;

Rows3 rows(Buffer& buffer, int64_t size, int64_t token = 0) {
  return Rows3{buffer.data() + token * size, {kT * size, size}};
}
Doubles doubles(const Buffer& buffer) { return Doubles(buffer.data(), buffer.data() + buffer.size()); }
void copy(const Buffer& from, Buffer& to) {
  std::memcpy(to.data(), from.data(), static_cast<std::size_t>(from.size()) * sizeof(float));
}
void expectSame(const char* what, const Buffer& a, const Buffer& b) {
  expect(std::memcmp(a.data(), b.data(), static_cast<std::size_t>(a.size()) * sizeof(float)) == 0, what);
}
int64_t savedSize(int64_t perChannel) { return kB * ((kT + kWkvChunk - 1) / kWkvChunk) * perChannel * kC; }

/// Inputs of all three, a whole forward pass and its gradient.
struct Wkv4 {
  Buffer k{kB * kT * kC}, v{kB * kT * kC}, y{kB * kT * kC}, dy{kB * kT * kC}, dk{kB * kT * kC},
      dv{kB * kT * kC};
  Buffer logw{kC}, u{kC}, dlogw{kC}, du{kC}, state{kB * 3 * kC}, saved{savedSize(3)};
  Wkv4Args args{};
  Wkv4() {
    Random random(3);
    for (Buffer* x : {&k, &v, &dy, &u}) random.fill(*x, 2);
    for (int64_t i = 0; i < kC; ++i) logw[i] = static_cast<float>(-2 * random.uniform());
    args.B = kB, args.T = kT, args.C = kC, args.logw = logw.data(), args.u = u.data();
    args.y = rows(y, kC), args.k = rows(k, kC), args.v = rows(v, kC), args.dy = rows(dy, kC);
    args.dk = rows(dk, kC), args.dv = rows(dv, kC), args.dlogw = dlogw.data(), args.du = du.data();
    args.stateOut = state.data(), args.saved = saved.data();
  }
};

struct Scan {
  Buffer x{kB * kT * kC}, dt{kB * kT * kC}, y{kB * kT * kC}, dy{kB * kT * kC}, dx{kB * kT * kC},
      ddt{kB * kT * kC};
  Buffer b{kB * kT * kN}, c{kB * kT * kN}, db{kB * kT * kN}, dc{kB * kT * kN}, a{kC * kN}, da{kC * kN};
  Buffer state{kB * kC * kN}, saved{savedSize(kN)};
  SelectiveScanArgs args{};
  Scan() {
    Random random(4);
    for (Buffer* one : {&x, &dy, &b, &c}) random.fill(*one);
    for (int64_t i = 0; i < dt.size(); ++i) dt[i] = static_cast<float>(random.uniform());
    for (int64_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(-2 * random.uniform());
    args.B = kB, args.T = kT, args.D = kC, args.N = kN, args.a = a.data(), args.da = da.data();
    args.y = rows(y, kC), args.x = rows(x, kC), args.dt = rows(dt, kC), args.dy = rows(dy, kC);
    args.dx = rows(dx, kC), args.ddt = rows(ddt, kC), args.b = rows(b, kN), args.c = rows(c, kN);
    args.db = rows(db, kN), args.dc = rows(dc, kN), args.stateOut = state.data(), args.saved = saved.data();
  }
};

struct Lstm {
  Buffer gates{kB * kT * 4 * kC}, dgates{kB * kT * 4 * kC}, y{kB * kT * kC}, dy{kB * kT * kC};
  Buffer weight{4 * kC * kC}, cell{kB * kC}, active{kB * kT * 4 * kC}, cells{kB * kT * kC};
  LstmArgs args{};
  Lstm() {
    Random random(5);
    random.fill(gates), random.fill(dy), random.fill(weight, 0.2);
    args.B = kB, args.T = kT, args.H = kC, args.weight = weight.data(), args.cellOut = cell.data();
    args.y = rows(y, kC), args.gates = rows(gates, 4 * kC), args.dy = rows(dy, kC);
    args.dgates = rows(dgates, 4 * kC), args.active = active.data(), args.cells = cells.data();
  }
};

KERNEL_TEST(stepWkv4, "wkv4 token by token equals wkv4 over all tokens") {
  Wkv4 whole;
  Machine machine;
  kernels.wkv4(machine.context, whole.args);
  Buffer y(whole.y.size()), state(whole.state.size()), next(whole.state.size());
  for (int64_t t = 0; t < kT; ++t) {
    Wkv4Args step = whole.args;
    step.T = 1, step.y = rows(y, kC, t), step.k = rows(whole.k, kC, t), step.v = rows(whole.v, kC, t);
    step.saved = nullptr, step.stateIn = t == 0 ? nullptr : state.data(), step.stateOut = next.data();
    kernels.wkv4(machine.context, step);
    copy(next, state);
  }
  expectNear("y by steps", y, doubles(whole.y), kTolerance);
  expectNear("state by steps", state, doubles(whole.state), kTolerance);
}

KERNEL_TEST(stepScan, "selective_scan token by token equals selective_scan over all tokens") {
  Scan whole;
  Machine machine;
  kernels.selectiveScan(machine.context, whole.args);
  Buffer y(whole.y.size()), state(whole.state.size()), next(whole.state.size());
  for (int64_t t = 0; t < kT; ++t) {
    SelectiveScanArgs step = whole.args;
    step.T = 1, step.y = rows(y, kC, t), step.x = rows(whole.x, kC, t), step.dt = rows(whole.dt, kC, t);
    step.b = rows(whole.b, kN, t), step.c = rows(whole.c, kN, t);
    step.saved = nullptr, step.stateIn = t == 0 ? nullptr : state.data(), step.stateOut = next.data();
    kernels.selectiveScan(machine.context, step);
    copy(next, state);
  }
  expectNear("y by steps", y, doubles(whole.y), kTolerance);
  expectNear("state by steps", state, doubles(whole.state), kTolerance);
}

KERNEL_TEST(stepLstm, "lstm token by token equals lstm over all tokens") {
  Lstm whole;
  Machine machine;
  kernels.lstm(machine.context, whole.args);
  Buffer y(whole.y.size()), h(kB * kC), c(kB * kC), next(kB * kC);
  for (int64_t t = 0; t < kT; ++t) {
    LstmArgs step = whole.args;
    step.T = 1, step.y = rows(y, kC, t), step.gates = rows(whole.gates, 4 * kC, t);
    step.active = step.cells = nullptr, step.cellOut = next.data();
    if (t > 0) step.h0 = h.data(), step.c0 = c.data();
    kernels.lstm(machine.context, step);
    copy(next, c);
    for (int64_t i = 0; i < kB * kC; ++i) h[i] = y[(i / kC * kT + t) * kC + i % kC];
  }
  expectNear("y by steps", y, doubles(whole.y), kTolerance);
  expectNear("cell by steps", c, doubles(whole.cell), kTolerance);
}

KERNEL_TEST(threadsOfScans, "wkv4, selective_scan and lstm: the same bits with one thread and with three") {
  Wkv4 wkv4[2];
  Scan scan[2];
  Lstm lstm[2];
  for (int i = 0; i < 2; ++i) {
    Machine machine(i == 0 ? 1 : 3);
    kernels.wkv4(machine.context, wkv4[i].args), kernels.wkv4Grad(machine.context, wkv4[i].args);
    kernels.selectiveScan(machine.context, scan[i].args);
    kernels.selectiveScanGrad(machine.context, scan[i].args);
    kernels.lstm(machine.context, lstm[i].args), kernels.lstmGrad(machine.context, lstm[i].args);
  }
  expectSame("wkv4 y", wkv4[0].y, wkv4[1].y), expectSame("wkv4 dk", wkv4[0].dk, wkv4[1].dk);
  expectSame("wkv4 dlogw", wkv4[0].dlogw, wkv4[1].dlogw), expectSame("wkv4 du", wkv4[0].du, wkv4[1].du);
  expectSame("scan y", scan[0].y, scan[1].y), expectSame("scan ddt", scan[0].ddt, scan[1].ddt);
  expectSame("scan dA", scan[0].da, scan[1].da), expectSame("scan dB", scan[0].db, scan[1].db);
  expectSame("scan dC", scan[0].dc, scan[1].dc);
  expectSame("lstm y", lstm[0].y, lstm[1].y), expectSame("lstm dgates", lstm[0].dgates, lstm[1].dgates);
}

}  // namespace
}  // namespace crossover::check
