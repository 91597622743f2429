"""The pointwise functions by name."""

import math

from crossover_tracer import recorder as R
from crossover_tracer.errors import Unsupported

from . import _types as T
from ._pointwise import as_operand, binary, broadcast, known, layout_of, result, result_type, unary, value_in
from ._tensor import Tensor


def _floating(op):
    def function(input, *, out=None):
        return unary(op, input, (), True)

    function.__name__ = function.__qualname__ = op
    return function


def _keeping(op):
    def function(input, *, out=None):
        return unary(op, input)

    function.__name__ = function.__qualname__ = op
    return function


exp, exp2, log, log2, log1p, expm1 = (_floating(op) for op in ("exp", "exp2", "log", "log2", "log1p", "expm1"))
sin, cos, tan, tanh, sigmoid = (_floating(op) for op in ("sin", "cos", "tan", "tanh", "sigmoid"))
sqrt, rsqrt, reciprocal, erf = (_floating(op) for op in ("sqrt", "rsqrt", "reciprocal", "erf"))
neg, sign, square, relu = (_keeping(op) for op in ("neg", "sign", "square", "relu"))
negative, sgn = neg, sign


def abs(input, *, out=None):
    if input.dtype.category == 3:
        from ._complex import unary as complex_unary

        return complex_unary("abs", input)
    return unary("abs", input)


absolute = abs


def _integral(op):
    def function(input, *, out=None):
        return input if input.dtype.category < 2 else unary(op, input)

    function.__name__ = function.__qualname__ = op
    return function


floor, ceil, trunc = (_integral(op) for op in ("floor", "ceil", "trunc"))
_nearest = _integral("round")


def round(input, *, decimals=0, out=None):
    if decimals == 0 or input.dtype.category < 2:
        return _nearest(input)
    scale = 10.0 ** (decimals if decimals > 0 else -decimals)
    return div(_nearest(mul(input, scale)), scale) if decimals > 0 else mul(_nearest(div(input, scale)), scale)


fix = trunc


def frac(input):
    return sub(input, trunc(input))


def log10(input):
    return mul(log(input), 1 / math.log(10))


def sinh(input):
    return mul(sub(exp(input), exp(neg(input))), 0.5)


def cosh(input):
    return mul(add(exp(input), exp(neg(input))), 0.5)


def logit(input, eps=None):
    input = input if eps is None else clamp(input, eps, 1 - eps)
    return log(div(input, rsub(input, 1)))


def _logical(op, input):
    value = R.current.emit(op, (input._v(),), (), "bool", tuple(input.shape))
    return result(value, T.bool_, input.shape, (input,))


def isnan(input):
    return _logical("isnan", input if input.dtype.category == 2 else input.float())


def isinf(input):
    return _logical("isinf", input if input.dtype.category == 2 else input.float())


def isfinite(input):
    return logical_not(logical_or(isnan(input), isinf(input)))


def nan_to_num(input, nan=0.0, posinf=None, neginf=None):
    limits = T.finfo(input.dtype)
    input = where(isnan(input), nan, input)
    input = where(eq(input, math.inf), limits.max if posinf is None else posinf, input)
    return where(eq(input, -math.inf), limits.min if neginf is None else neginf, input)


def logical_not(input, *, out=None):
    return _logical("logical_not", input if input.dtype.category == 0 else ne(input, 0))


def bitwise_not(input):
    return logical_not(input) if input.dtype.category == 0 else sub(neg(input), 1)


# Binary arithmetic


def _tensor_first(a, b):
    if not isinstance(a, Tensor) and not isinstance(b, Tensor):
        raise TypeError("expected a Tensor")


def add(input, other, *, alpha=1, out=None):
    other = other if alpha == 1 else mul(other, alpha) if isinstance(other, Tensor) else other * alpha
    return _arithmetic("add", input, other)


def sub(input, other, *, alpha=1, out=None):
    other = other if alpha == 1 else mul(other, alpha) if isinstance(other, Tensor) else other * alpha
    if getattr(input, "dtype", None) is T.bool_ and (getattr(other, "dtype", None) is T.bool_ or isinstance(other, bool)):
        raise RuntimeError(
            "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or `logical_xor()` "
            "operator instead."
        )
    return _arithmetic("sub", input, other)


def rsub(input, other, *, alpha=1):
    return sub(other, input, alpha=alpha)


def _arithmetic(op, a, b):
    a, b = as_operand(a), as_operand(b)
    if a is None or b is None:
        raise TypeError(f"{op}(): argument must be a Tensor or a number")
    kind = None
    if not (isinstance(a, Tensor) and isinstance(b, Tensor) and a.dtype is b.dtype):
        kind = result_type(a, b)
    elif a.dtype.category == 0:
        kind = T.bool_
    if kind is T.bool_:
        return binary("logical_or" if op == "add" else "logical_and", a, b, T.bool_)
    return binary(op, a, b, kind)


def mul(input, other, *, out=None):
    return _arithmetic("mul", input, other)


def true_divide(input, other):
    kind = result_type(input, other)
    return binary("div", input, other, kind if kind.category >= 2 else T.default_dtype)


def div(input, other, *, rounding_mode=None, out=None):
    if rounding_mode == "floor":
        return floor_divide(input, other)
    quotient = true_divide(input, other)
    if rounding_mode == "trunc":
        kind = result_type(input, other)
        return trunc(quotient).to(kind)
    return quotient


def floor_divide(input, other, *, out=None):
    return binary("floor_divide", input, other, result_type(input, other))


def remainder(input, other, *, out=None):
    return binary("remainder", input, other, result_type(input, other))


def fmod(input, other):
    return sub(input, mul(div(input, other, rounding_mode="trunc"), other))


def pow(input, exponent, *, out=None):
    """PyTorch computes 2, 0.5, -0.5, -1, -2 and 3 without `pow`, and so does the trace."""
    if not isinstance(exponent, Tensor) and isinstance(input, Tensor):
        kind = result_type(input, exponent)
        if input.dtype.category == 1 and isinstance(exponent, int) and exponent < 0:
            raise RuntimeError("Integers to negative integer powers are not allowed.")
        if input.dtype.category == 3 or (kind.category == 2 and known(input) is None):
            base = input if kind is input.dtype else input.to(kind)
            if exponent == 2:
                return unary("square", base)
            if exponent == 0.5:
                return unary("sqrt", base)
            if exponent == -0.5:
                return unary("rsqrt", base)
            if exponent == -1:
                return unary("reciprocal", base)
            if exponent == -2:
                return unary("reciprocal", unary("square", base))
            if exponent == 3:
                return binary("mul", unary("square", base), base)
            if exponent == 1:
                return base.clone()
        elif kind.category == 1 and exponent == 2:
            return binary("mul", input, input, kind)
    elif isinstance(exponent, Tensor) and not isinstance(input, Tensor) and input == 2:
        kind = result_type(input, exponent)
        if kind.category == 2:
            return unary("exp2", exponent if exponent.dtype is kind else exponent.to(kind))
    return binary("pow", input, exponent, result_type(input, exponent))


float_power = pow


def maximum(input, other, *, out=None):
    return binary("maximum", input, other)


def minimum(input, other, *, out=None):
    return binary("minimum", input, other)


fmax, fmin = maximum, minimum


def atan2(input, other):
    kind = result_type(input, other)
    return binary("atan2", input, other, kind if kind.category == 2 else T.default_dtype)


def atan(input):
    return atan2(input, 1.0)


arctan = atan


def hypot(input, other):
    return sqrt(add(square(input), square(other)))


def logaddexp(input, other):
    high, low = maximum(input, other), minimum(input, other)
    return add(high, log1p(exp(sub(low, high))))


def clamp(input, min=None, max=None, *, out=None):
    if min is None and max is None:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    if min is not None:
        input = binary("maximum", input, min, None if isinstance(min, Tensor) else _clamp_kind(input, min))
    if max is not None:
        input = binary("minimum", input, max, None if isinstance(max, Tensor) else _clamp_kind(input, max))
    return input


def _clamp_kind(input, bound):
    return result_type(input, bound)


clip = clamp


def clamp_min(input, min):
    return clamp(input, min)


def clamp_max(input, max):
    return clamp(input, None, max)


def lerp(input, end, weight):
    return add(input, mul(sub(end, input), weight))


def addcmul(input, tensor1, tensor2, *, value=1):
    product = mul(tensor1, tensor2)
    return add(input, product if value == 1 else mul(product, value))


def addcdiv(input, tensor1, tensor2, *, value=1):
    quotient = div(tensor1, tensor2)
    return add(input, quotient if value == 1 else mul(quotient, value))


# Comparison and logic


def _comparison(op):
    def function(input, other, *, out=None):
        other = as_operand(other)
        if other is None:
            raise TypeError(f"{op}(): argument 'other' must be a Tensor or a number")
        return binary(op, input, other, None, True)

    function.__name__ = function.__qualname__ = op
    return function


eq, ne, lt, le, gt, ge = (_comparison(op) for op in ("eq", "ne", "lt", "le", "gt", "ge"))
not_equal, less, less_equal, greater, greater_equal = ne, lt, le, gt, ge


def isclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False):
    return le(abs(sub(input, other)), add(mul(abs(other), rtol), atol))


def _truth(x):
    return x if not isinstance(x, Tensor) or x.dtype.category == 0 else ne(x, 0)


def _connective(op):
    def function(input, other, *, out=None):
        return binary(op, _truth(input), _truth(other), T.bool_)

    function.__name__ = function.__qualname__ = op
    return function


logical_and, logical_or, logical_xor = (_connective(op) for op in ("logical_and", "logical_or", "logical_xor"))


def _bitwise(op):
    def function(input, other, *, out=None):
        kind = result_type(input, other)
        if kind.category > 1:
            raise RuntimeError(f'"{op}_cpu" not implemented for \'{kind.name}\'')
        name = op.replace("bitwise", "logical") if kind.category == 0 else op
        return binary(name, input, other, kind)

    function.__name__ = function.__qualname__ = op
    return function


bitwise_and, bitwise_or, bitwise_xor = (_bitwise(op) for op in ("bitwise_and", "bitwise_or", "bitwise_xor"))
bitwise_left_shift, bitwise_right_shift = _bitwise("shift_left"), _bitwise("shift_right")


def where(condition, input=None, other=None):
    if input is None:
        from ._index import nonzero

        return nonzero(condition, as_tuple=True)
    if not isinstance(condition, Tensor):
        raise TypeError(f"where(): argument 'condition' must be Tensor, not {type(condition).__name__}")
    condition = _truth(condition)
    input, other = as_operand(input), as_operand(other)
    same = isinstance(input, Tensor) and isinstance(other, Tensor) and input.dtype is other.dtype
    kind = input.dtype if same else result_type(input, other)
    if kind.category == 3:
        from ._complex import where as complex_where

        return complex_where(condition, input, other, kind)
    tensors = [x for x in (condition, input, other) if isinstance(x, Tensor)]
    shape = condition.shape
    for tensor in tensors[1:]:
        shape = broadcast(shape, tensor.shape)
    values = (condition._v(), value_in(input, kind), value_in(other, kind))
    value = R.current.emit("where", values, (), T.code_of(kind), tuple(shape))
    strides = layout_of(shape, tensors)
    return result(value, kind, shape, tensors, strides)


def softplus(input, beta=1.0, threshold=20.0):
    return unary("softplus", input, ("beta", float(beta), "threshold", float(threshold)))


def silu(input):
    return unary("silu", input)


def gelu(input, approximate="none"):
    return unary("gelu" if approximate == "none" else "gelu_tanh", input)
