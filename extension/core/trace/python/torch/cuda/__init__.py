"""torch.cuda without a GPU: a trace runs nowhere, and says so."""

from crossover_tracer.errors import Unsupported, UnsupportedName

from . import amp, nvtx


def is_available():
    return False


def device_count():
    return 0


def _nothing(*_args, **_kwargs):
    return None


synchronize = empty_cache = manual_seed_all = set_device = reset_peak_memory_stats = _nothing
init = ipc_collect = reset_max_memory_allocated = set_per_process_memory_fraction = _nothing


def manual_seed(seed):
    return None


def current_device():
    return 0


def is_bf16_supported(including_emulation=True):
    return True


def is_initialized():
    return False


def max_memory_allocated(device=None):
    return 0


memory_allocated = memory_reserved = max_memory_reserved = max_memory_allocated


def get_device_name(device=None):
    return "none"


def get_device_capability(device=None):
    return (8, 0)


def get_device_properties(device=None):
    raise Unsupported("there is no CUDA device while tracing; guard the line with torch.cuda.is_available()")


class Event:
    def __init__(self, *_args, **_kwargs):
        pass

    def record(self, stream=None):
        return None

    def synchronize(self):
        return None

    def elapsed_time(self, other):
        return 0.0


class Stream:
    def __init__(self, *_args, **_kwargs):
        pass

    def wait_stream(self, stream):
        return None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


class device(Stream):
    pass


def stream(stream):
    return stream


def current_stream(device=None):
    return Stream()


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    raise UnsupportedName(f"module 'torch.cuda' has no attribute '{name}'")


__all__ = ["amp", "nvtx"]
