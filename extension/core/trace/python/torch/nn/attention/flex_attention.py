"""flex_attention is not traced; the names exist so that files import."""

from crossover_tracer.errors import Unsupported


_mask_mod_signature = _score_mod_signature = object


class BlockMask:
    """A block mask, never built."""


def create_block_mask(*_args, **_kwargs):
    raise Unsupported("flex_attention is not traced; use F.scaled_dot_product_attention with a mask")


create_mask = create_nested_block_mask = create_block_mask


def flex_attention(*_args, **_kwargs):
    raise Unsupported("flex_attention is not traced; use F.scaled_dot_product_attention with a mask")
