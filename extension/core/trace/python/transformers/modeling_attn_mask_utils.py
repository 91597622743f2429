"""Causal masks [B, 1, T, S] that are added to scores: zero where a query sees a key, the smallest number where not."""

import torch


def _prepare_4d_causal_attention_mask(
    attention_mask, input_shape, inputs_embeds, past_key_values_length=0, sliding_window=None
):
    """attention_mask: [B, S] with zeros at padding, or None."""
    batch, queries = input_shape[0], input_shape[-1]
    keys = queries + past_key_values_length
    dtype, device = inputs_embeds.dtype, inputs_embeds.device
    query = torch.arange(past_key_values_length, keys, device=device)[:, None]
    key = torch.arange(keys, device=device)[None, :]
    hidden = key > query
    if sliding_window is not None:
        hidden = hidden | (key <= query - sliding_window)
    lowest = torch.finfo(dtype).min
    mask = torch.zeros(queries, keys, dtype=dtype, device=device).masked_fill(hidden, lowest)
    mask = mask[None, None].expand(batch, 1, queries, keys)
    if attention_mask is not None and attention_mask.dim() == 2:
        mask = mask.masked_fill(attention_mask[:, None, None, :] == 0, lowest)
    return mask


def _prepare_4d_causal_attention_mask_for_sdpa(
    attention_mask, input_shape, inputs_embeds, past_key_values_length=0, sliding_window=None
):
    """None where `is_causal` says it all."""
    if attention_mask is None and sliding_window is None:
        return None
    return _prepare_4d_causal_attention_mask(
        attention_mask, input_shape, inputs_embeds, past_key_values_length, sliding_window
    )
