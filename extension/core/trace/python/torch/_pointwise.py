"""Pointwise operations: promotion, broadcasting, result layout; and in-place forms of all of them.

0-dimensional tensors whose value Python already knows are computed at once, so that loops over elements of a
parameter under construction stay ordinary Python.
"""

import math
import operator

from crossover_tracer import recorder as R
from crossover_tracer.errors import ShapeError

from . import _complex as C
from . import _types as T
from ._storage import make_array
from ._tensor import Tensor, fresh, scalar_array
from ._types import Size

_NUMBER = (int, float, bool)


# Results


def result(value, kind, shape, inputs, strides=None):
    """A new tensor for a recorded value; gradient and device follow the inputs."""
    rec = R.current
    needs = False
    for tensor in inputs:
        if tensor._rg or tensor._storage.requires_grad:
            needs = True
            break
    if needs and (not rec.grad_enabled or kind.category < 2):
        needs = False
        if kind.category >= 2 and rec.graph is rec.forward and not rec.region:
            real = kind.to_real()
            value_shape = (*shape, 2) if kind.category == 3 else shape
            value = rec.emit("detach", (value,), (), T.code_of(real), value_shape)
    return fresh(value, kind, shape, inputs[0].device if inputs else T.CPU, needs, strides)


def layout_of(shape, operands):
    """Strides of a pointwise result, None for contiguous. TensorIterator's order: the operands' strides decide."""
    for tensor in operands:
        if tensor._strides is not None and not tensor.is_contiguous():
            break
    else:
        return None
    ndim = len(shape)
    all_strides = []
    for tensor in operands:
        lead = ndim - len(tensor.shape)
        all_strides.append(
            [0] * lead
            + [0 if size == 1 and shape[lead + i] != 1 else s for i, (size, s) in enumerate(zip(tensor.shape, tensor.stride()))]
        )
    order = list(range(ndim - 1, -1, -1))
    for i in range(1, ndim):
        high = i
        for low in range(i - 1, -1, -1):
            swap = _should_swap(shape, all_strides, order[low], order[high])
            if swap > 0:
                order[low], order[high] = order[high], order[low]
                high = low
            elif swap < 0:
                break
    strides, step = [0] * ndim, 1
    for dim in order:
        strides[dim] = step
        step *= max(shape[dim], 1)
    return tuple(strides)


def _should_swap(shape, all_strides, first, second):
    for strides in all_strides:
        a, b = strides[first], strides[second]
        if a == 0 or b == 0:
            continue
        if a != b:
            return -1 if a < b else 1
        if shape[first] > shape[second]:
            return 1
    return 0


def broadcast(a, b):
    """The common shape of two shapes, in PyTorch's words when there is none."""
    if a == b:
        return a
    ndim = max(len(a), len(b))
    x, y = (1,) * (ndim - len(a)) + tuple(a), (1,) * (ndim - len(b)) + tuple(b)
    shape = []
    for dim in range(ndim):
        if x[dim] == y[dim] or y[dim] == 1:
            shape.append(x[dim])
        elif x[dim] == 1:
            shape.append(y[dim])
        else:
            raise ShapeError(
                f"The size of tensor a ({x[dim]}) must match the size of tensor b ({y[dim]}) "
                f"at non-singleton dimension {dim}"
            )
    return Size(shape)


# Promotion


def scalar_dtype(number):
    if isinstance(number, bool):
        return T.bool_
    if isinstance(number, int):
        return T.int64
    return T.complex64 if isinstance(number, complex) else T.default_dtype


def result_type(a, b):
    """The dtype `a op b` computes in; operands are tensors or Python numbers."""
    dim, zero, wrapped = None, None, None
    for item in (a, b):
        if isinstance(item, Tensor):
            if item.shape:
                dim = item.dtype if dim is None else T.promote(dim, item.dtype)
            else:
                zero = item.dtype if zero is None else T.promote(zero, item.dtype)
        else:
            kind = scalar_dtype(item)
            wrapped = kind if wrapped is None else T.promote(wrapped, kind)
    return _combine(dim, _combine(zero, wrapped))


def _combine(higher, lower):
    if higher is None or lower is None:
        return higher or lower
    if higher.category == 3:
        return higher
    if higher.category == 2:
        return higher.to_complex() if lower.category == 3 else higher
    if higher.category == 0 or lower.category >= 2:
        return T.promote(higher, lower)
    return higher


def cast_value(tensor, kind):
    """The tensor's value in another dtype."""
    if tensor.dtype is kind:
        return tensor._v()
    return R.current.emit("cast", (tensor._v(),), (), T.code_of(kind), tuple(tensor.shape))


def value_in(operand, kind):
    """Value of a tensor or number as an operand of `kind`."""
    if isinstance(operand, Tensor):
        return operand._v() if operand.dtype is kind else cast_value(operand, kind)
    return R.current.full(convert_number(operand, kind), T.code_of(kind))


def convert_number(number, kind):
    if kind.category == 2:
        return float(number)
    if kind.category == 0:
        return bool(number)
    return int(number) if math.isfinite(number) else number


def as_operand(item):
    """A tensor, or a Python number, from what may stand beside a tensor in an expression."""
    if isinstance(item, Tensor) or type(item) in _NUMBER:
        return item
    if isinstance(item, _NUMBER):
        return float(item) if isinstance(item, float) else int(item)
    if isinstance(item, complex):
        return item
    if hasattr(item, "__float__") and not isinstance(item, (str, bytes)):
        return float(item)
    return None


# Known 0-dimensional values


def known(item):
    """Python's number for a number or a 0-dimensional tensor whose value is known now; None otherwise."""
    if isinstance(item, Tensor):
        if item.shape == () and item._storage.array is not None:
            number = item._storage.array[item._offset]
            return bool(number) if item.dtype.category == 0 else number
        return None
    return item


def _divide(a, b):
    try:
        return a / b
    except ZeroDivisionError:
        return math.nan if a == 0 or a != a else math.copysign(math.inf, a) * math.copysign(1.0, b)


def _power(a, b):
    try:
        return float(a) ** float(b) if isinstance(a, float) or isinstance(b, float) else a**b
    except ZeroDivisionError:
        return math.inf
    except OverflowError:
        return math.inf


_KNOWN = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "div": _divide, "pow": _power,
    "maximum": max, "minimum": min, "eq": operator.eq, "ne": operator.ne, "lt": operator.lt, "le": operator.le,
    "gt": operator.gt, "ge": operator.ge,
}  # fmt: skip
_KNOWN_UNARY = {"neg": operator.neg, "abs": abs, "exp": math.exp, "sqrt": math.sqrt, "sin": math.sin, "cos": math.cos,
                "log": math.log, "tanh": math.tanh, "square": lambda x: x * x}  # fmt: skip


# Operations


def unary(op, input, attrs=(), floating=False):
    """One pointwise node of one input; `floating` operations turn integers into the default dtype."""
    kind = input.dtype
    if kind.category == 3:
        return C.unary(op, input)
    if floating and kind.category < 2:
        kind = T.default_dtype
    if input.shape == () and op in _KNOWN_UNARY:
        number = known(input)
        if number is not None:
            try:
                return scalar_array(_KNOWN_UNARY[op](number), kind, input.device)
            except (ValueError, OverflowError):
                pass
    value = input._v() if kind is input.dtype else cast_value(input, kind)
    value = R.current.emit(op, (value,), attrs, T.code_of(kind), tuple(input.shape))
    strides = None if input._strides is None else layout_of(input.shape, (input,))
    return result(value, kind, input.shape, (input,), strides)


def binary(op, a, b, kind=None, compare=False):
    """One pointwise node of two inputs after promotion; `compare` gives bool."""
    if kind is None:
        if isinstance(a, Tensor) and isinstance(b, Tensor) and a.dtype is b.dtype:
            kind = a.dtype
        else:
            kind = result_type(a, b)
    if kind.category == 3:
        return C.binary(op, a, b, kind)
    x, y = known(a), known(b)
    if x is not None and y is not None and op in _KNOWN:
        if kind.category == 2:
            # numbers take the tensor's precision before they are used
            x, y = make_array(T.code_of(kind), (x, y))
        device = a.device if isinstance(a, Tensor) else b.device
        return scalar_array(_KNOWN[op](x, y), T.bool_ if compare else kind, device)
    if isinstance(a, Tensor):
        if isinstance(b, Tensor):
            shape, tensors = broadcast(a.shape, b.shape), (a, b)
        else:
            shape, tensors = a.shape, (a,)
    else:
        shape, tensors = b.shape, (b,)
    first = value_in(a, kind)
    value = R.current.emit(op, (first, value_in(b, kind)), (), "bool" if compare else T.code_of(kind), tuple(shape))
    strides = None
    for tensor in tensors:
        if tensor._strides is not None:
            strides = layout_of(shape, tensors)
            break
    return result(value, T.bool_ if compare else kind, shape, tensors, strides)


def assign(target, source):
    """In-place: `target` takes the content of `source`, a tensor of a broadcastable shape."""
    rec = R.current
    if target._leaf and target._rg and rec.grad_enabled:
        raise RuntimeError("a leaf Variable that requires grad is being used in an in-place operation.")
    if source.dtype.category > target.dtype.category:
        raise RuntimeError(
            f"result type {_TITLES.get(source.dtype.name, source.dtype.name)} can't be cast to the desired output type "
            f"{_TITLES.get(target.dtype.name, target.dtype.name)}"
        )
    return put(target, source)


_TITLES = {"float32": "Float", "float64": "Double", "bfloat16": "BFloat16", "float16": "Half", "int64": "Long",
           "int32": "Int", "bool": "Bool"}  # fmt: skip


def put(target, source):
    """copy_: cast, broadcast and write."""
    if target.device.type == "meta":
        return target
    if source.shape != target.shape:
        check_expand(source.shape, target.shape)
    if target.dtype.category == 3:
        value = C.values_as(source, target.dtype)
        real, inner = target.dtype.to_real(), (2,)
    else:
        value, real, inner = cast_value(source, target.dtype), target.dtype, ()
    if source.shape != target.shape:
        value = expand_value(value, (*source.shape, *inner), (*target.shape, *inner), T.code_of(real))
    if source.requires_grad:
        if R.current.grad_enabled or R.current.region:
            target._storage.requires_grad = True
    target._write(value)
    return target


def check_expand(old, new):
    """Whether `old` broadcasts to exactly `new`, leading ones aside; in PyTorch's words when not."""
    extra = len(old) - len(new)
    sizes = old[extra:] if extra > 0 and all(size == 1 for size in old[:extra]) else old
    if len(sizes) > len(new):
        raise ShapeError(f"output with shape {list(new)} doesn't match the broadcast shape {list(broadcast(old, new))}")
    lead = len(new) - len(sizes)
    for dim, size in enumerate(sizes):
        if size != 1 and size != new[lead + dim]:
            raise ShapeError(
                f"The expanded size of the tensor ({new[lead + dim]}) must match the existing size ({size}) at "
                f"non-singleton dimension {lead + dim}. Target sizes: {list(new)}. Tensor sizes: {list(old)}"
            )


def expand_value(value, old, new, code):
    """The value broadcast to the shape `new`; leading ones are dropped when there are too many."""
    if len(old) > len(new):
        value = R.current.emit("reshape", (value,), (), code, tuple(old[len(old) - len(new) :]))
        old = old[len(old) - len(new) :]
    return value if tuple(old) == tuple(new) else R.current.emit("expand", (value,), (), code, tuple(new))
