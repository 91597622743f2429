// Draws of PyTorch's CPU generator. Compiled without contraction: every rounding below is meant.
#include "random.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>

namespace crossover {

namespace {
constexpr double kPi = 3.14159265358979323846;

/// Calls draw(i) for i in [0, n) until the context is stopped.
template <class F>
void forElements(const Context& context, int64_t n, const F& draw) {
  constexpr int64_t kBetween = 1 << 18;
  for (int64_t begin = 0; begin < n && !context.stopped(); begin += kBetween) {
    const int64_t end = std::min(n, begin + kBetween);
    for (int64_t i = begin; i < end; ++i) draw(i);
  }
}
}  // namespace

void Random::seed(uint64_t seed) {
  state_[0] = static_cast<uint32_t>(seed);
  for (uint32_t j = 1; j < kWords; ++j) state_[j] = 1812433253u * (state_[j - 1] ^ (state_[j - 1] >> 30)) + j;
  at_ = kWords;
  cached_ = false;
  key_ = (seed + 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;
  counter_ = 0;
}

void Random::refill() {
  const auto twist = [](uint32_t high, uint32_t low, uint32_t other) {
    const uint32_t mixed = (high & 0x80000000u) | (low & 0x7fffffffu);
    return other ^ (mixed >> 1) ^ ((0u - (low & 1u)) & 0x9908b0dfu);
  };
  int i = 0;
  for (; i < kWords - 397; ++i) state_[i] = twist(state_[i], state_[i + 1], state_[i + 397]);
  for (; i < kWords - 1; ++i) state_[i] = twist(state_[i], state_[i + 1], state_[i + 397 - kWords]);
  state_[i] = twist(state_[i], state_[0], state_[i + 397 - kWords]);
  at_ = 0;
}

void Random::discard(const Context& context, int64_t draws) {
  while (draws > 0 && !context.stopped()) {
    if (at_ == kWords) refill();
    const int64_t step = std::min<int64_t>(draws, kWords - at_);
    at_ += static_cast<int>(step);
    draws -= step;
  }
}

void Random::uniform(const Context& context, float* out, int64_t n, double low, double high) {
  const auto base = static_cast<float>(low);
  const auto width = static_cast<float>(static_cast<float>(high) - base);
  if (base == 0.0f && width == 1.0f) {
    forElements(context, n, [&](int64_t i) { out[i] = static_cast<float>(next32() & 0xffffffu) * 0x1p-24f; });
    return;
  }
  forElements(context, n, [&](int64_t i) {
    out[i] = std::fma(static_cast<float>(next32() & 0xffffffu) * 0x1p-24f, width, base);
  });
}

/// One sample of the pair algorithm; the other of the pair is kept for the next call.
double Random::normalPair() {
  if (cached_) {
    cached_ = false;
    return cache_;
  }
  const double u1 = next53(), u2 = next53();
  const double radius = std::sqrt(-2.0 * std::log1p(-u2));
  const double angle = 2.0 * kPi * u1;
  cache_ = radius * std::sin(angle);
  cached_ = true;
  return radius * std::cos(angle);
}

void Random::normal(const KernelTable& kernels, const Context& context, float* out, int64_t n, double mean,
                    double std, bool small) {
  if (small || n < 16) {
    forElements(context, n, [&](int64_t i) { out[i] = static_cast<float>(normalPair() * std + mean); });
    return;
  }
  uniform(context, out, n, 0.0, 1.0);
  NormalFillArgs fill{out, n / 16, static_cast<float>(mean), static_cast<float>(std)};
  kernels.normalFill(context, fill);
  if (n % 16 != 0) {
    uniform(context, out + n - 16, 16, 0.0, 1.0);
    fill.data = out + n - 16;
    fill.blocks = 1;
    kernels.normalFill(context, fill);
  }
}

void Random::truncNormal(const KernelTable& kernels, const Context& context, float* out, int64_t n,
                         double mean, double std, double low, double high) {
  const auto cdf = [](double x) { return (1.0 + std::erf(x / std::sqrt(2.0))) / 2.0; };
  const auto lowest = static_cast<float>(low), highest = static_cast<float>(high);
  std::vector<float> draw(static_cast<std::size_t>(n));
  if (cdf((high - mean) / std) - cdf((low - mean) / std) > 0.3) {
    normal(kernels, context, out, n, mean, std, false);
    const auto rejected = [=](float x) { return x < lowest || x > highest; };
    while (!context.stopped() && std::any_of(out, out + n, rejected)) {
      normal(kernels, context, draw.data(), n, mean, std, false);
      for (int64_t i = 0; i < n; ++i) {
        if (rejected(out[i])) out[i] = draw[static_cast<std::size_t>(i)];
      }
    }
    return;
  }
  // Little of the normal density lies inside: uniform proposals, accepted with density / peak density.
  const double mode = std::max(low, std::min(mean, high));
  const auto logPeak = static_cast<float>(-0.5 * ((mode - mean) / std) * ((mode - mean) / std));
  std::vector<float> accept(static_cast<std::size_t>(n));
  std::vector<uint8_t> pending(static_cast<std::size_t>(n), 1);
  bool left = n > 0;
  while (left && !context.stopped()) {
    uniform(context, draw.data(), n, low, high);
    uniform(context, accept.data(), n, 0.0, 1.0);
    left = false;
    for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i) {
      if (pending[i] == 0) continue;
      const float z = (draw[i] - static_cast<float>(mean)) / static_cast<float>(std);
      out[i] = draw[i];
      pending[i] = std::log(accept[i]) > z * z * -0.5f - logPeak ? 1 : 0;
      left = left || pending[i] != 0;
    }
  }
}

void Random::orthogonal(const KernelTable& kernels, const Context& context, float* out, int64_t rows,
                        int64_t columns, double gain) {
  normal(kernels, context, out, rows * columns, 0.0, 1.0, false);
  // a: the tall matrix, stored by columns; m >= n. Householder vectors replace the columns below the
  // diagonal.
  const bool wide = rows < columns;
  const int64_t m = wide ? columns : rows, n = wide ? rows : columns;
  // Not zeroed: pages of a large one are touched below, where a stop is seen.
  const std::unique_ptr<double[]> a(new double[static_cast<std::size_t>(m * n)]);
  std::vector<double> scale(static_cast<std::size_t>(n)), sign(static_cast<std::size_t>(n));
  for (int64_t j = 0; j < n && !context.stopped(); ++j) {
    for (int64_t i = 0; i < m; ++i)
      a[static_cast<std::size_t>(j * m + i)] = wide ? out[j * columns + i] : out[i * columns + j];
  }
  HouseholderArgs args{a.get(), scale.data(), sign.data(), m, n};
  kernels.householder(context, args);
  for (int64_t j = 0; j < n && !context.stopped(); ++j) {
    for (int64_t i = 0; i < m; ++i) {
      // As PyTorch: Q is rounded to float32 before the gain is applied.
      const float q = static_cast<float>(a[static_cast<std::size_t>(j * m + i)]);
      (wide ? out[j * columns + i] : out[i * columns + j]) = q * static_cast<float>(gain);
    }
  }
}

void Random::randint(const Context& context, int64_t* out, int64_t n, int64_t low, int64_t high) {
  const uint64_t range = static_cast<uint64_t>(high) - static_cast<uint64_t>(low);
  forElements(context, n, [&](int64_t i) {
    const uint64_t draw = range < (uint64_t{1} << 28) ? next32() % range : next64() % range;
    out[i] = static_cast<int64_t>(static_cast<uint64_t>(low) + draw);
  });
}

void Random::randperm(const Context& context, int64_t* out, int64_t n) {
  forElements(context, n, [&](int64_t i) { out[i] = i; });
  if (context.stopped()) return;
  forElements(context, n - 1, [&](int64_t i) {
    std::swap(out[i], out[i + static_cast<int64_t>(next32() % static_cast<uint64_t>(n - i))]);
  });
}

void Random::bernoulli(const Context& context, float* out, int64_t n, const float* probabilities, double p) {
  forElements(context, n, [&](int64_t i) {
    const bool one = probabilities != nullptr
                         ? static_cast<float>(next32() & 0xffffffu) * 0x1p-24f < probabilities[i]
                         : next53() < p;
    out[i] = one ? 1.0f : 0.0f;
  });
}

void Random::skip(const Context& context, int64_t n, bool normal) {
  if (normal && n < 16) {
    for (int64_t i = 0; i < n; ++i) normalPair();
    return;
  }
  discard(context, n + (normal && n % 16 != 0 ? 16 : 0));
}

}  // namespace crossover
