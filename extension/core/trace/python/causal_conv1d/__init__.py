"""causal_conv1d: short convolutions over time that see no later token. x is [batch, channels, time]."""

from crossover_tracer.errors import Unsupported
from crossover_tracer.shells import Shell
from torch.nn import functional as F


def causal_conv1d_fn(x, weight, bias=None, seq_idx=None, initial_states=None, return_final_states=False,
                     final_states_out=None, activation=None):  # fmt: skip
    """weight [channels, width], bias [channels]; activation None, "silu" or "swish"."""
    if seq_idx is not None or initial_states is not None or return_final_states or final_states_out is not None:
        raise Unsupported("causal_conv1d_fn with seq_idx or states is not traced; leave them out")
    if activation not in (None, "silu", "swish"):
        raise Unsupported(f"causal_conv1d_fn has no activation {activation!r}; it is None, 'silu' or 'swish'")
    width = weight.shape[-1]
    y = F.conv1d(x, weight.unsqueeze(1), bias, padding=width - 1, groups=x.shape[1])[..., : x.shape[-1]]
    return y if activation is None else F.silu(y)


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return Shell(f"causal_conv1d.{name}")
