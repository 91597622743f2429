"""torch.nn."""

from crossover_tracer.errors import UnsupportedName

from . import attention, functional, init, parameter, utils
from .modules import *  # noqa: F403
from . import modules, parallel
from .parallel import DataParallel
from .parameter import Buffer, Parameter, UninitializedParameter


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    raise UnsupportedName(f"module 'torch.nn' has no attribute '{name}'")
