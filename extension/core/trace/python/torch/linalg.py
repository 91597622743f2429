"""The parts of torch.linalg that are sums and products, and triangular systems."""

from crossover_tracer.errors import Unsupported, UnsupportedName

from ._reduce import norm as _norm
from ._linalg import cross, matmul
from ._matrices import matrix_power, multi_dot, solve_triangular, vecdot
from ._shape import diagonal as _diagonal


def norm(A, ord=None, dim=None, keepdim=False, *, dtype=None):
    return _norm(A, 2 if ord is None else ord, dim, keepdim, dtype)


def vector_norm(x, ord=2, dim=None, keepdim=False, *, dtype=None):
    return _norm(x, ord, dim, keepdim, dtype)


def matrix_norm(A, ord="fro", dim=(-2, -1), keepdim=False, *, dtype=None):
    if ord not in ("fro", None):
        raise Unsupported(f"torch.linalg.matrix_norm with ord={ord!r} is not traced; use 'fro'")
    return _norm(A, 2, dim, keepdim, dtype)


def diagonal(A, *, offset=0, dim1=-2, dim2=-1):
    return _diagonal(A, offset, dim1, dim2)


def _refused(name, instead):
    def function(*_args, **_kwargs):
        raise Unsupported(f"torch.linalg.{name} is not traced; {instead}")

    function.__name__ = name
    return function


inv, solve, inv_ex, solve_ex, lu_solve = (
    _refused(name, "where the matrix is triangular, torch.linalg.solve_triangular is")
    for name in ("inv", "solve", "inv_ex", "solve_ex", "lu_solve")
)
cholesky, det, eigh, matrix_exp, pinv, qr, slogdet, svd, svdvals = (
    _refused(name, "compute it outside of the model and keep it in a buffer")
    for name in ("cholesky", "det", "eigh", "matrix_exp", "pinv", "qr", "slogdet", "svd", "svdvals")
)


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    raise UnsupportedName(f"module 'torch.linalg' has no attribute '{name}'")


__all__ = ["cross", "diagonal", "matmul", "matrix_norm", "matrix_power", "multi_dot", "norm", "solve_triangular", "vecdot",
           "vector_norm"]  # fmt: skip
