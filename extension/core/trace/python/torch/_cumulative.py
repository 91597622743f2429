"""Largest and smallest elements so far."""

from collections import namedtuple

from . import _ops as O
from . import _types as T
from ._create import arange
from ._gather import gather
from ._join import cat
from ._shape import narrow
from ._tensor import check_dim

_Cummax = namedtuple("cummax", ("values", "indices"))
_Cummin = namedtuple("cummin", ("values", "indices"))


def cummax(input, dim):
    return _extremes(input, dim, O.ge, _Cummax)


def cummin(input, dim):
    return _extremes(input, dim, O.le, _Cummin)


def _extremes(input, dim, beats, pair):
    """By doubling: what stands 1, 2, 4, ... places before is compared in turn. Of equal elements the later one counts."""
    if not input.shape:
        return pair(input, O.mul(input, 0).to(T.int64))
    dim = check_dim(dim, len(input.shape))
    count = input.shape[dim]
    places = arange(count).reshape([-1 if axis == dim else 1 for axis in range(len(input.shape))]).expand(input.shape)
    values, step = input.detach(), 1
    while step < count:
        old, new = narrow(values, dim, 0, count - step), narrow(values, dim, step, count - step)
        stays = beats(new, old)
        if input.dtype.category == 2:
            stays = O.logical_or(stays, O.isnan(new))
        kept = O.where(stays, narrow(places, dim, step, count - step), narrow(places, dim, 0, count - step))
        places = cat((narrow(places, dim, 0, step), kept), dim)
        values = cat((narrow(values, dim, 0, step), O.where(stays, new, old)), dim)
        step *= 2
    return pair(gather(input, dim, places), places)
