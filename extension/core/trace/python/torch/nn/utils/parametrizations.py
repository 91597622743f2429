"""torch.nn.utils.parametrizations: refused with a sentence."""

from crossover_tracer.errors import Unsupported


def weight_norm(module, name="weight", dim=0):
    raise Unsupported("parametrizations.weight_norm is not traced; compute the weight in forward")


def spectral_norm(module, name="weight", **_kwargs):
    raise Unsupported("parametrizations.spectral_norm is not traced; use the plain layer")


def orthogonal(module, name="weight", **_kwargs):
    raise Unsupported("parametrizations.orthogonal is not traced; use nn.init.orthogonal_ on the plain weight")
