"""Random numbers, recorded in the order PyTorch draws them; the engine replays PyTorch's generator."""

import math

from crossover_tracer import recorder as R
from crossover_tracer.errors import Unsupported

from . import _types as T
from ._complex import view_as_real
from ._create import _filled, _kind, _marked
from ._tensor import sizes_from, strides_of


DEFAULT_SEED = 67280421310721


class Generator:
    """A generator: where its next number comes from is a stream of the recorder, which each seed begins anew."""

    def __init__(self, device=None):
        self.device = T.as_device(device)
        self.begun = None
        self.drawn_from = None
        self.seed_value = DEFAULT_SEED

    def manual_seed(self, seed):
        recorder = R.current
        self.begun, self.seed_value = recorder, int(seed)
        if recorder.graph is recorder.init:
            self.drawn_from = recorder.new_stream()
            with recorder.drawing(self.drawn_from):
                recorder.emit_many("rng.seed", (), ("seed", self.seed_value & 0xFFFFFFFF), ())
            if self is default_generator:
                recorder.default_stream = self.drawn_from
        else:
            self.drawn_from = recorder.streams[0]  # nothing is drawn from it any more
        return self

    def stream(self):
        """The stream to draw from now. A generator that was never seeded has PyTorch's default seed."""
        if self.begun is not R.current:
            self.manual_seed(DEFAULT_SEED)
        return self.drawn_from

    def seed(self):
        raise Unsupported("Generator.seed() draws a seed from the system; use manual_seed with a number")

    def initial_seed(self):
        return self.seed_value

    def get_state(self):
        return _State(self.stream())

    def set_state(self, state):
        if not isinstance(state, _State):
            raise TypeError("expected a state that get_state returned")
        if state.stream.drawn != state.drawn:
            raise Unsupported(
                "drawing the same random numbers again from a stored state is not traced; seed anew with manual_seed"
            )
        self.begun, self.drawn_from = R.current, state.stream
        if self is default_generator:
            R.current.default_stream = state.stream
        return self


class _Default(Generator):
    """The generator of `torch.manual_seed`; the run seeds its first stream."""

    def stream(self):
        if self.begun is not R.current:
            self.begun, self.drawn_from = R.current, R.current.streams[0]
        return self.drawn_from

    def initial_seed(self):
        return self.seed_value if self.begun is R.current else 0


class _State:
    """A place in a stream: how much had been drawn from it."""

    def __init__(self, stream):
        self.stream, self.drawn = stream, stream.drawn


default_generator = _Default(T.CPU)


def manual_seed(seed):
    return default_generator.manual_seed(seed)


def seed():
    return 0


def initial_seed():
    return default_generator.initial_seed()


def get_rng_state(device=None):
    return default_generator.get_state()


def set_rng_state(new_state, device=None):
    default_generator.set_state(new_state)


class fork_rng:
    """Afterwards the default generator goes on where it was; what is drawn inside needs a seed of its own."""

    def __init__(self, devices=None, enabled=True, *_args, **_kwargs):
        self.enabled = enabled

    def __enter__(self):
        self.state = default_generator.get_state()
        return self

    def __exit__(self, kind, *_):
        if self.enabled and kind is None:
            default_generator.set_state(self.state)


def _check_phase():
    recorder = R.current
    if recorder.graph is not recorder.init:
        raise Unsupported("random numbers drawn in the forward pass are not traced, except by dropout; use F.dropout")


def draw(op, inputs, attrs, code, shape, generator=None):
    """Records one draw from a generator's stream."""
    recorder = R.current
    stream = (generator or default_generator).stream()
    if recorder.graph is recorder.init:
        stream.drawn += 1
    with recorder.drawing(stream):
        return recorder.emit(op, inputs, attrs, code, shape)


def fill(tensor, op, attrs, generator=None):
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
        value = draw(op, (), attrs, code, shape, generator)
    else:
        value = draw(op, (), attrs, code, tuple(shape[dim] for dim in order), generator)
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
    if input.dtype.category == 3:
        # both parts, each with half of the variance
        normal_(view_as_real(input), mean, _number(std) / math.sqrt(2), generator=generator)
        return input
    return fill(input, "rng.normal", ("mean", _number(mean), "std", _number(std)), generator)


def uniform_(input, a=0.0, b=1.0, *, generator=None, **named):
    low, high = named.get("from", a), named.get("to", b)
    if input.dtype.category == 3:
        uniform_(view_as_real(input), low, high, generator=generator)
        return input
    return fill(input, "rng.uniform", ("low", _number(low), "high", _number(high)), generator)


def random_(input, *bounds, generator=None, **named):
    low, high = (bounds if len(bounds) == 2 else (0, bounds[0])) if bounds else (named.get("from", 0), named.get("to"))
    if high is None:
        raise Unsupported("random_() without bounds is not traced; give it the upper bound")
    return _integers(input, low, high, generator)


def _integers(tensor, low, high, generator=None):
    if tensor.dtype is T.int64:
        return fill(tensor, "rng.randint", ("low", int(low), "high", int(high)), generator)
    wide = _integers(_filled(tensor.shape, 0, T.int64, tensor.device), low, high, generator)
    return tensor.copy_(wide)


def bernoulli_(input, p=0.5, *, generator=None):
    return fill(input, "rng.bernoulli", ("p", _number(p)), generator)


def exponential_(input, lambd=1.0, *, generator=None):
    raise Unsupported("exponential_ is not traced; use uniform_ and log")


def trunc_normal_(input, mean, std, low, high, generator=None):
    return fill(input, "rng.trunc_normal", ("mean", _number(mean), "std", _number(std), "low", _number(low),
                                            "high", _number(high)), generator)  # fmt: skip


def orthogonal_(input, gain, generator=None):
    return fill(input, "rng.orthogonal", ("gain", _number(gain)), generator)


def randn(*size, generator=None, out=None, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False, **sized):
    result = normal_(_filled(sizes_from(size or (sized["size"],)), 0, _kind(dtype), device), generator=generator)
    return _marked(result, requires_grad)


def rand(*size, generator=None, out=None, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False, **sized):
    result = uniform_(_filled(sizes_from(size or (sized["size"],)), 0, _kind(dtype), device), generator=generator)
    return _marked(result, requires_grad)


def randn_like(input, *, generator=None, dtype=None, device=None, requires_grad=False, **_):
    return randn(input.shape, generator=generator, dtype=dtype or input.dtype, device=device or input.device, requires_grad=requires_grad)


def rand_like(input, *, generator=None, dtype=None, device=None, requires_grad=False, **_):
    return rand(input.shape, generator=generator, dtype=dtype or input.dtype, device=device or input.device, requires_grad=requires_grad)


def randint(low, high=None, size=None, *, generator=None, dtype=None, device=None, **_):
    if size is None:
        low, high, size = 0, low, high
    kind = T.int64 if dtype is None else T.as_dtype(dtype)
    return _integers(_filled(sizes_from((size,)), 0, kind, device), low, high, generator)


def randint_like(input, low, high=None, **kwargs):
    return randint(0 if high is None else low, low if high is None else high, input.shape, **kwargs)


def randperm(n, *, generator=None, dtype=None, device=None, **_):
    result = fill(_filled((n,), 0, T.int64, device), "rng.randperm", (), generator)
    return result if dtype is None else result.to(dtype)


def normal(mean, std=1.0, size=None, *, generator=None, dtype=None, device=None, **_):
    if size is None:
        noise = randn((mean if hasattr(mean, "shape") else std).shape, device=device, generator=generator)
        return noise * std + mean
    return normal_(_filled(sizes_from((size,)), 0, _kind(dtype), device), mean, std, generator=generator)


def bernoulli(input, p=None, *, generator=None):
    """1 with the probability the elements (or p) give."""
    _check_phase()
    if p is not None:
        return bernoulli_(_filled(input.shape, 0, input.dtype, input.device), p, generator=generator)
    result = _filled(input.shape, 0, input.dtype, input.device)
    value = draw("rng.bernoulli", (input._v(),), (), T.code_of(input.dtype), tuple(input.shape), generator)
    result._write(value)
    return result


def multinomial(input, num_samples, replacement=False, *, generator=None):
    raise Unsupported("torch.multinomial draws samples, which a trace does not; trace the forward pass, not generate")


