"""Gradient clipping belongs to the run; weight re-parametrisations are not traced."""

from crossover_tracer.errors import Unsupported

from . import parametrizations, parametrize, rnn


def clip_grad_norm_(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    from ..._create import scalar_tensor

    return scalar_tensor(0.0)


def clip_grad_value_(parameters, clip_value, foreach=None):
    return None


def parameters_to_vector(parameters):
    from ..._join import cat

    return cat([parameter.reshape(-1) for parameter in parameters])


def weight_norm(module, name="weight", dim=0):
    raise Unsupported("weight_norm is not traced; use the plain layer")


def spectral_norm(module, name="weight", **_kwargs):
    raise Unsupported("spectral_norm is not traced; use the plain layer")


__all__ = ["clip_grad_norm_", "clip_grad_value_", "parameters_to_vector", "parametrizations", "parametrize", "rnn",
           "weight_norm"]  # fmt: skip
