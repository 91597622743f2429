"""PyTorch Lightning under its older name."""

from lightning import *  # noqa: F403
from lightning import __getattr__, __version__  # noqa: F401
