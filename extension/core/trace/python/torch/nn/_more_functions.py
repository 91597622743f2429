"""Rarer activations and losses."""

import math

from crossover_tracer.errors import Unsupported

from .. import _ops, _reduce


def celu(input, alpha=1.0, inplace=False):
    negative = _ops.expm1(_ops.minimum(input, input.new_zeros(())) / alpha) * alpha
    return _ops.where(input > 0, input, negative)


def rrelu(input, lower=1 / 8, upper=1 / 3, training=False, inplace=False):
    if training:
        raise Unsupported("rrelu draws random slopes while it trains; use leaky_relu, or call eval() on the module")
    return _ops.where(input >= 0, input, input * ((lower + upper) / 2))


def threshold(input, threshold, value, inplace=False):
    return _ops.where(input > threshold, input, float(value))


def hardshrink(input, lambd=0.5):
    return _ops.where(_ops.abs(input) > lambd, input, 0.0)


def softshrink(input, lambd=0.5):
    return _ops.where(input > lambd, input - lambd, _ops.where(input < -lambd, input + lambd, 0.0))


def tanhshrink(input):
    return input - input.tanh()


def softmin(input, dim=None, dtype=None):
    return _reduce.softmax(-input, dim, dtype)


def channel_shuffle(input, groups):
    return input.unflatten(1, (groups, input.shape[1] // groups)).transpose(1, 2).flatten(1, 2)


def linear_cross_entropy(input, linear_weight, target, *, linear_bias=None, weight=None, reduction="mean", ignore_index=None,
                         label_smoothing=0.0, options=None):  # fmt: skip
    """The cross entropy of linear(input): input [N, C] or [C], weight [classes, C]."""
    from .functional import cross_entropy, linear

    if linear_weight.dim() != 2:
        raise Unsupported("linear_cross_entropy with outputs of several dimensions is not traced; use linear and cross_entropy")
    logits = linear(input, linear_weight, linear_bias)
    return cross_entropy(logits, target, weight, ignore_index=-100 if ignore_index is None else ignore_index, reduction=reduction,
                         label_smoothing=label_smoothing)  # fmt: skip


def _reduced(terms, reduction):
    if reduction == "none":
        return terms
    return _reduce.sum(terms) if reduction == "sum" else _reduce.mean(terms)


def margin_ranking_loss(input1, input2, target, margin=0.0, size_average=None, reduce=None, reduction="mean"):
    return _reduced(_ops.clamp_min(-target * (input1 - input2) + margin, 0.0), reduction)


def hinge_embedding_loss(input, target, margin=1.0, size_average=None, reduce=None, reduction="mean"):
    away = _ops.where(_ops.ne(target, 1), _ops.clamp_min(margin - input, 0.0), 0.0)
    return _reduced(away + _ops.where(_ops.ne(target, -1), input, 0.0), reduction)


def cosine_embedding_loss(input1, input2, target, margin=0.0, size_average=None, reduce=None, reduction="mean"):
    sums = [(a * b).sum(-1) for a, b in ((input1, input2), (input1, input1), (input2, input2))]
    cosine = sums[0] / _ops.sqrt((sums[1] + 1e-12) * (sums[2] + 1e-12))
    same = _ops.where(_ops.eq(target, 1), 1 - cosine, 0.0)
    return _reduced(same + _ops.where(_ops.eq(target, -1), _ops.clamp_min(cosine - margin, 0.0), 0.0), reduction)


def triplet_margin_loss(anchor, positive, negative, margin=1.0, p=2, eps=1e-06, swap=False, size_average=None, reduce=None,
                        reduction="mean"):  # fmt: skip
    def apart(a, b):
        return _reduce.norm(a - b + eps, p, -1)

    far = apart(anchor, negative)
    far = _ops.minimum(far, apart(positive, negative)) if swap else far
    return _reduced(_ops.clamp_min(margin + apart(anchor, positive) - far, 0.0), reduction)


def soft_margin_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    return _reduced(_ops.log1p(_ops.exp(-target * input)), reduction)


def poisson_nll_loss(input, target, log_input=True, full=False, size_average=None, eps=1e-08, reduce=None, reduction="mean"):
    terms = input.exp() - target * input if log_input else input - target * (input + eps).log()
    if full:
        stirling = target * target.log() - target + (target * (2 * math.pi)).log() * 0.5
        terms = terms + _ops.where(target > 1, stirling, 0.0)
    return _reduced(terms, reduction)


def gaussian_nll_loss(input, target, var, full=False, eps=1e-06, reduction="mean"):
    if not hasattr(var, "dim"):
        var = input.new_full((), float(var)).expand(input.shape)
    var = var.unsqueeze(-1) if var.dim() == input.dim() - 1 and var.shape == input.shape[:-1] else var
    bounded = _ops.where(var < eps, eps, var.detach()) + (var - var.detach())  # the bound leaves the gradient alone
    terms = (bounded.log() + (input - target).square() / bounded) * 0.5
    return _reduced(terms + 0.5 * math.log(2 * math.pi) if full else terms, reduction)


def multi_margin_loss(input, target, p=1, margin=1.0, weight=None, size_average=None, reduce=None, reduction="mean"):
    """input [N, C], target [N]."""
    at = target.unsqueeze(-1)
    terms = _ops.clamp_min(margin - input.gather(-1, at) + input, 0.0)
    terms = terms if p == 1 else terms.square()
    terms = terms if weight is None else terms * weight[target].unsqueeze(-1)
    kept = terms.scatter(-1, at, 0.0)
    return _reduced(kept.sum(-1) / input.shape[-1], reduction)


__all__ = ["celu", "channel_shuffle", "cosine_embedding_loss", "gaussian_nll_loss", "hardshrink", "hinge_embedding_loss",
           "linear_cross_entropy",
           "margin_ranking_loss", "multi_margin_loss", "poisson_nll_loss", "rrelu", "soft_margin_loss", "softmin", "softshrink",
           "tanhshrink", "threshold", "triplet_margin_loss"]  # fmt: skip
