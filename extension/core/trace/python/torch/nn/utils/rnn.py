"""Padded sequences."""

from ... import _join


def pad_sequence(sequences, batch_first=False, padding_value=0.0, padding_side="right"):
    longest = max(sequence.shape[0] for sequence in sequences)
    rest = len(sequences[0].shape) - 1
    padded = [
        _join.padded(x, [0] * (rest + 1), [longest - x.shape[0]] + [0] * rest, padding_value) for x in sequences
    ]
    return _join.stack(padded, 0 if batch_first else 1)
