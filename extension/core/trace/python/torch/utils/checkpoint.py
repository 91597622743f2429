"""Checkpointing trades memory for time and changes no value: the function is called."""


def checkpoint(function, *args, use_reentrant=None, context_fn=None, determinism_check=None, debug=False,
               preserve_rng_state=True, **kwargs):  # fmt: skip
    return function(*args, **kwargs)


def checkpoint_sequential(functions, segments, input, use_reentrant=None, **_kwargs):
    for function in functions:
        input = function(input)
    return input


def create_selective_checkpoint_contexts(*_args, **_kwargs):
    return None
