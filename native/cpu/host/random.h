// PyTorch's CPU generator: the same seed gives the same bits as PyTorch 2.13 on x86 with AVX2 or later.
#pragma once

#include <cstdint>
#include <vector>

#include "../kernels.h"

namespace crossover {

/// MT19937 with PyTorch's draws and its cached normal sample. Also holds the key of the counter generator of
/// dropout.
class Random {
 public:
  Random() { seed(5489); }

  /// As torch.manual_seed: the low 32 bits count; forgets the cached sample.
  void seed(uint64_t seed);

  // Fills end early, with senseless numbers, once their context is stopped.

  /// x in [low, high): fma(24 random bits * 2^-24, high - low, low), one draw per element.
  void uniform(const Context& context, float* out, int64_t n, double low, double high);
  /// torch normal_ of a contiguous tensor; `small` or n < 16 takes the double-precision pair algorithm.
  void normal(const KernelTable& kernels, const Context& context, float* out, int64_t n, double mean,
              double std, bool small);
  /// torch.nn.init.trunc_normal_ of version 2.13: whole tensors are drawn until every element was accepted.
  void truncNormal(const KernelTable& kernels, const Context& context, float* out, int64_t n, double mean,
                   double std, double low, double high);
  /// torch.nn.init.orthogonal_ of a [rows, columns] matrix: float64 Householder QR of the same normal draws.
  void orthogonal(const KernelTable& kernels, const Context& context, float* out, int64_t rows,
                  int64_t columns, double gain);
  void randint(const Context& context, int64_t* out, int64_t n, int64_t low, int64_t high);
  void randperm(const Context& context, int64_t* out, int64_t n);
  /// 1 with probability p, else 0; with `probabilities`, per element (24-bit draws), otherwise 53-bit draws.
  void bernoulli(const Context& context, float* out, int64_t n, const float* probabilities, double p);
  /// Advances as a normal or uniform fill of n float32 elements does.
  void skip(const Context& context, int64_t n, bool normal);

  /// Key of the counter generator (dropout); changes with the seed.
  uint64_t counterKey() const { return key_; }
  /// Takes n numbers of the counter generator and returns the first one's index.
  uint64_t takeCounters(uint64_t n) {
    counter_ += n;
    return counter_ - n;
  }

 private:
  uint32_t next32() {
    if (at_ == kWords) refill();
    uint32_t y = state_[at_++];
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    return y ^ (y >> 18);
  }
  uint64_t next64() {
    const uint64_t high = next32();
    return high << 32 | next32();
  }
  double next53() { return static_cast<double>(next64() & ((uint64_t{1} << 53) - 1)) * 0x1p-53; }
  void refill();
  void discard(const Context& context, int64_t draws);
  double normalPair();

  static constexpr int kWords = 624;
  uint32_t state_[kWords];
  int at_ = kWords;
  bool cached_ = false;
  double cache_ = 0;
  uint64_t key_ = 0, counter_ = 0;
};

}  // namespace crossover
