"""Nested lists of flat elements."""

import math


def nested(flat, shape):
    """The elements, last dimension fastest, as lists within lists of this shape; without dimensions, the one element."""
    if not shape:
        return flat[0]
    if len(shape) == 1:
        return list(flat)
    inner = math.prod(shape[1:])
    return [nested(flat[i * inner : (i + 1) * inner], shape[1:]) for i in range(shape[0])]
