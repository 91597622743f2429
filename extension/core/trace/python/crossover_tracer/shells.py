"""Stand-ins for packages that serve GPUs and training scripts: they import, and fail with a sentence when used."""

import types

from . import recorder as R
from .errors import Unsupported


class Switches:
    """Settings: any attribute may be set; an unset one is a function that does nothing."""

    def __init__(self, **values):
        self.__dict__.update(values)

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *_args, **_kwargs: None


class Shell:
    """A name of a package that is not here. Until the model runs it may decorate, be called and be kept; then it may not."""

    def __init__(self, path):
        self.__dict__["_path"] = path
        self.__dict__["__name__"] = path.rsplit(".", 1)[-1]

    def __getattr__(self, name):
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return Shell(f"{self._path}.{name}")

    def __call__(self, *args, **kwargs):
        if _before_forward():
            if len(args) == 1 and not kwargs and isinstance(args[0], (types.FunctionType, type)) and not self._compiles():
                return args[0]  # a decorator: what it decorates is the user's own
            return Shell(f"{self._path}()")
        raise self._unavailable()

    def _compiles(self):
        """Whether this makes kernels of functions, which then are called in ways that functions are not."""
        return self._path.partition(".")[0] in ("triton", "numba", "cutlass", "cupy", "tilelang")

    def __getitem__(self, key):
        if _before_forward():
            return Shell(f"{self._path}[]")
        raise self._unavailable()

    def __mro_entries__(self, bases):
        return (Unavailable,)

    def __or__(self, other):
        return self

    __ror__ = __or__

    def _refuse(self, *_):
        raise self._unavailable()

    __enter__ = __iter__ = __len__ = __contains__ = __index__ = __int__ = __float__ = __setitem__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __floordiv__ = _refuse
    __rfloordiv__ = __mod__ = __pow__ = __rpow__ = __neg__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse

    def __exit__(self, *_):
        return None

    def __bool__(self):
        return True

    def _unavailable(self):
        return Unsupported(f"{self._path} is not available while tracing; keep it out of the model's forward and constructor")


def _before_forward():
    return R.current.importing or R.current.graph is not R.current.forward


class Unavailable:
    """Base of classes derived from a shell: defining them is fine, making one is not."""

    def __init__(self, *_args, **_kwargs):
        raise Unsupported(f"{type(self).__name__} derives from a class that is not available while tracing; use nn.Module")
