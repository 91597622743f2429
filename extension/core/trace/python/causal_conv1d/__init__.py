"""causal_conv1d: convolutions of every channel by itself that look back only.

x [batch, channels, time], weight [channels, taps], bias [channels].
"""

from crossover_tracer.errors import Unsupported
from torch import cat
from torch.nn import functional as F

__version__ = "1.5.0"
__all__ = ["causal_conv1d_fn", "causal_conv1d_update"]


def _activated(x, activation):
    if activation not in (None, "silu", "swish"):
        raise Unsupported(f"causal_conv1d has no activation {activation!r}; it is None, 'silu' or 'swish'")
    return x if activation is None else F.silu(x)


def causal_conv1d_fn(x, weight, bias=None, seq_idx=None, initial_states=None, return_final_states=False,
                     final_states_out=None, activation=None):  # fmt: skip
    """y [B, C, T]; with final states also the last taps - 1 tokens [B, C, taps - 1]."""
    if seq_idx is not None or final_states_out is not None:
        raise Unsupported("causal_conv1d_fn with seq_idx or final_states_out is not traced; use sequences of equal length")
    channels, taps = weight.shape
    before = x.new_zeros(x.shape[0], channels, taps - 1) if initial_states is None else initial_states
    whole = cat((before.to(x.dtype), x), -1) if initial_states is not None or return_final_states else None
    filters = weight.to(x.dtype).unsqueeze(1)
    if initial_states is None:
        y = F.conv1d(x, filters, bias, padding=taps - 1, groups=channels)[..., : x.shape[-1]]
    else:
        y = F.conv1d(whole, filters, bias, groups=channels)
    y = _activated(y, activation)
    return (y, whole[..., whole.shape[-1] - taps + 1 :]) if return_final_states else y


def causal_conv1d_update(x, conv_state, weight, bias=None, activation=None, cache_seqlens=None, conv_state_indices=None):
    """A decoder's step: x [B, C] or [B, C, T], `conv_state` [B, C, taps or more] moves on in place."""
    if cache_seqlens is not None or conv_state_indices is not None:
        raise Unsupported("causal_conv1d_update with cache_seqlens or conv_state_indices is not traced; leave them out")
    steps = x.unsqueeze(-1) if x.dim() == 2 else x
    taps, count = weight.shape[1], steps.shape[-1]
    whole = cat((conv_state, steps.to(conv_state.dtype)), -1)
    conv_state.copy_(whole[..., whole.shape[-1] - conv_state.shape[-1] :])
    y = F.conv1d(whole[..., whole.shape[-1] - count - taps + 1 :], weight.unsqueeze(1), bias, groups=weight.shape[0])
    y = _activated(y.to(x.dtype), activation)
    return y.squeeze(-1) if x.dim() == 2 else y


def __getattr__(name):
    from crossover_tracer.shells import Shell

    if name.startswith("__"):
        raise AttributeError(name)
    return Shell(f"causal_conv1d.{name}")
