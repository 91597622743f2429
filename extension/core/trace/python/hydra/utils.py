"""What a dotted path names, and the object that a configuration with `_target_` describes."""

import functools
import importlib

from crossover_tracer.shells import Shell


def get_object(path):
    """The module, class or function that `path` names."""
    parts = path.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError as error:
            if error.name is None or not ".".join(parts).startswith(error.name):
                raise
            continue
        return functools.reduce(getattr, parts[count:], found)
    raise ImportError(f"Error loading '{path}'")


get_method = get_class = get_static_method = get_object


def instantiate(config, *args, **kwargs):
    """config["_target_"] called with the rest of the configuration."""
    settings = {name: value for name, value in {**config, **kwargs}.items() if not name.startswith("_")}
    target = config["_target_"]
    function = get_object(target) if isinstance(target, str) else target
    return functools.partial(function, *args, **settings) if config.get("_partial_") else function(*args, **settings)


call = instantiate


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return Shell(f"hydra.utils.{name}")
