// One loop per element-wise operation of `fused`, over packed registers. A result may be the very same memory
// as an operand. Scalars are operands that do not vary over the block.
#pragma once

#include "fusedOps.h"
#include "math.h"

namespace crossover::CROSSOVER_ARCH::blockOps {

template <class T>
struct Operand {
  const T* data;
  T number;
  bool scalar;
};

template <class T>
CROSSOVER_INLINE T maximum(T a, T b) {
  return a > b || a != a ? a : b;
}
template <class T>
CROSSOVER_INLINE T minimum(T a, T b) {
  return a < b || a != a ? a : b;
}

template <class T, class F>
CROSSOVER_INLINE void unary(T* result, const Operand<T>& a, int64_t n, const F& f) {
  if (a.scalar) {
    const T value = f(a.number);
    for (int64_t i = 0; i < n; ++i) result[i] = value;
    return;
  }
  const T* x = a.data;
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) result[i] = f(x[i]);
}

template <class T, class F>
CROSSOVER_INLINE void binary(T* result, const Operand<T>& a, const Operand<T>& b, int64_t n, const F& f) {
  const T *x = a.data, *y = b.data;
  if (b.scalar && a.scalar) {
    const T value = f(a.number, b.number);
    for (int64_t i = 0; i < n; ++i) result[i] = value;
  } else if (b.scalar) {
    const T value = b.number;
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) result[i] = f(x[i], value);
  } else if (a.scalar) {
    const T value = a.number;
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) result[i] = f(value, y[i]);
  } else {
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) result[i] = f(x[i], y[i]);
  }
}

/// The operand's elements; a scalar is spread over `spare`.
template <class T>
const T* spread(const Operand<T>& a, T* spare, int64_t n) {
  if (!a.scalar) return a.data;
  for (int64_t i = 0; i < n; ++i) spare[i] = a.number;
  return spare;
}

template <class T, class F>
CROSSOVER_INLINE void ternary(T* result, const Operand<T>& a, const Operand<T>& b, const Operand<T>& c,
                              int64_t n, T* spare, int64_t spareSize, const F& f) {
  const T* x = spread(a, spare, n);
  const T *y = b.data, *z = c.data;
  if (b.scalar && c.scalar) {
    const T v = b.number, w = c.number;
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) result[i] = f(x[i], v, w);
  } else if (b.scalar) {
    const T v = b.number;
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) result[i] = f(x[i], v, z[i]);
  } else {
    z = spread(c, spare + spareSize, n);
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) result[i] = f(x[i], y[i], z[i]);
  }
}

/// Loops over functions of the C library, for what is rare or has many edges.
template <class F>
void slowUnary(float* result, const Operand<float>& a, int64_t n, const F& f) {
  for (int64_t i = 0; i < n; ++i) result[i] = f(a.scalar ? a.number : a.data[i]);
}

/// Whether every |x| is at most `limit` (NaN is not).
CROSSOVER_INLINE bool allWithin(const Operand<float>& a, int64_t n, float low, float high) {
  if (a.scalar) return a.number >= low && a.number <= high;
  int outside = 0;
  for (int64_t i = 0; i < n; ++i) outside |= a.data[i] >= low && a.data[i] <= high ? 0 : 1;
  return outside == 0;
}

/// Python's remainder: the sign of the divisor.
inline float remainder(float a, float b) {
  const float r = __builtin_fmodf(a, b);
  return r != 0.0f && (r < 0.0f) != (b < 0.0f) ? r + b : r;
}
inline float floorDivide(float a, float b) {
  if (b == 0.0f) return a / b;
  const float r = __builtin_fmodf(a, b);
  float quotient = (a - r) / b;
  if (r != 0.0f && (b < 0.0f) != (r < 0.0f)) quotient -= 1.0f;
  if (quotient == 0.0f) return math::withSign(0.0f, a / b);
  const float whole = __builtin_floorf(quotient);
  return quotient - whole > 0.5f ? whole + 1.0f : whole;
}
inline int64_t truncatedDivide(int64_t a, int64_t b) {
  if (b == 0) return 0;
  return b == -1 ? static_cast<int64_t>(0 - static_cast<uint64_t>(a)) : a / b;
}
inline int64_t remainder(int64_t a, int64_t b) {
  if (b == 0 || b == -1) return 0;
  const int64_t r = a % b;
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}
inline int64_t floorDivide(int64_t a, int64_t b) {
  const int64_t q = truncatedDivide(a, b);
  return b != 0 && b != -1 && a % b != 0 && (a < 0) != (b < 0) ? q - 1 : q;
}
inline int64_t power(int64_t a, int64_t b) {
  if (b < 0) return a == 1 ? 1 : a == -1 ? (b % 2 == 0 ? 1 : -1) : 0;
  uint64_t result = 1, base = static_cast<uint64_t>(a);
  for (; b > 0; b >>= 1, base *= base) {
    if ((b & 1) != 0) result *= base;
  }
  return static_cast<int64_t>(result);
}
/// Shifts by anything outside 0 to 63 bits give what shifting one by one would.
inline int64_t shiftLeft(int64_t a, int64_t b) {
  return b < 0 || b > 63 ? 0 : static_cast<int64_t>(static_cast<uint64_t>(a) << b);
}
inline int64_t shiftRight(int64_t a, int64_t b) { return a >> (b < 0 || b > 63 ? 63 : b); }

// Wrapping arithmetic on integers, plain arithmetic on floats.
CROSSOVER_INLINE float add(float a, float b) { return a + b; }
CROSSOVER_INLINE float subtract(float a, float b) { return a - b; }
CROSSOVER_INLINE float multiply(float a, float b) { return a * b; }
CROSSOVER_INLINE int64_t add(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}
CROSSOVER_INLINE int64_t subtract(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
}
CROSSOVER_INLINE int64_t multiply(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
}

constexpr float kInverseSqrtTwoPi = 0.39894228040143267794f;
constexpr float kGeluScale = 0.79788456080286535588f, kGeluCubic = 0.044715f;

/// s = sigmoid(z), with 1 - s = e s kept accurate where s is near 1.
struct Gate {
  float s, rest;
};
CROSSOVER_INLINE Gate gate(float z) {
  const float e = math::exp(-z < 80.0f ? -z : z != z ? z : 80.0f);
  const float s = 1.0f / (1.0f + e);
  return {s, e * s};
}
/// The z of gelu_tanh, which is x sigmoid(z): tanh(u) = 2 sigmoid(2 u) - 1.
CROSSOVER_INLINE float geluArgument(float x) { return 2.0f * kGeluScale * (x + kGeluCubic * x * x * x); }

/// Operations on real numbers only.
void runReal(FusedOp op, float* r, const Operand<float>& a, const Operand<float>& b, int64_t n);

/// result = op(a, b, c) over n elements. `spare` has room for two blocks of `spareSize`.
template <class T>
void run(FusedOp op, T* r, const Operand<T>& a, const Operand<T>& b, const Operand<T>& c, int64_t n, T* spare,
         int64_t spareSize) {
  constexpr bool kReal = sizeof(T) == 4;
  const T one = T(1), zero = T(0);
  switch (op) {
    case FusedOp::copy:
      return unary(r, a, n, [](T x) { return x; });
    case FusedOp::where:
      return ternary(r, a, b, c, n, spare, spareSize, [=](T x, T y, T z) { return x != zero ? y : z; });
    case FusedOp::neg:
      return unary(r, a, n, [=](T x) {
        if constexpr (kReal) return -x;
        return subtract(T(0), x);
      });
    case FusedOp::relu:
      return unary(r, a, n, [=](T x) { return x < zero ? zero : x; });
    case FusedOp::abs:
      return unary(r, a, n, [=](T x) {
        if constexpr (kReal) return math::magnitude(x);
        return x < zero ? subtract(T(0), x) : x;
      });
    case FusedOp::sign:
      return unary(r, a, n, [=](T x) { return x > zero ? one : x < zero ? T(-1) : zero; });
    case FusedOp::square:
      return unary(r, a, n, [](T x) { return multiply(x, x); });
    case FusedOp::floor:
    case FusedOp::ceil:
    case FusedOp::round:
    case FusedOp::trunc:
      if constexpr (kReal) return runReal(op, r, a, b, n);
      return unary(r, a, n, [](T x) { return x; });
    case FusedOp::isnan:
      return unary(r, a, n, [=](T x) { return x != x ? one : zero; });
    case FusedOp::isinf:
      return unary(r, a, n, [=](T x) {
        if constexpr (kReal) return math::magnitude(x) == math::asFloat(0x7f800000) ? one : zero;
        return zero;
      });
    case FusedOp::logical_not:
      return unary(r, a, n, [=](T x) { return x == zero ? one : zero; });
    case FusedOp::add:
      return binary(r, a, b, n, [](T x, T y) { return add(x, y); });
    case FusedOp::sub:
      return binary(r, a, b, n, [](T x, T y) { return subtract(x, y); });
    case FusedOp::mul:
      return binary(r, a, b, n, [](T x, T y) { return multiply(x, y); });
    case FusedOp::div:
      return binary(r, a, b, n, [](T x, T y) {
        if constexpr (kReal)
          return x / y;
        else
          return truncatedDivide(x, y);
      });
    case FusedOp::pow:
      if constexpr (kReal) return runReal(op, r, a, b, n);
      return binary(r, a, b, n, [](T x, T y) { return static_cast<T>(power(x, y)); });
    case FusedOp::maximum:
      return binary(r, a, b, n, [](T x, T y) { return maximum(x, y); });
    case FusedOp::minimum:
      return binary(r, a, b, n, [](T x, T y) { return minimum(x, y); });
    case FusedOp::remainder:
      return binary(r, a, b, n, [](T x, T y) { return remainder(x, y); });
    case FusedOp::floor_divide:
      return binary(r, a, b, n, [](T x, T y) { return floorDivide(x, y); });
    case FusedOp::eq:
      return binary(r, a, b, n, [=](T x, T y) { return x == y ? one : zero; });
    case FusedOp::ne:
      return binary(r, a, b, n, [=](T x, T y) { return x != y ? one : zero; });
    case FusedOp::lt:
      return binary(r, a, b, n, [=](T x, T y) { return x < y ? one : zero; });
    case FusedOp::le:
      return binary(r, a, b, n, [=](T x, T y) { return x <= y ? one : zero; });
    case FusedOp::gt:
      return binary(r, a, b, n, [=](T x, T y) { return x > y ? one : zero; });
    case FusedOp::ge:
      return binary(r, a, b, n, [=](T x, T y) { return x >= y ? one : zero; });
    case FusedOp::logical_and:
      return binary(r, a, b, n, [=](T x, T y) { return (x != zero) & (y != zero) ? one : zero; });
    case FusedOp::logical_or:
      return binary(r, a, b, n, [=](T x, T y) { return (x != zero) | (y != zero) ? one : zero; });
    case FusedOp::logical_xor:
      return binary(r, a, b, n, [=](T x, T y) { return (x != zero) != (y != zero) ? one : zero; });
    case FusedOp::bitwise_and:
      return binary(r, a, b, n, [](T x, T y) {
        return static_cast<T>(static_cast<int64_t>(x) & static_cast<int64_t>(y));
      });
    case FusedOp::bitwise_or:
      return binary(r, a, b, n, [](T x, T y) {
        return static_cast<T>(static_cast<int64_t>(x) | static_cast<int64_t>(y));
      });
    case FusedOp::bitwise_xor:
      return binary(r, a, b, n, [](T x, T y) {
        return static_cast<T>(static_cast<int64_t>(x) ^ static_cast<int64_t>(y));
      });
    case FusedOp::shift_left:
      return binary(r, a, b, n, [](T x, T y) {
        return static_cast<T>(shiftLeft(static_cast<int64_t>(x), static_cast<int64_t>(y)));
      });
    case FusedOp::shift_right:
      return binary(r, a, b, n, [](T x, T y) {
        return static_cast<T>(shiftRight(static_cast<int64_t>(x), static_cast<int64_t>(y)));
      });
    case FusedOp::fma:
      return ternary(r, a, b, c, n, spare, spareSize, [](T x, T y, T z) { return add(multiply(x, y), z); });
    default:
      if constexpr (kReal) return runReal(op, r, a, b, n);
  }
}

}  // namespace crossover::CROSSOVER_ARCH::blockOps
