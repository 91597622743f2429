"""torch.ops: RWKV's CUDA kernels by name, as operations that have derivatives; anything else fails when called."""

import sys
import types

from crossover_tracer.errors import Unsupported

from ._rwkv import KERNELS


class Namespace:
    """torch.ops.<name>, and what `cpp_extension.load` returns."""

    def __init__(self, name):
        self.__dict__["_name"] = name

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        kernel = _kernel(self._name)
        return kernel if kernel is not None and name == "forward" else _missing(self._name, name)


def _kernel(name):
    """The kernel of a name, without suffixes of sizes and kinds (`wkv_1024`, `wkv6_cuda`)."""
    name = name.removesuffix("_cuda").removesuffix("_op")
    return KERNELS.get(name) or KERNELS.get(name.split("_", 1)[0])


def _missing(space, name):
    def operation(*_args, **_kwargs):
        raise Unsupported(
            f"the custom kernel {space}.{name} has no native counterpart; write the operation in PyTorch or use a kernel "
            "of RWKV-4 to 7"
        )

    return operation


def extension(name):
    return Namespace(name)


def load_library(path):
    return None


class _Ops(types.ModuleType):
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        space = Namespace(name)
        setattr(self, name, space)
        return space


sys.modules[__name__].__class__ = _Ops
