"""torch.utils."""

from . import _pytree, checkpoint, cpp_extension, data

__all__ = ["_pytree", "checkpoint", "cpp_extension", "data"]
