"""GenerationMixin: its methods generate, which a trace does not."""


class GenerationMixin:
    pass


class GenerationConfig:
    def __init__(self, **kwargs):
        self.__dict__.update(kwargs)

    @classmethod
    def from_model_config(cls, config):
        return cls()
