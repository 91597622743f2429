"""What mamba_ssm's own source calls inside of its autograd functions."""

from torch._rwkv import differentiable

from . import __getattr__, causal_conv1d_fn, causal_conv1d_update  # noqa: F401


@differentiable
def causal_conv1d_fwd_function(x, weight, bias, seq_idx, initial_states, final_states_out, silu_activation):
    activation = "silu" if silu_activation else None
    return causal_conv1d_fn(x, weight, bias, seq_idx, initial_states, False, final_states_out, activation)


def causal_conv1d_update_function(x, conv_state, weight, bias, silu_activation, cache_seqlens=None, conv_state_indices=None):
    activation = "silu" if silu_activation else None
    return causal_conv1d_update(x, conv_state, weight, bias, activation, cache_seqlens, conv_state_indices)
