"""dtype, Size, device, memory formats, and the promotion of dtypes."""

import math

from crossover_tracer.errors import Unsupported


class dtype:
    """An element type. `code` is its name in the graph, None where the graph has no such type."""

    __slots__ = ("name", "code", "category", "itemsize", "rank")

    def __init__(self, name, code, category, itemsize, rank):
        self.name, self.code, self.category, self.itemsize, self.rank = name, code, category, itemsize, rank

    def __repr__(self):
        return f"torch.{self.name}"

    def __reduce__(self):
        return (_by_name, (self.name,))

    @property
    def is_floating_point(self):
        return self.category == 2

    @property
    def is_complex(self):
        return self.category == 3

    @property
    def is_signed(self):
        return self.category >= 2 or (self.category == 1 and not self.name.startswith("u"))

    def to_real(self):
        return {"complex64": float32, "complex128": float64}.get(self.name, self)

    def to_complex(self):
        return complex128 if self.name == "float64" else complex64


def _by_name(name):
    return DTYPES[name]


# category: 0 bool, 1 integer, 2 floating, 3 complex
bool_ = dtype("bool", "bool", 0, 1, 0)
uint8 = dtype("uint8", "u8", 1, 1, 1)
int8 = dtype("int8", "i8", 1, 1, 1)
int16 = dtype("int16", "i16", 1, 2, 2)
int32 = dtype("int32", "i32", 1, 4, 3)
int64 = dtype("int64", "i64", 1, 8, 4)
float16 = dtype("float16", "f16", 2, 2, 5)
bfloat16 = dtype("bfloat16", "bf16", 2, 2, 5)
float32 = dtype("float32", "f32", 2, 4, 6)
float64 = dtype("float64", "f64", 2, 8, 7)
complex64 = dtype("complex64", None, 3, 8, 8)
complex128 = dtype("complex128", None, 3, 16, 9)
uint16 = dtype("uint16", None, 1, 2, 2)
uint32 = dtype("uint32", None, 1, 4, 3)
uint64 = dtype("uint64", None, 1, 8, 4)
# numbers of eight bits are recorded as the shortest floats of the graph, and not rounded
float8_e4m3fn = dtype("float8_e4m3fn", "bf16", 2, 1, 4)
float8_e5m2 = dtype("float8_e5m2", "bf16", 2, 1, 4)

DTYPES = {
    kind.name: kind
    for kind in (
        bool_, uint8, int8, int16, int32, int64, float16, bfloat16, float32, float64, complex64, complex128,
        uint16, uint32, uint64, float8_e4m3fn, float8_e5m2,
    )
}  # fmt: skip
BY_CODE = {kind.code: kind for kind in DTYPES.values() if kind.code is not None and not kind.name.startswith("float8")}

default_dtype = float32


def set_default(kind):
    global default_dtype
    default_dtype = kind


def as_dtype(kind):
    """A dtype from a dtype or one of Python's float, int, bool."""
    if isinstance(kind, dtype):
        return kind
    if kind is float:
        return float64
    if kind is int:
        return int64
    if kind is bool:
        return bool_
    if kind is complex:
        return complex128
    name = getattr(kind, "__name__", None) or str(kind)
    if name in DTYPES:
        return DTYPES[name]
    raise TypeError(f"dtype must be a torch.dtype, not {type(kind).__name__}")


def code_of(kind):
    """The graph's name of a dtype."""
    if kind.code is None:
        if kind.category == 3:
            raise Unsupported(f"this operation on tensors of {kind!r} is not traced; write it with their .real and .imag")
        raise Unsupported(f"tensors of {kind!r} cannot be traced; use one of the common dtypes")
    return kind.code


def promote(a, b):
    """The dtype two equally ranked operands are promoted to."""
    if a is b:
        return a
    if a.category == 3 or b.category == 3:
        wide = float64 in (a, b) or complex128 in (a, b)
        return complex128 if wide else complex64
    if a.category != b.category:
        return a if a.category > b.category else b
    if a.category == 2:
        if a.rank == b.rank:
            return float32
        return a if a.rank > b.rank else b
    if a.rank == b.rank:
        return int16 if a.itemsize == 1 else int64
    big, small = (a, b) if a.rank > b.rank else (b, a)
    return big if small.is_signed or big.itemsize > small.itemsize else promote(big, int64)


class Size(tuple):
    """A shape, as `tensor.shape` and `tensor.size()` give it."""

    __slots__ = ()

    def numel(self):
        return math.prod(self)

    def __repr__(self):
        return f"torch.Size({list(self)})"

    __str__ = __repr__

    def __getitem__(self, index):
        item = tuple.__getitem__(self, index)
        return Size(item) if type(index) is slice else item

    def __add__(self, other):
        return Size(tuple.__add__(self, tuple(other)))

    def __radd__(self, other):
        return Size(tuple(other) + tuple(self))

    def __mul__(self, count):
        return Size(tuple.__mul__(self, count))

    __rmul__ = __mul__


class device:
    """A label: nothing runs anywhere while tracing."""

    __slots__ = ("type", "index")

    def __init__(self, type="cpu", index=None):
        if isinstance(type, device):
            type, index = type.type, type.index
        if isinstance(type, int):
            type, index = "cuda", type
        if not isinstance(type, str):
            raise TypeError(f"device() received an invalid argument of type {type.__class__.__name__}")
        if ":" in type:
            type, number = type.split(":", 1)
            index = int(number)
        self.type, self.index = type, index

    def __repr__(self):
        return f"device(type='{self.type}')" if self.index is None else f"device(type='{self.type}', index={self.index})"

    def __str__(self):
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other):
        return isinstance(other, device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self):
        return hash((self.type, self.index))

    def __enter__(self):
        default_devices.append(self)
        return self

    def __exit__(self, *_):
        default_devices.pop()

    def __call__(self, function):
        def wrapped(*args, **kwargs):
            with self:
                return function(*args, **kwargs)

        return wrapped


CPU = device("cpu")
default_devices = [CPU]


def as_device(value):
    """A device from None (the default one), a device, a name or a number."""
    if value is None:
        return default_devices[-1]
    return value if isinstance(value, device) else device(value)


class layout:
    def __init__(self, name):
        self.name = name

    def __repr__(self):
        return f"torch.{self.name}"


strided = layout("strided")


class memory_format:
    def __init__(self, name):
        self.name = name

    def __repr__(self):
        return f"torch.{self.name}"


contiguous_format = memory_format("contiguous_format")
preserve_format = memory_format("preserve_format")
channels_last = memory_format("channels_last")


class finfo:
    """Limits of a floating dtype."""

    _TABLE = {
        "float64": (2.220446049250313e-16, 2.2250738585072014e-308, 1.7976931348623157e308, 64),
        "float32": (1.1920928955078125e-07, 1.1754943508222875e-38, 3.4028234663852886e38, 32),
        "bfloat16": (0.0078125, 1.1754943508222875e-38, 3.3895313892515355e38, 16),
        "float16": (0.0009765625, 6.103515625e-05, 65504.0, 16),
        "float8_e4m3fn": (0.125, 0.015625, 448.0, 8),
        "float8_e5m2": (0.25, 6.103515625e-05, 57344.0, 8),
    }

    def __init__(self, kind=None):
        kind = default_dtype if kind is None else as_dtype(kind).to_real()
        if kind.name not in self._TABLE:
            raise TypeError(f"torch.finfo() requires a floating point input type, not {kind!r}")
        self.eps, self.tiny, self.max, self.bits = self._TABLE[kind.name]
        self.smallest_normal, self.min, self.dtype, self.resolution = self.tiny, -self.max, kind.name, self.eps


class iinfo:
    """Limits of an integer dtype."""

    def __init__(self, kind):
        kind = as_dtype(kind)
        if kind.category != 1:
            raise TypeError(f"torch.iinfo() requires an integer input type, not {kind!r}")
        self.bits, self.dtype = kind.itemsize * 8, kind.name
        self.max = 2 ** (self.bits - (1 if kind.is_signed else 0)) - 1
        self.min = -(2 ** (self.bits - 1)) if kind.is_signed else 0
