"""Discrete Fourier transforms: operations along the last dimension, of which the others are made."""

from crossover_tracer import recorder as R
from crossover_tracer.errors import Unsupported, UnsupportedName

from . import _types as T
from ._complex import complex, conj, parts
from ._create import arange
from ._join import cat, flip, roll
from ._pointwise import result
from ._shape import movedim, narrow
from ._tensor import check_dim, check_dims
from ._types import Size

MAX_POINTS = 1 << 22

_SCALES = {"backward": 0.0, "ortho": 0.5, "forward": 1.0}


def _scale(norm, n, inverse):
    """The factor of a transform of n points: what `norm` leaves to the forward direction, or the rest."""
    if norm is None:
        norm = "backward"
    if norm not in _SCALES:
        raise RuntimeError(f'Invalid normalization mode: "{norm}"')
    power = _SCALES[norm]
    return n ** -(1 - power if inverse else power)


def _last(input, dim):
    """The input with `dim` last, and the dimension counted from 0."""
    if not input.shape:
        raise RuntimeError("torch.fft expects tensors with at least one dimension")
    if input.dtype.category < 2:
        input = input.to(T.default_dtype)
    if input.dtype in (T.float16, T.bfloat16):
        raise RuntimeError(f"Unsupported dtype {'Half' if input.dtype is T.float16 else 'BFloat16'}")
    dim = check_dim(dim, len(input.shape))
    return movedim(input, dim, -1), dim


def _points(n):
    if n < 1:
        raise RuntimeError(f"Invalid number of data points ({n}) specified")
    if n > MAX_POINTS:
        raise Unsupported(f"Fourier transforms of more than {MAX_POINTS} points are not traced; use a shorter context")
    return n


def _cut(input, n):
    return narrow(input, -1, 0, n) if input.shape[-1] > n else input


def _pair(op, inputs, attrs, length):
    """One node with a real and an imaginary output."""
    first = inputs[0]
    shape = (*first.shape[:-1], length)
    kind = T.code_of(first.dtype)
    values = tuple(tensor._v() for tensor in inputs)
    made = R.current.emit_many(op, values, (*attrs, "length", length), [(kind, shape)] * 2)
    return tuple(result(value, first.dtype, Size(shape), inputs) for value in made)


def _real_bins(input, n, scale):
    """Bins 0 to n / 2 of real rows."""
    return _pair("rfft", (_cut(input, n),), ("n", n, "scale", scale, "interior", 1), n // 2 + 1)


def _transform(input, n, dim, norm, inverse):
    input, dim = _last(input, dim)
    n = _points(input.shape[-1] if n is None else n)
    scale = _scale(norm, n, inverse)
    if input.dtype.category == 3:
        both = tuple(_cut(part, n) for part in parts(input))
        re, im = _pair("fft", both, ("n", n, "inverse", inverse, "scale", scale), n)
    else:
        re, im = _real_bins(input, n, scale)
        im = -im if inverse else im
        # the other bins of a real row are the conjugates of these in reverse
        mirrored = n - re.shape[-1]
        re = cat((re, flip(narrow(re, -1, 1, mirrored), -1)), -1)
        im = cat((im, -flip(narrow(im, -1, 1, mirrored), -1)), -1)
    return movedim(complex(re, im), -1, dim)


def fft(input, n=None, dim=-1, norm=None, *, out=None):
    return _transform(input, n, dim, norm, False)


def ifft(input, n=None, dim=-1, norm=None, *, out=None):
    return _transform(input, n, dim, norm, True)


def rfft(input, n=None, dim=-1, norm=None, *, out=None):
    if input.dtype.category == 3:
        raise RuntimeError(f"rfft expects a real input tensor, but got {_title(input.dtype)}")
    input, dim = _last(input, dim)
    n = _points(input.shape[-1] if n is None else n)
    return movedim(complex(*_real_bins(input, n, _scale(norm, n, False))), -1, dim)


def _title(kind):
    return "ComplexDouble" if kind is T.complex128 else "ComplexFloat"


def irfft(input, n=None, dim=-1, norm=None, *, out=None):
    input, dim = _last(input, dim)
    n = _points(2 * (input.shape[-1] - 1) if n is None else n)
    re, im = (_cut(part, n // 2 + 1) for part in parts(input))
    attrs = ("n", n, "scale", _scale(norm, n, True), "interior", 1, "length", n)
    shape = Size((*re.shape[:-1], n))
    value = R.current.emit("irfft", (re._v(), im._v()), attrs, T.code_of(re.dtype), tuple(shape))
    return movedim(result(value, re.dtype, shape, (re, im)), -1, dim)


_REVERSED = {None: "forward", "backward": "forward", "forward": "backward"}


def hfft(input, n=None, dim=-1, norm=None, *, out=None):
    return irfft(conj(input), n, dim, _REVERSED.get(norm, norm))


def ihfft(input, n=None, dim=-1, norm=None, *, out=None):
    return conj(rfft(input, n, dim, _REVERSED.get(norm, norm)))


# Several dimensions, one after the other


def _axes(input, s, dim):
    """[(dimension, points or None)]; the last is transformed first."""
    if dim is None:
        count = len(input.shape) if s is None else len(s)
        dims = tuple(range(len(input.shape) - count, len(input.shape)))
    else:
        dims = check_dims(dim, len(input.shape))
    sizes = (None,) * len(dims) if s is None else tuple(None if size == -1 else size for size in s)
    if len(sizes) != len(dims):
        raise RuntimeError("When given, dim and shape arguments must have the same length")
    return list(zip(dims, sizes))


def fftn(input, s=None, dim=None, norm=None, *, out=None):
    for axis, n in reversed(_axes(input, s, dim)):
        input = fft(input, n, axis, norm)
    return input


def ifftn(input, s=None, dim=None, norm=None, *, out=None):
    for axis, n in reversed(_axes(input, s, dim)):
        input = ifft(input, n, axis, norm)
    return input


def rfftn(input, s=None, dim=None, norm=None, *, out=None):
    *others, (last, n) = _axes(input, s, dim)
    input = rfft(input, n, last, norm)
    for axis, count in reversed(others):
        input = fft(input, count, axis, norm)
    return input


def irfftn(input, s=None, dim=None, norm=None, *, out=None):
    *others, (last, n) = _axes(input, s, dim)
    for axis, count in others:
        input = ifft(input, count, axis, norm)
    return irfft(input, n, last, norm)


def _in_two(function):
    def transform(input, s=None, dim=(-2, -1), norm=None, *, out=None):
        return function(input, s, dim, norm)

    transform.__name__ = transform.__qualname__ = function.__name__[:-1] + "2"
    return transform


fft2, ifft2, rfft2, irfft2 = (_in_two(function) for function in (fftn, ifftn, rfftn, irfftn))


# Frequencies and their order


def _frequencies(places, step, d, dtype, device, requires_grad):
    found = places.to(T.default_dtype if dtype is None else T.as_dtype(dtype)) * (1.0 / (step * d))
    found = found.to(device=device) if device is not None else found
    return found.requires_grad_(requires_grad) if requires_grad else found


def fftfreq(n, d=1.0, *, out=None, dtype=None, layout=None, device=None, requires_grad=False):
    half = (n + 1) // 2
    places = cat((arange(half), arange(half - n, 0)))
    return _frequencies(places, n, d, dtype, device, requires_grad)


def rfftfreq(n, d=1.0, *, out=None, dtype=None, layout=None, device=None, requires_grad=False):
    return _frequencies(arange(n // 2 + 1), n, d, dtype, device, requires_grad)


def _shifted(input, dim, distance):
    dims = check_dims(dim, len(input.shape))
    return roll(input, tuple(distance(input.shape[axis]) for axis in dims), dims)


def fftshift(input, dim=None):
    return _shifted(input, dim, lambda size: size // 2)


def ifftshift(input, dim=None):
    return _shifted(input, dim, lambda size: (size + 1) // 2)


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    raise UnsupportedName(f"module 'torch.fft' has no attribute '{name}'")
