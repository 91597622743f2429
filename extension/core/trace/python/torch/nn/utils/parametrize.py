"""Parametrisations are not traced."""

from crossover_tracer.errors import Unsupported


def register_parametrization(module, tensor_name, parametrization, *, unsafe=False):
    raise Unsupported("parametrizations are not traced; compute the weight in forward")


def is_parametrized(module, tensor_name=None):
    return False
