"""Decorators that say what is old."""

from . import _decorator as deprecate_kwarg  # noqa: F401
