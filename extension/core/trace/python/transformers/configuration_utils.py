"""PretrainedConfig: keyword arguments become attributes."""


class PretrainedConfig:
    model_type = ""
    attribute_map = {}
    is_composition = False

    def __init__(self, **kwargs):
        self.use_cache = kwargs.pop("use_cache", False)
        self.use_return_dict = kwargs.pop("return_dict", True)
        self.return_dict = self.use_return_dict
        self.output_attentions = kwargs.pop("output_attentions", False)
        self.output_hidden_states = kwargs.pop("output_hidden_states", False)
        self.tie_word_embeddings = kwargs.pop("tie_word_embeddings", True)
        self._attn_implementation = kwargs.pop("attn_implementation", None)
        self.is_encoder_decoder = kwargs.pop("is_encoder_decoder", False)
        self.pruned_heads = {}
        for name in ("pad_token_id", "bos_token_id", "eos_token_id"):
            setattr(self, name, kwargs.pop(name, None))
        for name, value in kwargs.items():
            setattr(self, name, value)

    def __setattr__(self, name, value):
        super().__setattr__(self.attribute_map.get(name, name), value)

    def __getattr__(self, name):
        # Reached only when there is no attribute of that name.
        other = type(self).attribute_map.get(name)
        if other is None:
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")
        return getattr(self, other)

    def get_text_config(self, *_args, **_kwargs):
        return self

    def to_dict(self):
        return dict(self.__dict__)


PreTrainedConfig = PretrainedConfig
