"""torch.nn.functional."""

import functools
import inspect
import math

from crossover_tracer import recorder as R
from crossover_tracer.errors import ShapeError, Unsupported, UnsupportedName

from .. import _join, _ops, _reduce, _shape
from .. import _types as T
from .._index import _embed
from .._linalg import einsum, linear, matmul  # noqa: F401
from .._ops import gelu, relu, sigmoid, silu, softplus, tanh  # noqa: F401
from .._pointwise import assign, broadcast, cast_value, result
from .._reduce import log_softmax, softmax  # noqa: F401

from .._types import Size

# Activations


def relu_(input):
    return input.relu_()


def relu6(input, inplace=False):
    return _ops.clamp(input, 0.0, 6.0)


def leaky_relu(input, negative_slope=0.01, inplace=False):
    return _ops.where(input > 0, input, input * negative_slope)


def prelu(input, weight):
    shape = [-1 if dim == 1 else 1 for dim in range(input.dim())] if weight.numel() > 1 else [1] * max(input.dim(), 1)
    return _ops.where(input > 0, input, input * weight.view(shape))


def elu(input, alpha=1.0, inplace=False):
    negative = _ops.expm1(_ops.minimum(input, _zero(input)))
    return _ops.where(input > 0, input, negative if alpha == 1 else negative * alpha)


def _zero(input):
    from .._create import full

    return full((), 0.0, dtype=input.dtype)


def selu(input, inplace=False):
    return elu(input, 1.6732632423543772848170429916717) * 1.0507009873554804934193349852946


def mish(input, inplace=False):
    return input * softplus(input).tanh()


def logsigmoid(input):
    return -softplus(-input)


def hardtanh(input, min_val=-1.0, max_val=1.0, inplace=False):
    return _ops.clamp(input, min_val, max_val)


def hardsigmoid(input, inplace=False):
    return _ops.clamp(input + 3, 0.0, 6.0) / 6


def hardswish(input, inplace=False):
    return input * _ops.clamp(input + 3, 0.0, 6.0) / 6


def softsign(input):
    return input / (input.abs() + 1)


def glu(input, dim=-1):
    a, b = _shape.chunk(input, 2, dim)
    return a * b.sigmoid()


def _with_inplace(function):
    def activation(input, inplace=False):
        return function(input)

    activation.__name__ = function.__name__
    return activation


relu, silu = _with_inplace(relu), _with_inplace(silu)


def gumbel_softmax(logits, tau=1, hard=False, eps=1e-10, dim=-1):
    raise Unsupported("gumbel_softmax draws random numbers in the forward pass; use softmax")


# Layers


def dropout(input, p=0.5, training=True, inplace=False):
    if not 0 <= p <= 1:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
    if not training or p == 0 or R.current.graph is R.current.init:
        return input
    value = R.current.emit("dropout", (input._v(),), ("p", float(p)), T.code_of(input.dtype), tuple(input.shape))
    return result(value, input.dtype, input.shape, (input,))


def embedding(input, weight, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, sparse=False):
    if max_norm is not None:
        raise Unsupported("embedding with max_norm is not traced; leave max_norm out")
    if input.dtype.category != 1:
        raise RuntimeError(
            "Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; but got "
            f"torch.{input.dtype.name} instead"
        )
    output = _embed(weight, input)
    if padding_idx is not None and output.requires_grad:
        # the padding row takes part in the forward pass and gets no gradient from it
        row = padding_idx + weight.shape[0] if padding_idx < 0 else padding_idx
        output = _ops.where((input == row).unsqueeze(-1), output.detach(), output)
    return output


def one_hot(tensor, num_classes=-1):
    if num_classes == -1:
        from .._value import numbers

        num_classes = int(max(numbers(tensor))) + 1
    from .._create import arange

    return (tensor.unsqueeze(-1) == arange(num_classes)).to(T.int64)


def _normalised_dims(input, normalized_shape):
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    if tuple(input.shape[len(input.shape) - len(shape) :]) != shape:
        stars = ", ".join(["*", *(str(size) for size in shape)])
        raise ShapeError(f"Given normalized_shape={list(shape)}, expected input with shape [{stars}], but got input of "
                         f"size{list(input.shape)}")  # fmt: skip
    return len(shape)


def _normalise(op, input, tensors, attrs):
    inputs = [input, *(tensor for tensor in tensors if tensor is not None)]
    values = tuple(input._v() if tensor is input else cast_value(tensor, input.dtype) for tensor in inputs)
    value = R.current.emit(op, values, attrs, T.code_of(input.dtype), tuple(input.shape))
    return result(value, input.dtype, input.shape, inputs)


def layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-05):
    dims = _normalised_dims(input, normalized_shape)
    if weight is None and bias is not None:
        return _normalise("layer_norm", input, (), ("dims", dims, "eps", float(eps))) + bias
    return _normalise("layer_norm", input, (weight, bias), ("dims", dims, "eps", float(eps)))


def rms_norm(input, normalized_shape, weight=None, eps=None):
    dims = _normalised_dims(input, normalized_shape)
    eps = T.finfo(input.dtype).eps if eps is None else eps
    return _normalise("rms_norm", input, (weight,), ("dims", dims, "eps", float(eps)))


def group_norm(input, num_groups, weight=None, bias=None, eps=1e-05):
    if len(input.shape) < 2:
        raise ShapeError("Expected at least 2 dimensions for input tensor")
    if input.shape[1] % num_groups:
        raise ShapeError("Expected number of channels in input to be divisible by num_groups, but got input of shape "
                         f"{list(input.shape)} and num_groups={num_groups}")  # fmt: skip
    for name, tensor in (("weight", weight), ("bias", bias)):
        if tensor is not None and tensor.shape != (input.shape[1],):
            raise ShapeError(f"Expected {name} to be a vector of size equal to the number of channels in input, but got "
                             f"{name} of shape {list(tensor.shape)} and input of shape {list(input.shape)}")  # fmt: skip
    if weight is None and bias is not None:
        shape = [-1 if dim == 1 else 1 for dim in range(input.dim())]
        return _normalise("group_norm", input, (), ("groups", num_groups, "eps", float(eps))) + bias.view(shape)
    return _normalise("group_norm", input, (weight, bias), ("groups", num_groups, "eps", float(eps)))


def batch_norm(input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-05):
    shape = [1, -1] + [1] * (input.dim() - 2)
    dims = [0, *range(2, input.dim())]
    mean = input.mean(dims, True) if training else running_mean.view(shape)
    var = input.var(dims, unbiased=False, keepdim=True) if training else running_var.view(shape)
    output = (input - mean) * (var + eps).rsqrt()
    output = output if weight is None else output * weight.view(shape)
    return output if bias is None else output + bias.view(shape)


def normalize(input, p=2.0, dim=1, eps=1e-12, out=None):
    norm = _reduce.norm(input, p, dim, True)
    return input / _shape.expand_as(_ops.clamp_min(norm, eps), input)


def cosine_similarity(x1, x2, dim=1, eps=1e-08):
    products = _reduce.sum(x1 * x2, dim)
    return products / (_ops.clamp_min(_reduce.norm(x1, 2, dim), eps) * _ops.clamp_min(_reduce.norm(x2, 2, dim), eps))


def bilinear(input1, input2, weight, bias=None):
    product = einsum("...i,oij,...j->...o", input1, weight, input2)
    return product if bias is None else product + bias


def pad(input, pad, mode="constant", value=None):
    if len(pad) % 2:
        raise ShapeError("Padding length must be divisible by 2")
    if len(pad) > 2 * len(input.shape):
        raise ShapeError(f"Padding length should be less than or equal to two times the input dimension but got padding "
                         f"length {len(pad)} and input of dimension {len(input.shape)}")  # fmt: skip
    if mode != "constant":
        return padded_from_inside(input, pad, mode)
    low, high = [0] * len(input.shape), [0] * len(input.shape)
    for position in range(len(pad) // 2):
        dim = len(input.shape) - 1 - position
        low[dim], high[dim] = int(pad[2 * position]), int(pad[2 * position + 1])
    value = 0 if value is None else value
    return _join.padded(input, low, high, float(value) if input.dtype.category == 2 else value)


def conv1d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    stride, dilation = (x if isinstance(x, int) else x[0] for x in (stride, dilation))
    batched = len(input.shape) == 3
    x = input if batched else input.unsqueeze(0)
    if len(x.shape) != 3 or len(weight.shape) != 3:
        raise ShapeError(f"Expected 2D (unbatched) or 3D (batched) input to conv1d, but got input of size: {list(input.shape)}")
    if x.shape[1] != weight.shape[1] * groups:
        raise ShapeError(f"Given groups={groups}, weight of size {list(weight.shape)}, expected input{list(x.shape)} to have "
                         f"{weight.shape[1] * groups} channels, but got {x.shape[1]} channels instead")  # fmt: skip
    reach = dilation * (weight.shape[2] - 1)
    if padding == "same":
        x = _join.padded(x, (0, 0, reach // 2), (0, 0, reach - reach // 2))
        padding = 0
    padding = 0 if padding == "valid" else padding if isinstance(padding, int) else padding[0]
    length = (x.shape[2] + 2 * padding - reach - 1) // stride + 1
    if length < 1:
        raise ShapeError(f"Calculated padded input size per channel: ({x.shape[2] + 2 * padding}). Kernel size: ({reach + 1}). "
                         "Kernel size can't be greater than actual input size")  # fmt: skip
    tensors = (x, weight) if bias is None else (x, weight, bias)
    shape = Size((x.shape[0], weight.shape[0], length))
    attrs = ("stride", stride, "padding", padding, "dilation", dilation, "groups", groups)
    value = R.current.emit("conv1d", tuple(t._v() for t in tensors), attrs, T.code_of(x.dtype), tuple(shape))
    output = result(value, x.dtype, shape, tensors)
    return output if batched else output.squeeze(0)


def unfold(*_args, **_kwargs):
    raise Unsupported("F.unfold is not traced; use tensor.unfold over one dimension")


# Attention


def scaled_dot_product_attention(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None,
                                 enable_gqa=False):  # fmt: skip
    """query [..., H, T, D], key and value [..., Hkv, S, D]; a window is given by flash_attn's functions only."""
    return attention(query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa)


def attention(query, key, value, mask=None, dropout_p=0.0, causal=False, scale=None, grouped=False, window=0):
    if query.shape[-1] != key.shape[-1]:
        raise ShapeError(
            f"Expected size for first two dimensions of batch2 tensor to be: [{math.prod(query.shape[:-2])}, "
            f"{query.shape[-1]}] but got: [{math.prod(key.shape[:-2])}, {key.shape[-1]}]."
        )
    if key.shape[-2] != value.shape[-2]:
        raise ShapeError(f"key and value must have the same sequence length, but got {key.shape[-2]} and {value.shape[-2]}")
    if not (query.dtype is key.dtype is value.dtype):
        raise RuntimeError(
            "Expected query, key, and value to have the same dtype, but got query.dtype: "
            f"{query.dtype.name} key.dtype: {key.dtype.name} and value.dtype: {value.dtype.name} instead."
        )
    if mask is not None and causal:
        raise RuntimeError("_scaled_dot_product_attention: Explicit attn_mask should not be set when is_causal=True")
    lead = len(query.shape) < 3
    if lead:
        query, key, value = (x.unsqueeze(0) for x in (query, key, value))
    heads = key.shape[-3]
    if grouped and query.shape[-3] % heads == 0 and value.shape[-3] == heads:
        batch = broadcast(broadcast(query.shape[:-3], key.shape[:-3]), value.shape[:-3])
        query = query.expand(*batch, *query.shape[-3:])
    else:
        batch = broadcast(broadcast(query.shape[:-2], key.shape[:-2]), value.shape[:-2])
        query = query.expand(*batch, *query.shape[-2:])
        batch, heads = batch[:-1], batch[-1]
    key = key.expand(*batch, heads, *key.shape[-2:])
    value = value.expand(*batch, heads, *value.shape[-2:])
    scale = 1.0 / math.sqrt(query.shape[-1]) if scale is None else float(scale)
    if dropout_p > 0:
        output = _attention_with_dropout(query, key, value, mask, dropout_p, causal, scale, window)
        return output.squeeze(0) if lead else output
    tensors = [query, key, value]
    if mask is not None:
        broadcast(mask.shape, (*query.shape[:-1], key.shape[-2]))
        tensors.append(mask if mask.dtype.category == 0 else mask.to(query.dtype))
    shape = Size((*query.shape[:-1], value.shape[-1]))
    attrs = ("causal", bool(causal), "scale", scale, "window", window)
    output = R.current.emit("sdpa", tuple(t._v() for t in tensors), attrs, T.code_of(query.dtype), tuple(shape))
    # the result is laid out [B, T, H, D]
    strides = None
    if len(shape) >= 3:
        inner = (shape[-1], shape[-3] * shape[-1], 1)
        outer, step = [], math.prod(shape[-3:])
        for size in reversed(shape[:-3]):
            outer.insert(0, step)
            step *= size
        strides = (*outer, *inner)
    output = result(output, query.dtype, shape, tensors, strides)
    return output.squeeze(0) if lead else output


def _attention_with_dropout(query, key, value, mask, dropout_p, causal, scale, window):
    if query.shape[-3] != key.shape[-3]:
        repeats = query.shape[-3] // key.shape[-3]
        key, value = (_join.repeat_interleave(x, repeats, -3) for x in (key, value))
    weights = query @ key.transpose(-2, -1) * scale
    if causal or window:
        from .._create import ones

        allowed = ones(query.shape[-2], key.shape[-2], dtype=T.bool_).tril()
        if window:
            allowed = allowed & ones(query.shape[-2], key.shape[-2], dtype=T.bool_).triu(1 - window)
        weights = weights.masked_fill(~allowed, -math.inf)
    if mask is not None:
        weights = weights.masked_fill(~mask, -math.inf) if mask.dtype.category == 0 else weights + mask
    return dropout(softmax(weights, -1), dropout_p) @ value


# Losses


def cross_entropy(input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean",
                  label_smoothing=0.0):  # fmt: skip
    if target.dtype.category == 2:
        return _cross_entropy_of_probabilities(input, target, weight, reduction, float(label_smoothing))
    if weight is not None:
        if label_smoothing:
            raise Unsupported("cross_entropy with class weights and label smoothing is not traced; use one of them")
        dim = 1 if input.dim() > 1 else 0
        return nll_loss(log_softmax(input, dim), target, weight, ignore_index=ignore_index, reduction=reduction)
    logits, flat, back = _classes(input, target)
    attrs = ("ignoreIndex", int(ignore_index), "reduction", reduction, "labelSmoothing", float(label_smoothing))
    return _loss("cross_entropy", logits, flat, attrs, back if reduction == "none" else ())


def _cross_entropy_of_probabilities(input, target, weight, reduction, smoothing):
    dim = 1 if input.dim() > 1 else 0
    if smoothing:
        target = target * (1 - smoothing) + smoothing / input.shape[dim]
    terms = log_softmax(input, dim) * target
    if weight is not None:
        terms = terms * weight.reshape([-1 if place == dim else 1 for place in range(input.dim())])
    terms = -_reduce.sum(terms, dim)
    return _reduced(terms, reduction)


def nll_loss(input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean"):
    if weight is not None:
        return _weighted_nll(input, target, weight, ignore_index, reduction)
    logits, flat, back = _classes(input, target)
    return _loss("nll_loss", logits, flat, ("ignoreIndex", int(ignore_index), "reduction", reduction),
                 back if reduction == "none" else ())  # fmt: skip


def _weighted_nll(input, target, weight, ignore_index, reduction):
    """Each term is multiplied by the weight of its class, and the mean divides by the sum of these weights."""
    counted = target != ignore_index
    share = _ops.where(counted, embedding(_ops.where(counted, target, 0), weight.unsqueeze(-1)).squeeze(-1), 0.0)
    terms = nll_loss(input, target, ignore_index=ignore_index, reduction="none") * share
    return _reduce.sum(terms) / _reduce.sum(share) if reduction == "mean" else _reduced(terms, reduction)


def _classes(input, target):
    """Logits [N, C], targets [N], and the shape of unreduced losses."""
    if target.dtype.category != 1:
        raise RuntimeError(f"expected scalar type Long but found {target.dtype.name}")
    if len(input.shape) == 1:
        return input.unsqueeze(0), target.reshape(1), ()
    if len(input.shape) == 2:
        if input.shape[0] != target.numel() or len(target.shape) != 1:
            if len(target.shape) != 1:
                raise ShapeError(f"0D or 1D target tensor expected, multi-target not supported; got target of shape "
                                 f"{list(target.shape)}")  # fmt: skip
            raise ShapeError(
                f"Expected input batch_size ({input.shape[0]}) to match target batch_size ({target.shape[0]})."
            )
        return input, target, target.shape
    wanted = (input.shape[0], *input.shape[2:])
    if target.shape != wanted:
        raise ShapeError(f"Expected target size {list(wanted)}, got {list(target.shape)}")
    return _shape.movedim(input, 1, -1).reshape(-1, input.shape[1]), target.reshape(-1), target.shape


def _loss(op, logits, target, attrs, shape):
    reduction = attrs[attrs.index("reduction") + 1]
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    out = tuple(target.shape) if reduction == "none" else ()
    target = target.to(T.int64)
    value = R.current.emit(op, (logits._v(), target._v()), attrs, T.code_of(logits.dtype), out)
    loss = result(value, logits.dtype, Size(out), (logits, target))
    return loss if tuple(loss.shape) == tuple(shape) else loss.reshape(shape)


def _reduced(terms, reduction):
    if reduction == "none":
        return terms
    return _reduce.sum(terms) if reduction == "sum" else _reduce.mean(terms)


def mse_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    terms = (input - target).square()
    return _reduced(terms if weight is None else terms * weight, reduction)


def l1_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    return _reduced((input - target).abs(), reduction)


def smooth_l1_loss(input, target, reduction="mean", beta=1.0):
    distance = (input - target).abs()
    return _reduced(_ops.where(distance < beta, distance.square() * (0.5 / beta), distance - 0.5 * beta), reduction)


def huber_loss(input, target, reduction="mean", delta=1.0):
    return smooth_l1_loss(input, target, reduction, delta) * delta


def _bounded_log(input):
    """log, at least -100; with no gradient, rather than an undefined one, at 0."""
    positive = input > 0
    return _ops.where(positive, _ops.clamp_min(_ops.where(positive, input, 1.0).log(), -100.0), -100.0)


def binary_cross_entropy(input, target, weight=None, size_average=None, reduce=None, reduction="mean"):
    terms = -(target * _bounded_log(input) + (1 - target) * _bounded_log(1 - input))
    return _reduced(terms if weight is None else terms * weight, reduction)


def binary_cross_entropy_with_logits(input, target, weight=None, size_average=None, reduce=None, reduction="mean",
                                     pos_weight=None):  # fmt: skip
    if pos_weight is None:
        terms = _ops.clamp_min(input, 0.0) - input * target + (-input.abs()).exp().log1p()
    else:
        softened = _ops.clamp_min(-input, 0.0) + (-input.abs()).exp().log1p()
        terms = (1 - target) * input + ((pos_weight - 1) * target + 1) * softened
    return _reduced(terms if weight is None else terms * weight, reduction)


def kl_div(input, target, size_average=None, reduce=None, reduction="mean", log_target=False):
    if log_target:
        terms = target.exp() * (target - input)
    else:
        terms = _ops.where(target > 0, target * (_ops.log(_ops.clamp_min(target, 1e-45)) - input), 0.0)
    return terms.sum() / input.shape[0] if reduction == "batchmean" else _reduced(terms, reduction)


from ._more_functions import *  # noqa: E402,F403
from ._pooling import *  # noqa: E402,F403
from ._pooling import padded_from_inside  # noqa: E402



def _heeding_inplace(function):
    """An activation whose `inplace` writes into its input, as PyTorch's does."""
    names = list(inspect.signature(function).parameters)

    @functools.wraps(function)
    def activation(*args, **kwargs):
        given = {**dict(zip(names, args)), **kwargs}
        wanted, input = given.pop("inplace", False), given["input"]
        found = function(**given)
        return assign(input, found) if wanted and found is not input else found

    return activation


for _name in ("celu", "dropout", "elu", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "mish", "relu", "relu6", "rrelu",
              "selu", "silu", "threshold"):  # fmt: skip
    globals()[_name] = _heeding_inplace(globals()[_name])
for _name in ("celu", "elu", "hardtanh", "leaky_relu", "rrelu", "selu", "threshold"):
    globals()[_name + "_"] = functools.partial(globals()[_name], inplace=True)
swish = silu


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    raise UnsupportedName(f"module 'torch.nn.functional' has no attribute '{name}'")


