"""The older names of scipy.fft."""

from crossover_tracer.shells import Shell

from .fft import next_fast_len as _next_fast_len


def next_fast_len(target):
    """The least length from `target` on with prime factors up to 5."""
    return _next_fast_len(target, True)


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return Shell(f"scipy.fftpack.{name}")
