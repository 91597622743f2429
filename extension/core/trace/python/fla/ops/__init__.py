"""fla.ops: flash-linear-attention's functions as native operations."""

from .delta_rule import chunk_delta_rule, fused_recurrent_delta_rule
from .gated_delta_rule import chunk_gated_delta_rule, chunk_gdn, fused_recurrent_gated_delta_rule, fused_recurrent_gdn
from .gla import chunk_gla, fused_chunk_gla, fused_recurrent_gla
from .linear_attn import chunk_linear_attn, fused_chunk_linear_attn, fused_recurrent_linear_attn
from .retention import chunk_retention, fused_chunk_retention, fused_recurrent_retention
from .rwkv4 import fused_recurrent_rwkv4
from .rwkv6 import chunk_rwkv6, fused_recurrent_rwkv6
from .rwkv7 import chunk_rwkv7, fused_mul_recurrent_rwkv7, fused_recurrent_rwkv7
from .simple_gla import chunk_simple_gla, fused_chunk_simple_gla, fused_recurrent_simple_gla

__all__ = [
    "chunk_delta_rule", "chunk_gated_delta_rule", "chunk_gdn", "chunk_gla", "chunk_linear_attn", "chunk_retention",
    "chunk_rwkv6", "chunk_rwkv7", "chunk_simple_gla", "fused_chunk_gla", "fused_chunk_linear_attn",
    "fused_chunk_retention", "fused_chunk_simple_gla", "fused_mul_recurrent_rwkv7", "fused_recurrent_delta_rule",
    "fused_recurrent_gated_delta_rule", "fused_recurrent_gdn", "fused_recurrent_gla", "fused_recurrent_linear_attn",
    "fused_recurrent_retention", "fused_recurrent_rwkv4",
    "fused_recurrent_rwkv6", "fused_recurrent_rwkv7", "fused_recurrent_simple_gla",
]  # fmt: skip
