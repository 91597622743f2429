// LSTM against float64 step by step, with gradients of the gates and of the first state.
#include "check.h"

namespace crossover::check {
namespace {

std::size_t index(int64_t i) { return static_cast<std::size_t>(i); }
double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

struct Case {
  int64_t B, T, H;
  double scale;  // of the gates: large ones saturate
  bool states;
};
constexpr Case kCases[] = {{1, 1, 1, 1, false},   {1, 7, 8, 1, true},   {2, 19, 33, 1, true},
                           {5, 9, 64, 30, true},  {7, 5, 75, 1, false}, {13, 12, 128, 1, true},
                           {3, 40, 200, 3, false}};

void checkLstm(const KernelTable& kernels, const Case& c) {
  const int64_t B = c.B, T = c.T, H = c.H, all = B * T * H;
  Random random(static_cast<uint32_t>(B + T + H));
  Buffer gates(4 * all), weight(4 * H * H), h0(B * H), c0(B * H), y(all), cellOut(B * H), active(4 * all),
      cells(all);
  Buffer dy(all), dcell(B * H), dgates(4 * all), dh0(B * H), dc0(B * H);
  random.fill(gates, c.scale), random.fill(weight, 1 / std::sqrt(static_cast<double>(H)));
  for (Buffer* x : {&h0, &c0, &dy, &dcell}) random.fill(*x);
  LstmArgs x{};
  x.B = B, x.T = T, x.H = H, x.weight = weight.data(), x.active = active.data(), x.cells = cells.data();
  x.y = Rows3{y.data(), {T * H, H}}, x.dy = Rows3{dy.data(), {T * H, H}};
  x.gates = Rows3{gates.data(), {T * 4 * H, 4 * H}}, x.dgates = Rows3{dgates.data(), {T * 4 * H, 4 * H}};
  if (c.states) {
    x.h0 = h0.data(), x.c0 = c0.data(), x.cellOut = cellOut.data();
    x.dh0 = dh0.data(), x.dc0 = dc0.data(), x.dcellOut = dcell.data();
  }
  Machine machine;
  kernels.lstm(machine.context, x);
  kernels.lstmGrad(machine.context, x);

  Doubles ey(index(all)), egates(index(4 * all)), ecell(index(B * H)), edh0 = ecell, edc0 = ecell;
  for (int64_t b = 0; b < B; ++b) {
    std::vector<Doubles> hs{Doubles(index(H))}, cs{Doubles(index(H))}, actives;
    for (int64_t i = 0; i < H && c.states; ++i)
      hs[0][index(i)] = h0[b * H + i], cs[0][index(i)] = c0[b * H + i];
    for (int64_t t = 0; t < T; ++t) {
      Doubles gate(index(4 * H)), h(index(H)), cell(index(H));
      for (int64_t row = 0; row < 4 * H; ++row) {
        double sum = gates[(b * T + t) * 4 * H + row];
        for (int64_t j = 0; j < H; ++j) sum += weight[row * H + j] * hs.back()[index(j)];
        gate[index(row)] = row / H == 2 ? std::tanh(sum) : sigmoid(sum);
      }
      for (int64_t i = 0; i < H; ++i) {
        cell[index(i)] = gate[index(H + i)] * cs.back()[index(i)] + gate[index(i)] * gate[index(2 * H + i)];
        h[index(i)] = gate[index(3 * H + i)] * std::tanh(cell[index(i)]);
        ey[index((b * T + t) * H + i)] = h[index(i)];
      }
      hs.push_back(h), cs.push_back(cell), actives.push_back(gate);
    }
    Doubles dh(index(H)), dc(index(H));
    for (int64_t i = 0; i < H; ++i) {
      ecell[index(b * H + i)] = cs.back()[index(i)];
      if (c.states) dc[index(i)] = dcell[b * H + i];
    }
    for (int64_t t = T - 1; t >= 0; --t) {
      const Doubles &gate = actives[index(t)], &before = cs[index(t)], &cell = cs[index(t + 1)];
      double* to = egates.data() + (b * T + t) * 4 * H;
      for (int64_t i = 0; i < H; ++i) {
        const double e = gate[index(i)], f = gate[index(H + i)], g = gate[index(2 * H + i)],
                     o = gate[index(3 * H + i)];
        const double out = std::tanh(cell[index(i)]), gradient = dh[index(i)] + dy[(b * T + t) * H + i];
        const double byCell = dc[index(i)] + gradient * o * (1 - out * out);
        to[i] = byCell * g * e * (1 - e), to[H + i] = byCell * before[index(i)] * f * (1 - f);
        to[2 * H + i] = byCell * e * (1 - g * g), to[3 * H + i] = gradient * out * o * (1 - o);
        dc[index(i)] = byCell * f;
      }
      for (int64_t j = 0; j < H; ++j) {
        dh[index(j)] = 0;
        for (int64_t row = 0; row < 4 * H; ++row) dh[index(j)] += to[row] * weight[row * H + j];
      }
    }
    for (int64_t i = 0; i < H; ++i)
      edh0[index(b * H + i)] = dh[index(i)], edc0[index(b * H + i)] = dc[index(i)];
  }
  std::string title = "lstm";
  for (int64_t n : {B, T, H}) title += " " + std::to_string(n);
  constexpr double kTolerance = 4e-6;
  expectNear(title + " y", y, ey, kTolerance);
  expectNear(title + " dgates", dgates, egates, kTolerance);
  if (!c.states) return;
  expectNear(title + " cell", cellOut, ecell, kTolerance);
  expectNear(title + " dh0", dh0, edh0, kTolerance);
  expectNear(title + " dc0", dc0, edc0, kTolerance);
}

KERNEL_TEST(lstmCases, "lstm and its gradient, odd sizes and saturated gates") {
  for (const Case& c : kCases) checkLstm(kernels, c);
}

}  // namespace
}  // namespace crossover::check
