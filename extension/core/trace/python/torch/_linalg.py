"""Matrix products and einsum."""

import math

from crossover_tracer import recorder as R
from crossover_tracer.errors import ShapeError, Unsupported

from . import _types as T
from ._complex import conj
from ._ops import add, mul
from ._pointwise import broadcast, result
from ._reduce import sum as reduce_sum
from ._shape import squeeze, transpose, unsqueeze
from ._tensor import check_dim
from ._types import Size
from ._views import expand, permute, reshape


def matmul(input, other, *, out=None):
    """Vectors, matrices and batches, by NumPy's rules."""
    a, b = input, other
    if a.dtype is not b.dtype:
        raise RuntimeError(
            f"expected m1 and m2 to have the same dtype, but got: {_title(a.dtype)} != {_title(b.dtype)}"
        )
    if a.dtype.category == 3:
        from ._complex import matmul as complex_matmul

        return complex_matmul(a, b)
    if not a.shape or not b.shape:
        raise ShapeError("both arguments to matmul need to be at least 1D, but they are "
                         f"{len(a.shape)}D and {len(b.shape)}D")  # fmt: skip
    lead, trail = len(a.shape) == 1, len(b.shape) == 1
    if lead and trail and a.shape != b.shape:
        raise ShapeError(f"inconsistent tensor size, expected tensor [{a.shape[0]}] and src [{b.shape[0]}] to have the "
                         "same number of elements")  # fmt: skip
    if a.shape[-1] != b.shape[-1 if trail else -2]:
        rows = math.prod(a.shape[:-1])
        if trail:
            raise ShapeError(f"size mismatch, got input ({rows}), mat ({rows}x{a.shape[-1]}), vec ({b.shape[0]})")
        if len(a.shape) > 2 and len(b.shape) > 2:
            raise ShapeError(
                f"Expected size for first two dimensions of batch2 tensor to be: [{math.prod(a.shape[:-2])}, {a.shape[-1]}] "
                f"but got: [{math.prod(b.shape[:-2])}, {b.shape[-2]}]."
            )
        raise ShapeError(
            f"mat1 and mat2 shapes cannot be multiplied ({rows}x{a.shape[-1]} and {b.shape[-2]}x{b.shape[-1]})"
        )
    a = unsqueeze(a, 0) if lead else a
    b = unsqueeze(b, 1) if trail else b
    shape = (*broadcast(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1])
    value = R.current.emit("matmul", (a._v(), b._v()), (), T.code_of(a.dtype), shape)
    product = result(value, a.dtype, Size(shape), (a, b))
    product = squeeze(product, -2) if lead else product
    return squeeze(product, -1) if trail else product


def _title(kind):
    return {"float32": "float", "float64": "double", "bfloat16": "c10::BFloat16", "float16": "c10::Half",
            "int64": "long int"}.get(kind.name, kind.name)  # fmt: skip


def mm(input, mat2, *, out=None):
    if len(input.shape) != 2 or len(mat2.shape) != 2:
        raise ShapeError("self must be a matrix" if len(input.shape) != 2 else "mat2 must be a matrix")
    return matmul(input, mat2)


def bmm(input, mat2, *, out=None):
    if len(input.shape) != 3 or len(mat2.shape) != 3:
        raise ShapeError(f"batch1 must be a 3D tensor, got {len(input.shape)}D and {len(mat2.shape)}D")
    return matmul(input, mat2)


def mv(input, vec):
    return matmul(input, vec)


def dot(input, tensor):
    return matmul(input, tensor)


inner_product = dot


def addmm(input, mat1, mat2, *, beta=1, alpha=1):
    product = matmul(mat1, mat2)
    product = product if alpha == 1 else mul(product, alpha)
    return add(input if beta == 1 else mul(input, beta), product)


def baddbmm(input, batch1, batch2, *, beta=1, alpha=1):
    return addmm(input, batch1, batch2, beta=beta, alpha=alpha)


def outer(input, vec2):
    return mul(unsqueeze(input, 1), unsqueeze(vec2, 0))


ger = outer


def linear(input, weight, bias=None):
    if input.shape[-1:] != weight.shape[-1:]:
        rows = math.prod(input.shape[:-1])
        raise ShapeError(
            f"mat1 and mat2 shapes cannot be multiplied ({rows}x{input.shape[-1] if input.shape else 0} and "
            f"{weight.shape[-1]}x{weight.shape[0]})"
        )
    if input.dtype is not weight.dtype:
        from .amp import cast_for_product

        input, weight, bias = cast_for_product(input, weight, bias)
        if input.dtype is not weight.dtype:
            raise RuntimeError(f"mat1 and mat2 must have the same dtype, but got {_name(input.dtype)} and {_name(weight.dtype)}")
    if len(weight.shape) == 1 or weight.dtype.category == 3:
        product = matmul(input, weight if len(weight.shape) == 1 else transpose(weight, 0, 1))
        return product if bias is None else add(product, bias)
    if bias is not None and bias.shape != (weight.shape[0],):
        raise ShapeError(f"The expanded size of the tensor ({weight.shape[0]}) must match the existing size "
                         f"({bias.numel()}) at non-singleton dimension 0")  # fmt: skip
    shape = Size((*input.shape[:-1], weight.shape[0]))
    tensors = (input, weight) if bias is None else (input, weight, bias)
    values = tuple(tensor._v() for tensor in tensors)
    value = R.current.emit("linear", values, (), T.code_of(input.dtype), tuple(shape))
    return result(value, input.dtype, shape, tensors)


def _name(kind):
    return {"float32": "Float", "float64": "Double", "bfloat16": "BFloat16", "float16": "Half", "int64": "Long"}.get(
        kind.name, kind.name
    )


def cross(input, other, dim=-1):
    """Vector product along a dimension of size 3."""
    from ._join import roll

    dim = check_dim(dim, len(input.shape))
    a1, a2 = roll(input, -1, dim), roll(input, -2, dim)
    b1, b2 = roll(other, -1, dim), roll(other, -2, dim)
    return a1 * b2 - a2 * b1


def tensordot(a, b, dims=2):
    if isinstance(dims, int):
        first, second = list(range(len(a.shape) - dims, len(a.shape))), list(range(dims))
    else:
        first, second = ([dim % len(x.shape) for dim in part] for x, part in zip((a, b), dims))
    free_a = [dim for dim in range(len(a.shape)) if dim not in first]
    free_b = [dim for dim in range(len(b.shape)) if dim not in second]
    count = math.prod(a.shape[dim] for dim in first)
    left = reshape(permute(a, free_a + first), (-1, count))
    right = reshape(permute(b, second + free_b), (count, -1))
    return reshape(matmul(left, right), [a.shape[dim] for dim in free_a] + [b.shape[dim] for dim in free_b])


# einsum


def einsum(equation, *operands):
    """Contractions from left to right, each as one batched matrix product."""
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    equation = equation.replace(" ", "")
    left, arrow, right = equation.partition("->")
    terms = left.split(",")
    if len(terms) != len(operands):
        raise ValueError("einsum(): the number of subscripts in the equation does not match the number of operands "
                         f"({len(terms)} and {len(operands)})")  # fmt: skip
    ellipsis = max((len(x.shape) - len(term.replace("...", "")) for term, x in zip(terms, operands) if "..." in term),
                   default=0)  # fmt: skip
    batch = "".join(chr(0x2460 + i) for i in range(ellipsis))
    parts = []
    for term, operand in zip(terms, operands):
        count = len(operand.shape) - len(term.replace("...", ""))
        term = term.replace("...", batch[len(batch) - count :] if "..." in term else "")
        if len(term) != len(operand.shape):
            raise ShapeError(
                f"einsum(): the number of subscripts in the equation ({len(term)}) does not match the number of "
                f"dimensions ({len(operand.shape)}) for an operand"
            )
        parts.append(_unrepeated(term, operand))
    if arrow:
        output = right.replace("...", batch)
    else:
        letters = "".join(term for term, _ in parts)
        output = batch + "".join(sorted(c for c in set(letters) if letters.count(c) == 1 and c not in batch))
    sizes = {}
    for term, operand in parts:
        for letter, size in zip(term, operand.shape):
            if sizes.setdefault(letter, size) != size and 1 not in (size, sizes[letter]):
                raise ShapeError(
                    f"einsum(): subscript {letter} has size {size} which does not broadcast with previously seen size "
                    f"{sizes[letter]}"
                )
            sizes[letter] = max(sizes[letter], size)
    for letter in output:
        if letter not in sizes:
            raise ShapeError(f"einsum(): output subscript {letter} does not appear in the equation for any input operand")
    term, value = parts[0]
    for position in range(1, len(parts)):
        later = "".join(part for part, _ in parts[position + 1 :]) + output
        term, value = _contract(term, value, *parts[position], later, sizes)
    extra = tuple(i for i, letter in enumerate(term) if letter not in output)
    if extra:
        value = reduce_sum(value, extra)
        term = "".join(letter for letter in term if letter in output)
    return value if term == output else permute(value, tuple(term.index(letter) for letter in output))


def _unrepeated(term, operand):
    """A repeated letter takes the diagonal."""
    from ._shape import diagonal

    for letter in term:
        while term.count(letter) > 1:
            first = term.index(letter)
            second = term.index(letter, first + 1)
            operand = diagonal(operand, 0, first, second)
            term = term[:first] + term[first + 1 : second] + term[second + 1 :] + letter
    return term, operand


def _contract(first, a, second, b, later, sizes):
    """One product of two operands; letters that nothing later needs are summed."""
    for position, (term, value, other) in enumerate(((first, a, second), (second, b, first))):
        alone = tuple(i for i, c in enumerate(term) if c not in other and c not in later)
        if alone:
            value = reduce_sum(value, alone)
            term = "".join(c for i, c in enumerate(term) if i not in alone)
        if position == 0:
            first, a = term, value
        else:
            second, b = term, value
    shared = [c for c in first if c in second]
    batch = [c for c in shared if c in later]
    inner = [c for c in shared if c not in later]
    free_a, free_b = [c for c in first if c not in second], [c for c in second if c not in first]
    if not inner:
        order = batch + free_a + free_b
        return "".join(order), mul(_aligned(a, first, order), _aligned(b, second, order))
    a = _matrix(a, first, batch, free_a, inner, sizes)
    b = _matrix(b, second, batch, inner, free_b, sizes)
    product = matmul(a, b)
    order = batch + free_a + free_b
    return "".join(order), reshape(product, [sizes[c] for c in order])


def _aligned(value, term, order):
    value = permute(value, tuple(term.index(c) for c in order if c in term))
    shape = [value.shape[[d for d in order if d in term].index(c)] if c in term else 1 for c in order]
    return value if tuple(shape) == value.shape else reshape(value, shape)


def _matrix(value, term, batch, rows, columns, sizes):
    """[batch..., rows, columns] with rows and columns flattened to one dimension each."""
    value = permute(value, tuple(term.index(c) for c in batch + rows + columns))
    wanted = [sizes[c] for c in batch + rows + columns]
    value = expand(value, wanted)
    flat = [sizes[c] for c in batch] + [math.prod(sizes[c] for c in rows), math.prod(sizes[c] for c in columns)]
    return value if tuple(flat) == value.shape else reshape(value, flat)


def chain_matmul(*matrices):
    product = matrices[0]
    for matrix in matrices[1:]:
        product = matmul(product, matrix)
    return product


def trace(input):
    from ._shape import diagonal

    return reduce_sum(diagonal(input))


def adjoint(input):
    return conj(transpose(input, -2, -1))
