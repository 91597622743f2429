// Fourier transforms against sums in double: lengths of every radix and of large primes, fewer or more
// elements than points, rows in any order; and what is not given counts as zero.
#include "../cpu/host/fourierPlan.h"
#include "check.h"

namespace crossover::check {
namespace {

constexpr double kTolerance = 1e-6;

/// How the elements of [outer, rows, points] lie: one after the other, rows innermost, or neither.
enum class Order { points, rows, apart };

struct Case {
  int64_t n, outer, rows, in, out;
  Order order;
};
// Every radix alone and with others, 2^k of even and odd k, lengths for a chirp (17, 37, 97, 331), rows that
// fill no vector, one vector and more than two; at last long ones.
constexpr Case kCases[] = {{1, 1, 1, 1, 1, Order::points},         {2, 1, 3, 2, 2, Order::points},
                           {3, 2, 5, 3, 3, Order::rows},           {4, 1, 16, 3, 4, Order::points},
                           {5, 1, 33, 5, 2, Order::apart},         {7, 3, 4, 7, 7, Order::points},
                           {8, 1, 65, 8, 8, Order::points},        {11, 1, 9, 6, 11, Order::rows},
                           {13, 2, 17, 13, 13, Order::points},     {16, 1, 40, 8, 16, Order::rows},
                           {17, 2, 3, 17, 17, Order::points},      {30, 1, 20, 30, 30, Order::apart},
                           {37, 1, 35, 20, 30, Order::points},     {64, 2, 7, 32, 64, Order::points},
                           {97, 1, 18, 97, 97, Order::rows},       {120, 1, 8, 1, 120, Order::points},
                           {128, 1, 34, 128, 1, Order::rows},      {331, 1, 5, 331, 331, Order::points},
                           {1001, 1, 3, 1000, 999, Order::points}, {2048, 1, 33, 1024, 2048, Order::points},
                           {9216, 1, 3, 200, 40, Order::points},   {10007, 1, 2, 100, 60, Order::rows},
                           {16384, 2, 1, 300, 50, Order::apart}};

std::size_t index(int64_t i) { return static_cast<std::size_t>(i); }

/// A tensor in memory and its numbers in order.
struct Tensor {
  const Case& c;
  int64_t points;
  Buffer memory;
  Tensor(const Case& given, int64_t count)
      : c(given),
        points(count),
        memory(given.outer * given.rows * count * (given.order == Order::apart ? 3 : 1)) {}
  FftTensor view() {
    if (c.order == Order::rows) return {memory.data(), {c.rows * points, 1, c.rows}};
    const int64_t step = c.order == Order::apart ? 3 : 1;
    return {memory.data(), {c.rows * points * step, points * step, step}};
  }
  float& at(int64_t row, int64_t point) {
    const FftTensor v = view();
    return v.data[row / c.rows * v.stride[0] + row % c.rows * v.stride[1] + point * v.stride[2]];
  }
  void fill(Random& random) {
    for (int64_t i = 0; i < memory.size(); ++i) memory[i] = std::nanf("");
    for (int64_t row = 0; row < c.outer * c.rows; ++row) {
      for (int64_t i = 0; i < points; ++i) at(row, i) = static_cast<float>(random.normal());
    }
  }
  void expectEqual(const char* what, const Doubles& expected) {
    Buffer flat(c.outer * c.rows * points);
    for (int64_t row = 0; row < c.outer * c.rows; ++row) {
      for (int64_t i = 0; i < points; ++i) flat[row * points + i] = at(row, i);
    }
    expectNear(std::string(what) + " of " + std::to_string(c.n) + " points", flat, expected, kTolerance);
    if (c.order != Order::apart) return;
    for (int64_t i = 0; i < memory.size(); ++i) {
      expect(i % 3 == 0 || std::isnan(memory[i]), "a write between elements");
    }
  }
};

/// cos and sin of 2 pi k j / n.
struct Circle {
  Doubles cos, sin;
  int64_t n;
  explicit Circle(int64_t points) : cos(index(points)), sin(index(points)), n(points) {
    for (int64_t i = 0; i < points; ++i) {
      const double angle = 2 * 3.14159265358979323846 * static_cast<double>(i) / static_cast<double>(points);
      cos[index(i)] = std::cos(angle), sin[index(i)] = std::sin(angle);
    }
  }
  std::size_t place(int64_t k, int64_t j) const { return index(k * j % n); }
};

FftArgs argsOf(const Case& c, const FftPlan& plan, int64_t in, int64_t out) {
  FftArgs args{};
  args.plan = &plan, args.outer = c.outer, args.rows = c.rows, args.in = in, args.out = out;
  args.scale = 0.25f, args.interior = 1.5f;
  return args;
}

KERNEL_TEST(fftExact, "fft equals sums in double in both directions, of complex and of real rows") {
  for (const Case& c : kCases) {
    for (const bool inverse : {false, true}) {
      for (const bool real : {false, true}) {
        Random random(static_cast<uint32_t>(c.n));
        Tensor re(c, c.in), im(c, c.in), outRe(c, c.out), outIm(c, c.out);
        re.fill(random), im.fill(random);
        const auto plan = fftPlan(c.n);
        FftArgs args = argsOf(c, *plan, c.in, c.out);
        args.inverse = inverse, args.inRe = re.view(), args.outRe = outRe.view(), args.outIm = outIm.view();
        if (!real) args.inIm = im.view();
        Machine machine;
        kernels.fft(machine.context, args);
        const Circle circle(c.n);
        Doubles sumRe(index(c.outer * c.rows * c.out)), sumIm = sumRe;
        for (int64_t row = 0; row < c.outer * c.rows; ++row) {
          for (int64_t k = 0; k < c.out; ++k) {
            for (int64_t j = 0; j < c.in; ++j) {
              const double x = re.at(row, j), y = real ? 0 : im.at(row, j);
              const double cos = circle.cos[circle.place(k, j)];
              const double sin = circle.sin[circle.place(k, j)] * (inverse ? 1 : -1);
              sumRe[index(row * c.out + k)] += 0.25 * (x * cos - y * sin);
              sumIm[index(row * c.out + k)] += 0.25 * (x * sin + y * cos);
            }
          }
        }
        // A sum that is zero in exact arithmetic is small beside the other part.
        if (c.n == 1 && real) sumIm[0] = 0;
        outRe.expectEqual("real part", sumRe);
        if (!real || c.n > 2) outIm.expectEqual("imaginary part", sumIm);
      }
    }
  }
}

KERNEL_TEST(rfftExact, "rfft and irfft equal sums in double") {
  for (const Case& c : kCases) {
    Random random(static_cast<uint32_t>(c.n + 1));
    const int64_t bins = std::min(c.out, c.n / 2 + 1), rows = c.outer * c.rows;
    const auto plan = fftPlan(c.n);
    const Circle circle(c.n);
    const auto alone = [&](int64_t k) { return k == 0 || 2 * k == c.n; };
    Tensor x(c, c.in), re(c, bins), im(c, bins), y(c, c.in);
    Machine machine;
    x.fill(random);
    FftArgs args = argsOf(c, *plan, c.in, bins);
    args.inRe = x.view(), args.outRe = re.view(), args.outIm = im.view();
    kernels.rfft(machine.context, args);
    Doubles sumRe(index(rows * bins)), sumIm = sumRe;
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t k = 0; k < bins; ++k) {
        for (int64_t j = 0; j < c.in; ++j) {
          const double value = 0.25 * x.at(row, j) * (alone(k) ? 1 : 1.5);
          sumRe[index(row * bins + k)] += value * circle.cos[circle.place(k, j)];
          if (!alone(k)) sumIm[index(row * bins + k)] -= value * circle.sin[circle.place(k, j)];
        }
      }
    }
    re.expectEqual("rfft, real part", sumRe);
    if (bins > 1 && c.n > 2) im.expectEqual("rfft, imaginary part", sumIm);

    re.fill(random), im.fill(random);
    args = argsOf(c, *plan, bins, c.in);
    args.inRe = re.view(), args.inIm = im.view(), args.outRe = y.view();
    kernels.irfft(machine.context, args);
    Doubles sum(index(rows * c.in));
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t j = 0; j < c.in; ++j) {
        for (int64_t k = 0; k < bins; ++k) {
          const std::size_t place = circle.place(k, j);
          const double both =
              alone(k) ? re.at(row, k) * circle.cos[place]
                       : 3 * (re.at(row, k) * circle.cos[place] - im.at(row, k) * circle.sin[place]);
          sum[index(row * c.in + j)] += 0.25 * both;
        }
      }
    }
    y.expectEqual("irfft", sum);
  }
}

KERNEL_TEST(fftThreads, "transforms are the same on any number of threads") {
  const Case c{96, 3, 70, 96, 49, Order::points};
  const auto plan = fftPlan(c.n);
  Random random(5);
  Tensor x(c, c.in), re(c, c.out), im(c, c.out), otherRe(c, c.out), otherIm(c, c.out);
  x.fill(random);
  for (const bool many : {false, true}) {
    Machine machine(many ? 4 : 1);
    FftArgs args = argsOf(c, *plan, c.in, c.out);
    args.inRe = x.view();
    args.outRe = many ? otherRe.view() : re.view(), args.outIm = many ? otherIm.view() : im.view();
    kernels.rfft(machine.context, args);
  }
  for (int64_t i = 0; i < re.memory.size(); ++i) {
    expect(re.memory[i] == otherRe.memory[i] && im.memory[i] == otherIm.memory[i],
           "threads change a transform");
  }
}

}  // namespace
}  // namespace crossover::check
