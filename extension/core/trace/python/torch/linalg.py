"""The parts of torch.linalg that are sums and products."""

from crossover_tracer.errors import UnsupportedName

from ._reduce import norm as _norm
from ._linalg import cross, matmul


def norm(A, ord=None, dim=None, keepdim=False, *, dtype=None):
    return _norm(A, 2 if ord is None else ord, dim, keepdim, dtype)


def vector_norm(x, ord=2, dim=None, keepdim=False, *, dtype=None):
    return _norm(x, ord, dim, keepdim, dtype)


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    raise UnsupportedName(f"module 'torch.linalg' has no attribute '{name}'")


__all__ = ["cross", "matmul", "norm", "vector_norm"]
