"""xformers' attention and SwiGLU, as operations of ours; the rest fails when used."""

from crossover_tracer.shells import Shell

from . import ops  # noqa: F401

__version__ = "0.0.30"


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return Shell(f"xformers.{name}")
