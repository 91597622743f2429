"""Storage: what several tensors may share. Its content is a value of the graph, or a Python array while elements are
still being written one by one (the loops that initialise decays and masks)."""

import struct
from array import array

from crossover_tracer import recorder as R

from . import _types as T

# Array element types; bfloat16 and float16 are kept as float32 already rounded to them.
_TYPECODES = {"f32": "f", "f64": "d", "bf16": "f", "f16": "f", "i64": "q", "i32": "i", "i16": "h", "i8": "b", "u8": "B",
              "bool": "B"}  # fmt: skip


class Storage:
    """`value` is the root's value in `graph`, or None while `array` holds the content. Every write adds to `version`."""

    __slots__ = ("graph", "value", "version", "array", "requires_grad", "dtype", "shape")

    def __init__(self, graph, value, kind, shape):
        self.graph = graph
        self.value = value
        self.version = 0
        self.array = None
        self.requires_grad = False
        self.dtype = kind
        self.shape = shape

    def content(self):
        """The root's value in the graph being recorded; an array becomes a `constant` node."""
        recorder = R.current
        if self.graph is not recorder.graph:
            _carry_over(self, recorder)
        if self.value is None:
            code = T.code_of(self.dtype)
            self.value = (
                recorder.full(_scalar(self.array[0], code), code, ())
                if len(self.array) == 1 and self.shape == ()
                else recorder.constant(to_bytes(self.array, code), code, self.shape)
            )
        return self.value


def _carry_over(storage, recorder):
    """A tensor made before the forward pass is used in it: it becomes state of kind 'constant'."""
    storage.version += 1
    if storage.graph is not recorder.init:
        storage.graph = recorder.graph
        return
    if storage.array is not None:
        # still known element by element: it can be a constant of the step as well
        storage.graph, storage.value = recorder.graph, None
        return
    value = storage.value
    op, inputs, _, attrs, *_ = recorder.init.nodes[recorder.init.producers[value]]
    dtype, shape = recorder.init.values[value]
    storage.graph = recorder.graph
    if op == "full" or op == "arange":
        storage.value = recorder.intern((op, value, "init"), op, attrs, dtype, shape)
        return
    index = len(recorder.state)
    name = recorder.constant_names.get(id(storage))
    if name is None:
        name = f"constant.{recorder.constant_count}"
        recorder.constant_count += 1
    recorder.state.append(R.State("constant", [name], value, False, dtype, shape))
    storage.value = recorder.intern(("state", index), "state", ("index", index), dtype, shape)


def make_array(code, numbers):
    """A Python array of the graph dtype `code` from an iterable of numbers."""
    if code in ("bf16", "f16"):
        return array("f", [round_to(code, number) for number in numbers])
    if code == "bool":
        return array("B", [1 if number else 0 for number in numbers])
    if code == "f32":
        return array("f", numbers)
    if code == "f64":
        return array("d", numbers)
    return array(_TYPECODES[code], [int(number) for number in numbers])


def round_to(code, number):
    """`number` rounded to a short float, to nearest and ties to even."""
    if code == "f16":
        try:
            return struct.unpack("<e", struct.pack("<e", number))[0]
        except OverflowError:
            return float("inf") if number > 0 else float("-inf")
    if code == "bf16":
        return struct.unpack("<f", struct.pack("<I", _bf16_bits(number) << 16))[0]
    return number


def _bf16_bits(number):
    bits = struct.unpack("<I", struct.pack("<f", number))[0]
    if number != number:
        return 0x7FC0
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16) & 0xFFFF


def to_bytes(values, code):
    """Little-endian element data of an array."""
    if code == "bf16":
        return struct.pack(f"<{len(values)}H", *(_bf16_bits(value) for value in values))
    if code == "f16":
        return struct.pack(f"<{len(values)}e", *values)
    return values.tobytes()


def _scalar(number, code):
    if code == "bool":
        return bool(number)
    return number
