"""SciPy: lengths that suit a Fourier transform; the rest fails when used."""

from crossover_tracer.shells import Shell

from . import fft, fftpack

__version__ = "1.16.0"
__all__ = ["fft", "fftpack"]


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return Shell(f"scipy.{name}")
