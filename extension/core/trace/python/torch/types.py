"""Names used in annotations."""

from typing import Union

from ._types import device as Device
from ._types import dtype as _dtype

Number = Union[int, float, bool]
_device, _size, _int, _float, _bool = Device, tuple, int, float, bool
FileLike = Union[str, bytes]

__all__ = ["Device", "FileLike", "Number", "_dtype"]
