"""PreTrainedModel: nn.Module that keeps its configuration and initialises its parts."""

from crossover_tracer.errors import Unsupported
from torch.nn import Module


class PreTrainedModel(Module):
    config_class = None
    base_model_prefix = "model"
    supports_gradient_checkpointing = False
    _no_split_modules = None

    def __init__(self, config, *_args, **_kwargs):
        super().__init__()
        self.config = config

    def _init_weights(self, module):
        return None

    def post_init(self):
        self.apply(self._init_weights)

    init_weights = post_init

    @classmethod
    def from_pretrained(cls, *_args, **_kwargs):
        raise Unsupported("from_pretrained is not available while tracing; weights are loaded by the run")
