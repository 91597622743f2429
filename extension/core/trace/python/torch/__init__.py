"""Crossover's `torch`: shapes, dtypes and values as PyTorch has them, operations recorded instead of computed."""

import math as _math

from crossover_tracer.errors import Unsupported as _Unsupported
from crossover_tracer.errors import UnsupportedName as _UnsupportedName

from . import _methods  # noqa: F401
from ._complex import angle, complex, conj, imag, isreal, polar, real, view_as_complex, view_as_real
from ._create import (
    arange, as_tensor, empty, empty_like, empty_strided, eye, from_numpy, full, full_like, legacy, linspace, logspace,
    meshgrid, ones, ones_like, scalar_tensor, tensor, tril_indices, triu_indices, zeros, zeros_like,
)  # fmt: skip
from ._cumulative import cummax, cummin
from ._elementary import (
    acos, acosh, arccos, arccosh, arcsin, arcsinh, arctan2, arctanh, asin, asinh, atanh, copysign, deg2rad, erfinv, heaviside,
    isin, isneginf, isposinf, isreal, ldexp, logaddexp2, positive, rad2deg, signbit, sinc, xlogy,
)  # fmt: skip
from ._gather import gather, index_add, index_copy, index_select, scatter, scatter_add, take_along_dim
from ._index import argwhere, index_put, masked_fill, masked_select, nonzero, unique
from ._join import cat, clone, flip, hstack, repeat_interleave, roll, stack, tile, tril, triu, vstack
from ._linalg import (
    addmm, adjoint, baddbmm, bmm, chain_matmul, cross, dot, einsum, ger, matmul, mm, mv, outer, tensordot, trace,
)  # fmt: skip
from ._ops import (
    abs, absolute, add, addcdiv, addcmul, arctan, atan, atan2, bitwise_and, bitwise_left_shift, bitwise_not, bitwise_or,
    bitwise_right_shift, bitwise_xor, ceil, clamp, clamp_max, clamp_min, clip, cos, cosh, div, eq, erf, exp, exp2, expm1,
    fix, float_power, floor, floor_divide, fmax, fmin, fmod, frac, ge, greater, greater_equal, gt, hypot, isclose,
    isfinite, isinf, isnan, le, lerp, less, less_equal, log, log1p, log2, log10, logaddexp, logical_and, logical_not,
    logical_or, logical_xor, logit, lt, maximum, minimum, mul, nan_to_num, ne, neg, negative, not_equal, pow,
    reciprocal, relu, remainder, round, rsqrt, rsub, sgn, sigmoid, sign, sin, sinh, sqrt, square, sub, tan, tanh,
    true_divide, trunc, where,
)  # fmt: skip
from ._matrices import (
    _scaled_mm, addbmm, addmv, addr, block_diag, cartesian_prod, cdist, combinations, corrcoef, cov, dist, inner, matrix_power,
    rot90, triangular_solve,
)  # fmt: skip
from ._more_views import (
    as_strided, asarray, atleast_1d, atleast_2d, atleast_3d, column_stack, diagflat, diagonal_scatter, dsplit, dstack, fliplr,
    flipud, hsplit, index_fill, is_nonzero, is_same_size, is_signed, kthvalue, masked_scatter, msort, nanmean, quantile,
    scatter_reduce, select_scatter, slice_scatter, split_with_sizes, take, unravel_index, unsafe_chunk, unsafe_split, vsplit,
)  # fmt: skip
from ._numpy_names import numpy_names as _numpy_names
from ._pointwise import broadcast as _broadcast
from ._pointwise import result_type
from ._random import (
    Generator, bernoulli, default_generator, get_rng_state, initial_seed, manual_seed, multinomial, normal, rand,
    rand_like, randint, randint_like, randn, randn_like, randperm, seed, set_rng_state,
)  # fmt: skip
from ._reduce import (
    all, amax, amin, aminmax, any, argmax, argmin, argsort, count_nonzero, cumprod, cumsum, diff, log_softmax,
    logcumsumexp, logsumexp, max, mean, median, min, nansum, norm, prod, softmax, sort, std, std_mean, sum, topk, var, var_mean,
)  # fmt: skip
from ._shape import (
    broadcast_tensors, broadcast_to, chunk, diagonal, flatten, movedim, narrow, ravel, select, split, squeeze, t,
    tensor_split, transpose, unbind, unflatten, unsqueeze,
)  # fmt: skip
from ._tensor import Tensor, detached
from ._types import (
    Size, bfloat16, channels_last, complex64, complex128, contiguous_format, device, dtype, finfo, float8_e4m3fn,
    float8_e5m2, float16, float32, float64, iinfo, int8, int16, int32, int64, layout, memory_format, preserve_format,
    strided, uint8, uint16, uint32, uint64,
)  # fmt: skip
from ._types import bool_ as bool  # noqa: A004
from ._types import promote as promote_types
from ._types import set_default as _set_default
from ._types import DTYPES as _DTYPES
from ._types import as_dtype as _as_dtype
from ._value import allclose, equal
from ._value import is_tensor
from ._views import permute, reshape

float, double, half, long, int, short = float32, float64, float16, int64, int32, int16  # noqa: A001
cfloat, cdouble = complex64, complex128
concat = concatenate = cat
vdot = dot
swapaxes = swapdims = transpose
moveaxis = movedim
multiply, divide, subtract = mul, div, sub
row_stack = vstack
pi, e, inf, nan, newaxis = _math.pi, _math.e, _math.inf, _math.nan, None
__version__ = "2.13.0+crossover"


class _Version:
    cuda = None
    hip = None
    __version__ = __version__


version = _Version()


def _legacy_type(kind):
    class Legacy(Tensor):
        dtype = kind

        def __new__(cls, *args):
            return legacy(kind, *args)

    return Legacy


FloatTensor, DoubleTensor, HalfTensor, BFloat16Tensor, LongTensor, IntTensor, ShortTensor, CharTensor, BoolTensor, ByteTensor = (
    _legacy_type(kind) for kind in (float32, float64, float16, bfloat16, int64, int32, int16, int8, _DTYPES["bool"], uint8)
)


def numel(input):
    return input.numel()


def is_floating_point(input):
    return input.is_floating_point()


def is_complex(input):
    return input.is_complex()


def resolve_conj(input):
    return input


resolve_neg, conj_physical = resolve_conj, conj


def detach(input):
    return detached(input)


def broadcast_shapes(*shapes):
    shape = Size()
    for other in shapes:
        shape = _broadcast(shape, Size((other,) if isinstance(other, type(1)) else other))
    return shape


def diag(input, diagonal=0):
    if len(input.shape) == 2:
        return input.diagonal(diagonal)
    size = input.shape[0] + (diagonal if diagonal > 0 else -diagonal)
    rows, columns = arange(size).unsqueeze(1), arange(size)
    wide = zeros(size, dtype=input.dtype)
    start = -diagonal if diagonal < 0 else 0
    wide[start : start + input.shape[0]] = input
    return where(columns == rows + diagonal, wide.unsqueeze(1), 0)


def range(start=0, end=None, step=1, **options):
    """Numbers up to and with `end`, as floats."""
    count = _math.floor((end - start) / step) + 1
    return (arange(count, dtype=options.pop("dtype", None) or float32, **options) * step) + start


def constant_pad_nd(input, pad, value=0):
    return nn.functional.pad(input, pad, "constant", value)


def diag_embed(input, offset=0, dim1=-2, dim2=-1):
    if offset or (dim1, dim2) != (-2, -1):
        raise _Unsupported("diag_embed with offset or dims is not traced; multiply with torch.eye")
    return input.unsqueeze(-1) * eye(input.shape[-1], dtype=input.dtype)


def kron(input, other):
    a, b = input, other
    return (a[:, None, :, None] * b[None, :, None, :]).reshape(a.shape[0] * b.shape[0], a.shape[1] * b.shape[1])


def bincount(input, weights=None, minlength=0):
    counts = zeros(minlength, dtype=int64 if weights is None else weights.dtype)
    return counts.scatter_add_(0, input, ones_like(input) if weights is None else weights)


def bucketize(input, boundaries, right=False):
    edge = input.unsqueeze(-1)
    return (boundaries <= edge if right else boundaries < edge).sum(-1)


def searchsorted(sorted_sequence, input, right=False):
    return bucketize(input, sorted_sequence, right)


def set_default_dtype(d):
    _set_default(_as_dtype(d))


def get_default_dtype():
    from . import _types

    return _types.default_dtype


def set_default_device(device):
    from . import _types

    _types.default_devices[0] = _types.as_device(device) if device is not None else _types.CPU


def get_default_device():
    from . import _types

    return _types.default_devices[-1]


def set_default_tensor_type(kind):
    set_default_dtype(getattr(kind, "dtype", float32))


def set_float32_matmul_precision(precision):
    return None


def get_float32_matmul_precision():
    return "highest"


def use_deterministic_algorithms(mode, *, warn_only=False):
    return None


def set_num_threads(count):
    return None


def get_num_threads():
    return 1


def set_printoptions(*_args, **_kwargs):
    return None


def load(*_args, **_kwargs):
    raise _Unsupported("torch.load is not available while tracing; weights are loaded by the run")


def save(*_args, **_kwargs):
    raise _Unsupported("torch.save is not available while tracing")


def compile(model=None, *_args, **_kwargs):
    """Passes functions and modules through."""
    return model if model is not None else lambda function: function


def _dynamo_disable(fn=None, **_kwargs):
    return fn if fn is not None else lambda function: function


def typename(item):
    return f"torch.{type(item).__name__}"


from . import _nn_names  # noqa: E402
from . import _higher_order_ops, amp, autograd, backends, compiler, cuda, distributed, fft, func, jit  # noqa: E402
from . import library, linalg, mps, nn, ops, optim  # noqa: E402
from . import profiler, random, special, types, utils, xpu, _C, _dynamo, _inductor  # noqa: E402
from .amp import autocast  # noqa: E402
from .autograd.grad_mode import (  # noqa: E402
    enable_grad, inference_mode, is_grad_enabled, is_inference_mode_enabled, no_grad, set_grad_enabled,
)  # fmt: skip
from ._nn_names import *  # noqa: E402,F403
from .func import vmap  # noqa: E402
from ._ops import softplus as _softplus  # noqa: E402,F401


def _written(name):
    """The function that is a tensor's method which writes into it, as `torch.exp_`."""

    def function(input, *args, **kwargs):
        return getattr(input, name)(*args, **kwargs)

    function.__name__ = name
    return function


for _name in "abs_ ceil_ clamp_ clamp_max_ clamp_min_ cos_ detach_ erf_ exp2_ exp_ expm1_ fill_ floor_ log1p_ log2_ log_ neg_ " \
             "reciprocal_ round_ rsqrt_ sigmoid_ sin_ sqrt_ square_ tan_ tanh_ trunc_ zero_ index_put_".split():  # fmt: skip
    globals()[_name] = _written(_name)


def get_autocast_gpu_dtype():
    return bfloat16


def get_autocast_dtype(device_type):
    return bfloat16


def is_autocast_enabled(device_type=None):
    return amp.enabled()


for _name, _function in list(globals().items()):
    globals()[_name] = _numpy_names(_function)


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    raise _UnsupportedName(f"module 'torch' has no attribute '{name}'")
