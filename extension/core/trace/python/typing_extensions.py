"""typing_extensions: this Python's typing has what model files take from it."""

import typing
import warnings
from typing import *  # noqa: F403

runtime = typing.runtime_checkable


def __getattr__(name):
    return warnings.deprecated if name == "deprecated" else getattr(typing, name)
