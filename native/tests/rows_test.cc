// Softmax, log-softmax and the fallback matrix product against float64.
#include "check.h"

namespace crossover::check {
namespace {

std::size_t index(int64_t i) { return static_cast<std::size_t>(i); }

void checkSoftmax(const KernelTable& kernels, int64_t R, int64_t n) {
  Random random(static_cast<uint32_t>(n));
  int64_t stride = n + 3;
  Buffer x(R * stride), y(R * n), log(R * n), dy(R * n), dx(R * n), dlog(R * n);
  random.fill(x, 3);
  random.fill(dy);
  Machine machine;
  kernels.softmax(machine.context, {R, n, y.data(), n, x.data(), stride, nullptr, 0});
  kernels.logSoftmax(machine.context, {R, n, log.data(), n, x.data(), stride, nullptr, 0});
  kernels.softmaxGrad(machine.context, {R, n, dx.data(), n, y.data(), n, dy.data(), n});
  kernels.logSoftmaxGrad(machine.context, {R, n, dlog.data(), n, log.data(), n, dy.data(), n});
  Doubles ey(index(R * n)), elog = ey, edx = ey, edlog = ey;
  for (int64_t r = 0; r < R; ++r) {
    double top = -INFINITY, total = 0, weighted = 0, sum = 0;
    for (int64_t i = 0; i < n; ++i) top = std::max(top, static_cast<double>(x[r * stride + i]));
    for (int64_t i = 0; i < n; ++i) total += std::exp(x[r * stride + i] - top);
    for (int64_t i = 0; i < n; ++i) {
      ey[index(r * n + i)] = std::exp(x[r * stride + i] - top) / total;
      elog[index(r * n + i)] = x[r * stride + i] - top - std::log(total);
      weighted += ey[index(r * n + i)] * dy[r * n + i];
      sum += dy[r * n + i];
    }
    for (int64_t i = 0; i < n; ++i) {
      edx[index(r * n + i)] = ey[index(r * n + i)] * (dy[r * n + i] - weighted);
      edlog[index(r * n + i)] = dy[r * n + i] - ey[index(r * n + i)] * sum;
    }
  }
  std::string title = "softmax " + std::to_string(R) + " " + std::to_string(n) + " ";
  expectNear(title + "y", y, ey, 2e-6);
  expectNear(title + "log", log, elog, 2e-6);
  expectNear(title + "dx", dx, edx, 4e-6);
  expectNear(title + "dlog", dlog, edlog, 4e-6);
}

KERNEL_TEST(softmaxSizes, "softmax and log-softmax with gradients, odd row lengths") {
  for (int64_t n : {1, 7, 16, 100, 5003}) checkSoftmax(kernels, 3, n);
}

KERNEL_TEST(softmaxSpecial, "softmax: NaN and a row of -inf become NaN, -inf beside numbers becomes 0") {
  constexpr int64_t n = 19;
  Buffer x(3 * n), y(3 * n);
  for (int64_t i = 0; i < 3 * n; ++i) x[i] = i < n ? static_cast<float>(i) : -INFINITY;
  x[4] = std::nanf("");
  x[2 * n] = 1;
  Machine machine;
  kernels.softmax(machine.context, {3, n, y.data(), n, x.data(), n, nullptr, 0});
  for (int64_t i = 0; i < n; ++i) {
    expect(std::isnan(y[i]), "a row with NaN");
    expect(std::isnan(y[n + i]), "a row of -inf");
    expect(y[2 * n + i] == (i == 0 ? 1.0f : 0.0f), "-inf beside a number");
  }
}

struct Product {
  int64_t batch, m, n, k;
  int a, b;  // 0: rows contiguous, 1: columns contiguous, 2: neither
  bool accumulate, bias, residual;
};

void checkGemm(const KernelTable& kernels, const Product& p) {
  Random random(static_cast<uint32_t>(p.m + p.k));
  Buffer a(p.batch * p.m * (2 * p.k + 1)), b(2 * p.k * p.n + 2), c(p.batch * p.m * p.n), bias(p.n),
      residual(c.size());
  for (Buffer* x : {&a, &b, &bias, &residual}) random.fill(*x);
  if (p.accumulate) random.fill(c);
  Doubles expected(c.data(), c.data() + c.size());
  GemmArgs g{};
  g.m = p.m, g.n = p.n, g.k = p.k, g.alpha = 0.5f, g.accumulate = p.accumulate;
  g.a = a.data(), g.b = b.data(), g.c = c.data(), g.cRow = p.n;
  g.aRow = p.a == 0 ? p.k : p.a == 1 ? 1 : 2 * p.k, g.aColumn = p.a == 0 ? 1 : p.a == 1 ? p.m : 2;
  g.bRow = p.b == 0 ? p.n : p.b == 1 ? 1 : 2 * p.n, g.bColumn = p.b == 0 ? 1 : p.b == 1 ? p.k : 2;
  if (p.bias) g.bias = bias.data();
  if (p.residual) g.residual = residual.data(), g.residualRow = p.n, g.residualBatch[0] = p.m * p.n;
  g.batchRank = p.batch > 1 ? 1 : 0;
  g.batch[0] = p.batch, g.cBatch[0] = p.m * p.n, g.aBatch[0] = p.m * p.k, g.bBatch[0] = 0;
  for (int64_t unit = 0; unit < p.batch * p.m * p.n; ++unit) {
    int64_t j = unit % p.n, i = unit / p.n % p.m, matrix = unit / p.n / p.m;
    double sum = 0;
    for (int64_t d = 0; d < p.k; ++d) {
      sum += static_cast<double>(a[matrix * p.m * p.k + i * g.aRow + d * g.aColumn]) *
             b[d * g.bRow + j * g.bColumn];
    }
    double& e = expected[index(unit)];
    e = (p.accumulate ? e : 0) + 0.5 * sum + (p.bias ? bias[j] : 0) + (p.residual ? residual[unit] : 0);
  }
  Machine machine;
  kernels.gemm(machine.context, g);
  expectNear("gemm " + std::to_string(p.m) + " " + std::to_string(p.n) + " " + std::to_string(p.k), c,
             expected, 4e-6);
}

KERNEL_TEST(gemmLayouts, "gemm: odd sizes, every layout, batches, bias, residual, accumulation") {
  for (const Product& p :
       {Product{1, 1, 1, 1, 0, 0, false, false, false}, Product{1, 7, 5, 3, 1, 1, true, true, true},
        Product{2, 130, 70, 300, 0, 1, false, true, true},
        Product{3, 100, 300, 129, 1, 0, false, false, true}, Product{1, 97, 33, 65, 2, 2, true, true, false},
        Product{1, 193, 257, 128, 0, 0, true, false, false}, Product{1, 5, 9, 0, 0, 0, false, true, false},
        // Sums in several passes, panels of b in several parts, and rows of a read where they are.
        Product{1, 150, 40, 1600, 1, 0, true, false, true},
        Product{1, 55, 2800, 390, 0, 1, false, true, true},
        Product{3, 101, 300, 1000, 1, 1, true, true, false},
        Product{1, 61, 48, 800, 0, 0, false, false, false}}) {
    checkGemm(kernels, p);
  }
}

}  // namespace
}  // namespace crossover::check
