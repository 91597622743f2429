"""The part of NumPy that model files use when they build tables: arrays of known numbers, and scalar mathematics."""

import math as _math

from crossover_tracer.errors import UnsupportedName as _UnsupportedName

from . import random
from ._array import matmul, ndarray
from ._functions import (
    add, all_, allclose, amax, amin, any_, arange, argmax, argmin, array, array_equal, asanyarray, asarray,
    ascontiguousarray, broadcast_to, clip, concatenate, cumsum, diag, divide, dot, einsum, empty, empty_like, expand_dims,
    eye, flip, full, full_like, geomspace, identity, linspace, logspace, maximum, mean, meshgrid, minimum, mod, multiply,
    ones, ones_like, outer, power, prod, repeat, reshape, squeeze, stack, std, subtract, sum_, tile, transpose,
    tril, triu, var, where, zeros, zeros_like,
)  # fmt: skip
from ._functions import pointwise as _pointwise
from ._types import (
    bool_, dtype, float16, float32, float64, floating, generic, int8, int16, int32, int64, integer, uint8, uint16,
)  # fmt: skip

__all__ = [
    "add", "allclose", "amax", "amin", "arange", "argmax", "argmin", "array", "array_equal", "asanyarray", "asarray",
    "ascontiguousarray", "bool_", "broadcast_to", "clip", "concatenate", "cumsum", "diag", "divide", "dot", "dtype",
    "einsum", "empty", "empty_like", "expand_dims", "eye", "flip", "float16", "float32", "float64", "floating", "full",
    "full_like", "generic", "geomspace", "identity", "int8", "int16", "int32", "int64", "integer", "linspace", "logspace",
    "matmul", "maximum", "mean", "meshgrid", "minimum", "mod", "multiply", "ndarray", "ones", "ones_like",
    "outer", "power", "prod", "random", "repeat", "reshape", "squeeze", "stack", "std", "subtract", "tile", "transpose",
    "tril", "triu", "uint8", "uint16", "var", "where", "zeros", "zeros_like",
]  # fmt: skip
__version__ = "2.0.0"
pi, e, inf, nan, newaxis, euler_gamma = _math.pi, _math.e, _math.inf, _math.nan, None, 0.5772156649015329
Inf, NaN, PINF, NINF = inf, nan, inf, -inf


def _sign(x):
    return (x > 0) - (x < 0)


def square(x):
    return x * x


sqrt, exp, log, log2, log10, log1p, expm1 = (
    _pointwise(f) for f in (_math.sqrt, _math.exp, _math.log, _math.log2, _math.log10, _math.log1p, _math.expm1)
)
sin, cos, tan, tanh, floor, ceil = (
    _pointwise(f) for f in (_math.sin, _math.cos, _math.tan, _math.tanh, _math.floor, _math.ceil)
)
sinh, cosh, arcsin, arccos, arctan = (
    _pointwise(f) for f in (_math.sinh, _math.cosh, _math.asin, _math.acos, _math.atan)
)
isnan, isinf, isfinite = (_pointwise(f, "bool") for f in (_math.isnan, _math.isinf, _math.isfinite))
abs = absolute = fabs = _pointwise(abs)
sign, round = _pointwise(_sign), _pointwise(round)
around = round
deg2rad = radians = _pointwise(_math.radians)
arctan2, hypot = _math.atan2, _math.hypot
sum, all, any, max, min = sum_, all_, any_, amax, amin
float_power, true_divide = power, divide


def hstack(arrays):
    arrays = [asarray(item) for item in arrays]
    return concatenate(arrays, 0 if arrays[0].ndim == 1 else 1)


def vstack(arrays):
    arrays = [asarray(item) for item in arrays]
    return stack(arrays) if arrays[0].ndim == 1 else concatenate(arrays)


def set_printoptions(*_args, **_kwargs):
    return None


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    raise _UnsupportedName(f"module 'numpy' has no attribute '{name}'")
