"""For model files: names of native operations."""

import functools
import inspect

from torch import _rwkv


def fused(name):
    """Replaces the decorated function by the native operation `name`, which takes its arguments in order."""
    native = _rwkv.NATIVE[name]

    def decorate(function):
        signature = inspect.signature(function)

        @functools.wraps(function)
        def recorded(*args, **kwargs):
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            return native(*bound.arguments.values())

        return recorded

    return decorate
