// Plans are made in double and rounded once, so that a transform's error grows with the logarithm of its
// length.
#include "fourierPlan.h"

#include <cmath>
#include <complex>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

namespace crossover {
namespace {

using Complex = std::complex<double>;
constexpr double kPi = 3.14159265358979323846;

/// exp(-2 pi i numerator / denominator).
Complex root(int64_t numerator, int64_t denominator) {
  const double angle =
      -2 * kPi * static_cast<double>(numerator % denominator) / static_cast<double>(denominator);
  return {std::cos(angle), std::sin(angle)};
}

/// Radices of the stages, or none where `n` has a prime factor above 13.
std::vector<int> factors(int64_t n) {
  std::vector<int> radices;
  for (int radix : {13, 11, 7, 5, 3, 8, 4, 2}) {
    for (; n % radix == 0; n /= radix) radices.push_back(radix);
  }
  if (n != 1) radices.clear();
  return radices;
}

/// In place, for a power of two.
void transform(std::vector<Complex>& x) {
  const std::size_t n = x.size();
  for (std::size_t i = 1, j = 0; i < n; ++i) {
    std::size_t bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) std::swap(x[i], x[j]);
  }
  for (std::size_t size = 2; size <= n; size *= 2) {
    for (std::size_t k = 0; k < size / 2; ++k) {
      const Complex w = root(static_cast<int64_t>(k), static_cast<int64_t>(size));
      for (std::size_t i = k; i < n; i += size) {
        const Complex odd = x[i + size / 2] * w;
        x[i + size / 2] = x[i] - odd;
        x[i] += odd;
      }
    }
  }
}

/// A plan with the memory it points into.
struct OwnPlan : FftPlan {
  std::vector<std::vector<float>> tables;
  std::vector<FftStage> list;
  std::shared_ptr<const FftPlan> first, second;

  explicit OwnPlan(int64_t points) : FftPlan{} {
    n = length = points;
    std::vector<int> radices = factors(points);
    if (radices.empty() && points > 1) {
      for (length = 1; length < 2 * points - 1;) length *= 2;
      radices = factors(length);
      makeChirp();
    }
    if (length > kLongFft && split()) return;
    int64_t rest = length;
    for (int radix : radices) {
      list.push_back(stage(radix, rest));
      rest /= radix;
    }
    stages = list.data(), stageCount = static_cast<int>(list.size());
  }

  const float* keep(const std::vector<Complex>& values) {
    std::vector<float> table;
    table.reserve(2 * values.size());
    for (const Complex& value : values) {
      table.push_back(static_cast<float>(value.real())), table.push_back(static_cast<float>(value.imag()));
    }
    tables.push_back(std::move(table));
    return tables.back().data();
  }

  /// Twiddles exp(-2 pi i p k / size), k from 1, for every group p.
  FftStage stage(int radix, int64_t size) {
    std::vector<Complex> twiddles, roots;
    for (int64_t p = 0; p < size / radix; ++p) {
      for (int k = 1; k < radix; ++k) twiddles.push_back(root(p * k, size));
    }
    for (int j = 0; j < radix; ++j) roots.push_back(root(j, radix));
    const float* first = keep(twiddles);
    return {radix, first, keep(roots)};
  }

  /// Two plans whose lengths are as equal as the factors allow; false where one would be long itself.
  bool split() {
    int64_t m = static_cast<int64_t>(std::sqrt(static_cast<double>(length)));
    while (length % m != 0) --m;
    if (length / m > kLongFft) return false;
    first = fftPlan(m), second = fftPlan(length / m);
    columns = first.get(), rows = second.get();
    std::vector<float> table;
    table.reserve(static_cast<std::size_t>(2 * length));
    for (int64_t k = 0; k < m; ++k) {
      for (const bool imaginary : {false, true}) {
        for (int64_t j = 0; j < rows->n; ++j) {
          const Complex turn = root(k * j, length);
          table.push_back(static_cast<float>(imaginary ? turn.imag() : turn.real()));
        }
      }
    }
    tables.push_back(std::move(table));
    turns = tables.back().data();
    return true;
  }

  /// exp(-pi i j^2 / n), and the transform of its conjugate on both sides of 0, over the length.
  void makeChirp() {
    std::vector<Complex> ramp, both(static_cast<std::size_t>(length));
    for (int64_t j = 0; j < n; ++j) {
      ramp.push_back(root(j * j % (2 * n), 2 * n));
      const Complex value = std::conj(ramp.back()) / static_cast<double>(length);
      both[static_cast<std::size_t>(j)] = value;
      if (j > 0) both[static_cast<std::size_t>(length - j)] = value;
    }
    transform(both);
    chirp = keep(ramp), filter = keep(both);
  }
};

}  // namespace

std::shared_ptr<const FftPlan> fftPlan(int64_t n) {
  static std::recursive_mutex mutex;  // a long plan asks for two
  static std::map<int64_t, std::weak_ptr<const FftPlan>> plans;
  const std::lock_guard<std::recursive_mutex> lock(mutex);
  std::shared_ptr<const FftPlan> plan = plans[n].lock();
  if (!plan) plans[n] = plan = std::make_shared<OwnPlan>(n);
  return plan;
}

}  // namespace crossover
