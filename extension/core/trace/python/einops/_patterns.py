"""The pattern language: axes, groups in parentheses, 1, and an ellipsis."""

import math

import torch
from crossover_tracer.errors import ShapeError


def _parse(side):
    """A list of groups, each a list of axis names; "1" gives an empty group, "..." its own name."""
    groups, current = [], None
    for token in side.replace("(", " ( ").replace(")", " ) ").replace("...", " ... ").split():
        if token == "(":
            current = []
        elif token == ")":
            groups.append(current)
            current = None
        elif current is not None:
            if token != "1":
                current.append(token)
        else:
            groups.append([] if token == "1" else [token])
    return groups


def _expand_ellipsis(groups, names):
    expanded = []
    for group in groups:
        if group == ["..."]:
            expanded.extend([name] for name in names)
        elif "..." in group:
            place = group.index("...")
            expanded.append(group[:place] + names + group[place + 1 :])
        else:
            expanded.append(group)
    return expanded


def _sides(pattern, tensor):
    left, _, right = pattern.partition("->")
    left, right = _parse(left), _parse(right)
    extra = len(tensor.shape) - len([group for group in left if group != ["..."]])
    names = [f"...{i}" for i in range(extra)] if any("..." in group for group in left) else []
    left, right = _expand_ellipsis(left, names), _expand_ellipsis(right, names)
    if len(left) != len(tensor.shape):
        raise ShapeError(f"einops pattern '{pattern}' has {len(left)} axes for a tensor of shape {list(tensor.shape)}")
    return left, right


def _sizes(pattern, left, tensor, given):
    sizes = dict(given)
    for group, size in zip(left, tensor.shape):
        unknown = [name for name in group if name not in sizes]
        known = math.prod(sizes[name] for name in group if name in sizes)
        if len(unknown) > 1:
            raise ShapeError(f"einops pattern '{pattern}' leaves the sizes of {unknown} open; name one of them")
        if unknown:
            if known == 0 or size % known:
                raise ShapeError(f"einops pattern '{pattern}': an axis of size {size} cannot be split by {known}")
            sizes[unknown[0]] = size // known
        elif known != size:
            raise ShapeError(f"einops pattern '{pattern}' expects an axis of size {known} and finds {size}")
    return sizes


def _stacked(tensor):
    return torch.stack(tensor) if isinstance(tensor, (list, tuple)) else tensor


def _reshaped(tensor, shape):
    return tensor if tuple(tensor.shape) == tuple(shape) else tensor.reshape(shape)


def _transform(tensor, pattern, given, reduction=None):
    tensor = _stacked(tensor)
    left, right = _sides(pattern, tensor)
    given = {name: int(size) for name, size in given.items()}
    sizes = _sizes(pattern, left, tensor, given)
    source = [name for group in left for name in group]
    target = [name for group in right for name in group]
    tensor = _reshaped(tensor, [sizes[name] for name in source])
    gone = [name for name in source if name not in target]
    if gone and reduction is None:
        raise ShapeError(f"einops pattern '{pattern}' drops {gone}; use reduce")
    if gone:
        dims = tuple(source.index(name) for name in gone)
        tensor = getattr(tensor, {"max": "amax", "min": "amin"}.get(reduction, reduction))(dims)
        source = [name for name in source if name in target]
    fresh = [name for name in target if name not in source]
    for name in fresh:
        if name not in sizes:
            raise ShapeError(f"einops pattern '{pattern}' does not say the size of {name}")
    order = tuple(source.index(name) for name in target if name in source)
    if order != tuple(range(len(order))):
        tensor = tensor.permute(order)
    if fresh:
        tensor = tensor.reshape([1 if name in fresh else sizes[name] for name in target])
        tensor = tensor.expand([sizes[name] for name in target])
    return _reshaped(tensor, [math.prod(sizes[name] for name in group) for group in right])


def rearrange(tensor, pattern, **axes_lengths):
    return _transform(tensor, pattern, axes_lengths)


def repeat(tensor, pattern, **axes_lengths):
    return _transform(tensor, pattern, axes_lengths)


def reduce(tensor, pattern, reduction, **axes_lengths):
    return _transform(tensor, pattern, axes_lengths, reduction)


def einsum(*operands):
    """einsum(x, y, "b i, b j -> b i j"): axis names may be words."""
    *tensors, pattern = operands
    left, _, right = pattern.partition("->")
    letters = {}

    def short(side):
        return "".join("..." if name == "..." else letters.setdefault(name, chr(97 + len(letters))) for name in side.split())

    terms = ",".join(short(term) for term in left.split(","))
    return torch.einsum(f"{terms}->{short(right)}", *tensors)


def parse_shape(x, pattern):
    return {name: size for name, size in zip(pattern.split(), x.shape) if name != "_"}


def pack(tensors, pattern):
    before = pattern.split().index("*")
    after = len(pattern.split()) - before - 1
    shapes = [tensor.shape[before : len(tensor.shape) - after] for tensor in tensors]
    flat = [tensor.reshape(*tensor.shape[:before], -1, *tensor.shape[len(tensor.shape) - after :]) for tensor in tensors]
    return torch.cat(flat, before), shapes


def unpack(tensor, packed_shapes, pattern):
    dim = pattern.split().index("*")
    parts = tensor.split([math.prod(shape) for shape in packed_shapes], dim)
    return [part.reshape(*part.shape[:dim], *shape, *part.shape[dim + 1 :]) for part, shape in zip(parts, packed_shapes)]
