"""torch.func: vmap by calls in turn."""

from crossover_tracer.errors import Unsupported, UnsupportedName

from .. import _join, _shape
from .._tensor import Tensor, check_dim
from ..utils._pytree import tree_flatten, tree_unflatten

MOST_CALLS = 256


def vmap(func, in_dims=0, out_dims=0, randomness="error", *, chunk_size=None):
    """A function that calls `func` with each slice of its arguments along `in_dims` and stacks the results along `out_dims`."""

    def mapped(*args, **kwargs):
        trees = [tree_flatten(arg) for arg in args]
        dims = _dims(in_dims, args, trees)
        sizes = {leaf.shape[check_dim(dim, leaf.dim())]
                 for (leaves, _), each in zip(trees, dims) for leaf, dim in zip(leaves, each) if dim is not None}  # fmt: skip
        if len(sizes) != 1:
            raise ValueError("vmap: Expected all tensors to have the same size in the mapped dimension, got sizes "
                             f"{sorted(sizes)}")  # fmt: skip
        (count,) = sizes
        if count > MOST_CALLS:
            raise Unsupported(
                f"vmap over {count} elements is not traced, as it would record the function so many times; "
                "write it with operations on whole tensors"
            )
        results = []
        for index in range(count):
            taken = [
                tree_unflatten([x if dim is None else _shape.select(x, dim, index) for x, dim in zip(leaves, each)], tree)
                for (leaves, tree), each in zip(trees, dims)
            ]
            results.append(tree_flatten(func(*taken, **kwargs)))
        tree = results[0][1]
        outs = _spread(out_dims, tree_unflatten(list(results[0][0]), tree))
        return tree_unflatten([_join.stack(parts, dim) for dim, *parts in zip(outs, *(leaves for leaves, _ in results))], tree)

    return mapped


def _dims(in_dims, args, trees):
    """A dimension or None for every leaf of every argument."""
    dims = list(in_dims) if isinstance(in_dims, (tuple, list)) else [in_dims] * len(args)
    if len(dims) != len(args):
        raise ValueError(f"vmap: in_dims has {len(dims)} members for {len(args)} arguments")
    every = [_spread(dim, arg) for dim, arg in zip(dims, args)]
    return [[dim if isinstance(leaf, Tensor) else None for leaf, dim in zip(leaves, each)]
            for (leaves, _), each in zip(trees, every)]  # fmt: skip


def _spread(dims, tree):
    """A prefix of the tree's structure as one dimension per leaf."""
    if dims is None or isinstance(dims, int):
        return [dims] * len(tree_flatten(tree)[0])
    if isinstance(tree, dict):
        return [found for key in tree for found in _spread(dims[key], tree[key])]
    return [found for each, part in zip(dims, tree) for found in _spread(each, part)]


def _refused(name, instead):
    def function(*_args, **_kwargs):
        raise Unsupported(f"torch.func.{name} is not traced; {instead}")

    function.__name__ = name
    return function


functional_call = _refused("functional_call", "call the module itself")
grad, vjp, jacrev = (_refused(name, "write the derivative out") for name in ("grad", "vjp", "jacrev"))


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    raise UnsupportedName(f"module 'torch.func' has no attribute '{name}'")


__all__ = ["functional_call", "grad", "jacrev", "vjp", "vmap"]
