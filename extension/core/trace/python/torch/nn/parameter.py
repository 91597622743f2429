"""Parameter and Buffer."""

from .. import _create
from .._tensor import ALIAS, Tensor, new_view


class Parameter(Tensor):
    """A tensor a Module registers as trainable. Shares storage with the tensor it is made of."""

    def __new__(cls, data=None, requires_grad=True):
        if data is None:
            data = _create.empty(0)
        view = new_view(data, ALIAS, data.shape, data._strides, data._offset)
        parameter = object.__new__(cls)
        parameter.__dict__.update(view.__dict__)
        parameter._leaf = True
        parameter._rg = False
        # a parameter made of a traced value starts from its content, not from its gradient
        if data._storage.requires_grad:
            parameter.data = data.detach().clone()
        parameter.requires_grad = requires_grad
        parameter.grad = None
        return parameter

    def __init__(self, data=None, requires_grad=True):
        pass

    def __repr__(self):
        return "Parameter containing:\n" + super().__repr__()


class Buffer(Tensor):
    """A tensor a Module registers as a buffer when it is assigned."""

    def __new__(cls, data=None, *, persistent=True):
        if data is None:
            data = _create.empty(0)
        view = new_view(data, ALIAS, data.shape, data._strides, data._offset)
        buffer = object.__new__(cls)
        buffer.__dict__.update(view.__dict__)
        buffer.persistent = persistent
        return buffer

    def __init__(self, data=None, *, persistent=True):
        pass


class UninitializedParameter(Parameter):
    """A lazy parameter, which the tracer refuses."""

    def __new__(cls, *_args, **_kwargs):
        from crossover_tracer.errors import Unsupported

        raise Unsupported("lazy modules are not traced; give the layer its input size")
