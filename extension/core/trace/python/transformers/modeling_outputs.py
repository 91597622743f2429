"""Result records."""

from dataclasses import dataclass
from typing import Any


@dataclass
class BaseModelOutput:
    last_hidden_state: Any = None
    hidden_states: Any = None
    attentions: Any = None

    def __getitem__(self, key):
        if isinstance(key, str):
            return getattr(self, key)
        return tuple(value for value in self.__dict__.values() if value is not None)[key]


@dataclass
class BaseModelOutputWithPast(BaseModelOutput):
    past_key_values: Any = None


@dataclass
class CausalLMOutput(BaseModelOutput):
    loss: Any = None
    logits: Any = None


@dataclass
class CausalLMOutputWithPast(CausalLMOutput):
    past_key_values: Any = None
