"""Distances, triangular systems, and matrices put together."""

import math

from crossover_tracer.errors import ShapeError

from . import _join, _ops as O, _reduce
from . import _types as T
from ._create import arange, eye, from_numbers, meshgrid, zeros
from ._linalg import matmul
from ._shape import diagonal, movedim, transpose
from ._tensor import check_dim


def cdist(x1, x2, p=2.0, compute_mode="use_mm_for_euclid_dist_if_necessary"):
    """x1 [..., P, M], x2 [..., R, M]: the p-norm of every difference, [..., P, R]; as PyTorch by products beyond 25 rows."""
    if x1.shape[-1] != x2.shape[-1]:
        raise ShapeError(f"X1 and X2 must have the same number of columns. X1: {x1.shape[-1]} X2: {x2.shape[-1]}")
    many = compute_mode == "use_mm_for_euclid_dist" or x1.shape[-2] > 25 or x2.shape[-2] > 25
    if p == 2 and many and compute_mode != "donot_use_mm_for_euclid_dist":
        squares = [O.square(x).sum(-1) for x in (x1, x2)]
        products = matmul(x1, transpose(x2, -1, -2))
        return _root(O.clamp_min(squares[0].unsqueeze(-1) + squares[1].unsqueeze(-2) - products * 2, 0.0))
    apart = O.abs(x1.unsqueeze(-2) - x2.unsqueeze(-3))
    if p == 0:
        return O.ne(apart, 0).sum(-1).to(x1.dtype)
    if p == 1:
        return apart.sum(-1)
    if p == 2:
        return _root(O.square(apart).sum(-1))
    if p == math.inf:
        return _reduce.amax(apart, -1)
    sums = O.pow(apart, p).sum(-1)
    return O.where(O.eq(sums, 0), 0.0, O.pow(O.where(O.eq(sums, 0), 1.0, sums), 1 / p))


def _root(squared):
    """The square root, with no gradient at 0."""
    zero = O.eq(squared, 0)
    return O.where(zero, 0.0, O.sqrt(O.where(zero, 1.0, squared)))


def dist(input, other, p=2):
    return _reduce.norm(input - other, p)


def triangular_inverse(matrix):
    """The inverse of lower triangular [..., n, n] matrices, in log2(n) steps that each join pairs of inverted blocks:
    of [[A, 0], [C, B]] it is [[A^-1, 0], [-B^-1 C A^-1, B^-1]]."""
    size = matrix.shape[-1]
    lead = tuple(matrix.shape[:-2])
    whole = 1 << max(0, (size - 1).bit_length())
    if whole > size:
        rest = [0] * len(lead) + [whole - size] * 2
        ones = eye(whole, dtype=matrix.dtype) * (arange(whole) >= size).to(matrix.dtype)
        matrix = _join.padded(matrix, [0] * len(rest), rest) + ones
    blocks = O.reciprocal(diagonal(matrix, 0, -2, -1)).reshape(*lead, whole, 1, 1)
    half = 1
    while half < whole:
        count = whole // (2 * half)
        corners = matrix.reshape(*lead, count, 2, half, count, 2, half)
        corners = corners.select(-2, 0).select(len(lead) + 1, 1)
        corners = movedim(diagonal(corners, 0, len(lead), len(lead) + 2), -1, len(lead))
        pairs = blocks.reshape(*lead, count, 2, half, half)
        first, second = pairs.select(-3, 0), pairs.select(-3, 1)
        below = -matmul(matmul(second, corners), first)
        upper = _join.cat((first, zeros(first.shape, dtype=matrix.dtype)), -1)
        blocks = _join.cat((upper, _join.cat((below, second), -1)), -2)
        half *= 2
    return blocks.reshape(*lead, whole, whole)[..., :size, :size]


def solve_triangular(A, B, *, upper, left=True, unitriangular=False, out=None):
    """X of A X = B, or of X A = B without `left`; A [..., n, n] is read in its triangle only."""
    if A.shape[-1] != A.shape[-2]:
        raise ShapeError(f"linalg.solve_triangular: A must be batches of square matrices, but they are {A.shape[-2]} by "
                         f"{A.shape[-1]} matrices")  # fmt: skip
    lower = transpose(A, -1, -2) if upper else A
    if unitriangular:
        lower = _join.tril(lower, -1) + eye(A.shape[-1], dtype=A.dtype)
    else:
        lower = _join.tril(lower)
    inverse = triangular_inverse(lower)
    inverse = transpose(inverse, -1, -2) if upper else inverse
    return matmul(inverse, B) if left else matmul(B, inverse)


def triangular_solve(b, A, upper=True, transpose=False, unitriangular=False):
    if transpose:
        A, upper = A.transpose(-1, -2), not upper
    return solve_triangular(A, b, upper=upper, unitriangular=unitriangular), A


def matrix_power(A, n):
    """A multiplied by itself, by squaring; n >= 0."""
    if n < 0:
        from crossover_tracer.errors import Unsupported

        raise Unsupported("matrix_power with a negative power is not traced; only triangular systems are solved")
    found = None
    while n:
        if n & 1:
            found = A if found is None else matmul(found, A)
        n >>= 1
        A = matmul(A, A) if n else A
    return eye(A.shape[-1], dtype=A.dtype).expand(A.shape) if found is None else found


def multi_dot(tensors):
    found = tensors[0]
    for tensor in tensors[1:]:
        found = matmul(found, tensor)
    return found


def vecdot(x, y, *, dim=-1):
    return (x * y).sum(dim)


def inner(input, other):
    if not input.shape or not other.shape:
        return input * other
    flat = matmul(input.reshape(-1, input.shape[-1]), transpose(other.reshape(-1, other.shape[-1]), 0, 1))
    return flat.reshape(*input.shape[:-1], *other.shape[:-1])


def addbmm(input, batch1, batch2, *, beta=1, alpha=1):
    return input * beta + matmul(batch1, batch2).sum(0) * alpha


def addmv(input, mat, vec, *, beta=1, alpha=1):
    return input * beta + matmul(mat, vec) * alpha


def addr(input, vec1, vec2, *, beta=1, alpha=1):
    return input * beta + vec1.unsqueeze(1) * vec2 * alpha


def cov(input, *, correction=1):
    rows = input.unsqueeze(0) if input.dim() < 2 else input
    apart = rows - rows.mean(1, True)
    return (matmul(apart, transpose(apart, 0, 1)) / max(rows.shape[1] - correction, 0)).squeeze()


def corrcoef(input):
    found = cov(input)
    if found.dim() == 0:
        return found / found
    sizes = O.sqrt(diagonal(found))
    return O.clamp(found / sizes.unsqueeze(1) / sizes, -1.0, 1.0)


def _scaled_mm(input, mat2, scale_a, scale_b, bias=None, scale_result=None, out_dtype=None, use_fast_accum=False):
    """The product of matrices of eight-bit floats, which are not rounded here, times both scales."""
    found = matmul(input.float(), mat2.float()) * scale_a * scale_b
    found = found if bias is None else found + bias
    return found.to(input.dtype if out_dtype is None else out_dtype)


def block_diag(*tensors):
    tensors = [tensor.reshape(1, -1) if tensor.dim() < 2 else tensor for tensor in tensors]
    width, start, rows = sum(tensor.shape[1] for tensor in tensors), 0, []
    for tensor in tensors:
        rows.append(_join.padded(tensor, (0, start), (0, width - start - tensor.shape[1])))
        start += tensor.shape[1]
    return _join.cat(rows)


def rot90(input, k=1, dims=(0, 1)):
    first, second = (check_dim(dim, input.dim()) for dim in dims)
    turns = k % 4
    if turns == 2:
        return _join.flip(input, first, second)
    if turns == 1:
        return transpose(_join.flip(input, second), first, second)
    return _join.clone(input) if turns == 0 else _join.flip(transpose(input, first, second), second)


def cartesian_prod(*tensors):
    if len(tensors) == 1:
        return tensors[0]
    return _join.stack([grid.reshape(-1) for grid in meshgrid(*tensors, indexing="ij")], 1)


def combinations(input, r=2, with_replacement=False):
    import itertools

    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    chosen = list(choose(range(input.shape[0]), r))
    flat = from_numbers([place for each in chosen for place in each], T.int64)
    return input.index_select(0, flat).reshape(len(chosen), r)
