"""transformers: base classes of model files work as modules and plain configurations; the rest fails when used."""

from crossover_tracer.shells import Shell

from .configuration_utils import PretrainedConfig
from .modeling_outputs import BaseModelOutput, BaseModelOutputWithPast, CausalLMOutput, CausalLMOutputWithPast
from .modeling_utils import PreTrainedModel

__version__ = "4.57.0"
__all__ = ["BaseModelOutput", "BaseModelOutputWithPast", "CausalLMOutput", "CausalLMOutputWithPast", "PreTrainedModel",
           "PretrainedConfig"]  # fmt: skip


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return Shell(f"transformers.{name}")
