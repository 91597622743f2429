"""einops: rearrange, repeat, reduce, einsum, pack, unpack."""

from ._patterns import einsum, pack, parse_shape, rearrange, reduce, repeat, unpack

__version__ = "0.8.1"
__all__ = ["einsum", "pack", "parse_shape", "rearrange", "reduce", "repeat", "unpack"]


class EinopsError(RuntimeError):
    """Patterns that do not fit."""
