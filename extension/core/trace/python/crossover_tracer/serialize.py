"""The response's `trace` from what was recorded: dead nodes dropped, tables interned."""

import base64

from . import positions


class _Tables:
    def __init__(self):
        self.files, self.spans, self.stacks, self.scopes, self.attrs = {}, {}, {}, {}, {}
        self.attr_values = []

    @staticmethod
    def _index(table, key):
        return table.setdefault(key, len(table))

    def stack(self, frames):
        spans = []
        for code, instruction in frames:
            file, *place, function = positions.range_of(code, instruction)
            spans.append(self._index(self.spans, (self._index(self.files, file), *place, function)))
        return self._index(self.stacks, tuple(spans))

    def attr(self, flat):
        key = repr(flat)
        index = self.attrs.get(key)
        if index is None:
            index = self.attrs[key] = len(self.attr_values)
            self.attr_values.append({name: _plain(value) for name, value in zip(flat[::2], flat[1::2])})
        return index


def _plain(value):
    if isinstance(value, (tuple, list)):
        return [int(item) for item in value]
    if isinstance(value, float) and value != value:
        return "nan"
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return "inf" if value > 0 else "-inf"
    return value


def build(recorder, state, optimizer, sizes, log):
    """The trace as plain lists and dicts."""
    tables = _Tables()
    tables.stack(())
    scopes = {index: path for path, index in recorder.scopes.items()}
    init, init_values = _graph(recorder, recorder.init, [entry.initial for entry in state], tables, scopes, True)
    forward, _ = _graph(recorder, recorder.forward, list(recorder.forward.outputs.values()), tables, scopes, False)
    return {
        "version": 1,
        "files": list(tables.files),
        "spans": [list(span) for span in tables.spans],
        "stacks": [list(stack) for stack in tables.stacks],
        "scopes": list(tables.scopes) or [""],
        "attrs": tables.attr_values,
        "init": init,
        "forward": forward,
        "state": [[entry.kind, entry.names, init_values[entry.initial], entry.requires_grad] for entry in state],
        "optimizer": optimizer,
        "context": sizes[0],
        "batch": sizes[1],
        "vocab": sizes[2],
        "log": log,
    }


def _graph(recorder, graph, roots, tables, scopes, random):
    """One graph without dead nodes, and {recorded value: written value}. Random draws are never dead."""
    nodes, producers = graph.nodes, graph.producers
    alive = bytearray(len(nodes))
    vjps = {}
    for vjp in graph.vjps:
        for value in vjp[1]:
            vjps.setdefault(producers[value], []).append(vjp)
    stack = [producers[value] for value in roots]
    if random:
        stack.extend(index for index, node in enumerate(nodes) if node[0].startswith("rng."))
    kept_vjps = {}
    while stack:
        index = stack.pop()
        if alive[index]:
            continue
        alive[index] = 1
        stack.extend(producers[value] for value in nodes[index][1])
        for vjp in vjps.get(index, ()):
            kept_vjps[id(vjp)] = vjp
            for part in vjp:
                stack.extend(producers[value] for value in part if value is not None)
    values, written, rows, constants, blobs = [], {}, [], [], {}
    stack_index = {}
    for index in _stream_order(recorder, graph, alive) if random else range(len(nodes)):
        if not alive[index]:
            continue
        op, inputs, outputs, attrs, stack_id, scope, phase = nodes[index]
        for value in outputs:
            written[value] = len(values)
            dtype, shape = graph.values[value]
            values.append([dtype, *shape])
        if op == "constant":
            blob = attrs[1]
            if blob not in blobs:
                blobs[blob] = len(constants)
                constants.append(base64.b64encode(graph.constants[blob]).decode("ascii"))
            attrs = ("blob", blobs[blob])
        if stack_id not in stack_index:
            stack_index[stack_id] = tables.stack(recorder.stack_codes[stack_id])
        rows.append([
            op, [written[value] for value in inputs], [written[value] for value in outputs], tables.attr(attrs),
            stack_index[stack_id], tables._index(tables.scopes, scopes[scope]), phase,
        ])  # fmt: skip
    custom = [
        [[written[value] for value in part] for part in vjp[:3]]
        + [[None if value is None else written[value] for value in vjp[3]]]
        for vjp in graph.vjps
        if id(vjp) in kept_vjps
    ]
    outputs = {name: written[value] for name, value in graph.outputs.items()}
    return {"values": values, "nodes": rows, "constants": constants, "customVjps": custom, "outputs": outputs}, written


def _stream_order(recorder, graph, alive):
    """The order to write the init graph in: whoever runs it has one generator, so each stream's draws stand together.

    The run's own stream comes first, where its seed is, and the one that the default generator ends with last.
    """
    nodes = graph.nodes
    draws = [index for index in recorder.stream_of if alive[index]]
    streams = {stream: place for place, stream in enumerate(recorder.streams)}
    rank = {stream: place for stream, place in streams.items() if place > 0}
    rank[recorder.default_stream] = len(streams)
    rank[recorder.streams[0]] = 0
    wanted = sorted(draws, key=lambda index: (rank[recorder.stream_of[index]], index))
    if wanted == draws:
        return range(len(nodes))
    order, placed = [], bytearray(len(nodes))
    for target in [*wanted, *range(len(nodes))]:
        stack = [target]
        while stack:
            index = stack[-1]
            missing = [maker for maker in map(graph.producers.__getitem__, nodes[index][1]) if not placed[maker]]
            if missing and not placed[index]:
                stack.extend(missing)
                continue
            stack.pop()
            if not placed[index]:
                placed[index] = 1
                order.append(index)
    return order
