"""Pointwise functions made of others: inverse functions, products with logarithms, signs, and tests."""

import math

from . import _ops as O
from . import _types as T
from ._tensor import Tensor

# M. Giles, "Approximating the erfinv function", GPU Computing Gems 2, 2011, table 5: highest power first, in w - 2.5 below 5
# and in sqrt(w) - 3 above, w = -log(1 - y^2).
_CENTRE = (2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087, -0.00125372503, -0.00417768164,
           0.246640727, 1.50140941)  # fmt: skip
_TAIL = (-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613, 0.00943887047,
         1.00167406, 2.83297682)  # fmt: skip


def _floats(input):
    return input if input.dtype.category >= 2 else input.to(T.default_dtype)


def _polynomial(x, factors):
    found = factors[0]
    for factor in factors[1:]:
        found = x * found + factor
    return found


def erfinv(input):
    """Giles' approximation, then a step of Newton's method, through which the gradient goes."""
    y = _floats(input)
    fixed = y.detach()
    w = -O.log1p(-O.square(fixed))
    near = w < 5.0
    centre = _polynomial(O.where(near, w, 0.0) - 2.5, _CENTRE)
    start = O.where(near, centre, _polynomial(O.where(near, 9.0, w).sqrt() - 3.0, _TAIL))
    inside = O.abs(fixed) < 1.0
    x = O.where(inside, start * fixed, 0.0)
    slope = O.exp(O.square(x)) * (math.sqrt(math.pi) / 2)
    found = x + (O.where(inside, y, 0.0) - O.erf(x)) * slope
    return O.where(inside, found, O.where(O.eq(O.abs(fixed), 1.0), O.sign(fixed) * math.inf, math.nan))


def asin(input):
    x = _floats(input)
    return O.atan2(x, O.sqrt((1 - x) * (1 + x)))


def acos(input):
    x = _floats(input)
    return O.atan2(O.sqrt((1 - x) * (1 + x)), x)


def asinh(input):
    x = _floats(input)
    below = O.lt(x, 0)
    size = O.where(below, -x, x)
    squared = O.square(size)
    found = O.log1p(size + squared / (1 + O.sqrt(squared + 1)))
    return O.where(below, -found, found)


def acosh(input):
    x = _floats(input)
    return O.log(x + O.sqrt((x - 1) * (x + 1)))


def atanh(input):
    x = _floats(input)
    return (O.log1p(x) - O.log1p(-x)) * 0.5


arcsin, arccos, arcsinh, arccosh, arctanh = asin, acos, asinh, acosh, atanh
arctan2 = O.atan2


def sinc(input):
    x = _floats(input) * math.pi
    zero = O.eq(x, 0)
    safe = O.where(zero, 1.0, x)
    return O.where(zero, 1.0, O.sin(safe) / safe)


def xlogy(input, other):
    """input * log(other), 0 where the input is 0 unless the other is NaN."""
    return _times_log(O.log, input, other)


def xlog1py(input, other):
    return _times_log(O.log1p, input, other)


def _times_log(log, input, other):
    zero = O.eq(input, 0) if isinstance(input, Tensor) else input == 0
    if not isinstance(zero, Tensor):
        return O.where(O.isnan(_floats(other)), other, 0.0) if zero else log(other) * input
    nan = O.isnan(_floats(other)) if isinstance(other, Tensor) else other != other
    skipped = O.logical_and(zero, O.logical_not(nan)) if isinstance(nan, Tensor) else zero
    numbers = other if isinstance(other, Tensor) else O.mul(O.ne(input, input), 0.0) + other
    return O.where(skipped, 0.0, log(O.where(skipped, 1.0, numbers)) * input)


def entr(input):
    """-x log(x), 0 at 0 and minus infinity below."""
    return O.where(O.lt(input, 0), -math.inf, -xlogy(input, O.where(O.lt(input, 0), 1.0, input)))


def logaddexp2(input, other):
    high = O.maximum(input, other)
    return high + O.log2(1 + O.exp2(-O.abs(input - other)))


def signbit(input):
    below = O.lt(input, 0)
    if input.dtype.category != 2:
        return below
    zero = O.eq(input, 0)
    return O.logical_or(below, O.logical_and(zero, O.lt(O.reciprocal(O.where(zero, input, 1.0)), 0)))


def copysign(input, other):
    size = O.abs(_floats(input))
    if not isinstance(other, Tensor):
        return -size if math.copysign(1.0, other) < 0 else size
    return O.where(signbit(other), -size, size)


def heaviside(input, values):
    return O.where(O.eq(input, 0), values, O.gt(input, 0).to(input.dtype))


def deg2rad(input):
    return _floats(input) * (math.pi / 180)


def rad2deg(input):
    return _floats(input) * (180 / math.pi)


def positive(input):
    return input


def ldexp(input, other):
    return input * O.exp2(_floats(other))


def isneginf(input):
    return O.eq(input, -math.inf)


def isposinf(input):
    return O.eq(input, math.inf)


def isreal(input):
    return O.eq(input, input) if input.dtype.category < 2 else O.logical_or(O.eq(input, input), O.isnan(input))


def isin(elements, test_elements, *, assume_unique=False, invert=False):
    from ._reduce import any

    if not isinstance(test_elements, Tensor):
        found = O.eq(elements, test_elements)
    elif not isinstance(elements, Tensor):
        found = any(O.eq(test_elements, elements))
    else:
        found = any(O.eq(elements.unsqueeze(-1), test_elements.reshape(-1)), -1)
    return O.logical_not(found) if invert else found
