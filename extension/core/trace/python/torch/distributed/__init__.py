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


class _Done:
    """The handle of work that is over."""

    def wait(self):
        return True


def all_gather_into_tensor(output_tensor, input_tensor, group=None, async_op=False):
    """Of one process: its own tensor."""
    output_tensor.copy_(input_tensor)
    return _Done() if async_op else None


def reduce_scatter_tensor(output, input, op=ReduceOp.SUM, group=None, async_op=False):
    """Of one process: its own tensor, whatever the reduction."""
    output.copy_(input)
    return _Done() if async_op else None


_all_gather_base, _reduce_scatter_base = all_gather_into_tensor, reduce_scatter_tensor


def init_process_group(*_args, **_kwargs):
    raise Unsupported("torch.distributed is not available while tracing; guard the line or trace the model file itself")


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    raise UnsupportedName(f"module 'torch.distributed' has no attribute '{name}'")


__all__ = ["algorithms", "fsdp", "optim", "tensor"]
