"""What is installed: nothing that a GPU needs."""

from . import __getattr__, is_torch_available  # noqa: F401
