"""Masks of flex_attention: functions of indices, and the blocks of keys that each block of queries visits."""

import inspect
import operator

from crossover_tracer import recorder as R
from crossover_tracer.errors import Unsupported

from ... import _create, _join, _ops, _reduce
from ... import _types as T
from ..._tensor import Tensor

DEFAULT_BLOCK_SIZE = 128


def indices(batch, heads, queries, keys):
    """b [B, 1, 1, 1], h [1, H, 1, 1], q_idx [1, 1, Q, 1] and kv_idx [1, 1, 1, K]: what mask_mod and score_mod are called with."""
    sizes = (batch, heads, queries, keys)
    return [_create.arange(size).reshape([size if dim == place else 1 for dim in range(4)]) for place, size in enumerate(sizes)]


_WHOLE = set("sum mean amax amin prod argmax argmin cumsum cumprod topk sort softmax log_softmax layer_norm rms_norm group_norm "
             "matmul linear sdpa scatter scatter_add conv1d cross_entropy nll_loss tril triu".split())  # fmt: skip


def called(mod, *args):
    """`mod(*args)`, every element of which is found to be computed from its own indices, as PyTorch's vmap has it.

    What it records must not join places: of the operations on what depends on the arguments, only those along further
    dimensions than the four may.
    """
    graph = R.current.graph
    start, own = len(graph.nodes), {arg._v() for arg in args}
    found = mod(*args)
    for op, inputs, outputs, attrs, *_ in graph.nodes[start:]:
        if own.isdisjoint(inputs):
            continue
        own.update(outputs)
        dims = attrs[1] if attrs and attrs[0] in ("dim", "dims") else ()
        dims = (dims,) if isinstance(dims, int) else dims
        if op in _WHOLE and not (dims and min(dims) >= 4):
            raise Unsupported(
                f"a mask_mod or score_mod that takes `{op}` of its scores or indices is not traced; compute each element from "
                "its own b, h, q_idx and kv_idx, and count the dimensions of what they index from the right"
            )
    return found


def as_mask(found):
    """What a mask_mod returned, as a tensor of booleans."""
    if not isinstance(found, Tensor):
        return _create.tensor(bool(found))
    return found if found.dtype is T.bool_ else _ops.ne(found, 0)


def noop_mask(batch, head, token_q, token_kv):
    return batch.new_ones((), dtype=T.bool_)


def and_masks(*mask_mods):
    return _combined(operator.and_, True, mask_mods)


def or_masks(*mask_mods):
    return _combined(operator.or_, False, mask_mods)


def _combined(join, empty, mask_mods):
    if not all(callable(mod) for mod in mask_mods):
        raise RuntimeError(f"All inputs should be callable mask_mods: {mask_mods}")

    def mask_mod(b, h, q_idx, kv_idx):
        masks = [mod(b, h, q_idx, kv_idx) for mod in mask_mods]
        whole = masks[0] if masks else b.new_full((), empty, dtype=T.bool_)
        for mask in masks[1:]:
            whole = join(whole, mask)
        return whole

    return mask_mod


def create_mask(mod_fn, B, H, Q_LEN, KV_LEN, device=None):
    """The mask [B or 1, H or 1, Q, K] of a mask_mod; of a score_mod, where it does not give minus infinity."""
    shape = (B or 1, H or 1, Q_LEN, KV_LEN)
    if positional(mod_fn) == 5:
        scores = called(mod_fn, _create.zeros(shape), *indices(*shape))
        return _ops.ne(scores, float("-inf")).expand(shape)
    return as_mask(called(mod_fn, *indices(*shape))).expand(shape)


def positional(function):
    """How many positional arguments a function has to be given; 4 where that cannot be read."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return 4
    return sum(item.kind in (item.POSITIONAL_ONLY, item.POSITIONAL_OR_KEYWORD) and item.default is item.empty
               for item in parameters)  # fmt: skip


def vectors_to_indices(mod, prefix, suffix=(), out_dims=0, group_dim=False):
    """`mod` as a function of vectors b, h, q_idx and kv_idx after as many arguments as `prefix` has: PyTorch's _vmap_for_bhqkv."""

    def function(*args):
        places = args[len(prefix) : len(prefix) + 4]
        shaped = [x.reshape([-1 if dim == place else 1 for dim in range(4)]) for place, x in enumerate(places)]
        found = called(mod, *args[: len(prefix)], *shaped)
        return found.expand([x.numel() for x in places])

    if suffix or group_dim:
        raise Unsupported("_vmap_for_bhqkv with suffix or group_dim is not traced; call create_mask")
    return function


def create_block_mask(mask_mod, B, H, Q_LEN, KV_LEN, device=None, BLOCK_SIZE=DEFAULT_BLOCK_SIZE, _compile=False,
                      separate_full_blocks=True, **_orders):  # fmt: skip
    """The mask_mod itself: which of its blocks are empty changes nothing but speed."""
    if positional(mask_mod) != 4:
        raise AssertionError(f"create-block_mask requires a mask_mod function! Got {mask_mod}")
    size = (BLOCK_SIZE, BLOCK_SIZE) if isinstance(BLOCK_SIZE, int) else tuple(BLOCK_SIZE)
    return BlockMask((Q_LEN, KV_LEN), None, None, None, None, BLOCK_SIZE=size, mask_mod=mask_mod, outer=(B or 1, H or 1))


def _visited(counts, blocks):
    """counts [B, H, R], blocks [B, H, R, C]: booleans [B, H, R, C], whether column j is among the first counts[r] of row r."""
    columns = blocks.shape[-1]
    listed = _create.arange(columns) < counts.unsqueeze(-1)
    hits = _ops.logical_and(blocks.unsqueeze(-1) == _create.arange(columns), listed.unsqueeze(-1))
    return _reduce.any(hits, -2)


class BlockMask:
    """Rows of blocks of queries with the blocks of keys they visit: some of them whole, in the others where mask_mod is true.

    One made of a mask_mod alone has no lists until they are asked for.
    """

    def __init__(self, seq_lengths, kv_num_blocks, kv_indices, full_kv_num_blocks, full_kv_indices, *_transposed,
                 BLOCK_SIZE=(DEFAULT_BLOCK_SIZE, DEFAULT_BLOCK_SIZE), mask_mod=noop_mask, outer=None, **_orders):  # fmt: skip
        self.seq_lengths = tuple(seq_lengths)
        self.BLOCK_SIZE, self.mask_mod = tuple(BLOCK_SIZE), mask_mod
        self._outer = tuple(outer) if outer is not None else tuple(kv_num_blocks.shape[:-1])
        self._lists = None
        if kv_indices is not None:
            self._lists = (kv_num_blocks, kv_indices, full_kv_num_blocks, full_kv_indices)

    @classmethod
    def from_kv_blocks(cls, kv_num_blocks, kv_indices, full_kv_num_blocks=None, full_kv_indices=None,
                       BLOCK_SIZE=DEFAULT_BLOCK_SIZE, mask_mod=None, seq_lengths=None, compute_q_blocks=True,
                       **_orders):  # fmt: skip
        """kv_num_blocks [B, H, R] and kv_indices [B, H, R, C], and the same for blocks that are seen whole."""
        if kv_indices.dim() < 2:
            raise RuntimeError("BlockMask must have at least 2 dimensions")
        if (full_kv_num_blocks is None) != (full_kv_indices is None):
            raise AssertionError("full_kv_num_blocks and full_kv_indices must be both provided or omitted")
        size = (BLOCK_SIZE, BLOCK_SIZE) if isinstance(BLOCK_SIZE, int) else tuple(BLOCK_SIZE)
        lengths = [count * block for count, block in zip(kv_indices.shape[-2:], size)]
        return cls(seq_lengths or lengths, kv_num_blocks, kv_indices, full_kv_num_blocks, full_kv_indices,
                   BLOCK_SIZE=size, mask_mod=mask_mod or noop_mask)  # fmt: skip

    def mask(self, batch, heads, queries, keys):
        """Booleans that broadcast to [B, H, Q, K]."""
        places = indices(batch, heads, queries, keys)
        found = as_mask(called(self.mask_mod, *places))
        if self._lists is None:
            return found
        counts, blocks, full_counts, full_blocks = (None if x is None else x.long() for x in self._lists)
        found = _ops.logical_and(found, self._spread(_visited(counts, blocks), queries, keys))
        if full_counts is not None:
            found = _ops.logical_or(found, self._spread(_visited(full_counts, full_blocks), queries, keys))
        return found

    def at_diagonal(self, length):
        """Booleans that broadcast to [B, H, T]: which queries see the key in their own place; None for a mask of lists."""
        if self._lists is not None:
            return None
        b, h, at, _ = indices(*self._outer, length, 1)
        return as_mask(self.mask_mod(b.squeeze(-1), h.squeeze(-1), at.squeeze(-1), at.squeeze(-1)))

    def _spread(self, blocks, queries, keys):
        """Blocks [B, H, R, C] over their elements: [B, H, Q, K]."""
        rows, columns = self.BLOCK_SIZE
        wide = _join.repeat_interleave(_join.repeat_interleave(blocks, rows, -2), columns, -1)
        wide = wide[..., :queries, :keys]
        return wide.reshape([1] * (4 - wide.dim()) + list(wide.shape))

    # Lists

    def _made(self):
        """The four lists, partial blocks in ascending order, as create_block_mask gives them."""
        if self._lists is None:
            (rows, columns), (queries, keys) = self.BLOCK_SIZE, self.seq_lengths
            shape = (*self._outer, queries, keys)
            seen = as_mask(called(self.mask_mod, *indices(*shape))).expand(shape)
            grown = _join.padded(seen, [0] * 4, [0, 0, -queries % rows, -keys % columns], 0)
            many = grown.reshape(*self._outer, -(-queries // rows), rows, -(-keys // columns), columns).sum((-3, -1))
            full = many == rows * columns
            partial = _ops.logical_and(many > 0, ~full)
            self._lists = (*_listed(partial), *_listed(full))
        return self._lists

    kv_num_blocks = property(lambda self: self._made()[0])
    kv_indices = property(lambda self: self._made()[1])
    full_kv_num_blocks = property(lambda self: self._made()[2])
    full_kv_indices = property(lambda self: self._made()[3])

    @property
    def shape(self):
        return (*self._outer, *self.seq_lengths)

    def to_dense(self):
        """Which blocks are visited, int32 [B, H, R, C]."""
        counts, blocks, full_counts, full_blocks = self._made()
        dense = _visited(counts, blocks)
        if full_counts is not None:
            dense = _ops.logical_or(dense, _visited(full_counts, full_blocks))
        return dense.to(T.int32)

    def to(self, device):
        return self

    def __getitem__(self, index):
        raise Unsupported("slices of a BlockMask are not traced; create one of the wanted size")

    def __repr__(self):
        return f"BlockMask(shape={self.shape})"


def _listed(dense):
    """Booleans [B, H, R, C] as how many are true of each row, and their columns, the true ones first."""
    count = dense.sum(-1).to(T.int32)
    order = _reduce.sort(_ops.where(dense, 0, 1) * dense.shape[-1] + _create.arange(dense.shape[-1]), -1).indices
    return count, order.to(T.int32)
