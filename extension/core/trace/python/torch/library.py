"""torch.library: a custom operation is the Python function that defines it."""

import inspect

from crossover_tracer.errors import Unsupported

from . import ops


class CustomOp:
    """The decorated function, also reachable as torch.ops.<namespace>.<name>."""

    def __init__(self, name, function):
        self.name, self.function, self.setup, self.backward = name, function, None, None
        space, _, short = name.partition("::")
        setattr(getattr(ops, space), short, self)

    def __call__(self, *args, **kwargs):
        if self.backward is None:
            return self.function(*args, **kwargs)
        given = inspect.signature(self.function).bind(*args, **kwargs)
        given.apply_defaults()
        return self._differentiable().apply(*given.args, *given.kwargs.values())

    def _differentiable(self):
        from .autograd import Function

        operation = self
        parameters = inspect.signature(self.function).parameters.values()
        keywords = [item.name for item in parameters if item.kind is item.KEYWORD_ONLY]
        positional = len(parameters) - len(keywords)

        class Custom(Function):
            @staticmethod
            def forward(ctx, *args):
                output = operation.function(*args[:positional], **dict(zip(keywords, args[positional:])))
                if operation.setup is not None:
                    operation.setup(ctx, args, output)
                return output

            @staticmethod
            def backward(ctx, *gradients):
                return operation.backward(ctx, *gradients)

        return Custom

    default = property(lambda self: self)

    def register_fake(self, function=None):
        return function if function is not None else lambda fake: fake

    register_kernel = lambda self, *_args: lambda function: function

    def register_autograd(self, backward, /, *, setup_context=None):
        self.backward, self.setup = backward, setup_context


def custom_op(name, fn=None, /, *, mutates_args=(), device_types=None, schema=None):
    return CustomOp(name, fn) if fn is not None else lambda function: CustomOp(name, function)


triton_op = custom_op


def register_fake(op, func=None, /, **_kwargs):
    return func if func is not None else lambda function: function


impl_abstract = register_kernel = impl = register_fake


def register_autograd(op, backward, /, *, setup_context=None, **_kwargs):
    if not isinstance(op, CustomOp):
        space, _, short = str(op).partition("::")
        op = getattr(getattr(ops, space), short)
    # the known kernels are differentiated as what they are made of
    if isinstance(op, CustomOp):
        op.register_autograd(backward, setup_context=setup_context)


class Library:
    def __init__(self, *_args, **_kwargs):
        pass

    def define(self, *_args, **_kwargs):
        return None

    def impl(self, *_args, **_kwargs):
        raise Unsupported("torch.library.Library.impl is not traced; use torch.library.custom_op")
