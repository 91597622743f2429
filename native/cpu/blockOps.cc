// The real functions of `fused`. `flatten` inlines every lambda into its loop; one that stays a call would
// keep the loop from being vectorised.
#include "blockOps.h"

namespace crossover::CROSSOVER_ARCH::blockOps {

namespace {

using Real = Operand<float>;

__attribute__((flatten)) void power(float* r, const Real& a, const Real& b, int64_t n) {
  if (allWithin(a, n, 1e-37f, 1e38f) && allWithin(b, n, -1e30f, 1e30f)) {
    return binary(r, a, b, n, [](float x, float y) { return math::positivePower(x, y); });
  }
  for (int64_t i = 0; i < n; ++i) {
    r[i] = __builtin_powf(a.scalar ? a.number : a.data[i], b.scalar ? b.number : b.data[i]);
  }
}

void trigonometric(float* r, const Real& a, int64_t n, bool cosine) {
  if (allWithin(a, n, -1e8f, 1e8f)) {
    const int32_t quarter = cosine ? 1 : 0;
    return unary(r, a, n, [=](float x) { return math::sine(x, quarter); });
  }
  if (cosine) return slowUnary(r, a, n, [](float x) { return __builtin_cosf(x); });
  slowUnary(r, a, n, [](float x) { return __builtin_sinf(x); });
}

}  // namespace

__attribute__((flatten)) void runReal(FusedOp op, float* r, const Real& a, const Real& b, int64_t n) {
  switch (op) {
    case FusedOp::exp:
      return unary(r, a, n, [](float x) { return math::exp(x); });
    case FusedOp::exp2:
      return unary(r, a, n, [](float x) { return math::exp2(x); });
    case FusedOp::log:
      return unary(r, a, n, [](float x) { return math::log(x); });
    case FusedOp::log2:
      return unary(r, a, n, [](float x) { return math::log2(x); });
    case FusedOp::log1p:
      return unary(r, a, n, [](float x) { return math::log1p(x); });
    case FusedOp::expm1:
      return unary(r, a, n, [](float x) { return math::expm1(x); });
    case FusedOp::sin:
      return trigonometric(r, a, n, false);
    case FusedOp::cos:
      return trigonometric(r, a, n, true);
    case FusedOp::tan:
      return slowUnary(r, a, n, [](float x) { return __builtin_tanf(x); });
    case FusedOp::tanh:
      return unary(r, a, n, [](float x) { return math::tanh(x); });
    case FusedOp::sigmoid:
      return unary(r, a, n, [](float x) { return math::sigmoid(x); });
    case FusedOp::gelu:
      return unary(r, a, n, [](float x) { return x * math::normalBelow(x, math::bell(x)); });
    case FusedOp::gelu_tanh:
      return unary(r, a, n, [](float x) { return x * math::sigmoid(geluArgument(x)); });
    case FusedOp::silu:
      return unary(r, a, n, [](float x) { return x * math::sigmoid(x); });
    case FusedOp::softplus:
      return unary(r, a, n, [](float x) { return math::softplus(x); });
    case FusedOp::sqrt:
      return unary(r, a, n, [](float x) { return __builtin_sqrtf(x); });
    case FusedOp::rsqrt:
      return unary(r, a, n, [](float x) { return 1.0f / __builtin_sqrtf(x); });
    case FusedOp::reciprocal:
      return unary(r, a, n, [](float x) { return 1.0f / x; });
    case FusedOp::erf:
      return unary(r, a, n, [](float x) { return math::erf(x); });
    case FusedOp::floor:
      return unary(r, a, n, [](float x) { return __builtin_floorf(x); });
    case FusedOp::ceil:
      return unary(r, a, n, [](float x) { return __builtin_ceilf(x); });
    case FusedOp::round:
      return unary(r, a, n, [](float x) { return __builtin_rintf(x); });
    case FusedOp::trunc:
      return unary(r, a, n, [](float x) { return __builtin_truncf(x); });
    case FusedOp::pow:
      return power(r, a, b, n);
    case FusedOp::atan2:
      for (int64_t i = 0; i < n; ++i) {
        r[i] = __builtin_atan2f(a.scalar ? a.number : a.data[i], b.scalar ? b.number : b.data[i]);
      }
      return;
    // Derivatives: a is dy; b is x, or y for tanh and sigmoid.
    case FusedOp::gelu_grad:
      return binary(r, a, b, n, [](float dy, float x) {
        const float bell = math::bell(x);
        return dy * (math::normalBelow(x, bell) + x * (kInverseSqrtTwoPi * bell));
      });
    case FusedOp::gelu_tanh_grad:
      return binary(r, a, b, n, [](float dy, float x) {
        const Gate g = gate(geluArgument(x));
        const float slope = 2.0f * kGeluScale * (1.0f + 3.0f * kGeluCubic * x * x);
        return dy * (g.s + x * g.s * g.rest * slope);
      });
    case FusedOp::silu_grad:
      return binary(r, a, b, n, [](float dy, float x) {
        const Gate g = gate(x);
        return dy * (g.s + x * g.s * g.rest);
      });
    case FusedOp::softplus_grad:
      return binary(r, a, b, n, [](float dy, float x) { return dy * math::sigmoid(x); });
    case FusedOp::tanh_grad:
      return binary(r, a, b, n, [](float dy, float y) { return dy * ((1.0f - y) * (1.0f + y)); });
    case FusedOp::sigmoid_grad:
      return binary(r, a, b, n, [](float dy, float y) { return dy * y * (1.0f - y); });
    default:
      return;
  }
}

}  // namespace crossover::CROSSOVER_ARCH::blockOps
