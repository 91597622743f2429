"""mamba_ssm: the blocks of Mamba and Mamba-2 and their scans; the rest fails when used."""

from .modules.mamba2 import Mamba2
from .modules.mamba_simple import Mamba
from .ops.selective_scan_interface import mamba_inner_fn, selective_scan_fn

__version__ = "2.2.4"
__all__ = ["Mamba", "Mamba2", "mamba_inner_fn", "selective_scan_fn"]


def __getattr__(name):
    from crossover_tracer.shells import Shell

    if name.startswith("__"):
        raise AttributeError(name)
    return Shell(f"mamba_ssm.{name}")
