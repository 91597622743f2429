"""The part of `packaging` that model files ask for: comparing versions."""

from . import version
