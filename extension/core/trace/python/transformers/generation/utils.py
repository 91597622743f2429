"""GenerationMixin under its other address."""

from . import GenerationMixin  # noqa: F401
