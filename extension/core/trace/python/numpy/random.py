"""numpy.random draws from a generator of its own, which a trace does not have."""

from crossover_tracer.errors import UnsupportedName


def seed(value=None):
    return None


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    raise UnsupportedName(f"module 'numpy.random' has no attribute '{name}'")
