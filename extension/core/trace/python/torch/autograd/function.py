"""User-defined derivatives: forward and backward are both recorded, and spliced together by the compiler.

A Function whose forward calls one of the known recurrent kernels is not such a case: the kernel is a native operation
with a derivative of its own, so the user's backward is left alone.
"""

from crossover_tracer import recorder as R
from crossover_tracer.errors import ShapeError, Unsupported

from .. import _types as T
from .._pointwise import expand_value
from .._tensor import Tensor, fresh


class FunctionCtx:
    """What `forward` leaves for `backward`."""

    def __init__(self):
        self.saved = ()
        self.needs_input_grad = ()

    def save_for_backward(self, *tensors):
        self.saved = tensors

    def save_for_forward(self, *tensors):
        return None

    @property
    def saved_tensors(self):
        return self.saved

    saved_variables = saved_tensors

    def mark_dirty(self, *tensors):
        return None

    def mark_non_differentiable(self, *tensors):
        self.plain = tensors

    def set_materialize_grads(self, value):
        return None


class Function:
    """torch.autograd.Function with static `forward(ctx, ...)` and `backward(ctx, *gradients)`."""

    def __init__(self, *_args, **_kwargs):
        raise RuntimeError(f"{type(self).__name__} should not be instantiated; use {type(self).__name__}.apply")

    @staticmethod
    def forward(ctx, *args, **kwargs):
        raise NotImplementedError("You must implement the forward function for custom autograd.Function.")

    @staticmethod
    def backward(ctx, *gradients):
        raise NotImplementedError("You must implement the backward function for custom autograd.Function.")

    @classmethod
    def apply(cls, *args, **kwargs):
        recorder = R.current
        inputs = [arg for arg in args if isinstance(arg, Tensor)]
        differentiable = recorder.graph is recorder.forward and recorder.grad_enabled and not recorder.region
        ctx = FunctionCtx()
        ctx.needs_input_grad = tuple(isinstance(arg, Tensor) and arg.requires_grad for arg in args)
        before = tuple(tensor._v() for tensor in inputs)
        recorder.region += 1
        used, recorder.kernel_used = recorder.kernel_used, False
        try:
            if _takes_ctx(cls):
                output = cls.forward(ctx, *args, **kwargs)
            else:
                output = cls.forward(*args, **kwargs)
                cls.setup_context(ctx, args, output)
            native, recorder.kernel_used = recorder.kernel_used, used
            outputs = list(output) if isinstance(output, (tuple, list)) else [output]
            tensors = [item for item in outputs if isinstance(item, Tensor)]
            needs = differentiable and any(tensor.requires_grad for tensor in inputs)
            if needs and not native:
                _check(tensors)
                outputs = [_separate(item) for item in outputs]
                tensors = [item for item in outputs if isinstance(item, Tensor)]
                _record_backward(cls, ctx, args, inputs, before, tensors)
        finally:
            recorder.region -= 1
        for tensor in tensors:
            if tensor.dtype.category >= 2:
                tensor._rg = bool(needs)
        if isinstance(output, (tuple, list)):
            return type(output)(outputs) if isinstance(output, list) else tuple(outputs)
        return outputs[0]


def hooked(tensor, hook):
    """The tensor, with its gradient passed through `hook`."""

    class Hook(Function):
        @staticmethod
        def forward(ctx, input):
            return input

        @staticmethod
        def backward(ctx, gradient):
            found = hook(gradient)
            return gradient if found is None else found

    return Hook.apply(tensor)


def _takes_ctx(cls):
    return not hasattr(cls, "setup_context")


def _check(tensors):
    for tensor in tensors:
        if tensor.dtype.category == 3:
            raise Unsupported("an autograd.Function with complex results is not traced; return real tensors")


def _separate(item):
    """An output as a value of its own, which no equal value elsewhere is merged with: its gradient is the user's."""
    if not isinstance(item, Tensor):
        return item
    value = R.current.emit("detach", (item._v(),), (), T.code_of(item.dtype), tuple(item.shape))
    return fresh(value, item.dtype, item.shape, item.device, False, item._strides)


def _record_backward(cls, ctx, args, inputs, before, outputs):
    recorder = R.current
    cotangents = []
    with recorder.into_backward():
        gradients = []
        for tensor in outputs:
            code = T.code_of(tensor.dtype)
            value = recorder.emit("cotangent", (), (), code, tuple(tensor.shape))
            cotangents.append(value)
            gradients.append(fresh(value, tensor.dtype, tensor.shape, tensor.device))
        saved, recorder.grad_enabled = recorder.grad_enabled, False
        try:
            found = cls.backward(ctx, *gradients)
        finally:
            recorder.grad_enabled = saved
        found = found if isinstance(found, (tuple, list)) else (found,)
        if len(found) < len(args):
            found = (*found, *([None] * (len(args) - len(found))))
        values = []
        for arg, gradient in zip(args, found):
            if not isinstance(arg, Tensor):
                continue
            if gradient is None or arg.dtype.category < 2:
                values.append(None)
                continue
            if gradient.shape != arg.shape:
                if len(gradient.shape) > len(arg.shape):
                    raise ShapeError(f"Function {cls.__name__}Backward returned an invalid gradient: got "
                                     f"{list(gradient.shape)} but expected shape compatible with {list(arg.shape)}")  # fmt: skip
                value = expand_value(gradient._v(), gradient.shape, arg.shape, T.code_of(gradient.dtype))
                gradient = fresh(value, gradient.dtype, arg.shape, arg.device)
            values.append(gradient.to(arg.dtype)._v())
    recorder.graph.vjps.append((before, tuple(tensor._v() for tensor in outputs), tuple(cotangents), tuple(values)))


def once_differentiable(function):
    return function
