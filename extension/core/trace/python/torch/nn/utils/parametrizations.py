"""torch.nn.utils.parametrizations: weight_norm; the others are refused with a sentence."""

from crossover_tracer.errors import Unsupported

from ..modules.module import Module
from .parametrize import register_parametrization
from .weight_norm import norm_except_dim, normalised


class _WeightNorm(Module):
    """original0: lengths, original1: directions."""

    def __init__(self, dim=0):
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g, weight_v):
        return normalised(weight_v, weight_g, self.dim)

    def right_inverse(self, weight):
        return norm_except_dim(weight, 2, self.dim), weight


def weight_norm(module, name="weight", dim=0):
    return register_parametrization(module, name, _WeightNorm(dim))


def spectral_norm(module, name="weight", **_kwargs):
    raise Unsupported("parametrizations.spectral_norm is not traced; use the plain layer")


def orthogonal(module, name="weight", **_kwargs):
    raise Unsupported("parametrizations.orthogonal is not traced; use nn.init.orthogonal_ on the plain weight")
