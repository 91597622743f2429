// Element-wise operations of `fused` by number: twin of FUSED_OPS in program.ts. F: (name, operands, works on
// i64).
#pragma once

// clang-format off
#define CROSSOVER_FUSED_OPS(F) \
  F(copy, 1, 1) F(index, 0, 1) F(where, 3, 1) F(neg, 1, 1) F(exp, 1, 0) F(exp2, 1, 0) F(log, 1, 0) \
  F(log2, 1, 0) F(log1p, 1, 0) F(expm1, 1, 0) F(sin, 1, 0) F(cos, 1, 0) F(tan, 1, 0) F(tanh, 1, 0) \
  F(sigmoid, 1, 0) F(relu, 1, 1) F(gelu, 1, 0) F(gelu_tanh, 1, 0) F(silu, 1, 0) F(softplus, 1, 0) \
  F(sqrt, 1, 0) F(rsqrt, 1, 0) F(abs, 1, 1) F(sign, 1, 1) F(square, 1, 1) F(reciprocal, 1, 0) \
  F(erf, 1, 0) F(floor, 1, 1) F(ceil, 1, 1) F(round, 1, 1) F(trunc, 1, 1) F(isnan, 1, 1) F(isinf, 1, 1) \
  F(logical_not, 1, 1) F(add, 2, 1) F(sub, 2, 1) F(mul, 2, 1) F(div, 2, 1) F(pow, 2, 1) F(maximum, 2, 1) \
  F(minimum, 2, 1) F(remainder, 2, 1) F(floor_divide, 2, 1) F(atan2, 2, 0) F(eq, 2, 1) F(ne, 2, 1) \
  F(lt, 2, 1) F(le, 2, 1) F(gt, 2, 1) F(ge, 2, 1) F(logical_and, 2, 1) F(logical_or, 2, 1) \
  F(logical_xor, 2, 1) F(bitwise_and, 2, 1) F(bitwise_or, 2, 1) F(bitwise_xor, 2, 1) F(shift_left, 2, 1) \
  F(shift_right, 2, 1) F(fma, 3, 1) F(gelu_grad, 2, 0) F(gelu_tanh_grad, 2, 0) F(silu_grad, 2, 0) \
  F(softplus_grad, 2, 0) F(tanh_grad, 2, 0) F(sigmoid_grad, 2, 0)
// clang-format on

namespace crossover {

enum class FusedOp : int {
#define CROSSOVER_ENUM(name, arity, integer) name,
  CROSSOVER_FUSED_OPS(CROSSOVER_ENUM)
#undef CROSSOVER_ENUM
      count
};

/// Registers from here up are immediates.
constexpr int kFirstImmediate = 128;
constexpr int kMaxRegisters = 96;

}  // namespace crossover
