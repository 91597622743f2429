"""Optimizers as records of their parameter groups; the run takes the steps."""

from crossover_tracer.errors import UnsupportedName

from . import lr_scheduler
from .optimizer import SGD, Adam, AdamW, Optimizer

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "lr_scheduler"]


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    raise UnsupportedName(f"module 'torch.optim' has no attribute '{name}'")
