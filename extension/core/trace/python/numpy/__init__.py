"""The part of NumPy that model files use: scalar mathematics, constants, and small arrays of known numbers."""

import math as _math

from crossover_tracer.errors import UnsupportedName as _UnsupportedName

from . import random
from ._array import (
    arange, array, asarray, bool_, concatenate, dtype, float16, float32, float64, full, generic, int8, int16, int32, int64,
    integer, linspace, mean, nbytes_of, ndarray, ones, prod, stack, sum, uint8, uint16, zeros,
)  # fmt: skip

__all__ = [
    "arange", "array", "asarray", "bool_", "concatenate", "dtype", "float16", "float32", "float64", "full", "generic",
    "int8", "int16", "int32", "int64", "integer", "linspace", "mean", "nbytes_of", "ndarray", "ones", "prod", "random",
    "stack", "sum", "uint8", "uint16", "zeros",
]  # fmt: skip
__version__ = "2.0.0"
pi, e, inf, nan, newaxis = _math.pi, _math.e, _math.inf, _math.nan, None
Inf, NaN, PINF, NINF = inf, nan, inf, -inf


def _pointwise(function):
    def apply(x, *rest):
        if isinstance(x, ndarray):
            return ndarray([function(value, *rest) for value in x.flat], x.shape, "float64")
        if hasattr(x, "_storage"):
            return getattr(x, function.__name__)(*rest)
        return function(x, *rest)

    apply.__name__ = function.__name__
    return apply


sqrt, exp, log, log2, log10, log1p, expm1 = (
    _pointwise(f) for f in (_math.sqrt, _math.exp, _math.log, _math.log2, _math.log10, _math.log1p, _math.expm1)
)
sin, cos, tan, tanh, floor, ceil = (
    _pointwise(f) for f in (_math.sin, _math.cos, _math.tan, _math.tanh, _math.floor, _math.ceil)
)
abs = absolute = _pointwise(abs)
arctan2, hypot = _math.atan2, _math.hypot


def power(x, y):
    return x**y


def maximum(a, b):
    return a if a >= b else b


def minimum(a, b):
    return a if a <= b else b


def clip(x, low, high):
    return minimum(maximum(x, low), high)


def set_printoptions(*_args, **_kwargs):
    return None


def isnan(x):
    return x != x


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    raise _UnsupportedName(f"module 'numpy' has no attribute '{name}'")
