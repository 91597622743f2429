"""Lengths whose prime factors are small; the transforms themselves are torch.fft's."""

from crossover_tracer.shells import Shell


def next_fast_len(target, real=False):
    """The least length from `target` on with prime factors up to 11, or up to 5 for real rows."""
    length = target
    while not _is_smooth(length, (2, 3, 5) if real else (2, 3, 5, 7, 11)):
        length += 1
    return length


def _is_smooth(length, primes):
    for prime in primes:
        while length % prime == 0 and length > 1:
            length //= prime
    return length <= 1


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return Shell(f"scipy.fft.{name}")
