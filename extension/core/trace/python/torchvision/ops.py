"""Stochastic depth: whole rows, or the whole batch, are dropped at random (arXiv 1603.09382)."""

import torch
from crossover_tracer.shells import Shell
from torch import nn
from torch.nn import functional as F


def stochastic_depth(input, p, mode, training=True):
    if p < 0.0 or p > 1.0:
        raise ValueError(f"drop probability has to be between 0 and 1, but got {p}")
    if mode not in ("batch", "row"):
        raise ValueError(f"mode has to be either 'batch' or 'row', but got {mode}")
    if not training or p == 0.0:
        return input
    shape = [input.shape[0] if mode == "row" else 1, *([1] * (input.ndim - 1))]
    return input * F.dropout(torch.ones(shape, dtype=input.dtype, device=input.device), p)


class StochasticDepth(nn.Module):
    def __init__(self, p, mode):
        super().__init__()
        self.p, self.mode = p, mode

    def forward(self, input):
        return stochastic_depth(input, self.p, self.mode, self.training)


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return Shell(f"torchvision.ops.{name}")
