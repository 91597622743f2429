"""mamba_ssm: the operations that are native here; anything else can be imported, and says so when it is used."""

from crossover_tracer.shells import Shell


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return Shell(f"mamba_ssm.{name}")
