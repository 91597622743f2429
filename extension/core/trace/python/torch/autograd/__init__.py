"""autograd.Function, and the switches of gradient recording."""

from crossover_tracer.errors import Unsupported

from . import forward_ad, graph, profiler
from .function import Function
from .grad_mode import enable_grad, inference_mode, no_grad, set_grad_enabled

def Variable(data, requires_grad=False, volatile=False):
    """The old name of a tensor."""
    data.requires_grad = data.requires_grad or requires_grad
    return data


def grad(*_args, **_kwargs):
    raise Unsupported("torch.autograd.grad inside the model is not traced; derivatives are made by the compiler")


def backward(*_args, **_kwargs):
    raise Unsupported("torch.autograd.backward is not traced; derivatives are made by the compiler")


def set_detect_anomaly(mode, check_nan=True):
    return None


class detect_anomaly:
    def __init__(self, check_nan=True):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


__all__ = ["Function", "enable_grad", "forward_ad", "graph", "inference_mode", "no_grad", "profiler", "set_grad_enabled"]
