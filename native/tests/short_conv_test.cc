// The causal short convolution against float64 for every number of taps, with gradients of x, weights, bias
// and state; token by token against whole sequences; and the same bits on any number of threads.
#include "check.h"

namespace crossover::check {
namespace {

constexpr double kTolerance = 2e-6;

struct Case {
  int64_t B, T, C, taps;
  bool bias, states;
};
// One token, fewer tokens than taps, one batch entry, channels that are no multiple of a vector, more blocks
// of tokens than parts of the sums.
constexpr Case kCases[] = {{1, 1, 1, 2, false, false},  {3, 1, 43, 4, true, true},
                           {2, 2, 17, 8, true, true},   {1, 3, 16, 4, false, true},
                           {1, 16, 64, 3, true, false}, {2, 37, 75, 4, true, true},
                           {1, 33, 5, 5, false, true},  {5, 19, 33, 6, true, false},
                           {2, 300, 48, 7, true, true}, {3, 250, 20, 4, true, true}};

std::size_t index(int64_t i) { return static_cast<std::size_t>(i); }

/// Inputs, outputs and gradients; x and dx are the middle of rows three times as wide, as slices of a
/// projection are.
struct Run {
  Case c;
  int64_t before, wide;
  Buffer x, y, dy, dx, weight, bias, dweight, dbias, stateIn, stateOut, dstateIn, dstateOut;
  ShortConvArgs args{};
  explicit Run(const Case& given)
      : c(given),
        before(c.taps - 1),
        wide(3 * c.C),
        x(c.B * c.T * wide),
        y(c.B * c.T * c.C),
        dy(c.B * c.T * c.C),
        dx(c.B * c.T * wide),
        weight(c.C * c.taps),
        bias(c.C),
        dweight(c.C * c.taps),
        dbias(c.C),
        stateIn(c.B * before * c.C),
        stateOut(c.B * before * c.C),
        dstateIn(c.B * before * c.C),
        dstateOut(c.B * before * c.C) {
    Random random(static_cast<uint32_t>(c.T + 7 * c.C + c.taps));
    for (Buffer* b : {&x, &dy, &weight, &bias, &stateIn, &dstateOut}) random.fill(*b);
    args.B = c.B, args.T = c.T, args.C = c.C, args.taps = c.taps;
    args.x = slice(x), args.dx = slice(dx);
    args.y = Rows3{y.data(), {c.T * c.C, c.C}}, args.dy = Rows3{dy.data(), {c.T * c.C, c.C}};
    args.weight = weight.data(), args.dweight = dweight.data();
    if (c.bias) args.bias = bias.data(), args.dbias = dbias.data();
    if (!c.states) return;
    args.stateIn = stateIn.data(), args.stateOut = stateOut.data();
    args.dstateIn = dstateIn.data(), args.dstateOut = dstateOut.data();
  }
  Rows3 slice(Buffer& buffer, int64_t token = 0) const {
    return Rows3{buffer.data() + token * wide + c.C, {c.T * wide, wide}};
  }
  int64_t place(int64_t b, int64_t t, int64_t channel) const { return (b * c.T + t) * wide + c.C + channel; }
  /// The numbers of a slice, and whether what stands beside it is untouched (NaN).
  Buffer& narrow(Buffer& from, Buffer& to) const {
    for (int64_t i = 0; i < c.B * c.T; ++i) {
      for (int64_t j = 0; j < wide; ++j) {
        const float value = from[i * wide + j];
        if (j >= c.C && j < 2 * c.C) {
          to[i * c.C + j - c.C] = value;
        } else {
          expect(std::isnan(value), "short_conv writes beside a slice");
        }
      }
    }
    return to;
  }
};

KERNEL_TEST(shortConvExact, "short_conv and its gradients equal float64") {
  for (const Case& c : kCases) {
    Run run(c);
    Machine machine;
    kernels.shortConv(machine.context, run.args);
    kernels.shortConvGrad(machine.context, run.args);
    const int64_t rows = c.T + run.before;
    Doubles whole(index(c.B * rows * c.C)), dwhole = whole, y(index(c.B * c.T * c.C)), dx = y;
    Doubles dw(index(c.C * c.taps)), dbias(index(c.C)), out(index(c.B * run.before * c.C)), din = out;
    for (int64_t b = 0; b < c.B; ++b) {
      for (int64_t r = 0; r < rows; ++r) {
        for (int64_t i = 0; i < c.C; ++i) {
          const double first =
              c.states ? run.stateIn[(b * run.before + std::min(r, run.before - 1)) * c.C + i] : 0;
          whole[index((b * rows + r) * c.C + i)] =
              r < run.before ? first : run.x[run.place(b, r - run.before, i)];
        }
      }
      for (int64_t t = 0; t < c.T; ++t) {
        for (int64_t i = 0; i < c.C; ++i) {
          const double g = run.dy[(b * c.T + t) * c.C + i];
          double total = c.bias ? run.bias[i] : 0;
          dbias[index(i)] += g;
          for (int64_t j = 0; j < c.taps; ++j) {
            const double w = run.weight[i * c.taps + j];
            total += w * whole[index((b * rows + t + j) * c.C + i)];
            dw[index(i * c.taps + j)] += g * whole[index((b * rows + t + j) * c.C + i)];
            dwhole[index((b * rows + t + j) * c.C + i)] += g * w;
          }
          y[index((b * c.T + t) * c.C + i)] = total;
        }
      }
      for (int64_t r = 0; r < rows; ++r) {
        for (int64_t i = 0; i < c.C; ++i) {
          const int64_t from = (b * rows + r) * c.C + i, last = r - c.T;
          if (c.states && last >= 0) {
            out[index((b * run.before + last) * c.C + i)] = whole[index(from)];
            dwhole[index(from)] += run.dstateOut[(b * run.before + last) * c.C + i];
          }
          (r < run.before ? din[index((b * run.before + r) * c.C + i)]
                          : dx[index((b * c.T + r - run.before) * c.C + i)]) = dwhole[index(from)];
        }
      }
    }
    std::string title = "short_conv";
    for (int64_t n : {c.B, c.T, c.C, c.taps}) title += " " + std::to_string(n);
    Buffer dense(c.B * c.T * c.C);
    expectNear(title + " y", run.y, y, kTolerance);
    expectNear(title + " dx", run.narrow(run.dx, dense), dx, kTolerance);
    expectNear(title + " dw", run.dweight, dw, kTolerance);
    if (c.bias) expectNear(title + " dbias", run.dbias, dbias, kTolerance);
    if (!c.states) continue;
    expectNear(title + " stateOut", run.stateOut, out, kTolerance);
    expectNear(title + " dstateIn", run.dstateIn, din, kTolerance);
  }
}

void expectSame(const char* what, const Buffer& a, const Buffer& b) {
  expect(std::memcmp(a.data(), b.data(), index(a.size()) * sizeof(float)) == 0, what);
}

KERNEL_TEST(stepShortConv, "short_conv token by token gives the bits of short_conv over all tokens") {
  for (const Case& c : kCases) {
    Run whole(c), steps(c);
    Machine machine;
    whole.args.stateOut = whole.stateOut.data();
    kernels.shortConv(machine.context, whole.args);
    Buffer state(steps.stateIn.size());
    for (int64_t t = 0; t < c.T; ++t) {
      ShortConvArgs step = steps.args;
      step.T = 1, step.x = steps.slice(steps.x, t);
      step.y = Rows3{steps.y.data() + t * c.C, {c.T * c.C, c.C}};
      if (t > 0) step.stateIn = state.data();
      step.stateOut = steps.stateOut.data();
      kernels.shortConv(machine.context, step);
      for (int64_t i = 0; i < state.size(); ++i) state[i] = steps.stateOut[i];
    }
    expectSame("short_conv y by steps", whole.y, steps.y);
    expectSame("short_conv state by steps", whole.stateOut, steps.stateOut);
  }
}

KERNEL_TEST(threadsOfShortConv, "short_conv: the same bits with one thread and with three") {
  for (const Case& c : kCases) {
    Run one(c), three(c);
    Machine single(1), several(3);
    kernels.shortConv(single.context, one.args), kernels.shortConv(several.context, three.args);
    kernels.shortConvGrad(single.context, one.args), kernels.shortConvGrad(several.context, three.args);
    expectSame("short_conv y", one.y, three.y), expectSame("short_conv dx", one.dx, three.dx);
    expectSame("short_conv dw", one.dweight, three.dweight);
    expectSame("short_conv dbias", one.dbias, three.dbias);
    expectSame("short_conv dstateIn", one.dstateIn, three.dstateIn);
  }
}

}  // namespace
}  // namespace crossover::check
