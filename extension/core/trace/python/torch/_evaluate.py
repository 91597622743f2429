"""Values Python can know: evaluates recorded nodes that depend on nothing but constants, element by element.

Model code asks for such values (`.item()`, `tolist()`, loops over a mask) when it builds decays, schedules and index
tables. Elements are flat row-major lists; every result is rounded to its dtype.
"""

import itertools
import math
import struct

from ._storage import make_array

MAX_ELEMENTS = 1 << 22


def _same(x):
    return x


_UNARY = {
    "neg": lambda x: -x, "exp": math.exp, "exp2": lambda x: 2.0**x, "log": math.log, "log2": math.log2,
    "log1p": math.log1p, "expm1": math.expm1, "sin": math.sin, "cos": math.cos, "tan": math.tan, "tanh": math.tanh,
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)), "relu": lambda x: max(x, 0), "sqrt": math.sqrt,
    "rsqrt": lambda x: 1 / math.sqrt(x), "abs": abs, "sign": lambda x: (x > 0) - (x < 0), "square": lambda x: x * x,
    "reciprocal": lambda x: 1 / x, "erf": math.erf, "floor": math.floor, "ceil": math.ceil, "round": round,
    "trunc": math.trunc, "isnan": lambda x: x != x, "isinf": lambda x: x in (math.inf, -math.inf),
    "logical_not": lambda x: not x, "cast": _same, "detach": _same,
}  # fmt: skip


def _divide(a, b):
    return a / b if b else (math.nan if a == 0 or a != a else math.copysign(math.inf, a) * math.copysign(1, b))


_BINARY = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b, "div": _divide,
    "pow": lambda a, b: a**b, "maximum": max, "minimum": min, "remainder": lambda a, b: a % b,
    "floor_divide": lambda a, b: a // b, "atan2": math.atan2, "eq": lambda a, b: a == b, "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b, "le": lambda a, b: a <= b, "gt": lambda a, b: a > b, "ge": lambda a, b: a >= b,
    "logical_and": lambda a, b: bool(a) and bool(b), "logical_or": lambda a, b: bool(a) or bool(b),
    "logical_xor": lambda a, b: bool(a) != bool(b), "bitwise_and": lambda a, b: a & b,
    "bitwise_or": lambda a, b: a | b, "bitwise_xor": lambda a, b: a ^ b, "shift_left": lambda a, b: a << b,
    "shift_right": lambda a, b: a >> b,
}  # fmt: skip
_REDUCE = {"sum": math.fsum, "mean": lambda xs: math.fsum(xs) / len(xs) if xs else math.nan, "amax": max, "amin": min,
           "prod": math.prod}  # fmt: skip
_STRUCTURE = {"full", "arange", "constant", "state", "reshape", "permute", "expand", "slice", "cat", "pad",
              "slice_scatter", "tril", "triu", "where", "cumsum", "index_select", "argmax", "argmin",
              "embedding"}  # fmt: skip
_SUPPORTED = _STRUCTURE | _UNARY.keys() | _BINARY.keys() | _REDUCE.keys()


def is_known(recorder, graph, value):
    """Whether a value depends on constants only."""
    known = graph.known
    stack = [value]
    while stack:
        top = stack[-1]
        if top in known:
            stack.pop()
            continue
        op, inputs, _, attrs, *_ = graph.nodes[graph.producers[top]]
        if op == "state":
            state = recorder.state[attrs[1]]
            known[top] = state.kind != "parameter" and is_known(recorder, recorder.init, state.initial)
        elif op not in _SUPPORTED or math.prod(graph.values[top][1]) > MAX_ELEMENTS:
            known[top] = False
        else:
            waiting = [source for source in inputs if source not in known]
            if waiting:
                stack.extend(waiting)
                continue
            known[top] = all(known[source] for source in inputs)
        stack.pop()
    return known[value]


def evaluate(recorder, graph, value):
    """Flat elements of a value, or None when it is not known (or not defined, as the log of a negative number)."""
    if not is_known(recorder, graph, value):
        return None
    done = graph.computed
    stack = [value]
    while stack:
        top = stack[-1]
        if top in done:
            stack.pop()
            continue
        node = graph.nodes[graph.producers[top]]
        waiting = [source for source in node[1] if source not in done]
        if waiting:
            stack.extend(waiting)
            continue
        try:
            done[top] = _compute(recorder, graph, node, top, done)
        except (ValueError, OverflowError, ZeroDivisionError, TypeError):
            graph.known[value] = False
            return None
        stack.pop()
    return done[value]


def _attributes(flat):
    return dict(zip(flat[::2], flat[1::2]))


def _number(number):
    return float(number) if isinstance(number, str) else number


def _compute(recorder, graph, node, value, done):
    op, inputs, _, flat, *_ = node
    attrs = _attributes(flat)
    code, shape = graph.values[value]
    count = math.prod(shape)
    args = [done[source] for source in inputs]
    shapes = [graph.values[source][1] for source in inputs]
    if op in _UNARY:
        function = _UNARY[op]
        return _rounded([function(x) for x in args[0]], code, op == "cast")
    if op in _BINARY:
        function = _BINARY[op]
        a, b = (_expanded(arg, old, shape) for arg, old in zip(args, shapes))
        return _rounded([function(x, y) for x, y in zip(a, b)], code)
    if op in _REDUCE:
        return _rounded(_reduced(_REDUCE[op], args[0], shapes[0], attrs["dims"]), code)
    if op == "full":
        return _rounded([_number(attrs["value"])] * count, code)
    if op == "arange":
        start, step = attrs["start"], attrs["step"]
        return _rounded([start + i * step for i in range(count)], code)
    if op == "constant":
        return _decoded(graph.constants[attrs["blob"]], code, count)
    if op == "state":
        state = recorder.state[attrs["index"]]
        found = evaluate(recorder, recorder.init, state.initial)
        if found is None:
            raise ValueError
        return found
    if op == "reshape":
        return args[0]
    if op == "expand":
        return _expanded(args[0], shapes[0], shape)
    if op == "permute":
        strides = _strides(shapes[0])
        return strided(args[0], shape, [strides[dim] for dim in attrs["dims"]], 0)
    if op == "slice":
        strides = _strides(shapes[0])
        offset = sum(start * stride for start, stride in zip(attrs["starts"], strides))
        return strided(args[0], shape, [s * step for s, step in zip(strides, attrs["steps"])], offset)
    if op == "slice_scatter":
        result, strides = list(args[0]), _strides(shape)
        offset = sum(start * stride for start, stride in zip(attrs["starts"], strides))
        places = _offsets(shapes[1], [s * step for s, step in zip(strides, attrs["steps"])], offset)
        for place, element in zip(places, args[1]):
            result[place] = element
        return result
    if op == "cat":
        dim = attrs["dim"]
        inner = [math.prod(old[dim:]) for old in shapes]
        outer = math.prod(shape[:dim])
        return [x for i in range(outer) for arg, n in zip(args, inner) for x in arg[i * n : (i + 1) * n]]
    if op == "pad":
        result, strides = [_number(attrs["value"])] * count, _strides(shape)
        offset = sum(low * stride for low, stride in zip(attrs["low"], strides))
        for place, element in zip(_offsets(shapes[0], strides, offset), args[0]):
            result[place] = element
        return result
    if op in ("tril", "triu"):
        rows, columns, diagonal = shape[-2], shape[-1], attrs["diagonal"]
        keep = (lambda d: d <= diagonal) if op == "tril" else (lambda d: d >= diagonal)
        return [x if keep(i % columns - i // columns % rows) else 0 for i, x in enumerate(args[0])]
    if op == "where":
        parts = (_expanded(arg, old, shape) for arg, old in zip(args, shapes))
        return [a if condition else b for condition, a, b in zip(*parts)]
    if op in ("index_select", "embedding"):
        dim = attrs.get("dim", 0)
        inner, size, outer = math.prod(shapes[0][dim + 1 :]), shapes[0][dim], math.prod(shapes[0][:dim])
        return [x for o in range(outer) for i in args[1]
                for x in args[0][(o * size + int(i)) * inner : (o * size + int(i) + 1) * inner]]  # fmt: skip
    if op == "cumsum":
        return _rounded(_along(args[0], shapes[0], attrs["dim"], lambda xs: list(itertools.accumulate(xs))), code)
    best = max if op == "argmax" else min
    return _along(args[0], shapes[0], attrs["dim"], lambda xs: [xs.index(best(xs))])


def _rounded(elements, code, cast=False):
    if code == "f64":
        return [float(x) for x in elements]
    if code == "i64":
        return [int(x) for x in elements]
    if code == "bool":
        return [bool(x) for x in elements]
    if cast and code in ("i32", "i16", "i8", "u8"):
        return [int(x) for x in elements]
    if code == "f32":
        # out-of-range doubles become infinities, as in float32 arithmetic
        elements = [x if -3.4e38 < x < 3.4e38 or x != x else math.copysign(math.inf, x) for x in map(float, elements)]
    return list(make_array(code, elements))


def _decoded(data, code, count):
    if code == "bf16":
        return [struct.unpack("<f", b"\0\0" + data[2 * i : 2 * i + 2])[0] for i in range(count)]
    letter = {"f32": "f", "f64": "d", "f16": "e", "i64": "q", "i32": "i", "i16": "h", "i8": "b", "u8": "B", "bool": "?"}
    return list(struct.unpack(f"<{count}{letter[code]}", data))


def _strides(shape):
    strides, step = [0] * len(shape), 1
    for dim in range(len(shape) - 1, -1, -1):
        strides[dim] = step
        step *= shape[dim]
    return strides


def _offsets(shape, strides, offset):
    offsets = [offset]
    for size, stride in zip(shape, strides):
        offsets = [base + i * stride for base in offsets for i in range(size)]
    return offsets


def strided(elements, shape, strides, offset):
    """Elements of a strided region, row-major."""
    return [elements[place] for place in _offsets(shape, strides, offset)]


def _expanded(elements, old, new):
    if tuple(old) == tuple(new):
        return elements
    lead = len(new) - len(old)
    strides = [0] * lead + [0 if size == 1 else stride for size, stride in zip(old, _strides(old))]
    return strided(elements, new, strides, 0)


def _reduced(function, elements, shape, dims):
    kept = [dim for dim in range(len(shape)) if dim not in dims]
    strides = _strides(shape)
    order = kept + list(dims)
    moved = strided(elements, [shape[dim] for dim in order], [strides[dim] for dim in order], 0)
    size = math.prod(shape[dim] for dim in dims)
    return [function(moved[i : i + size]) for i in range(0, len(moved), size)] if size else []


def _along(elements, shape, dim, function):
    """Applies a function of lines along `dim`; lines of the result may have another length."""
    inner, size = math.prod(shape[dim + 1 :]), shape[dim]
    result = []
    for outer in range(math.prod(shape[:dim])):
        base = outer * size * inner
        lines = [function(elements[base + i : base + size * inner : inner]) for i in range(inner)]
        result.extend(line[j] for j in range(len(lines[0]) if lines else 0) for line in lines)
    return result
