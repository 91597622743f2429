"""Complex tensors as real values with a last dimension of size 2: what is computed with them is recorded of their real
and imaginary parts. Gradients follow PyTorch's convention (dL/dre + i dL/dim), which is that of the pairs."""

import cmath
import math

from crossover_tracer import recorder as R
from crossover_tracer.errors import Unsupported

from . import _types as T
from ._tensor import Tensor, fresh, new_view, strides_of
from ._types import Size


def _title(kind):
    return {"float32": "Float", "float64": "Double", "float16": "Half", "bfloat16": "BFloat16"}.get(kind.name, kind.name)


def polar(abs, angle):
    """abs * (cos angle + i sin angle)."""
    return complex(abs * angle.cos(), abs * angle.sin())


def complex(real, imag):
    """The complex tensor of two real ones."""
    from ._join import stack
    from ._shape import broadcast_tensors

    if real.dtype is not imag.dtype:
        raise RuntimeError(
            f"Expected object of scalar type {_title(real.dtype)} but got scalar type {_title(imag.dtype)} for second argument"
        )
    if real.shape != imag.shape:
        real, imag = broadcast_tensors(real, imag)
    return view_as_complex(stack((real, imag), -1))


def view_as_complex(input):
    """[..., 2] real -> [...] complex, sharing storage."""
    if not input.shape or input.shape[-1] != 2:
        raise RuntimeError("Tensor must have a last dimension of size 2")
    if input.dtype not in (T.float32, T.float64, T.float16):
        raise RuntimeError(f"view_as_complex is only supported for half, float and double tensors, but got {input.dtype!r}")
    strides = None
    if input._strides is not None:
        strides = tuple(stride // 2 for stride in input._strides[:-1])
    kind = T.complex128 if input.dtype is T.float64 else T.complex64
    return new_view(input, ("alias",), input.shape[:-1], strides, input._offset // 2, kind)


def view_as_real(input):
    """[...] complex -> [..., 2] real, sharing storage."""
    if input.dtype.category != 3:
        raise RuntimeError("view_as_real is only supported for complex tensors")
    strides = None if input._strides is None else (*(2 * stride for stride in strides_of(input)), 1)
    return new_view(input, ("alias",), Size((*input.shape, 2)), strides, input._offset * 2, input.dtype.to_real())


def real(input):
    return view_as_real(input)[..., 0] if input.dtype.category == 3 else input


def imag(input):
    if input.dtype.category != 3:
        raise RuntimeError("imag is not implemented for tensors with non-complex dtypes.")
    return view_as_real(input)[..., 1]


def parts(input):
    """Real and imaginary part of a tensor; the latter of a real one is zero."""
    if input.dtype.category == 3:
        return real(input), imag(input)
    from ._create import zeros_like

    return input, zeros_like(input)


def mapped(function, input, *args, **kwargs):
    """A function that treats both parts alike, such as one that moves elements or adds them up."""
    return complex(function(real(input), *args, **kwargs), function(imag(input), *args, **kwargs))


def conj(input):
    return complex(real(input), -imag(input)) if input.dtype.category == 3 else input


def angle(input):
    from ._ops import atan2, where

    if input.dtype.category == 3:
        return atan2(imag(input), real(input))
    input = input if input.dtype.category == 2 else input.to(T.default_dtype)
    return where(input < 0, math.pi, where(input != input, input, 0.0))


def isreal(input):
    return imag(input) == 0 if input.dtype.category == 3 else input == input


def values_as(source, kind):
    """Graph value of a tensor as a complex one."""
    return cast(source, kind)._v()


def _operand(item, kind):
    """Real and imaginary part of an operand; what is None is zero."""
    if isinstance(item, Tensor):
        if item.dtype.category == 3:
            item = cast(item, kind)
            return real(item), imag(item)
        return item.to(kind.to_real()), None
    if type(item).__name__ == "complex":
        return item.real or None, item.imag or None
    return item, None


def _mul(a, b):
    return None if a is None or b is None else a * b


def _add(a, b):
    return a if b is None else b if a is None else a + b


def _neg(a):
    return None if a is None else -a


def binary(op, a, b, kind):
    """add, sub, mul, div, pow, eq, ne of complex operands."""
    if op not in _BINARY:
        raise _not_traced(op)
    x, y = _operand(a, kind), _operand(b, kind)
    if op in ("eq", "ne"):
        return _compared(op, x, y)
    if op == "pow":
        return _power(a, b, kind)
    return _joined(*_BINARY[op](*x, *y), (a, b), kind)


def _joined(re, im, operands, kind):
    """The complex tensor of two parts; what is None is zero."""
    from ._pointwise import broadcast
    from ._create import zeros

    shape = ()
    for operand in operands:
        shape = broadcast(shape, operand.shape) if isinstance(operand, Tensor) else shape
    device = next(operand.device for operand in operands if isinstance(operand, Tensor))
    made = []
    for part in (re, im):
        if not isinstance(part, Tensor):
            part = zeros(shape, dtype=kind.to_real(), device=device) + (part or 0.0)
        made.append(part if part.shape == shape else part.expand(shape))
    return complex(*made)


def _product(ar, ai, br, bi):
    return _add(_mul(ar, br), _neg(_mul(ai, bi))), _add(_mul(ar, bi), _mul(ai, br))


def _quotient(ar, ai, br, bi):
    if bi is None:
        br = 0.0 if br is None else br
        return (None if part is None else part / br for part in (ar, ai))
    norm = _add(_mul(br, br), bi * bi)
    return (None if part is None else part / norm for part in _product(ar, ai, br, -bi))


_BINARY = {
    "add": lambda ar, ai, br, bi: (_add(ar, br), _add(ai, bi)),
    "sub": lambda ar, ai, br, bi: (_add(ar, _neg(br)), _add(ai, _neg(bi))),
    "mul": _product, "div": _quotient, "pow": None, "eq": None, "ne": None,
}  # fmt: skip


def _compared(op, x, y):
    """Whether both parts are equal, or not."""
    from ._ops import eq, logical_and, logical_not

    equal = None
    for a, b in zip(x, y):
        a, b = (0.0 if part is None else part for part in (a, b))
        same = eq(a, b) if isinstance(a, Tensor) else eq(b, a) if isinstance(b, Tensor) else None
        equal = same if equal is None else equal if same is None else logical_and(equal, same)
    return equal if op == "eq" else logical_not(equal)


def _power(base, exponent, kind):
    """base ** exponent as exp(exponent log base); small whole powers are products (see `_ops.pow`)."""
    if not isinstance(base, Tensor):
        factor = cmath.log(base)
        return unary("exp", binary("mul", exponent, factor, kind))
    return unary("exp", binary("mul", unary("log", cast(base, kind)), exponent, kind))


def _magnitude(re, im):
    """Its gradient at 0 is 0."""
    from ._ops import where

    squares = re * re + im * im
    zero = squares == 0
    return where(zero, 0.0, where(zero, 1.0, squares).sqrt())


def _sqrt(re, im):
    """The root with a real part >= 0."""
    size, turn = _magnitude(re, im).sqrt(), im.atan2(re) * 0.5
    return size * turn.cos(), size * turn.sin()


_UNARY = {
    "neg": lambda re, im: (-re, -im),
    "exp": lambda re, im: (re.exp() * im.cos(), re.exp() * im.sin()),
    "log": lambda re, im: (_magnitude(re, im).log(), im.atan2(re)),
    "square": lambda re, im: (re * re - im * im, 2 * (re * im)),
    "reciprocal": lambda re, im: _quotient(1.0, None, re, im),
    "sqrt": _sqrt,
    "rsqrt": lambda re, im: _quotient(1.0, None, *_sqrt(re, im)),
    "sin": lambda re, im: (re.sin() * im.cosh(), re.cos() * im.sinh()),
    "cos": lambda re, im: (re.cos() * im.cosh(), -re.sin() * im.sinh()),
}


def unary(op, input):
    """A pointwise function of a complex tensor; `abs` gives a real one."""
    re, im = real(input), imag(input)
    if op == "abs":
        return _magnitude(re, im)
    if op not in _UNARY:
        raise _not_traced(op)
    return complex(*_UNARY[op](re, im))


def _not_traced(op):
    return Unsupported(f"{op} of complex tensors is not traced; write it with real and imaginary parts")


def matmul(a, b):
    """The product of complex matrices, as products of their parts."""
    from ._linalg import matmul as product

    (ar, ai), (br, bi) = parts(a), parts(b)
    return complex(product(ar, br) - product(ai, bi), product(ar, bi) + product(ai, br))


def where(condition, input, other, kind):
    """torch.where of operands of which one is complex."""
    from ._create import full
    from ._ops import where as choose

    def as_tensor(item):
        return cast(item, kind) if isinstance(item, Tensor) else full((), item, dtype=kind)

    (ar, ai), (br, bi) = (parts(as_tensor(item)) for item in (input, other))
    return complex(choose(condition, ar, br), choose(condition, ai, bi))


def cast(input, kind):
    """Complex to complex, real to complex, or the real part."""
    if kind.category != 3:
        return real(input).to(kind)
    if input.dtype is kind:
        return input
    if input.dtype.category == 3:
        value = R.current.emit("cast", (input._v(),), (), T.code_of(kind.to_real()), (*input.shape, 2))
        return fresh(value, kind, input.shape, input.device, input.requires_grad)
    return complex(*parts(input.to(kind.to_real())))
