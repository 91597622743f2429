"""Result records: every `...Output...` of transformers is one that takes the fields it is made with."""

from .utils import ModelOutput

_NAMES = (
    "BaseModelOutput", "BaseModelOutputWithPast", "BaseModelOutputWithPastAndCrossAttentions", "BaseModelOutputWithPooling",
    "CausalLMOutput", "CausalLMOutputWithCrossAttentions", "CausalLMOutputWithPast", "MaskedLMOutput",
    "MoeCausalLMOutputWithPast", "MoeModelOutputWithPast", "QuestionAnsweringModelOutput", "Seq2SeqLMOutput",
    "Seq2SeqModelOutput", "SequenceClassifierOutput", "SequenceClassifierOutputWithPast", "TokenClassifierOutput",
)  # fmt: skip
for _name in _NAMES:
    globals()[_name] = type(_name, (ModelOutput,), {"__module__": __name__})
