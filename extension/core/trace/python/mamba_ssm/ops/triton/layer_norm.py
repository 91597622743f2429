"""Norms of mamba_ssm, with the residual that is added before them."""

import torch
from crossover_tracer.errors import Unsupported
from torch import nn
from torch.nn import functional as F


def layer_norm_fn(x, weight, bias, residual=None, x1=None, weight1=None, bias1=None, eps=1e-6, dropout_p=0.0, rowscale=None,
                  prenorm=False, residual_in_fp32=False, is_rms_norm=False, return_dropout_mask=False, **more):  # fmt: skip
    """The norm of x + residual, and with `prenorm` that sum too."""
    unusual = (dropout_p, return_dropout_mask, *more.values())
    if any(unusual) or any(given is not None for given in (x1, weight1, bias1, rowscale)):
        raise Unsupported("layer_norm_fn with x1, weight1, dropout or rowscale is not traced; write it with F.layer_norm")
    total = x if residual is None else x + residual
    if residual_in_fp32:
        total = total.float()
    if is_rms_norm:
        y = F.rms_norm(total, weight.shape, weight, eps)
        y = y if bias is None else y + bias
    else:
        y = F.layer_norm(total, weight.shape, weight, bias, eps)
    y = y.to(x.dtype)
    return (y, total) if prenorm else y


def rms_norm_fn(x, weight, bias, residual=None, **options):
    return layer_norm_fn(x, weight, bias, residual, is_rms_norm=True, **options)


class RMSNorm(nn.Module):
    def __init__(self, hidden_size, eps=1e-5, dropout_p=0.0, zero_centered_weight=False, device=None, dtype=None):
        super().__init__()
        if dropout_p or zero_centered_weight:
            raise Unsupported("RMSNorm with dropout_p or zero_centered_weight is not traced; leave them out")
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(hidden_size, device=device, dtype=dtype))
        self.register_parameter("bias", None)

    def forward(self, x, residual=None, prenorm=False, residual_in_fp32=False):
        options = {"eps": self.eps, "prenorm": prenorm, "residual_in_fp32": residual_in_fp32}
        return rms_norm_fn(x, self.weight, self.bias, residual, **options)
