"""torch.nn.attention.flex_attention: attention with scores and masks that are functions of indices.

A mask_mod becomes a boolean mask; causal ones and sliding windows are proved so by the compiler, and no T x T matrix is made.
A score_mod makes the scores explicit.
"""

import enum
import math
from collections import namedtuple

from crossover_tracer.errors import ShapeError

from ... import _join, _ops, _reduce
from ..._linalg import matmul
from ..._tensor import Tensor
from ..._value import known_numbers
from ..functional import attention
from ._block_mask import (
    BlockMask, and_masks, called, create_block_mask, create_mask, indices, noop_mask, or_masks, positional,
)  # fmt: skip
from ._block_mask import DEFAULT_BLOCK_SIZE as _DEFAULT_SPARSE_BLOCK_SIZE
from ._block_mask import vectors_to_indices as _vmap_for_bhqkv  # noqa: F401

_mask_mod_signature = _score_mod_signature = object
_ModificationType = enum.Enum("_ModificationType", ("SCORE_MOD", "MASK_MOD", "UNKNOWN"))
AuxRequest = namedtuple("AuxRequest", ("lse", "max_scores"), defaults=(False, False))
AuxOutput = namedtuple("AuxOutput", ("lse", "max_scores"), defaults=(None, None))


def _identity(score, batch, head, token_q, token_kv):
    return score


def _get_mod_type(function):
    kinds = {5: _ModificationType.SCORE_MOD, 4: _ModificationType.MASK_MOD}
    return kinds.get(positional(function), _ModificationType.UNKNOWN)


def create_nested_block_mask(*_args, **_kwargs):
    from crossover_tracer.errors import Unsupported

    raise Unsupported("block masks of nested tensors are not traced; pad the sequences and use create_block_mask")


def flex_attention(query, key, value, score_mod=None, block_mask=None, scale=None, enable_gqa=False, return_lse=False,
                   kernel_options=None, *, return_aux=None):  # fmt: skip
    """query [B, Hq, Q, D], key and value [B or 1, Hkv, K, D]: [B, Hq, Q, Dv], and [B, Hq, Q] for each statistic asked for."""
    _check(query, key, value, block_mask, enable_gqa)
    aux = AuxRequest(lse=return_lse) if return_aux is None else return_aux
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    (batch, heads, queries), keys = query.shape[:3], key.shape[2]
    mask = None if block_mask is None else block_mask.mask(batch, heads, queries, keys)
    plain = score_mod is None or score_mod is _identity
    if plain and not aux.lse and not aux.max_scores and not isinstance(scale, Tensor):
        shape = (batch, *key.shape[1:3])
        return attention(query, key.expand(*shape, -1), value.expand(*shape, -1), mask, scale=scale, grouped=enable_gqa)
    if key.shape[1] != heads:
        key, value = (_join.repeat_interleave(x, heads // key.shape[1], 1) for x in (key, value))
    scores = matmul(query, key.transpose(-2, -1)) * scale
    if not plain:
        scores = called(score_mod, scores, *indices(batch, heads, queries, keys)).expand(batch, heads, queries, keys)
    seen = None
    if mask is not None:
        if not _all_see_themselves(block_mask, queries, keys):
            # rows that see nothing are computed as if they saw everything, and then left out
            seen = _reduce.any(mask.expand(*mask.shape[:-1], keys), -1, True)
            mask = _ops.logical_or(mask, _ops.logical_not(seen))
        scores = _ops.where(mask, scores, -math.inf)
    output = matmul(_reduce.softmax(scores, -1).to(value.dtype), value)
    if seen is not None:
        output = _ops.where(seen, output, 0.0)
    # laid out [B, Q, H, D], as that of the fused kernels
    output = output.transpose(1, 2).contiguous().transpose(1, 2)
    found = AuxOutput(_per_row(_reduce.logsumexp, scores, seen) if aux.lse else None,
                      _per_row(_reduce.amax, scores, seen) if aux.max_scores else None)  # fmt: skip
    if return_aux is not None:
        return output, found
    return (output, found.lse) if return_lse else output


def _per_row(reduce, scores, seen):
    found = reduce(scores, -1)
    return found if seen is None else _ops.where(seen.squeeze(-1), found, -math.inf)


def _all_see_themselves(block_mask, queries, keys):
    """Whether it is known that no query is left without a key, because each sees the one in its own place."""
    diagonal = block_mask.at_diagonal(queries) if queries == keys else None
    found = None if diagonal is None else known_numbers(diagonal)
    return found is not None and all(found)


def _check(query, key, value, block_mask, grouped):
    for name, tensor in (("query", query), ("key", key), ("value", value)):
        if tensor.dim() != 4:
            raise ShapeError(f"flex_attention takes a {name} of 4 dimensions, not {list(tensor.shape)}")
    heads, few = query.shape[1], key.shape[1]
    if not grouped and heads != few:
        raise ValueError(f"Expect query and key/value to have the same number of heads but got Hq={heads} and Hkv={few}. "
                         "Try setting enable_gqa=True for GQA.")  # fmt: skip
    if heads % few:
        raise ValueError("Expect number of query heads to be a multiple of kv heads for GQA but got "
                         f"Hq={heads} and Hkv={few}.")  # fmt: skip
    if block_mask is not None and tuple(block_mask.seq_lengths) != (query.shape[2], key.shape[2]):
        raise ValueError(f"block_mask was created for block_mask.shape={block_mask.shape} but got q_len={query.shape[2]} and "
                         f"kv_len={key.shape[2]}; create a block mask of these lengths")  # fmt: skip


__all__ = ["AuxOutput", "AuxRequest", "BlockMask", "and_masks", "create_block_mask", "create_mask", "flex_attention", "noop_mask",
           "or_masks", "_DEFAULT_SPARSE_BLOCK_SIZE"]  # fmt: skip
