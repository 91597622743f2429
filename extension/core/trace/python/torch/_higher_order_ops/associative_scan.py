"""torch._higher_order_ops.associative_scan: prefixes under any associative function, in 2 log2(T) calls of it."""

from crossover_tracer import recorder as R
from crossover_tracer.errors import ShapeError, ShapeIndexError, Unsupported

from .. import _join, _reduce
from .._shape import movedim, narrow
from .._tensor import check_dim
from ..utils._pytree import tree_flatten, tree_unflatten


def associative_scan(combine_fn, xs, dim, reverse=False, combine_mode="pointwise"):
    """y_0 = x_0, y_t = combine_fn(y_{t-1}, x_t) along `dim` of every tensor of the tree `xs`; from the end with `reverse`.

    combine_fn is called on whole pieces of the sequence, whose first dimension counts places: [n, ...] for elements [...].
    """
    if combine_mode not in ("pointwise", "generic"):
        raise ValueError(f"Combine_mode must either 'pointwise' or 'generic', but got {combine_mode}")
    leaves, tree = tree_flatten(xs)
    if not leaves:
        raise ValueError("Expected at least 1 xs leaf")
    leaves = [movedim(leaf, check_dim(dim, leaf.dim()), 0) for leaf in leaves]
    count = leaves[0].shape[0]
    if any(leaf.shape[0] != count for leaf in leaves):
        raise ValueError(f"All xs leaves must have the same size along dim {dim}")

    def combine(left, right):
        found, spec = tree_flatten(combine_fn(tree_unflatten(left, tree), tree_unflatten(right, tree)))
        if len(found) != len(left):
            raise ValueError(f"The combine_fn returned {len(found)} tensors for {len(left)}")
        return found

    if reverse:
        leaves = [_join.flip(leaf, 0) for leaf in leaves]
    if count > 1:
        leaves = _cumulative(combine, leaves) or _scan(_checked(combine, leaves), leaves)
    if reverse:
        leaves = [_join.flip(leaf, 0) for leaf in leaves]
    return tree_unflatten([movedim(leaf, 0, check_dim(dim, leaf.dim())) for leaf in leaves], tree)


def _cumulative(combine, leaves):
    """The scan as a cumsum or cumprod, when all that combine_fn does to a single tensor is to add or multiply; else None."""
    if len(leaves) > 1:
        return None
    left, right = leaves[0][0], leaves[0][1]
    (found,) = combine([left], [right])
    graph = R.current.graph
    op, inputs, *_ = graph.nodes[graph.producers[found._v()]]
    if set(inputs) != {left._v(), right._v()} or op not in ("add", "mul"):
        return None
    return [(_reduce.cumsum if op == "add" else _reduce.cumprod)(leaves[0], 0, dtype=leaves[0].dtype)]


def _checked(combine, leaves):
    """`combine`, each of whose calls is found to do the same to its n places as to a single one."""
    one, alone = _recorded(combine, [leaf[0] for leaf in leaves], [leaf[1] for leaf in leaves])
    for leaf, found in zip(leaves, one):
        if found.shape != leaf.shape[1:]:
            raise ValueError(f"The combine_fn returned {list(found.shape)} for elements of {list(leaf.shape[1:])}")

    def checked(left, right):
        try:
            found, together = _recorded(combine, left, right)
        except (ShapeError, ShapeIndexError):
            together = ()
        if not _lifts(alone, together, left[0].shape[0]):
            raise Unsupported(
                "associative_scan's combine_fn, which is called on several places at once, would treat them otherwise than one; "
                "count dimensions from the right, as in x.transpose(-1, -2), and give both sides of an operation the same number"
            )
        return found

    return checked


_CONSTANT = ("full", "arange", "constant")


def _recorded(combine, left, right):
    """What `combine` gives, and of each operation it records the name, attributes, and shapes of inputs and outputs."""
    graph = R.current.graph
    start = len(graph.nodes)
    found = combine(left, right)
    shapes = [value[1] for value in graph.values]
    return found, [(op, dict(zip(attrs[::2], attrs[1::2])), [shapes[x] for x in inputs], [shapes[y] for y in outputs])
                   for op, inputs, outputs, attrs, *_ in graph.nodes[start:] if op not in _CONSTANT]  # fmt: skip


def _lifts(alone, together, count):
    """Whether operations on [count, ...] do to every place what those on [...] do to one."""
    return len(alone) == len(together) and all(_lifted(*pair, count) for pair in zip(alone, together))


def _lifted(one, many, count):
    (op, attrs, inputs, outputs), (other, found, *shapes) = one, many
    if op != other or len(inputs) != len(shapes[0]):
        return False
    if shapes == [inputs, outputs]:
        return attrs == found  # of things that do not change from place to place
    for alone, together in zip((*inputs, *outputs), (*shapes[0], *shapes[1])):
        if tuple(together) not in (tuple(alone), (count, *alone)):
            return False
    if any(tuple(y) == tuple(x) for x, y in zip(outputs, shapes[1])):
        return False
    # a place of fewer dimensions would be aligned with others' last ones
    ranks = [len(x) for x, y in zip(inputs, shapes[0]) if tuple(x) != tuple(y)]
    if len(inputs) > 1 and any(rank < len(outputs[0]) for rank in ranks):
        return False
    return found == {key: _shifted(op, key, value) for key, value in attrs.items()}


def _shifted(op, key, value):
    """An attribute for one more dimension in front."""
    if key == "dim":
        return value + 1
    if key == "dims" and not isinstance(value, int):
        moved = tuple(dim + 1 for dim in value)
        return (0, *moved) if op == "permute" else moved
    if key in ("starts", "low", "high"):
        return (0, *value)
    return (1, *value) if key == "steps" else value


def _scan(combine, leaves):
    """Pairs are combined, their scan gives every second place, and one more step the others (Blelloch, CMU-CS-90-190)."""
    count = leaves[0].shape[0]
    if count < 2:
        return leaves
    pairs = combine([leaf[: count - 1 : 2] for leaf in leaves], [leaf[1::2] for leaf in leaves])
    odd = _scan(combine, pairs)
    if count == 2:
        return [_join.cat((leaf[:1], last)) for leaf, last in zip(leaves, odd)]
    before = [part[:-1] for part in odd] if count % 2 == 0 else odd
    even = combine(before, [leaf[2::2] for leaf in leaves])
    even = [_join.cat((leaf[:1], part)) for leaf, part in zip(leaves, even)]
    return [_interleaved(*parts) for parts in zip(even, odd)]


def _interleaved(even, odd):
    """even [n or n + 1, ...] and odd [n, ...] in turn."""
    count = odd.shape[0]
    paired = _join.stack((narrow(even, 0, 0, count), odd), 1).flatten(0, 1)
    return paired if even.shape[0] == count else _join.cat((paired, even[count:]))
