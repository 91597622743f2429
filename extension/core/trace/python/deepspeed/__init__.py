"""deepspeed: checkpointing calls its function, Adam records its groups, the rest fails when used."""

from crossover_tracer.shells import Shell
from torch.utils.checkpoint import checkpoint as _checkpoint

__version__ = "0.0.0"


class checkpointing:
    checkpoint = staticmethod(_checkpoint)

    @staticmethod
    def configure(*_args, **_kwargs):
        return None


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return Shell(f"deepspeed.{name}")
