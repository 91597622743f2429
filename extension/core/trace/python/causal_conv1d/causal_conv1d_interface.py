"""The module causal_conv1d's functions also live in."""

from . import causal_conv1d_fn, causal_conv1d_update

__all__ = ["causal_conv1d_fn", "causal_conv1d_update"]
