"""hydra: objects by their dotted path; what reads configurations from files fails when used."""

from crossover_tracer.shells import Shell

from . import utils

__version__ = "1.3.2"
__all__ = ["utils"]


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return Shell(f"hydra.{name}")
