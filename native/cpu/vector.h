// Vectors of floats of the widest width of the instruction set, and what kernels do with them.
//
// GCC and Clang vector extensions: `a * b + c` becomes a fused multiply-add where the machine has one.
// Everything is inline in the namespace of the instruction set, so that no copy for one machine can be linked
// into another.
#pragma once

#include <cstdint>
#include <cstring>
#include <utility>

#ifndef CROSSOVER_ARCH
#define CROSSOVER_ARCH portable
#endif

#ifndef CROSSOVER_INLINE
#define CROSSOVER_INLINE inline __attribute__((always_inline))
#endif

namespace crossover {
namespace CROSSOVER_ARCH {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX2__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif

typedef float Floats __attribute__((vector_size(4 * kLanes)));
typedef int32_t Ints __attribute__((vector_size(4 * kLanes)));
typedef uint32_t Words __attribute__((vector_size(4 * kLanes)));
typedef float LooseFloats __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));

CROSSOVER_INLINE Floats load(const float* p) { return *reinterpret_cast<const LooseFloats*>(p); }
CROSSOVER_INLINE void store(float* p, Floats v) { *reinterpret_cast<LooseFloats*>(p) = v; }
// x - 0 is x for every x, so that no instruction but the broadcast is left; 0 + x is not (it loses the sign
// of -0).
CROSSOVER_INLINE Floats splat(float x) { return x - Floats{}; }

/// The first `count` (0 to kLanes) elements at p, then zeros; reads nothing beyond them.
CROSSOVER_INLINE Floats loadPart(const float* p, int64_t count) {
  Floats v{};
  std::memcpy(&v, p, static_cast<std::size_t>(count) * sizeof(float));
  return v;
}
CROSSOVER_INLINE void storePart(float* p, Floats v, int64_t count) {
  std::memcpy(p, &v, static_cast<std::size_t>(count) * sizeof(float));
}
/// As loadPart and storePart, quickly where all lanes are meant.
CROSSOVER_INLINE Floats loadSome(const float* p, int64_t count) {
  return count == kLanes ? load(p) : loadPart(p, count);
}
CROSSOVER_INLINE void storeSome(float* p, Floats v, int64_t count) {
  if (count == kLanes) {
    store(p, v);
  } else {
    storePart(p, v, count);
  }
}

template <class T>
CROSSOVER_INLINE T least(T a, T b) {
  return b < a ? b : a;
}
template <class T>
CROSSOVER_INLINE T most(T a, T b) {
  return a < b ? b : a;
}
CROSSOVER_INLINE int64_t roundUp(int64_t n, int64_t multiple) {
  return (n + multiple - 1) / multiple * multiple;
}

/// Per lane: mask (all bits or none) ? a : b.
CROSSOVER_INLINE Floats select(Ints mask, Floats a, Floats b) { return mask ? a : b; }
CROSSOVER_INLINE Floats maximumOf(Floats a, Floats b) { return a > b ? a : b; }

/// Rounds floats to the nearest bf16, ties to even; infinities and NaN stay what they are.
inline void roundToBf16(float* p, int64_t count) {
  for (int64_t i = 0; i < count; i += kLanes) {
    const int64_t have = least<int64_t>(kLanes, count - i);
    Floats value = loadSome(p + i, have), rounded;
    Words bits;
    std::memcpy(&bits, &value, sizeof bits);
    bits = (bits + 0x7fffu + ((bits >> 16) & 1u)) & 0xffff0000u;
    std::memcpy(&rounded, &bits, sizeof rounded);
    storeSome(p + i, select(value == value, rounded, value), have);
  }
}

CROSSOVER_INLINE Ints laneNumbers() {
  Ints v;
  for (int i = 0; i < kLanes; i++) v[i] = i;
  return v;
}

CROSSOVER_INLINE float sumLanes(Floats v) {
  float s = 0;
  for (int i = 0; i < kLanes; i++) s += v[i];
  return s;
}
CROSSOVER_INLINE float maxLanes(Floats v) {
  float m = v[0];
  for (int i = 1; i < kLanes; i++) m = v[i] > m ? v[i] : m;
  return m;
}

/// 2^whole * p for p in [0.7, 1.5); `shifted` is whole + 1.5 * 2^23, whose low bits hold the integer.
CROSSOVER_INLINE Floats scaleByPower(Floats p, Floats shifted) {
  Words bits, power;  // unsigned: wraps for arguments out of range, which the caller replaces
  std::memcpy(&bits, &p, sizeof bits);
  std::memcpy(&power, &shifted, sizeof power);
  bits += power << 23;
  std::memcpy(&p, &bits, sizeof p);
  return p;
}

constexpr float kRounder = 12582912.0f;  // 1.5 * 2^23: adding it leaves the nearest integer in the low bits

/// 2^x for x <= 127, within 2 ulp; 0 below -126; NaN stays NaN. Polynomial: least squares, relative error
/// 2e-9.
CROSSOVER_INLINE Floats exp2Of(Floats x) {
  Floats shifted = x + kRounder;
  Floats f = x - (shifted - kRounder);
  Floats p = f * 1.5345809489e-4f + 1.3399931199e-3f;
  p = p * f + 9.6184889665e-3f;
  p = p * f + 5.5503287770e-2f;
  p = p * f + 2.4022646890e-1f;
  p = p * f + 6.9314720574e-1f;
  p = p * f + 1.0f;
  p = scaleByPower(p, shifted);
  return select(x < -126.0f, Floats{}, p);
}

/// e^x for x <= 88, within 2 ulp; 0 below -87.3; NaN stays NaN.
CROSSOVER_INLINE Floats expOf(Floats x) {
  Floats shifted = x * 1.4426950408889634f + kRounder;
  Floats whole = shifted - kRounder;
  Floats f = x - whole * 0.693359375f;  // ln 2 in two parts, the first with few bits
  f = f + whole * 2.12194440e-4f;
  Floats p = f * 1.3836841795e-3f + 8.3748173179e-3f;
  p = p * f + 4.1668225725e-2f;
  p = p * f + 1.6666420150e-1f;
  p = p * f + 4.9999992079e-1f;
  p = p * f + 1.0f;
  p = p * f + 1.0f;
  p = scaleByPower(p, shifted);
  return select(x < -87.3f, Floats{}, p);
}

template <int kDistance, int... kLane>
CROSSOVER_INLINE void exchange(Floats& a, Floats& b, std::integer_sequence<int, kLane...>) {
  Floats low = __builtin_shufflevector(a, b, ((kLane & kDistance) ? kLanes + kLane - kDistance : kLane)...);
  b = __builtin_shufflevector(a, b, ((kLane & kDistance) ? kLanes + kLane : kLane + kDistance)...);
  a = low;
}
template <int kDistance>
CROSSOVER_INLINE void exchangeRows(Floats (&rows)[kLanes]) {
#pragma GCC unroll 16
  for (int r = 0; r < kLanes; r++) {
    if (!(r & kDistance)) {
      exchange<kDistance>(rows[r], rows[r + kDistance], std::make_integer_sequence<int, kLanes>{});
    }
  }
}
/// Transposes a square block in registers: log2(kLanes) rounds of exchanges between rows at a distance.
CROSSOVER_INLINE void transposeBlock(Floats (&rows)[kLanes]) {
  if constexpr (kLanes > 8) exchangeRows<(kLanes > 8 ? 8 : 1)>(rows);
  if constexpr (kLanes > 4) exchangeRows<(kLanes > 4 ? 4 : 1)>(rows);
  exchangeRows<2>(rows);
  exchangeRows<1>(rows);
}

/// to[j][i] = scale * from[i][j] for i < rows, j < columns; columns i from `rows` up to a multiple of kLanes
/// are zeroed. `toStride` holds at least that many floats.
inline void transpose(const float* from, int64_t fromStride, int64_t rows, int64_t columns, float scale,
                      float* to, int64_t toStride) {
  for (int64_t i = 0; i < rows; i += kLanes) {
    int64_t height = least<int64_t>(kLanes, rows - i);
    for (int64_t j = 0; j < columns; j += kLanes) {
      int64_t width = least<int64_t>(kLanes, columns - j);
      Floats block[kLanes];
      if (height == kLanes && width == kLanes) {
#pragma GCC unroll 16
        for (int r = 0; r < kLanes; r++) block[r] = load(from + (i + r) * fromStride + j) * scale;
        transposeBlock(block);
#pragma GCC unroll 16
        for (int r = 0; r < kLanes; r++) store(to + (j + r) * toStride + i, block[r]);
      } else {
        for (int r = 0; r < kLanes; r++) {
          block[r] = r < height ? loadPart(from + (i + r) * fromStride + j, width) * scale : Floats{};
        }
        transposeBlock(block);
        for (int64_t r = 0; r < width; r++) store(to + (j + r) * toStride + i, block[r]);
      }
    }
  }
}

/// Copies `rows` rows of `columns` floats; floats from `columns` up to `padded` become zero.
inline void copyRows(const float* from, int64_t fromStride, int64_t rows, int64_t columns, float* to,
                     int64_t padded) {
  for (int64_t i = 0; i < rows; i++, from += fromStride, to += padded) {
    int64_t j = 0;
    for (; j + kLanes <= columns; j += kLanes) store(to + j, load(from + j));
    if (j < columns) store(to + j, loadPart(from + j, columns - j)), j += kLanes;
    for (; j < padded; j += kLanes) store(to + j, Floats{});
  }
}

/// Asks for rows that will be read (or written) soon. Rows of a slice lie pages apart, where hardware does
/// not look ahead.
template <bool kWrite = false>
inline void prefetchRows(const float* from, int64_t stride, int64_t rows, int64_t columns) {
  for (int64_t i = 0; i < rows; i++) {
    for (int64_t j = 0; j < columns; j += 16) __builtin_prefetch(from + i * stride + j, kWrite, 2);
  }
}

/// to = scale * from, dropping the padding.
inline void writeRows(const float* from, int64_t padded, int64_t rows, int64_t columns, float scale,
                      float* to, int64_t toStride) {
  constexpr int64_t kAhead = 8;
  for (int64_t i = 0; i < rows; i++, from += padded, to += toStride) {
    if (i + kAhead < rows) prefetchRows<true>(to + kAhead * toStride, toStride, 1, columns);
    int64_t j = 0;
    for (; j + kLanes <= columns; j += kLanes) store(to + j, load(from + j) * scale);
    if (j < columns) storePart(to + j, load(from + j) * scale, columns - j);
  }
}

inline void zero(float* p, int64_t count) {
  std::memset(p, 0, static_cast<std::size_t>(count) * sizeof(float));
}

}  // namespace CROSSOVER_ARCH
}  // namespace crossover
