"""torchvision: stochastic depth, which language models use too; the rest fails when used."""

from crossover_tracer.shells import Shell

from . import ops

__version__ = "0.28.0"
__all__ = ["ops"]


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return Shell(f"torchvision.{name}")
