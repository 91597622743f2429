"""Fourier transforms are not traced."""

from crossover_tracer.errors import UnsupportedName


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    raise UnsupportedName(f"module 'torch.fft' has no attribute '{name}'")
