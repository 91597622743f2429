"""Decorators that leave what they decorate as it is, records, and answers to what is installed."""

from crossover_tracer.shells import Shell

from . import logging  # noqa: F401

CONFIG_NAME, WEIGHTS_NAME, SAFE_WEIGHTS_NAME = "config.json", "pytorch_model.bin", "model.safetensors"
DUMMY_INPUTS = [[7, 6, 0, 0, 1], [1, 2, 3, 0, 0], [0, 0, 0, 4, 5]]


class ModelOutput(dict):
    """Fields by name, attribute and place; those that are None have no place."""

    def __init__(self, *values, **fields):
        names = [name for kind in reversed(type(self).__mro__) for name in getattr(kind, "__annotations__", ())]
        super().__init__()
        given = {**dict(zip(names, values)), **fields}
        for name in [*names, *(name for name in given if name not in names)]:
            setattr(self, name, given.get(name))

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return self.get(name)

    def __setattr__(self, name, value):
        super().__setattr__(name, value)
        self[name] = value

    def __getitem__(self, key):
        return super().__getitem__(key) if isinstance(key, str) else self.to_tuple()[key]

    def __iter__(self):
        return iter(name for name in self.keys() if self.get(name) is not None)

    def to_tuple(self):
        return tuple(value for value in self.values() if value is not None)


def _decorator(*given, **_options):
    """As `@name` or `@name(...)`."""
    if len(given) == 1 and callable(given[0]):
        return given[0]
    return lambda decorated: decorated


add_code_sample_docstrings = add_end_docstrings = add_start_docstrings = add_start_docstrings_to_model_forward = _decorator
auto_docstring = can_return_tuple = replace_return_docstrings = copy_func = check_model_inputs = _decorator


def _no(*_args, **_kwargs):
    return False


def is_torch_available():
    return True


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    if name.startswith("is_"):
        return _no
    return Shell(f"transformers.utils.{name}")
