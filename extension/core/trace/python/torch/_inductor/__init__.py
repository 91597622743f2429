"""torch._inductor: settings that may be set."""

from crossover_tracer.shells import Switches

config = Switches(triton=Switches())
