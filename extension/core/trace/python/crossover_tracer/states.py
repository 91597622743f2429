"""State of the trace: parameters and buffers by identity, and the tensors a model keeps beside them."""

import torch
from torch._storage import Storage

from . import recorder as R
from .errors import Unsupported


class States:
    """Collects the model's registered tensors in registration order; tied weights appear once, with every name."""

    def __init__(self, recorder, model):
        self.recorder, self.model = recorder, model
        self.tensors, self.indexes = [], {}
        self._collect()

    def _collect(self):
        recorder = self.recorder
        for kind, members in (
            ("parameter", self.model.named_parameters(remove_duplicate=False)),
            ("buffer", self.model.named_buffers(remove_duplicate=False)),
        ):
            for name, tensor in members:
                index = self.indexes.get(id(tensor))
                if index is not None:
                    recorder.state[index].names.append(name)
                    continue
                self.indexes[id(tensor)] = len(self.tensors)
                self.tensors.append(tensor)
                graph = recorder.init
                value = tensor._v()
                dtype, shape = graph.values[value]
                recorder.state.append(R.State(kind, [name], value, kind == "parameter" and tensor._rg, dtype, shape))

    def index_of(self, tensor):
        """Index of a parameter in the trace's state, or None."""
        return self.indexes.get(id(tensor))

    def enter_forward(self):
        """Registered tensors become `state` nodes; modules learn their paths; other tensors learn their names."""
        recorder = self.recorder
        self._name_modules_and_constants()
        for entry, tensor in zip(recorder.state, self.tensors):
            # optimizer hooks and `init` may have changed the content since it was collected
            entry.initial = tensor._v()
        recorder.begin_forward()
        for index, tensor in enumerate(self.tensors):
            entry = recorder.state[index]
            value = recorder.intern(("state", index), "state", ("index", index), entry.dtype, entry.shape)
            strides = None if tensor.is_contiguous() else tensor._strides
            storage = Storage(recorder.graph, value, tensor.dtype, entry.shape)
            tensor._storage, tensor._parent, tensor._view = storage, None, None
            tensor._value, tensor._version = value, 0
            tensor._strides, tensor._offset = strides, 0

    def check_unchanged(self, notes):
        """A step keeps no changes to state: one to a parameter is refused, one to a buffer noted."""
        for index, tensor in enumerate(self.tensors):
            entry = self.recorder.state[index]
            if tensor._storage.value == self.recorder.forward.interned.get(("state", index)):
                continue
            name = entry.names[0]
            if entry.kind == "parameter":
                raise Unsupported(
                    f"the forward pass changes the parameter {name}, and a step cannot keep that; "
                    "compute the changed weight from it without writing to it"
                )
            notes.append(f"the forward pass changes the buffer {name}; every step starts from its first content")

    def _name_modules_and_constants(self):
        recorder = self.recorder
        by_node = {}
        for path, module in self.model.named_modules():
            module.__dict__["_scope"] = recorder.scope_index(path)
            for name, item in module.__dict__.items():
                if isinstance(item, torch.Tensor):
                    full = f"{path}.{name}" if path else name
                    recorder.constant_names.setdefault(id(item._storage), full)
        for entry in recorder.state:
            by_node.setdefault(recorder.init.producers[entry.initial], entry.names[0])
        nodes = recorder.init.nodes
        for index, name in by_node.items():
            node = nodes[index]
            nodes[index] = (*node[:5], recorder.scope_index(name.rpartition(".")[0]), node[6])
