"""Values Python asks of a tensor: `.item()`, `float()`, `bool()`, `tolist()`."""

import math

from crossover_tracer import recorder as R
from crossover_tracer.errors import DataDependent
from crossover_tracer.nested import nested

from ._evaluate import evaluate, strided
from ._tensor import Tensor, strides_of


def known_numbers(tensor):
    """Flat row-major elements of a tensor that depends on constants only; None otherwise."""
    if tensor.dtype.category == 3:
        return None
    array = tensor._storage.array
    if array is not None:
        found = strided(array, tensor.shape, strides_of(tensor), tensor._offset)
        return [bool(x) for x in found] if tensor.dtype.category == 0 else found
    recorder = R.current
    return evaluate(recorder, recorder.graph, tensor._v())


def known_number(tensor):
    """The value of a one-element tensor when it is known; None otherwise."""
    if tensor.numel() != 1:
        return None
    found = known_numbers(tensor)
    return None if found is None else found[0]


def numbers(tensor):
    """Flat elements, or the error that says the value depends on data."""
    if tensor.device.type == "meta":
        raise DataDependent("a tensor on the meta device has no value")
    found = known_numbers(tensor)
    if found is None:
        raise DataDependent(
            "the model asks for the value of a tensor, which has none while it is traced; "
            "replace Python control flow on tensors by torch.where or masks"
        )
    return found


def item(input):
    if input.numel() != 1:
        raise RuntimeError(f"a Tensor with {input.numel()} elements cannot be converted to Scalar")
    recorder = R.current
    if recorder.graph is recorder.forward and recorder.depth == 0:
        found = known_numbers(input)
        return math.nan if found is None else found[0]
    return numbers(input)[0]


def tolist(input):
    return nested(numbers(input), input.shape)


def to_bool(input):
    if input.numel() == 0:
        return False
    if input.numel() > 1:
        raise RuntimeError("Boolean value of Tensor with more than one value is ambiguous")
    return bool(numbers(input)[0])


def to_float(input):
    return float(item(input))


def to_int(input):
    number = item(input)
    if number != number:
        raise DataDependent("the model asks for the integer value of a tensor, which has none while it is traced")
    return int(number)


def to_index(input):
    if input.dtype.category > 1 or input.numel() != 1:
        raise TypeError("only integer tensors of a single element can be converted to an index")
    return to_int(input)


def numpy(input, *, force=False):
    from numpy import ndarray

    return ndarray(numbers(input), tuple(input.shape), input.dtype.name)


def equal(input, other):
    """torch.equal: whether two known tensors have the same shape and elements."""
    if input.shape != other.shape:
        return False
    return list(numbers(input)) == list(numbers(other))


def allclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False):
    close = (abs(a - b) <= atol + rtol * abs(b) or (equal_nan and a != a and b != b)
             for a, b in zip(numbers(input), numbers(other)))  # fmt: skip
    return all(close)


def is_tensor(item):
    return isinstance(item, Tensor)
