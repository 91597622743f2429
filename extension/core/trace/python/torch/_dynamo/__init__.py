"""torch._dynamo: settings that may be set, decorators that pass through."""

from crossover_tracer.shells import Switches

from ..compiler import disable, is_compiling

config = Switches()


def allow_in_graph(fn):
    return fn


def mark_dynamic(*_args, **_kwargs):
    return None


mark_static = maybe_mark_dynamic = mark_dynamic


def reset():
    return None


def graph_break():
    return None


__all__ = ["disable", "is_compiling"]
