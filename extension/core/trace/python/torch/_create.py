"""Factories: zeros, ones, full, arange, tensor, and their `_like` and `new_` forms."""

import math

from crossover_tracer import recorder as R
from crossover_tracer.errors import Unsupported

from . import _types as T
from ._storage import make_array
from ._tensor import Tensor, as_int, fresh, from_array, sizes_from
from ._types import Size


def _new(value, kind, shape, device, requires_grad):
    return _marked(fresh(value, kind, shape, T.as_device(device)), requires_grad)


def _marked(tensor, requires_grad):
    """The tensor as a leaf, where it requires a gradient."""
    if requires_grad:
        tensor._leaf = True
        tensor.requires_grad = True
    return tensor


def _filled(shape, number, kind, device=None, requires_grad=False):
    if any(size < 0 for size in shape):
        raise RuntimeError(f"Trying to create tensor with negative dimension {min(shape)}: {list(shape)}")
    if kind.category == 3:
        from ._complex import view_as_complex

        pair = _filled((*shape, 2), 0.0, kind.to_real(), device)
        for place, part in enumerate((number.real, number.imag)):
            if part:
                pair[..., place] = part
        return _marked(view_as_complex(pair), requires_grad)
    number = float(number) if kind.category == 2 else bool(number) if kind.category == 0 else int(number)
    return _new(R.current.full(number, T.code_of(kind), shape), kind, shape, device, requires_grad)


def _kind(dtype):
    return T.default_dtype if dtype is None else T.as_dtype(dtype)


def zeros(*size, out=None, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False, names=None, **sized):
    return _filled(sizes_from(size or (sized["size"],)), 0, _kind(dtype), device, requires_grad)


def ones(*size, out=None, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False, names=None, **sized):
    return _filled(sizes_from(size or (sized["size"],)), 1, _kind(dtype), device, requires_grad)


def empty(*size, out=None, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False, memory_format=None,
          names=None, **sized):  # fmt: skip
    return _filled(sizes_from(size or (sized["size"],)), 0, _kind(dtype), device, requires_grad)


def empty_strided(size, stride, *, dtype=None, device=None, requires_grad=False, **_):
    return _filled(sizes_from((size,)), 0, _kind(dtype), device, requires_grad)


def full(size, fill_value, *, out=None, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False):
    if isinstance(fill_value, Tensor):
        from ._value import known_number

        number = known_number(fill_value)
        if number is None:
            return fill_value.to(_kind(dtype or fill_value.dtype)).expand(sizes_from((size,))).clone()
        fill_value = number
    if dtype is None:
        dtype = T.bool_ if isinstance(fill_value, bool) else T.int64 if isinstance(fill_value, int) else None
    return _filled(sizes_from((size,)), fill_value, _kind(dtype), device, requires_grad)


def scalar_tensor(s, *, dtype=None, device=None, **_):
    return _filled((), s, _kind(dtype), device)


def _like(input, number, dtype, device, requires_grad):
    kind = input.dtype if dtype is None else T.as_dtype(dtype)
    result = _filled(input.shape, number, kind, device or input.device, requires_grad)
    if input._strides is not None and not input.is_contiguous():
        from ._pointwise import layout_of

        result._strides = layout_of(input.shape, (input,))
    return result


def zeros_like(input, *, dtype=None, layout=None, device=None, requires_grad=False, memory_format=None):
    return _like(input, 0, dtype, device, requires_grad)


def ones_like(input, *, dtype=None, layout=None, device=None, requires_grad=False, memory_format=None):
    return _like(input, 1, dtype, device, requires_grad)


def empty_like(input, *, dtype=None, layout=None, device=None, requires_grad=False, memory_format=None):
    return _like(input, 0, dtype, device, requires_grad)


def full_like(input, fill_value, *, dtype=None, layout=None, device=None, requires_grad=False, memory_format=None):
    return _like(input, fill_value, dtype, device, requires_grad)


def new_zeros(input, *size, dtype=None, device=None, requires_grad=False, **_):
    return _filled(sizes_from(size), 0, T.as_dtype(dtype or input.dtype), device or input.device, requires_grad)


def new_ones(input, *size, dtype=None, device=None, requires_grad=False, **_):
    return _filled(sizes_from(size), 1, T.as_dtype(dtype or input.dtype), device or input.device, requires_grad)


new_empty = new_zeros


def new_full(input, size, fill_value, dtype=None, device=None, requires_grad=False, **_):
    return _filled(sizes_from((size,)), fill_value, T.as_dtype(dtype or input.dtype), device or input.device, requires_grad)


def new_tensor(input, data, dtype=None, device=None, requires_grad=False):
    return tensor(data, dtype=dtype or input.dtype, device=device or input.device, requires_grad=requires_grad)


def arange(start, end=None, step=1, *, out=None, dtype=None, layout=None, device=None, requires_grad=False, **_):
    if end is None:
        start, end = 0, start
    start, end, step = (x.item() if isinstance(x, Tensor) else x for x in (start, end, step))
    if dtype is None:
        dtype = T.default_dtype if any(isinstance(x, float) for x in (start, end, step)) else T.int64
    kind = T.as_dtype(dtype)
    if kind.category == 3:
        raise NotImplementedError(f'"arange_cpu" not implemented for \'{"ComplexFloat" if kind is T.complex64 else "ComplexDouble"}\'')
    if step == 0:
        raise RuntimeError("step must be nonzero")
    count = math.ceil((end - start) / step)
    if count < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    if kind.category < 2:
        start, step = int(start), int(step)
    value = R.current.emit("arange", (), ("start", start, "step", step), T.code_of(kind), (count,))
    return _new(value, kind, (count,), device, requires_grad)


def linspace(start, end, steps, *, out=None, dtype=None, device=None, requires_grad=False, **_):
    """Both halves count from their own end, as PyTorch's kernel does."""
    kind = _kind(dtype)
    if kind.category == 3:
        return linspace(start, end, steps, dtype=kind.to_real(), device=device).to(kind)
    start, end = (x.item() if isinstance(x, Tensor) else x for x in (start, end))
    code = T.code_of(kind)
    rounded = make_array(code, (start, end))
    start, end = float(rounded[0]), float(rounded[1])
    step = make_array(code, ((end - start) / (steps - 1),))[0] if steps > 1 else 0.0
    half = steps // 2
    values = [start + step * i if i < half else end - step * (steps - 1 - i) for i in range(steps)]
    return from_array(make_array(code, values if steps > 1 else [start] * steps), kind, (steps,), T.as_device(device))


def logspace(start, end, steps, base=10.0, *, dtype=None, device=None, **_):
    kind = _kind(dtype)
    step = (end - start) / (steps - 1) if steps > 1 else 0.0
    values = [base ** (start + step * i) for i in range(steps)]
    return from_array(make_array(T.code_of(kind), values), kind, (steps,), T.as_device(device))


def eye(n, m=None, *, out=None, dtype=None, device=None, requires_grad=False, **_):
    m = n if m is None else m
    kind = _kind(dtype)
    rows, columns = arange(n, device=device).unsqueeze(1), arange(m, device=device)
    return _marked((rows == columns).to(kind), requires_grad)


def tril_indices(row, col, offset=0, *, dtype=T.int64, device=None, **_):
    pairs = [(i, j) for i in range(row) for j in range(col) if j - i <= offset]
    return from_numbers([i for i, _ in pairs] + [j for _, j in pairs], dtype, (2, len(pairs)))


def triu_indices(row, col, offset=0, *, dtype=T.int64, device=None, **_):
    pairs = [(i, j) for i in range(row) for j in range(col) if j - i >= offset]
    return from_numbers([i for i, _ in pairs] + [j for _, j in pairs], dtype, (2, len(pairs)))


def meshgrid(*tensors, indexing="ij"):
    tensors = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)) else tensors
    if indexing == "xy" and len(tensors) > 1:
        second, first, *rest = meshgrid(tensors[1], tensors[0], *tensors[2:])
        return (first, second, *rest)
    shape = [tensor.numel() for tensor in tensors]
    return tuple(
        tensor.reshape([-1 if axis == dim else 1 for axis in range(len(shape))]).expand(shape)
        for dim, tensor in enumerate(tensors)
    )


def from_numbers(values, kind, shape=None, device=None):
    """A tensor of known elements, given flat."""
    shape = Size((len(values),) if shape is None else shape)
    if kind.category == 3:
        from ._complex import view_as_complex

        pairs = [part for number in values for part in (number.real, number.imag)]
        return view_as_complex(from_numbers(pairs, kind.to_real(), (*shape, 2), device))
    return from_array(make_array(T.code_of(kind), values), kind, shape, T.as_device(device))


def tensor(data, *, dtype=None, device=None, requires_grad=False, pin_memory=False):
    """torch.tensor: copies numbers, nested sequences, arrays and tensors."""
    if isinstance(data, Tensor):
        kind = data.dtype if dtype is None else T.as_dtype(dtype)
        result = data.detach().clone().to(kind)
    else:
        if hasattr(data, "tolist") and hasattr(data, "dtype"):
            dtype = dtype or T.DTYPES.get(str(data.dtype))
            data = data.tolist()
        flat, shape = [], _shape_of(data)
        tensors = _flatten(data, shape, flat)
        if tensors:
            from ._join import stack
            from ._views import reshape

            unknown = [x if isinstance(x, Tensor) else from_numbers([x], T.default_dtype, ()) for x in flat]
            result = reshape(stack(unknown), shape).detach()
            result = result if dtype is None else result.to(T.as_dtype(dtype))
        else:
            kind = _inferred(flat) if dtype is None else T.as_dtype(dtype)
            result = from_numbers(flat, kind, shape, device)
    return _marked(result, requires_grad)


def as_tensor(data, dtype=None, device=None):
    if isinstance(data, Tensor):
        return data if dtype is None else data.to(T.as_dtype(dtype))
    return tensor(data, dtype=dtype, device=device)


def from_numpy(array):
    return tensor(array)


def _shape_of(data):
    shape = []
    while isinstance(data, (list, tuple, range)) or (isinstance(data, Tensor) and data.shape):
        if isinstance(data, Tensor):
            shape.extend(data.shape)
            break
        shape.append(len(data))
        if not len(data):
            break
        data = data[0]
    return tuple(shape)


def _flatten(data, shape, flat):
    """Appends the elements of nested sequences; True when one of them is a tensor without a known value."""
    if isinstance(data, Tensor):
        from ._value import known_numbers

        values = known_numbers(data)
        if values is None:
            flat.extend(data.reshape(-1).unbind(0))
            return True
        flat.extend(values)
        return False
    if isinstance(data, (list, tuple, range)):
        if not shape or len(data) != shape[0]:
            raise ValueError(f"expected sequence of length {shape[0] if shape else 0} (got {len(data)})")
        found = False
        for part in data:
            found |= _flatten(part, shape[1:], flat)
        return found
    if not isinstance(data, (int, float, complex)):
        if not hasattr(data, "__float__"):
            raise TypeError(f"new(): invalid data type '{type(data).__name__}'")
        data = float(data)
    flat.append(data)
    return False


def _inferred(flat):
    if any(isinstance(x, complex) for x in flat):
        return T.default_dtype.to_complex()
    if any(isinstance(x, float) for x in flat) or not flat:
        return T.default_dtype
    return T.bool_ if all(isinstance(x, bool) for x in flat) else T.int64


def legacy(kind, *args):
    """torch.FloatTensor(2, 3) and torch.Tensor([...])."""
    if len(args) == 1 and not isinstance(args[0], int):
        if isinstance(args[0], Size):
            return _filled(args[0], 0, kind)
        return tensor(args[0], dtype=kind)
    if not all(isinstance(as_int(size), int) for size in args):
        raise Unsupported("this form of torch.Tensor(...) is not traced; use torch.tensor or torch.empty")
    return _filled(sizes_from(args), 0, kind)
