"""torch.random."""

from ._random import get_rng_state, initial_seed, manual_seed, seed, set_rng_state


class fork_rng:
    def __init__(self, *_args, **_kwargs):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


__all__ = ["get_rng_state", "initial_seed", "manual_seed", "seed", "set_rng_state"]
