"""NumPy's names of arguments, which PyTorch's functions take too."""

import functools
import types

_NAMES = {"axis": "dim", "keepdims": "keepdim"}


def numpy_names(function):
    """The function, with `axis` for its `dim` and `keepdims` for its `keepdim`."""
    if not isinstance(function, types.FunctionType):
        return function
    code = function.__code__
    own = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    names = {new: old for new, old in _NAMES.items() if old in own}
    if not names:
        return function

    @functools.wraps(function)
    def call(*args, **kwargs):
        if kwargs and not names.keys().isdisjoint(kwargs):
            kwargs = {names.get(name, name): value for name, value in kwargs.items()}
        return function(*args, **kwargs)

    return call
