"""transformers: base classes of model files work as modules and plain configurations; the rest fails when used."""

from crossover_tracer.shells import Shell

from .activations import ACT2FN
from .cache_utils import Cache, DynamicCache, StaticCache
from .configuration_utils import PretrainedConfig
from .generation import GenerationConfig, GenerationMixin
from .modeling_utils import PreTrainedModel
from .pytorch_utils import Conv1D

__version__ = "4.57.0"
__all__ = ["ACT2FN", "Cache", "Conv1D", "DynamicCache", "GenerationConfig", "GenerationMixin", "PreTrainedModel",
           "PretrainedConfig", "StaticCache"]  # fmt: skip


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return Shell(f"transformers.{name}")
