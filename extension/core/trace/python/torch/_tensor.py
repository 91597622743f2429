"""Tensor: shape, strides and dtype as PyTorch has them, and a value of the graph being recorded.

A tensor is the root of its storage or a view of another tensor. A view keeps its parent and how it was taken, so that
a write through any alias reaches the storage (as `slice_scatter` and inverse reshapes of the root's value) and every
other alias derives its value anew when next read. Graph values themselves never change.

A complex tensor's value is real with a last dimension of size 2; `shape` leaves that dimension out.
"""

import math

from crossover_tracer import recorder as R
from crossover_tracer.errors import DataDependent, ShapeError, Unsupported, UnsupportedName

from . import _types as T
from ._storage import Storage, make_array, round_to
from ._types import Size


class Tensor:
    """See the module's text. Methods that record operations are bound in `_methods.py`."""

    __array_priority__ = 1000

    def __new__(cls, *args, **kwargs):
        if cls is Tensor and args:
            from ._create import legacy

            return legacy(T.default_dtype, *args)
        return object.__new__(cls)

    # Storage and value

    def _v(self):
        """The tensor's value in the graph being recorded."""
        storage = self._storage
        if self._version == storage.version and storage.graph is R.current.graph:
            return self._value
        parent = self._parent
        value = storage.content() if parent is None else apply_view(parent._v(), self)
        self._value = value
        self._version = storage.version
        return value

    def _write(self, value):
        """Replaces the content, given a value of this tensor's shape and dtype."""
        tensor, storage, rec = self, self._storage, R.current
        new = value
        unseen = not rec.grad_enabled
        while tensor._parent is not None:
            parent = tensor._parent
            unseen = unseen or tensor._view is DETACH
            new = undo_view(parent, tensor, new)
            tensor = parent
        if unseen and tensor.requires_grad and rec.phase == "forward" and not rec.region:
            if tensor._leaf:
                raise Unsupported(
                    "the forward pass changes a parameter in place, which a step cannot keep; "
                    "compute the changed weight from it without writing to it"
                )
            new = _unseen_by_autograd(rec, tensor._v(), new)
            if tensor is self:
                value = new
        if storage.graph is not R.current.graph:
            storage.content()
        storage.value, storage.array = new, None
        storage.version += 1
        self._value, self._version = value, storage.version
        if tensor is not self:
            tensor._value, tensor._version = new, storage.version

    @property
    def requires_grad(self):
        return self._rg or self._storage.requires_grad

    @requires_grad.setter
    def requires_grad(self, flag):
        if flag and self.dtype.category < 2:
            raise RuntimeError("only Tensors of floating point dtype can require gradients")
        self._rg = bool(flag)
        if not flag:
            self._storage.requires_grad = False

    @property
    def is_leaf(self):
        return not self.requires_grad or self._leaf

    @property
    def data(self):
        return detached(self)

    @data.setter
    def data(self, other):
        if other is self:
            return
        view = other
        while view._parent is not None and view._parent is not self:
            view = view._parent
        if view._parent is self:
            # A view of this tensor takes its place: what it is a view of stays what it was.
            view._parent = object.__new__(Tensor)
            view._parent.__dict__.update(self.__dict__)
        self._storage, self._parent, self._view = other._storage, other, ALIAS
        self.shape, self._strides, self._offset, self.dtype = other.shape, other._strides, other._offset, other.dtype
        self.device = other.device
        self._version, self._value = -1, None

    # Shape and layout

    @property
    def ndim(self):
        return len(self.shape)

    def dim(self):
        return len(self.shape)

    ndimension = dim

    def size(self, dim=None):
        return self.shape if dim is None else self.shape[check_dim(dim, len(self.shape))]

    def numel(self):
        return math.prod(self.shape)

    nelement = numel

    def stride(self, dim=None):
        strides = strides_of(self)
        return strides if dim is None else strides[dim]

    def storage_offset(self):
        return self._offset

    def is_contiguous(self, memory_format=None):
        return self._strides is None or _is_contiguous(self.shape, self._strides)

    def element_size(self):
        return self.dtype.itemsize

    @property
    def itemsize(self):
        return self.dtype.itemsize

    @property
    def nbytes(self):
        return self.numel() * self.dtype.itemsize

    @property
    def layout(self):
        return T.strided

    def data_ptr(self):
        return id(self._storage) + self._offset * self.dtype.itemsize

    def untyped_storage(self):
        return self._storage

    def get_device(self):
        return -1 if self.device.type == "cpu" else (self.device.index or 0)

    def is_floating_point(self):
        return self.dtype.category == 2

    def is_complex(self):
        return self.dtype.category == 3

    def is_pinned(self):
        return False

    def is_shared(self):
        return False

    @property
    def is_cuda(self):
        return self.device.type == "cuda"

    @property
    def is_cpu(self):
        return self.device.type == "cpu"

    @property
    def is_meta(self):
        return self.device.type == "meta"

    is_sparse = is_mps = is_quantized = is_nested = is_xla = False
    names = ()

    def __len__(self):
        if not self.shape:
            raise TypeError("len() of a 0-d tensor")
        return self.shape[0]

    def __hash__(self):
        return id(self)

    def __repr__(self):
        return f"tensor(..., shape={tuple(self.shape)}, dtype={self.dtype!r})"

    def __format__(self, spec):
        if not self.shape:
            return format(self.item(), spec)
        return format(repr(self), spec)

    def __deepcopy__(self, memo):
        copy = memo[id(self)] = object.__new__(type(self))
        fill(copy, self._v(), self.dtype, self.shape, None if self._parent is None else self._strides, self.device)
        if self._storage.array is not None and self._parent is None:
            copy._storage.array, copy._storage.value = self._storage.array[:], None
        copy._rg, copy._leaf = self._rg, self._leaf
        for name, attribute in self.__dict__.items():
            copy.__dict__.setdefault(name, attribute)
        return copy

    def __reduce_ex__(self, protocol):
        raise Unsupported("tensors cannot be pickled while tracing")

    def __getattr__(self, name):
        raise UnsupportedName(f"'Tensor' object has no attribute '{name}'")

    def __array__(self, *_args, **_kwargs):
        raise DataDependent("a tensor cannot become a NumPy array while tracing")

    # Gradients are the compiler's work

    def backward(self, *_args, **_kwargs):
        from crossover_tracer.errors import StopTrace

        graph = R.current.graph
        if R.current.importing and not graph.nodes[graph.producers[self._v()]][1]:
            return  # of a tensor that depends on nothing, as scripts call it to wake a device
        R.current.stopped = self
        raise StopTrace

    def requires_grad_(self, requires_grad=True):
        self.requires_grad = requires_grad
        return self

    def retain_grad(self):
        return None

    def register_hook(self, hook):
        """The gradient goes through `hook` from here on; one on a parameter would have to see the whole step's."""
        rec = R.current
        if self._leaf or rec.graph is not rec.forward:
            raise Unsupported(
                "gradient hooks on parameters are not traced; scale the weight's use in forward, or remove register_hook"
            )
        if rec.grad_enabled and self.requires_grad:
            from .autograd.function import hooked

            self._write(hooked(self, hook)._v())
        return Handle()

    @property
    def grad_fn(self):
        return None if not self.requires_grad or self._leaf else self

    grad = None


class Handle:
    """What registering a hook gives; a hook that was traced is part of the graph."""

    def remove(self):
        raise Unsupported("removing a gradient hook is not traced; do not register it")


ALIAS = ("alias",)
DETACH = ("detach",)


def fill(tensor, value, kind, shape, strides, device, requires_grad=False):
    """Makes `tensor` the root of a new storage with the content `value` (a graph value, or None for an array)."""
    storage = Storage(R.current.graph, value, kind, tuple(shape) + ((2,) if kind.category == 3 else ()))
    tensor._storage = storage
    tensor._parent = None
    tensor._view = None
    tensor._value = value
    tensor._version = 0 if value is not None else -1
    tensor.shape = shape if type(shape) is Size else Size(shape)
    tensor._strides = strides
    tensor._offset = 0
    tensor.dtype = kind
    tensor.device = device
    tensor._rg = requires_grad
    tensor._leaf = False
    return tensor


def fresh(value, kind, shape, device=T.CPU, requires_grad=False, strides=None):
    """A new tensor with a storage of its own."""
    return fill(object.__new__(Tensor), value, kind, shape, strides, device, requires_grad)


def from_array(values, kind, shape, device=T.CPU):
    """A new tensor whose elements are known now."""
    tensor = fill(object.__new__(Tensor), None, kind, shape, None, device)
    tensor._storage.array = values
    return tensor


def scalar_array(number, kind, device=T.CPU):
    return from_array(make_array(T.code_of(kind), (number,)), kind, Size(), device)


def new_view(parent, view, shape, strides, offset, kind=None):
    """A view of `parent`; its node is recorded now, so that it carries this line, unless elements are still written."""
    tensor = object.__new__(Tensor)
    tensor._storage = storage = parent._storage
    tensor._parent = parent
    tensor._view = view
    tensor.shape = shape if type(shape) is Size else Size(shape)
    tensor._strides = strides
    tensor._offset = offset
    tensor.dtype = kind or parent.dtype
    tensor.device = parent.device
    rec = R.current
    tensor._rg = parent._rg and rec.grad_enabled
    tensor._leaf = False
    tensor._value, tensor._version = None, -1
    if storage.array is None:
        tensor._value = apply_view(parent._v(), tensor)
        tensor._version = storage.version
    return tensor


def _unseen_by_autograd(rec, old, new):
    """The value after a write under no_grad or through `.data`: the gradient passes as if nothing had been written."""
    dtype, shape = rec.graph.values[new]
    # "detach" is never merged with another value, whose gradient would be a different one
    written = rec.emit("detach", (new,), (), dtype, shape)
    with rec.into_backward():
        gradient = rec.emit("cotangent", (), (), dtype, shape)
    rec.graph.vjps.append(((old,), (written,), (gradient,), (gradient,)))
    return written


def detached(tensor):
    """An alias without gradient; a node only when there is a gradient to cut and no user-defined derivative."""
    rec = R.current
    cut = tensor.requires_grad and rec.graph is rec.forward and not rec.region
    if cut and tensor._storage.requires_grad:
        value = rec.emit("detach", (tensor._v(),), (), T.code_of(tensor.dtype.to_real()), value_shape(tensor))
        return fresh(value, tensor.dtype, tensor.shape, tensor.device)
    view = new_view(tensor, DETACH if cut else ALIAS, tensor.shape, tensor._strides, tensor._offset)
    view._rg = False
    return view


def value_shape(tensor):
    """Shape of the tensor's graph value."""
    return (*tensor.shape, 2) if tensor.dtype.category == 3 else tuple(tensor.shape)


def apply_view(value, child):
    """Records how `child` is taken from its parent's value."""
    view = child._view
    op = view[0]
    if op == "alias":
        return value
    code = T.code_of(child.dtype.to_real())
    inner = (2,) if child.dtype.category == 3 else ()
    shape = (*child.shape, *inner)
    emit = R.current.emit
    if op == "reshape" or op == "expand" or op == "detach":
        return emit(op, (value,), (), code, shape)
    if op == "permute":
        dims = (*view[1], len(view[1])) if inner else view[1]
        return emit(op, (value,), ("dims", dims), code, shape)
    starts, steps = ((*view[1], 0), (*view[2], 1)) if inner else (view[1], view[2])
    return emit("slice", (value,), ("starts", starts, "steps", steps), code, shape)


def undo_view(parent, child, value):
    """The parent's new value when `child`, a view of it, gets `value`."""
    op = child._view[0]
    if op == "alias" or op == "detach":
        return value
    code = T.code_of(parent.dtype.to_real())
    shape = value_shape(parent)
    emit = R.current.emit
    if op == "reshape":
        return emit("reshape", (value,), (), code, shape)
    inner = parent.dtype.category == 3
    if op == "permute":
        dims = child._view[1]
        inverse = [0] * len(dims)
        for position, dim in enumerate(dims):
            inverse[dim] = position
        if inner:
            inverse.append(len(dims))
        return emit("permute", (value,), ("dims", tuple(inverse)), code, shape)
    if op == "slice":
        if child.shape == parent.shape:
            return value
        starts, steps = child._view[1], child._view[2]
        if inner:
            starts, steps = (*starts, 0), (*steps, 1)
        return emit("slice_scatter", (parent._v(), value), ("starts", starts, "steps", steps), code, shape)
    raise RuntimeError(
        "unsupported operation: more than one element of the written-to tensor refers to a single memory location. "
        "Please clone() the tensor before performing the operation."
    )


def contiguous_strides(shape):
    strides = []
    step = 1
    for size in reversed(shape):
        strides.append(step)
        step *= size or 1
    strides.reverse()
    return tuple(strides)


def strides_of(tensor):
    return contiguous_strides(tensor.shape) if tensor._strides is None else tensor._strides


def _is_contiguous(shape, strides):
    expected = 1
    for size, stride in zip(reversed(shape), reversed(strides)):
        if size != 1:
            if stride != expected:
                return False
            expected *= size
    return True


def check_dim(dim, ndim):
    """A dimension counted from 0, in PyTorch's words when out of range."""
    from crossover_tracer.errors import ShapeIndexError

    limit = ndim or 1
    if not -limit <= dim < limit:
        raise ShapeIndexError(
            f"Dimension out of range (expected to be in range of [{-limit}, {limit - 1}], but got {dim})"
        )
    return dim + ndim if dim < 0 and ndim else max(dim, 0) if ndim == 0 else dim


def check_dims(dims, ndim):
    """Dimensions counted from 0 of an int, a sequence, or None for all."""
    if dims is None:
        return tuple(range(ndim))
    if isinstance(dims, int):
        return (check_dim(dims, ndim),)
    if len(dims) == 0:
        return tuple(range(ndim))
    checked = tuple(check_dim(dim, ndim) for dim in dims)
    for dim in checked:
        if checked.count(dim) > 1:
            raise ShapeError(f"dim {dim} appears multiple times in the list of dims")
    return checked


def sizes_from(args):
    """A shape from `f(2, 3)` or `f((2, 3))`."""
    if len(args) == 1 and not isinstance(args[0], int) and not isinstance(args[0], Tensor):
        args = args[0]
    return tuple(as_int(size) for size in args)


def as_int(number):
    """A Python int from an int or a tensor whose value is known."""
    if type(number) is int:
        return number
    if isinstance(number, Tensor):
        return int(number.item())
    if hasattr(number, "__index__"):
        return number.__index__()
    raise TypeError(f"expected an integer, got {type(number).__name__}")


def write_element(tensor, offset, number):
    """Stores one number into an array-backed storage."""
    storage = tensor._storage
    code = storage.dtype.code
    if code == "bool":
        number = bool(number)
    elif storage.dtype.category == 1:
        number = int(number)
    elif code in ("bf16", "f16"):
        number = round_to(code, number)
    storage.array[offset] = number
    storage.value = None
    storage.version += 1
