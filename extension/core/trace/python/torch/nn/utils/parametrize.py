"""torch.nn.utils.parametrize: a tensor of a module computed from others each time it is read."""

import contextlib

from ..modules.container import ModuleDict, ModuleList
from ..parameter import Parameter
from ..._tensor import Tensor


class ParametrizationList(ModuleList):
    """The functions applied in turn to `original`, or to `original0`, `original1`, ... where right_inverse gives several."""

    def __init__(self, modules, original, unsafe=False):
        super().__init__(modules)
        value = original.detach()
        for module in reversed(list(self)):
            if hasattr(module, "right_inverse"):
                value = module.right_inverse(value)
        self.is_tensor = isinstance(value, Tensor)
        self.ntensors = 1 if self.is_tensor else len(value)
        kept = isinstance(original, Parameter)
        for name, part in zip(self._names(), (value,) if self.is_tensor else value):
            if kept:
                setattr(self, name, Parameter(part.detach(), requires_grad=original.requires_grad))
            else:
                self.register_buffer(name, part)

    def _names(self):
        return ["original"] if self.is_tensor else [f"original{i}" for i in range(self.ntensors)]

    def right_inverse(self, value):
        for module in reversed(list(self)):
            if not hasattr(module, "right_inverse"):
                raise RuntimeError(f"parametrization {type(module).__name__} does not implement right_inverse")
            value = module.right_inverse(value)
        for name, part in zip(self._names(), (value,) if self.is_tensor else value):
            getattr(self, name).data = part.detach()

    def forward(self):
        first, *rest = list(self)
        value = first(*(getattr(self, name) for name in self._names()))
        for module in rest:
            value = module(value)
        return value


def register_parametrization(module, tensor_name, parametrization, *, unsafe=False):
    """`parametrization(tensor)` in the place of `module.tensor_name`, whose content moves to `parametrizations.<name>`."""
    if is_parametrized(module, tensor_name):
        _append(module.parametrizations[tensor_name], parametrization)
        return module
    original = module._parameters.get(tensor_name, module._buffers.get(tensor_name))
    if original is None:
        raise ValueError(f"Module '{module}' does not have a parameter, a buffer, or a parametrized element with name "
                         f"'{tensor_name}'")  # fmt: skip
    chain = ParametrizationList([parametrization], original, unsafe)
    delattr(module, tensor_name)
    if not is_parametrized(module):
        kind = type(module)
        fields = {"parametrized_kind": kind, "__module__": kind.__module__}
        module.__class__ = type(f"Parametrized{kind.__name__}", (kind,), fields)
        module.parametrizations = ModuleDict()
    module.parametrizations[tensor_name] = chain
    setattr(type(module), tensor_name, _property(tensor_name))
    return module


def _append(chain, parametrization):
    """One more function, the first to be inverted."""
    if hasattr(parametrization, "right_inverse") and chain.is_tensor:
        value = parametrization.right_inverse(chain())
        if not isinstance(value, Tensor):
            raise ValueError("The parametrization's right_inverse gives several tensors, which only the first one may")
        for module in reversed(list(chain)):
            if hasattr(module, "right_inverse"):
                value = module.right_inverse(value)
        chain.original.data = value.detach()
    chain.append(parametrization)


def _property(name):
    def get(self):
        if _cached is None:
            return self.parametrizations[name]()
        key = (id(self), name)
        if key not in _cached:
            _cached[key] = self.parametrizations[name]()
        return _cached[key]

    return property(get, lambda self, value: self.parametrizations[name].right_inverse(value))


_cached = None


@contextlib.contextmanager
def cached():
    """Within it every parametrised tensor is computed once."""
    global _cached
    outer, _cached = _cached, {} if _cached is None else _cached
    try:
        yield
    finally:
        _cached = outer


def is_parametrized(module, tensor_name=None):
    chains = module.__dict__.get("_modules", {}).get("parametrizations")
    if not isinstance(chains, ModuleDict):
        return False
    return len(chains) > 0 if tensor_name is None else tensor_name in chains


def type_before_parametrizations(module):
    return getattr(type(module), "parametrized_kind", type(module))


def remove_parametrizations(module, tensor_name, leave_parametrized=True):
    """The tensor as a parameter again: its present content, or `original` without `leave_parametrized`."""
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"Module {module} does not have a parametrization on {tensor_name}")
    chain = module.parametrizations[tensor_name]
    if not leave_parametrized and not chain.is_tensor:
        raise ValueError("Cannot leave unparametrized a tensor made of several")
    value = (chain() if leave_parametrized else chain.original).detach()
    first = getattr(chain, chain._names()[0])
    del module.parametrizations[tensor_name]
    delattr(type(module), tensor_name)
    if isinstance(first, Parameter):
        module.register_parameter(tensor_name, Parameter(value, requires_grad=first.requires_grad))
    else:
        module.register_buffer(tensor_name, value)
    if not len(module.parametrizations):
        delattr(module, "parametrizations")
        module.__class__ = type_before_parametrizations(module)
    return module


__all__ = ["ParametrizationList", "cached", "is_parametrized", "register_parametrization", "remove_parametrizations",
           "type_before_parametrizations"]  # fmt: skip
