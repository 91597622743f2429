"""torch.distributed: one process."""

from crossover_tracer.errors import Unsupported, UnsupportedName

from . import algorithms, fsdp, optim, tensor


class ReduceOp:
    SUM, AVG, PRODUCT, MIN, MAX = "sum", "avg", "product", "min", "max"


class ProcessGroup:
    """A group of processes, of which there is one."""


class _Group:
    WORLD = None


group = _Group()


def is_available():
    return False


is_initialized = is_nccl_available = is_torchelastic_launched = is_available


def get_rank(group=None):
    return 0


def get_world_size(group=None):
    return 1


def barrier(*_args, **_kwargs):
    return None


destroy_process_group = all_reduce = broadcast = barrier


def init_process_group(*_args, **_kwargs):
    raise Unsupported("torch.distributed is not available while tracing; guard the line or trace the model file itself")


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    raise UnsupportedName(f"module 'torch.distributed' has no attribute '{name}'")


__all__ = ["algorithms", "fsdp", "optim", "tensor"]
