// A small harness for kernels: tests register themselves, run once per instruction set of the machine, and
// compare with float64. Buffers carry sentinels around them and start as NaN; NaN fails every comparison.
#pragma once

#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "../cpu/kernels.h"

namespace crossover::check {

using Doubles = std::vector<double>;

/// One test; `run` receives the kernels under test.
struct Test {
  const char* title;
  void (*run)(const KernelTable& kernels);
};
inline std::vector<Test>& tests() {
  static std::vector<Test> all;
  return all;
}
struct Registration {
  Registration(const char* title, void (*run)(const KernelTable&)) { tests().push_back({title, run}); }
};

/// KERNEL_TEST(name, "what it proves") { ... kernels.softmax(...) ... }
#define KERNEL_TEST(name, title)                                          \
  static void name(const ::crossover::KernelTable& kernels);              \
  static const ::crossover::check::Registration name##Test{title, &name}; \
  static void name([[maybe_unused]] const ::crossover::KernelTable& kernels)

inline int& failures() {
  static int count = 0;
  return count;
}
inline void fail(const std::string& text) {
  if (++failures() <= 50) std::printf("    FAILED %s\n", text.c_str());
}
inline void expect(bool ok, const std::string& text) {
  if (!ok) fail(text);
}

/// A context with its own scratch memory, which is exactly as large as asked for and starts as NaN.
class Machine {
 public:
  explicit Machine(int threads = 2) : context{threads, &cancel, &failure, &grow, this} {}
  std::atomic<bool> cancel{false};
  Failure failure;
  Context context;

 private:
  static void* grow(void* owner, std::size_t bytes) {
    auto* machine = static_cast<Machine*>(owner);
    std::size_t rounded = (bytes + 63) / 64 * 64;
    machine->block_.reset(static_cast<uint8_t*>(std::aligned_alloc(64, rounded == 0 ? 64 : rounded)));
    std::memset(machine->block_.get(), 0xff, rounded);
    return machine->block_.get();
  }
  struct Free {
    void operator()(uint8_t* p) const { std::free(p); }
  };
  std::unique_ptr<uint8_t, Free> block_;
};

/// Floats between sentinels. Outputs start as NaN, so an element that a kernel leaves out fails its
/// comparison.
class Buffer {
 public:
  explicit Buffer(int64_t size)
      : floats_(static_cast<std::size_t>(size) + 2 * kGuard, kSentinel), size_(size) {
    for (int64_t i = 0; i < size; ++i) data()[i] = std::nanf("");
  }
  ~Buffer() {
    for (std::size_t i = 0; i < kGuard; ++i) {
      expect(floats_[i] == kSentinel && floats_[floats_.size() - 1 - i] == kSentinel,
             "a write outside a buffer");
    }
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  float* data() { return floats_.data() + kGuard; }
  const float* data() const { return floats_.data() + kGuard; }
  int64_t size() const { return size_; }
  float& operator[](int64_t i) { return data()[i]; }
  float operator[](int64_t i) const { return data()[i]; }

 private:
  static constexpr std::size_t kGuard = 64;
  static constexpr float kSentinel = 12345.5f;
  std::vector<float> floats_;
  int64_t size_;
};

/// Repeatable random numbers.
class Random {
 public:
  explicit Random(uint32_t seed) : engine_(seed) {}
  double normal() { return std::normal_distribution<double>()(engine_); }
  double uniform() { return std::uniform_real_distribution<double>()(engine_); }
  void fill(Buffer& buffer, double scale = 1) {
    for (int64_t i = 0; i < buffer.size(); ++i) buffer[i] = static_cast<float>(scale * normal());
  }

 private:
  std::mt19937 engine_;
};

/// Largest difference divided by the largest expected magnitude, or by `least` where that is larger; fails
/// unless it is below `tolerance`.
inline void expectNear(const std::string& what, const Buffer& actual, const Doubles& expected,
                       double tolerance, double least = 1e-30) {
  expect(static_cast<std::size_t>(actual.size()) == expected.size(), what + ": sizes differ");
  double scale = least, worst = 0;
  for (double e : expected) scale = std::max(scale, std::fabs(e));
  for (std::size_t i = 0; i < expected.size(); ++i) {
    double difference = std::fabs(actual[static_cast<int64_t>(i)] - expected[i]);
    if (!(difference <= worst)) worst = difference;
    if (std::isnan(worst)) break;
  }
  if (!(worst / scale < tolerance)) fail(what + ": relative error " + std::to_string(worst / scale));
}

/// A [B, T, H, N] tensor, contiguous.
inline Rows4 sequenceRows(Buffer& buffer, int64_t T, int64_t H, int64_t N) {
  return Rows4{buffer.data(), {T * H * N, H * N, N}};
}

}  // namespace crossover::check
