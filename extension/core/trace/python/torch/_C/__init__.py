"""torch._C: the few names Python code touches."""

from crossover_tracer.shells import Switches

from .. import _random

Generator = _random.Generator
_log_api_usage_once = lambda *_: None
_nn = Switches()


def __getattr__(name):
    """Compiler switches: every one may be called."""
    if name.startswith("_jit_"):
        return lambda *_args: None
    raise AttributeError(name)
