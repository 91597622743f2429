"""Autocast: dtypes are a matter of the experiment, so the context is kept only for code that asks about it."""

import functools

from .. import _types as T

_active = []


class autocast:
    """Context manager and decorator. Products of mixed float dtypes are allowed inside."""

    def __init__(self, device_type="cuda", dtype=None, enabled=True, cache_enabled=None):
        self.device, self.dtype, self.enabled = device_type, dtype or T.bfloat16, enabled

    def __enter__(self):
        _active.append(self)
        return self

    def __exit__(self, *_):
        _active.pop()

    def __call__(self, function):
        @functools.wraps(function)
        def wrapped(*args, **kwargs):
            with self:
                return function(*args, **kwargs)

        return wrapped


def enabled():
    return bool(_active) and _active[-1].enabled


def cast_for_product(*tensors):
    """Inside autocast, operands of a product get one dtype: the widest of them."""
    if not enabled():
        return tensors
    kind = tensors[0].dtype
    for tensor in tensors[1:]:
        if tensor is not None:
            kind = T.promote(kind, tensor.dtype)
    return tuple(None if tensor is None else tensor.to(kind) for tensor in tensors)


class GradScaler:
    """Does nothing: gradients are never scaled here."""

    def __init__(self, *_args, **_kwargs):
        pass

    def scale(self, outputs):
        return outputs

    def unscale_(self, optimizer):
        return None

    def step(self, optimizer, *args, **kwargs):
        return optimizer.step()

    def update(self, new_scale=None):
        return None

    def is_enabled(self):
        return False

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        return None


def custom_fwd(fwd=None, *, device_type=None, cast_inputs=None):
    return fwd if fwd is not None else lambda function: function


def custom_bwd(bwd=None, *, device_type=None):
    return bwd if bwd is not None else lambda function: function
