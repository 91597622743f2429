"""Mistral: Llama whose attention looks back over a window only.

Jiang et al., "Mistral 7B" (arXiv 2310.06825). A query at position i sees the `window` keys from i - window + 1 to i,
its own included; layers above see further through layers below, `n_layers * (window - 1)` tokens in all. (The paper's text
counts from i - W, one key more; its code and this file have W keys.) At contexts up to the window it is Llama with grouped
queries, number for number, and costs the same. Parameter names are those of the released code and of `llama.py`; the
training recipe was never published and is Llama's.

Memory of the past: keys and values of the last `window` tokens, 2 * n_layers * n_kv_heads * head size numbers for each;
it stops growing there.
"""

from dataclasses import dataclass
from typing import Optional

import torch

from llama import Llama, LlamaConfig


@dataclass
class MistralConfig(LlamaConfig):
    n_kv_heads: Optional[int] = 8
    ffn_dim_multiplier: Optional[float] = 1.3  # with 4096 channels: 14336
    multiple_of: int = 1024
    window: int = 4096


class Mistral(Llama):
    def visible(self, time, device):
        if time <= self.config.window:
            return None
        position = torch.arange(time, device=device)
        distance = position.unsqueeze(1) - position.unsqueeze(0)
        return (distance >= 0) & (distance < self.config.window)
