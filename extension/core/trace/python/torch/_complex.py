"""Complex tensors as real values with a last dimension of size 2 (rotary embeddings written with `torch.polar`)."""

from crossover_tracer import recorder as R
from crossover_tracer.errors import Unsupported

from . import _types as T
from ._tensor import Tensor, fresh, new_view, strides_of
from ._types import Size


def polar(abs, angle):
    """abs * (cos angle + i sin angle)."""
    return complex(abs * angle.cos(), abs * angle.sin())


def complex(real, imag):
    """The complex tensor of two real ones of equal shape."""
    from ._join import stack

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


def conj(input):
    return complex(real(input), -imag(input)) if input.dtype.category == 3 else input


def angle(input):
    from ._ops import atan2

    return atan2(imag(input), real(input))


def values_as(source, kind):
    """Graph value of a tensor as a complex one."""
    if source.dtype.category == 3:
        return source._v()
    return complex(source.to(kind.to_real()), source.to(kind.to_real()) * 0)._v()


def _parts(item):
    if isinstance(item, Tensor):
        return (real(item), imag(item)) if item.dtype.category == 3 else (item, None)
    if type(item).__name__ == "complex":
        return item.real, item.imag
    return item, None


def binary(op, a, b, kind):
    """add, sub, mul, div of complex operands; a part that is None is zero."""
    (ar, ai), (br, bi) = _parts(a), _parts(b)
    if op == "mul":
        if ai is None or bi is None:
            scale, (re, im) = (ar, (br, bi)) if ai is None else (br, (ar, ai))
            return complex(re * scale, im * scale)
        return complex(ar * br - ai * bi, ar * bi + ai * br)
    if op == "div" and bi is None:
        return complex(ar / br, ai / br)
    if op == "div":
        norm = br * br + bi * bi
        ai = ar * 0 if ai is None else ai
        return complex((ar * br + ai * bi) / norm, (ai * br - ar * bi) / norm)
    if op in ("add", "sub"):
        sign = 1 if op == "add" else -1
        re = ar + br if sign == 1 else ar - br
        if bi is None:
            im = ai + re * 0
        elif ai is None:
            im = bi * sign + re * 0
        else:
            im = ai + bi if sign == 1 else ai - bi
        return complex(re, im)
    raise Unsupported(f"{op} of complex tensors is not traced; write it with real and imaginary parts")


def unary(op, input):
    """neg, abs, exp, square of a complex tensor."""
    re, im = real(input), imag(input)
    if op == "neg":
        return complex(-re, -im)
    if op == "abs":
        return (re * re + im * im).sqrt()
    if op == "exp":
        return polar(re.exp(), im)
    if op == "square":
        return binary("mul", input, input, input.dtype)
    raise Unsupported(f"{op} of complex tensors is not traced; write it with real and imaginary parts")


def cast(input, kind):
    """Complex to complex, or the real part."""
    if kind.category == 3:
        if input.dtype.category == 3:
            if input.dtype is kind:
                return input
            value = R.current.emit("cast", (input._v(),), (), T.code_of(kind.to_real()), (*input.shape, 2))
            return fresh(value, kind, input.shape, input.device, input.requires_grad)
        part = input.to(kind.to_real())
        return complex(part, part * 0)
    return real(input).to(kind)
