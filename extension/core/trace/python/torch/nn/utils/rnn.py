"""Padded sequences; packed ones are refused with a sentence."""

from crossover_tracer.errors import Unsupported

from ... import _join


def pack_padded_sequence(*_args, **_kwargs):
    raise Unsupported("packed sequences are not traced; give the layer the padded tensor")


pack_sequence = pad_packed_sequence = pack_padded_sequence


class PackedSequence:
    """Never made."""


def pad_sequence(sequences, batch_first=False, padding_value=0.0, padding_side="right"):
    longest = max(sequence.shape[0] for sequence in sequences)
    rest = len(sequences[0].shape) - 1
    padded = [
        _join.padded(x, [0] * (rest + 1), [longest - x.shape[0]] + [0] * rest, padding_value) for x in sequences
    ]
    return _join.stack(padded, 0 if batch_first else 1)
