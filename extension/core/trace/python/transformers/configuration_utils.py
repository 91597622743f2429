"""PretrainedConfig: keyword arguments become attributes."""


class PretrainedConfig:
    model_type = ""

    def __init__(self, **kwargs):
        self.use_cache = kwargs.pop("use_cache", False)
        self.use_return_dict = kwargs.pop("return_dict", True)
        self.output_attentions = kwargs.pop("output_attentions", False)
        self.output_hidden_states = kwargs.pop("output_hidden_states", False)
        self.tie_word_embeddings = kwargs.pop("tie_word_embeddings", True)
        for name in ("pad_token_id", "bos_token_id", "eos_token_id"):
            setattr(self, name, kwargs.pop(name, None))
        for name, value in kwargs.items():
            setattr(self, name, value)

    def to_dict(self):
        return dict(self.__dict__)
