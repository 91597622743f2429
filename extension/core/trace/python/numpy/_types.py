"""Element types, by name."""

import struct


class dtype:
    """An element type, by name."""

    def __init__(self, name):
        self.name = name_of(name)

    def __str__(self):
        return self.name

    def __repr__(self):
        return f"dtype('{self.name}')"

    def __eq__(self, other):
        return self.name == name_of(other)

    def __hash__(self):
        return hash(self.name)

    def __call__(self, value):
        return converter(self.name)(value)


class generic:
    """Base of scalar types, for isinstance."""


class integer(generic):
    """Base of integer scalar types."""


class floating(generic):
    """Base of floating-point scalar types."""


def name_of(kind):
    name = getattr(kind, "name", None) or getattr(kind, "__name__", None) or str(kind)
    return {"float": "float64", "double": "float64", "int": "int64", "bool_": "bool", "long": "int64"}.get(name, name)


def converter(name):
    """What makes a Python number one of this type."""
    if name == "bool":
        return bool
    if "int" in name:
        return int
    if name in ("float32", "float16"):
        code = "f" if name == "float32" else "e"
        return lambda value: struct.unpack(code, struct.pack(code, value))[0]
    return float


def promote(names):
    """The type of a result of operands of these types."""
    for candidate in ("float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8"):
        if candidate in names:
            return "float64" if candidate == "float32" and {"int64", "int32"} & set(names) else candidate
    return "bool"


def kind_of(value):
    return "bool" if isinstance(value, bool) else "int64" if isinstance(value, int) else "float64"


def _scalar(name, base):
    class Scalar(base):
        def __new__(cls, value=0):
            return converter(name)(value)

    Scalar.__name__ = Scalar.__qualname__ = name
    return Scalar


float16, float32, float64 = (_scalar(name, floating) for name in ("float16", "float32", "float64"))
int8, int16, int32, int64 = (_scalar(name, integer) for name in ("int8", "int16", "int32", "int64"))
uint8, uint16, bool_ = _scalar("uint8", integer), _scalar("uint16", integer), _scalar("bool", generic)
