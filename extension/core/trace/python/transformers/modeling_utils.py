"""PreTrainedModel: nn.Module that keeps its configuration and initialises its parts."""

import torch
from crossover_tracer.errors import Unsupported
from torch import nn
from torch.nn import Module

from .pytorch_utils import Conv1D  # noqa: F401

ALL_ATTENTION_FUNCTIONS = {}
# Where configurations say how wide weights are drawn, first found first.
_RANGES = ("initializer_range", "init_std", "initializer_factor")


def _initialize(module, initialize):
    for child in module.children():
        _initialize(child, child._initialize_weights if isinstance(child, PreTrainedModel) else initialize)
    initialize(module)



class PreTrainedModel(Module):
    config_class = None
    base_model_prefix = "model"
    main_input_name = "input_ids"
    supports_gradient_checkpointing = False
    _no_split_modules = None
    _tied_weights_keys = None

    def __init__(self, config, *_args, **_kwargs):
        super().__init__()
        self.config = config
        # Other implementations of attention than the file's first are its own choice.
        if getattr(config, "_attn_implementation", None) is None:
            config._attn_implementation = "eager"

    def _init_weights(self, module):
        """What models without an initialisation of their own have: N(0, initializer_range), norms one, biases zero."""
        std = next((getattr(self.config, name) for name in _RANGES if hasattr(self.config, name)), 0.02)
        if isinstance(module, (nn.Linear, nn.Conv1d, nn.Conv2d)):
            nn.init.normal_(module.weight, mean=0.0, std=std)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, mean=0.0, std=std)
            if module.padding_idx is not None:
                with torch.no_grad():
                    module.weight[module.padding_idx].zero_()
        elif "LayerNorm" in type(module).__name__ or "RMSNorm" in type(module).__name__ or isinstance(module, nn.GroupNorm):
            if getattr(module, "weight", None) is not None:
                nn.init.ones_(module.weight)
            if getattr(module, "bias", None) is not None:
                nn.init.zeros_(module.bias)

    def _initialize_weights(self, module):
        if not module.__dict__.get("_is_hf_initialized", False):
            self._init_weights(module)
            module._is_hf_initialized = True

    def init_weights(self):
        """Every module once, parts before what they are parts of, each by the model it belongs to."""
        _initialize(self, self._initialize_weights)
        self.tie_weights()

    post_init = init_weights

    def tie_weights(self, *_args, **_kwargs):
        """Gives the head the embedding's weight, where the configuration says so and both are named."""
        if not getattr(self.config, "tie_word_embeddings", True):
            return
        if isinstance(self._tied_weights_keys, dict):
            for target, source in self._tied_weights_keys.items():
                owner, _, name = target.rpartition(".")
                setattr(self.get_submodule(owner), name, self.get_parameter(source))
            return
        head, embedding = self.get_output_embeddings(), self.get_input_embeddings()
        if head is not None and embedding is not None:
            head.weight = embedding.weight

    def get_input_embeddings(self):
        base = getattr(self, self.base_model_prefix, None)
        return base.get_input_embeddings() if isinstance(base, PreTrainedModel) and base is not self else None

    def get_output_embeddings(self):
        return None

    def get_head_mask(self, head_mask, num_hidden_layers, is_attention_chunked=False):
        return [None] * num_hidden_layers if head_mask is None else head_mask

    def warn_if_padding_and_no_attention_mask(self, *_args):
        return None

    @property
    def dtype(self):
        return next(iter(self.parameters())).dtype

    @property
    def device(self):
        return next(iter(self.parameters())).device

    @classmethod
    def _from_config(cls, config, **_kwargs):
        return cls(config)

    @classmethod
    def from_pretrained(cls, *_args, **_kwargs):
        raise Unsupported("from_pretrained is not available while tracing; weights are loaded by the run")
