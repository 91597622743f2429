"""Random numbers, recorded in the order PyTorch draws them; the engine replays PyTorch's generator."""

import math

from crossover_tracer import recorder as R
from crossover_tracer.errors import Unsupported

from . import _types as T
from ._create import _filled, _kind
from ._tensor import sizes_from, strides_of


class Generator:
    """A generator object. The trace has one stream, so a seed given here seeds that stream."""

    def __init__(self, device=None):
        self.device = T.as_device(device)

    def manual_seed(self, seed):
        manual_seed(seed)
        return self

    def seed(self):
        return 0

    def initial_seed(self):
        return 0

    def get_state(self):
        return None

    def set_state(self, state):
        return None


default_generator = Generator.__new__(Generator)
default_generator.device = T.CPU


def manual_seed(seed):
    recorder = R.current
    if recorder.graph is recorder.init:
        recorder.emit_many("rng.seed", (), ("seed", int(seed) & 0xFFFFFFFF), ())
    return default_generator


def seed():
    return 0


def initial_seed():
    return 0


def get_rng_state(device=None):
    return None


def set_rng_state(state, device=None):
    return None


def _check_phase():
    recorder = R.current
    if recorder.graph is not recorder.init:
        raise Unsupported("random numbers drawn in the forward pass are not traced, except by dropout; use F.dropout")


def fill(tensor, op, attrs):
    """Draws the tensor's content. A tensor that is not contiguous is filled in memory order."""
    if tensor.device.type == "meta":
        return tensor
    _check_phase()
    if tensor._leaf and tensor._rg and R.current.grad_enabled:
        raise RuntimeError("a leaf Variable that requires grad is being used in an in-place operation.")
    code = T.code_of(tensor.dtype)
    shape = tuple(tensor.shape)
    strides = strides_of(tensor)
    order = sorted(range(len(shape)), key=lambda dim: -strides[dim] if shape[dim] != 1 else -math.inf)
    if op == "rng.normal":
        small = tensor.numel() < 16 or not tensor.is_contiguous()
        attrs = (*attrs, "small", small)
    emit = R.current.emit
    if tensor.is_contiguous() or order == sorted(order):
        value = emit(op, (), attrs, code, shape)
    else:
        value = emit(op, (), attrs, code, tuple(shape[dim] for dim in order))
        inverse = [0] * len(order)
        for place, dim in enumerate(order):
            inverse[dim] = place
        value = emit("permute", (value,), ("dims", tuple(inverse)), code, shape)
    tensor._write(value)
    return tensor


def _number(x):
    return float(x.item() if hasattr(x, "item") else x)


def normal_(input, mean=0.0, std=1.0, *, generator=None):
    if std < 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std}")
    return fill(input, "rng.normal", ("mean", _number(mean), "std", _number(std)))


def uniform_(input, a=0.0, b=1.0, *, generator=None, **named):
    low, high = named.get("from", a), named.get("to", b)
    return fill(input, "rng.uniform", ("low", _number(low), "high", _number(high)))


def random_(input, *bounds, generator=None, **named):
    low, high = (bounds if len(bounds) == 2 else (0, bounds[0])) if bounds else (named.get("from", 0), named.get("to"))
    if high is None:
        raise Unsupported("random_() without bounds is not traced; give it the upper bound")
    return _integers(input, low, high)


def _integers(tensor, low, high):
    if tensor.dtype is T.int64:
        return fill(tensor, "rng.randint", ("low", int(low), "high", int(high)))
    wide = _integers(_filled(tensor.shape, 0, T.int64, tensor.device), low, high)
    return tensor.copy_(wide)


def bernoulli_(input, p=0.5, *, generator=None):
    return fill(input, "rng.bernoulli", ("p", _number(p)))


def exponential_(input, lambd=1.0, *, generator=None):
    raise Unsupported("exponential_ is not traced; use uniform_ and log")


def trunc_normal_(input, mean, std, low, high):
    return fill(input, "rng.trunc_normal", ("mean", _number(mean), "std", _number(std), "low", _number(low),
                                            "high", _number(high)))  # fmt: skip


def orthogonal_(input, gain):
    return fill(input, "rng.orthogonal", ("gain", _number(gain)))


def randn(*size, generator=None, out=None, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False, **sized):
    result = normal_(_filled(sizes_from(size or (sized["size"],)), 0, _kind(dtype), device))
    return _marked(result, requires_grad)


def rand(*size, generator=None, out=None, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False, **sized):
    result = uniform_(_filled(sizes_from(size or (sized["size"],)), 0, _kind(dtype), device))
    return _marked(result, requires_grad)


def _marked(tensor, requires_grad):
    if requires_grad:
        tensor._leaf = True
        tensor.requires_grad = True
    return tensor


def randn_like(input, *, dtype=None, device=None, requires_grad=False, **_):
    return randn(input.shape, dtype=dtype or input.dtype, device=device or input.device, requires_grad=requires_grad)


def rand_like(input, *, dtype=None, device=None, requires_grad=False, **_):
    return rand(input.shape, dtype=dtype or input.dtype, device=device or input.device, requires_grad=requires_grad)


def randint(low, high=None, size=None, *, generator=None, dtype=None, device=None, **_):
    if size is None:
        low, high, size = 0, low, high
    kind = T.int64 if dtype is None else T.as_dtype(dtype)
    return _integers(_filled(sizes_from((size,)), 0, kind, device), low, high)


def randint_like(input, low, high=None, **kwargs):
    return randint(0 if high is None else low, low if high is None else high, input.shape, **kwargs)


def randperm(n, *, generator=None, dtype=None, device=None, **_):
    result = fill(_filled((n,), 0, T.int64, device), "rng.randperm", ())
    return result if dtype is None else result.to(dtype)


def normal(mean, std=1.0, size=None, *, generator=None, dtype=None, device=None, **_):
    if size is None:
        noise = randn((mean if hasattr(mean, "shape") else std).shape, device=device)
        return noise * std + mean
    return normal_(_filled(sizes_from((size,)), 0, _kind(dtype), device), mean, std)


def bernoulli(input, p=None, *, generator=None):
    """1 with the probability the elements (or p) give."""
    _check_phase()
    if p is not None:
        return bernoulli_(_filled(input.shape, 0, input.dtype, input.device), p)
    result = _filled(input.shape, 0, input.dtype, input.device)
    value = R.current.emit("rng.bernoulli", (input._v(),), (), T.code_of(input.dtype), tuple(input.shape))
    result._write(value)
    return result


def multinomial(input, num_samples, replacement=False, *, generator=None):
    raise Unsupported("torch.multinomial draws samples, which a trace does not; trace the forward pass, not generate")


