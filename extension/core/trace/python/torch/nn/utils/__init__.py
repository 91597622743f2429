"""Gradient clipping belongs to the run; weight normalisation and parametrisations."""

from crossover_tracer.errors import Unsupported

from . import parametrizations, parametrize, rnn
from .weight_norm import remove_weight_norm, weight_norm


def clip_grad_norm_(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    from ..._create import scalar_tensor

    return scalar_tensor(0.0)


def clip_grad_value_(parameters, clip_value, foreach=None):
    return None


def parameters_to_vector(parameters):
    from ..._join import cat

    return cat([parameter.reshape(-1) for parameter in parameters])


def vector_to_parameters(vec, parameters):
    """Writes stretches of `vec` into the parameters, one after the other."""
    start = 0
    for parameter in parameters:
        parameter.data = vec[start : start + parameter.numel()].view_as(parameter).data
        start += parameter.numel()


def spectral_norm(module, name="weight", **_kwargs):
    raise Unsupported("spectral_norm is not traced; use the plain layer")


clip_grad_norm = clip_grad_norm_

__all__ = ["clip_grad_norm", "clip_grad_norm_", "clip_grad_value_", "parameters_to_vector", "parametrizations", "parametrize",
           "remove_weight_norm", "rnn", "spectral_norm", "vector_to_parameters", "weight_norm"]  # fmt: skip
