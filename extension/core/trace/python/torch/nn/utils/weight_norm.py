"""Weight normalisation (arXiv 1602.07868) by a hook: `weight_g` holds lengths, `weight_v` directions."""

from ... import _ops, _reduce
from ..parameter import Parameter


def norm_except_dim(v, pow=2, dim=0):
    """Lengths of v over all dims but one, kept with size 1; over all of them for -1, as a number."""
    if dim == -1:
        return _reduce.norm(v, pow)
    return _reduce.norm(v, pow, [d for d in range(v.dim()) if d != dim], True)


def normalised(v, g, dim):
    return v * _ops.div(g, norm_except_dim(v, 2, dim))


class WeightNorm:
    """Computes `name` of a module before each of its calls."""

    def __init__(self, name, dim):
        self.name, self.dim = name, -1 if dim is None else dim

    def compute_weight(self, module):
        return normalised(getattr(module, self.name + "_v"), getattr(module, self.name + "_g"), self.dim)

    def __call__(self, module, inputs):
        setattr(module, self.name, self.compute_weight(module))


def weight_norm(module, name="weight", dim=0):
    if any(isinstance(hook, WeightNorm) and hook.name == name for hook, _ in module._forward_pre_hooks.values()):
        raise RuntimeError(f"Cannot register two weight_norm hooks on the same parameter {name}")
    hook, weight = WeightNorm(name, dim), getattr(module, name)
    del module._parameters[name]
    module.register_parameter(name + "_g", Parameter(norm_except_dim(weight, 2, hook.dim).data))
    module.register_parameter(name + "_v", Parameter(weight.data))
    setattr(module, name, hook.compute_weight(module))
    module.register_forward_pre_hook(hook)
    return module


def remove_weight_norm(module, name="weight"):
    for key, (hook, _) in module._forward_pre_hooks.items():
        if isinstance(hook, WeightNorm) and hook.name == name:
            weight = hook.compute_weight(module)
            delattr(module, name)
            del module._parameters[name + "_g"], module._parameters[name + "_v"]
            setattr(module, name, Parameter(weight.data))
            del module._forward_pre_hooks[key]
            return module
    raise ValueError(f"weight_norm of '{name}' not found in {module}")
