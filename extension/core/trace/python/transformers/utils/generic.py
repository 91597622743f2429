"""Names of `transformers.utils` under their other address."""

from . import ModelOutput, __getattr__, can_return_tuple, check_model_inputs  # noqa: F401
