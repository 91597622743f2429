"""Pooling, resampling, transposed convolution and bags of embeddings, over one dimension."""

import math

from crossover_tracer.errors import ShapeError, Unsupported

from .. import _create, _gather, _index, _join, _ops, _reduce
from .. import _types as T
from .._linalg import matmul


def _one(value):
    return value if isinstance(value, int) else tuple(value)[0]


def _windows(length, kernel, stride, padding, dilation, ceil_mode):
    """How many windows fit; one that would begin behind the input and its left padding does not count."""
    if padding * 2 > kernel:
        raise ShapeError(f"pad should be at most half of effective kernel size, but got pad={padding} and kernel_size={kernel}")
    free = length + 2 * padding - dilation * (kernel - 1) - 1
    count = (-(-free // stride) if ceil_mode else free // stride) + 1
    if ceil_mode and (count - 1) * stride >= length + padding:
        count -= 1
    if count < 1:
        raise ShapeError(f"Invalid computed output size: {count}")
    return count


def _taps(input, kernel, stride, padding, dilation, count, value):
    """The k-th element of every window, for each k: views [..., count] of the padded input."""
    reach = (count - 1) * stride + dilation * (kernel - 1) + 1
    sides = [0] * (input.dim() - 1)
    padded = _join.padded(input, [*sides, padding], [*sides, max(0, reach - input.shape[-1] - padding)], value)
    return [padded[..., tap * dilation : tap * dilation + (count - 1) * stride + 1 : stride] for tap in range(kernel)]


def avg_pool1d(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
    kernel, padding = _one(kernel_size), _one(padding)
    stride = kernel if stride is None or stride == () else _one(stride)
    length = input.shape[-1]
    count = _windows(length, kernel, stride, padding, 1, ceil_mode)
    if padding == 0 and stride == kernel and count * kernel <= length:
        return input[..., : count * kernel].unflatten(-1, (count, kernel)).mean(-1)
    sums = None
    for tap in _taps(input, kernel, stride, padding, 1, count, 0.0):
        sums = tap if sums is None else sums + tap
    sizes = []
    for window in range(count):
        start = window * stride - padding
        end = min(start + kernel, length + padding)
        sizes.append(end - start if count_include_pad else min(end, length) - max(start, 0))
    return sums / (sizes[0] if len(set(sizes)) == 1 else _create.tensor(sizes, dtype=input.dtype))


def max_pool1d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    """The first of equal elements is the largest; NaN is larger than any."""
    kernel, padding, dilation = _one(kernel_size), _one(padding), _one(dilation)
    stride = kernel if stride is None or stride == () else _one(stride)
    count = _windows(input.shape[-1], kernel, stride, padding, dilation, ceil_mode)
    best, place = None, None
    starts = _create.arange(count) * stride - padding
    for tap, taken in enumerate(_taps(input, kernel, stride, padding, dilation, count, -math.inf)):
        here = starts + tap * dilation
        if best is None:
            best, place = taken, here.expand(taken.shape)
            continue
        wins = _ops.logical_or(taken > best, _ops.isnan(taken))
        best, place = _ops.where(wins, taken, best), _ops.where(wins, here, place)
    return (best, place) if return_indices else best


def _shares(length, size):
    """First and last-but-one place of each of `size` stretches that cover `length`."""
    return [(i * length // size, -(-(i + 1) * length // size)) for i in range(size)]


def adaptive_avg_pool1d(input, output_size):
    size, length = _one(output_size), input.shape[-1]
    if length % size == 0:
        return input.unflatten(-1, (size, length // size)).mean(-1)
    shares = _shares(length, size)
    weights = [[1 / (end - start) if start <= i < end else 0.0 for start, end in shares] for i in range(length)]
    return matmul(input, _create.tensor(weights, dtype=input.dtype))


def adaptive_max_pool1d(input, output_size, return_indices=False):
    parts = [(start, _reduce.max(input[..., start:end], -1)) for start, end in _shares(input.shape[-1], _one(output_size))]
    values = _join.stack([found.values for _, found in parts], -1)
    return (values, _join.stack([found.indices + start for start, found in parts], -1)) if return_indices else values


def interpolate(input, size=None, scale_factor=None, mode="nearest", align_corners=None, recompute_scale_factor=None,
                antialias=False):  # fmt: skip
    """input [N, C, L]; modes nearest, nearest-exact, linear and area."""
    if input.dim() != 3:
        raise Unsupported(f"F.interpolate over {input.dim() - 2} dimensions is not traced; only [batch, channels, length] is")
    if mode not in ("nearest", "nearest-exact", "linear", "area"):
        raise Unsupported(f"F.interpolate with mode='{mode}' is not traced; use 'nearest', 'linear' or 'area'")
    length = input.shape[-1]
    factor = scale_factor if scale_factor is None or isinstance(scale_factor, (int, float)) else tuple(scale_factor)[0]
    if (size is None) == (factor is None):
        raise ValueError("only one of size or scale_factor should be defined")
    count = _one(size) if size is not None else math.floor(length * factor)
    if mode == "area":
        return adaptive_avg_pool1d(input, count)
    step = length / count if factor is None or recompute_scale_factor else 1 / factor
    if mode != "linear":
        shift = 0.5 if mode == "nearest-exact" else 0.0
        return _taken(input, [min(int((i + shift) * step), length - 1) for i in range(count)])
    if align_corners:
        step = (length - 1) / (count - 1) if count > 1 else 0.0
        places = [i * step for i in range(count)]
    else:
        places = [max((i + 0.5) * step - 0.5, 0.0) for i in range(count)]
    lower = [min(int(place), length - 1) for place in places]
    share = _create.tensor([place - low for place, low in zip(places, lower)], dtype=input.dtype)
    upper = [min(low + 1, length - 1) for low in lower]
    return _taken(input, lower) * (1 - share) + _taken(input, upper) * share


upsample = interpolate


def _taken(input, places):
    return _gather.index_select(input, -1, _create.from_numbers(places, T.int64))


def padded_from_inside(input, pad, mode):
    """F.pad with modes reflect, replicate and circular: `pad` in pairs from the last dimension on."""
    if mode not in ("reflect", "replicate", "circular"):
        raise Unsupported(f"F.pad with mode='{mode}' is not traced; use 'constant', 'reflect', 'replicate' or 'circular'")
    for position in range(len(pad) // 2):
        before, after = int(pad[2 * position]), int(pad[2 * position + 1])
        dim = input.dim() - 1 - position
        size = input.shape[dim]
        widest = {"reflect": size - 1, "circular": size}.get(mode, math.inf)
        if max(before, after) > widest:
            raise ShapeError(f"Padding size should be less than the corresponding input dimension, but got: padding "
                             f"({before}, {after}) at dimension {dim} of input {list(input.shape)}")  # fmt: skip
        if before or after:
            places = [_inside(place, size, mode) for place in range(-before, size + after)]
            input = _gather.index_select(input, dim, _create.from_numbers(places, T.int64))
    return input


def _inside(place, size, mode):
    if mode == "circular":
        return place % size
    if mode == "replicate":
        return min(max(place, 0), size - 1)
    return -place if place < 0 else 2 * (size - 1) - place if place >= size else place


def conv_transpose1d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """input [B, C, L], weight [C, O / groups, k]: a convolution of the input spread out by `stride`, the weight turned round."""
    from .functional import conv1d

    stride, padding, extra, dilation = (_one(x) for x in (stride, padding, output_padding, dilation))
    batched = input.dim() == 3
    x = input if batched else input.unsqueeze(0)
    channels, outputs, kernel = weight.shape
    if x.shape[1] != channels:
        raise ShapeError(f"Given transposed=1, weight of size {list(weight.shape)}, expected input{list(input.shape)} to have "
                         f"{channels} channels, but got {x.shape[1]} channels instead")  # fmt: skip
    if extra and extra >= max(stride, dilation):
        raise ShapeError("output padding must be smaller than either stride or dilation, but got "
                         f"output_padding: {extra}, stride: {stride}, dilation: {dilation}")  # fmt: skip
    if stride > 1:
        length = (x.shape[2] - 1) * stride + 1
        x = _join.padded(x.unsqueeze(-1), [0] * 4, [0, 0, 0, stride - 1]).flatten(2)[..., :length]
    side = dilation * (kernel - 1) - padding
    x = _join.padded(x, (0, 0, side), (0, 0, side + extra))
    turned = _join.flip(weight, 2).unflatten(0, (groups, channels // groups)).transpose(1, 2).flatten(0, 1)
    output = conv1d(x, turned, bias, dilation=dilation, groups=groups)
    return output if batched else output.squeeze(0)


def embedding_bag(input, weight, offsets=None, max_norm=None, norm_type=2, scale_grad_by_freq=False, mode="mean", sparse=False,
                  per_sample_weights=None, include_last_offset=False, padding_idx=None):  # fmt: skip
    """input [B, n], or [N] with the place `offsets` [B] where each bag begins: sums, means or largest rows, [B, D]."""
    if max_norm is not None:
        raise Unsupported("embedding_bag with max_norm is not traced; leave max_norm out")
    if per_sample_weights is not None and mode != "sum":
        raise NotImplementedError(f"embedding_bag: per_sample_weights was not None. per_sample_weights is only supported for "
                                  f"mode='sum' (got mode='{mode}')")  # fmt: skip
    if mode not in ("sum", "mean", "max"):
        raise ValueError("mode has to be one of sum, mean or max")
    rows = _index._embed(weight, input)
    kept = None
    if padding_idx is not None:
        kept = _ops.ne(input, padding_idx + weight.shape[0] if padding_idx < 0 else padding_idx)
    if input.dim() == 2:
        return _bags(rows, kept, per_sample_weights, mode)
    if offsets is None or mode == "max":
        raise Unsupported("embedding_bag with offsets is traced for sums and means only; give it a tensor [bags, members]")
    if include_last_offset:
        offsets = offsets[:-1]
    rows = rows if per_sample_weights is None else rows * per_sample_weights.unsqueeze(-1)
    bag = (_create.arange(input.shape[0]).unsqueeze(1) >= offsets).sum(1) - 1
    rows = rows if kept is None else _ops.where(kept.unsqueeze(-1), rows, 0.0)
    sums = _gather.index_add(_create.zeros(offsets.shape[0], weight.shape[1], dtype=rows.dtype), 0, bag, rows)
    if mode == "sum":
        return sums
    members = _ops.eq(bag.unsqueeze(1), _create.arange(offsets.shape[0]))
    members = members if kept is None else _ops.logical_and(members, kept.unsqueeze(1))
    return sums / _ops.clamp_min(members.sum(0), 1).to(sums.dtype).unsqueeze(-1)


def _bags(rows, kept, weights, mode):
    """rows [B, n, D], kept [B, n]."""
    if weights is not None:
        rows = rows * weights.unsqueeze(-1)
    if mode == "max":
        ranked = rows if kept is None else _ops.where(kept.unsqueeze(-1), rows, -math.inf)
        found = _gather.gather(rows, 1, _reduce.argmax(ranked, 1, True)).squeeze(1)
        return found if kept is None else _ops.where(_reduce.any(kept, 1, True), found, 0.0)
    rows = rows if kept is None else _ops.where(kept.unsqueeze(-1), rows, 0.0)
    if mode == "sum":
        return rows.sum(1)
    return rows.mean(1) if kept is None else rows.sum(1) / _ops.clamp_min(kept.sum(1, True), 1).to(rows.dtype)


def instance_norm(input, running_mean=None, running_var=None, weight=None, bias=None, use_input_stats=True, momentum=0.1,
                  eps=1e-05):  # fmt: skip
    """input [N, C, ...]: every channel of every sequence by itself; by the running statistics without `use_input_stats`."""
    from .functional import group_norm

    if use_input_stats:
        return group_norm(input, input.shape[1], weight, bias, eps)
    shape = [1, -1] + [1] * (input.dim() - 2)
    output = (input - running_mean.view(shape)) * (running_var.view(shape) + eps).rsqrt()
    output = output if weight is None else output * weight.view(shape)
    return output if bias is None else output + bias.view(shape)


def pairwise_distance(x1, x2, p=2.0, eps=1e-06, keepdim=False):
    return _reduce.norm(x1 - x2 + eps, p, -1, keepdim)


__all__ = ["adaptive_avg_pool1d", "adaptive_max_pool1d", "avg_pool1d", "conv_transpose1d", "embedding_bag", "instance_norm",
           "interpolate", "max_pool1d", "padded_from_inside", "pairwise_distance", "upsample"]  # fmt: skip
