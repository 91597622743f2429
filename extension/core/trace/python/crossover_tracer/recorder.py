"""The recorder: the two graphs of a trace, and what every recorded node needs to know about where it came from.

Values are numbered per graph. Nodes are tuples (op, inputs, outputs, attrs, stack, scope, phase) with attrs a flat
tuple (name, value, name, value, ...).
"""

import contextlib
import math
import sys

from . import positions
from .errors import SizeError

MAX_NODES = 400_000
MAX_ELEMENTS = 2**40


class Graph:
    """One graph under construction."""

    def __init__(self, name):
        self.name = name
        self.values = []  # (dtype code, shape)
        self.producers = []  # index of the node that makes a value
        self.nodes = []
        self.constants = []  # bytes
        self.vjps = []  # (inputs, outputs, cotangents, gradients)
        self.outputs = {}
        self.interned = {}
        self.known = {}  # value -> whether Python can compute it
        self.computed = {}  # value -> its elements, of those it has computed


class State:
    """A tensor that outlives the step, as the trace reports it."""

    __slots__ = ("kind", "names", "initial", "requires_grad", "dtype", "shape")

    def __init__(self, kind, names, initial, requires_grad, dtype, shape):
        self.kind = kind
        self.names = names
        self.initial = initial
        self.requires_grad = requires_grad
        self.dtype = dtype
        self.shape = shape


class Stream:
    """One sequence of random numbers: of the run's seed, or of a seed the model gives a generator."""

    def __init__(self):
        self.drawn = 0


class Recorder:
    """Everything one trace has recorded so far. There is one at a time: `recorder.current`."""

    def __init__(self):
        self.init = Graph("init")
        self.forward = Graph("forward")
        self.graph = self.init
        self.phase = "init"
        self.scopes = {"": 0}
        self.scope = 0
        self.stacks = {}
        self.stack_codes = []
        self.state = []
        self.constant_names = {}
        self.constant_count = 0
        self.grad_enabled = True
        self.depth = 0  # modules being called
        self.importing = 0
        self.region = 0  # inside an autograd.Function
        self.kernel_used = False
        self.log = []
        self.streams = [Stream()]  # the first is the run's own
        self.default_stream = self.streams[0]  # where numbers without a generator come from now
        self.stream_of = {}  # index of a node of the init graph -> stream

    def emit(self, op, inputs, attrs, dtype, shape):
        """Records one node with one output and returns the value. `dtype` is a graph code such as 'f32'."""
        graph = self.graph
        value = len(graph.values)
        # products of Python integers cannot overflow, so one comparison is enough
        if len(shape) > 0 and math.prod(shape) > MAX_ELEMENTS:
            raise SizeError(f"a tensor of shape {list(shape)} is larger than a trace may hold; use smaller sizes")
        nodes = graph.nodes
        if len(nodes) >= MAX_NODES:
            raise SizeError(
                f"the model records more than {MAX_NODES:,} operations, usually a Python loop over tokens; "
                "use a shorter context or an operation over the whole sequence"
            )
        graph.values.append((dtype, tuple(shape)))
        graph.producers.append(len(nodes))
        nodes.append((op, inputs, (value,), attrs, self.stack(), self.scope, self.phase))
        return value

    def emit_many(self, op, inputs, attrs, types):
        """Records one node with several outputs [(dtype, shape)] and returns their values."""
        graph = self.graph
        first = len(graph.values)
        for dtype, shape in types:
            if math.prod(shape) > MAX_ELEMENTS:
                raise SizeError(f"a tensor of shape {list(shape)} is larger than a trace may hold; use smaller sizes")
            graph.values.append((dtype, tuple(shape)))
            graph.producers.append(len(graph.nodes))
        outputs = tuple(range(first, first + len(types)))
        graph.nodes.append((op, inputs, outputs, attrs, self.stack(), self.scope, self.phase))
        return outputs

    def intern(self, key, op, attrs, dtype, shape):
        """A source node that is recorded once per graph: scalars, inputs. Carries no position."""
        graph = self.graph
        value = graph.interned.get(key)
        if value is None:
            value = len(graph.values)
            if math.prod(shape) > MAX_ELEMENTS:
                raise SizeError(f"a tensor of shape {list(shape)} is larger than a trace may hold; use smaller sizes")
            graph.values.append((dtype, tuple(shape)))
            graph.producers.append(len(graph.nodes))
            phase = "init" if graph is self.init else "forward"
            graph.nodes.append((op, (), (value,), attrs, self.empty_stack(), 0, phase))
            graph.interned[key] = value
        return value

    def full(self, number, dtype, shape=()):
        """A constant of one number; `number` is an int, a float or a bool."""
        if isinstance(number, float) and not math.isfinite(number):
            number = "nan" if math.isnan(number) else ("inf" if number > 0 else "-inf")
        elif isinstance(number, bool):
            number = int(number)
        shape = tuple(shape)
        return self.intern(("full", dtype, repr(number), shape), "full", ("value", number), dtype, shape)

    def constant(self, data, dtype, shape):
        """A constant of the little-endian bytes `data`."""
        self.graph.constants.append(data)
        return self.emit("constant", (), ("blob", len(self.graph.constants) - 1), dtype, shape)

    def stack(self):
        """Index of the user's call chain that is executing now."""
        frame = sys._getframe(2)
        user_files = positions.user_files
        key = []
        codes = []
        while frame is not None:
            code = frame.f_code
            if code.co_filename in user_files:
                key.append(id(code))
                key.append(frame.f_lasti)
                codes.append(code)
            frame = frame.f_back
        key = tuple(key)
        index = self.stacks.get(key)
        if index is None:
            index = self.stacks[key] = len(self.stack_codes)
            self.stack_codes.append([(code, key[2 * i + 1]) for i, code in enumerate(codes)])
        return index

    def empty_stack(self):
        index = self.stacks.get(())
        if index is None:
            index = self.stacks[()] = len(self.stack_codes)
            self.stack_codes.append([])
        return index

    def scope_index(self, path):
        """Index of a module path."""
        index = self.scopes.get(path)
        if index is None:
            index = self.scopes[path] = len(self.scopes)
        return index

    def new_stream(self):
        self.streams.append(Stream())
        return self.streams[-1]

    @contextlib.contextmanager
    def drawing(self, stream):
        """Context in which one node of random numbers is recorded."""
        if self.graph is self.init:
            self.stream_of[len(self.init.nodes)] = stream
        yield

    def begin_forward(self):
        """From here on nodes belong to the step."""
        self.graph = self.forward
        self.phase = "forward"

    class _Switch:
        def __init__(self, recorder, graph, phase):
            self.recorder, self.graph, self.phase = recorder, graph, phase

        def __enter__(self):
            recorder = self.recorder
            self.saved = (recorder.graph, recorder.phase, recorder.scope)
            recorder.graph, recorder.phase = self.graph, self.phase

        def __exit__(self, *_):
            self.recorder.graph, self.recorder.phase, self.recorder.scope = self.saved

    def into_init(self):
        """Context in which nodes go to the init graph."""
        return self._Switch(self, self.init, "init")

    def into_backward(self):
        """Context in which nodes of the forward graph belong to a user's backward."""
        return self._Switch(self, self.graph, "backward" if self.graph is self.forward else self.phase)


current = Recorder()


def reset():
    """Starts a new trace."""
    global current
    current = Recorder()
    return current
