"""Binds functions to Tensor: methods, operators, conversions, and in-place forms."""

import builtins

from . import _complex, _create, _cumulative, _elementary, _gather, _index, _join, _linalg, _matrices, _more_views, _ops
from . import _random, _reduce, _shape, _value, _views
from . import _types as T
from ._numpy_names import numpy_names
from ._pointwise import assign, cast_value, layout_of, put, result
from ._tensor import Tensor, detached, new_view, sizes_from

# Conversions


def to(input, *args, **kwargs):
    """to(dtype), to(device), to(other), to(device, dtype), and their keywords."""
    kind, device = kwargs.get("dtype"), kwargs.get("device")
    args = list(args)
    if kwargs.get("other") is not None:
        args.insert(0, kwargs["other"])
    for arg in args:
        if isinstance(arg, T.dtype) or arg is float or arg is int or arg is bool:
            kind = arg
        elif isinstance(arg, Tensor):
            kind, device = arg.dtype, arg.device
        elif isinstance(arg, (str, T.device)) or (isinstance(arg, int) and not isinstance(arg, bool)):
            device = arg
    output = input
    if kind is not None:
        output = _cast(input, T.as_dtype(kind))
    if device is not None and T.as_device(device) != output.device:
        moved = new_view(output, ("alias",), output.shape, output._strides, output._offset)
        moved.device = T.as_device(device)
        output = moved
    if output is input and kwargs.get("copy"):
        output = _join.clone(input)
    return output


def _cast(input, kind):
    if input.dtype is kind:
        return input
    if kind.category == 3 or input.dtype.category == 3:
        return _complex.cast(input, kind)
    if input.shape == () and input._storage.array is not None:
        from ._tensor import scalar_array

        return scalar_array(input._storage.array[input._offset], kind, input.device)
    strides = None if input._strides is None else layout_of(input.shape, (input,))
    return result(cast_value(input, kind), kind, input.shape, (input,), strides)


def _caster(kind):
    def function(self, memory_format=None):
        return _cast(self, kind)

    return function


for _name, _kind in {
    "float": T.float32, "double": T.float64, "half": T.float16, "bfloat16": T.bfloat16, "long": T.int64,
    "int": T.int32, "short": T.int16, "char": T.int8, "byte": T.uint8, "bool": T.bool_, "cfloat": T.complex64,
    "cdouble": T.complex128,
}.items():  # fmt: skip
    setattr(Tensor, _name, _caster(_kind))


def type_as(input, other):
    return _cast(input, other.dtype)


_LEGACY = {
    "FloatTensor": T.float32, "DoubleTensor": T.float64, "HalfTensor": T.float16, "BFloat16Tensor": T.bfloat16,
    "LongTensor": T.int64, "IntTensor": T.int32, "ShortTensor": T.int16, "CharTensor": T.int8, "ByteTensor": T.uint8,
    "BoolTensor": T.bool_,
}  # fmt: skip


def type(input, dtype=None, **_):
    if dtype is None:
        return f"torch.{input.dtype.name}"
    if isinstance(dtype, str):
        dtype = _LEGACY.get(dtype.rsplit(".", 1)[-1]) or T.DTYPES.get(dtype.removeprefix("torch.")) or T.as_dtype(dtype)
    return _cast(input, getattr(dtype, "dtype", dtype))


def _device(name):
    def function(self, device=None, non_blocking=False, memory_format=None):
        return to(self, device=name if device is None else device)

    return function


Tensor.cuda, Tensor.cpu = _device("cuda"), _device("cpu")
Tensor.to, Tensor.type, Tensor.type_as = to, type, type_as


def _itself(self, *_args, **_kwargs):
    return self


Tensor.pin_memory = Tensor.share_memory_ = Tensor.coalesce = Tensor.resolve_conj = Tensor.resolve_neg = Tensor.__pos__ = _itself


# Functions that are methods under the same name

_FROM = {
    _ops: "exp exp2 log log2 log1p expm1 log10 sin cos tan tanh sigmoid sqrt rsqrt reciprocal erf neg negative sign sgn "
    "square relu abs absolute floor ceil round trunc fix frac sinh cosh logit isnan isinf isfinite nan_to_num logical_not "
    "bitwise_not add sub mul div true_divide floor_divide remainder fmod pow float_power maximum minimum fmax fmin atan2 "
    "atan arctan hypot logaddexp clamp clip clamp_min clamp_max lerp addcmul addcdiv eq ne lt le gt ge not_equal less "
    "less_equal greater greater_equal isclose logical_and logical_or logical_xor bitwise_and bitwise_or bitwise_xor",
    _reduce: "sum nansum mean prod amax amin max min aminmax argmax argmin any all count_nonzero var std norm logsumexp "
    "cumsum cumprod logcumsumexp diff topk sort argsort median softmax log_softmax",
    _views: "reshape view permute expand",
    _shape: "unsqueeze squeeze transpose t movedim narrow select flatten unflatten ravel view_as reshape_as expand_as "
    "broadcast_to split chunk tensor_split unbind unfold diagonal",
    _join: "repeat tile repeat_interleave clone contiguous flip roll tril triu",
    _gather: "index_select gather take_along_dim scatter scatter_ scatter_add scatter_add_ index_add index_add_ index_copy "
    "index_copy_",
    _index: "index_fill_ index_put index_put_ masked_fill masked_fill_ nonzero argwhere masked_select unique",
    _linalg: "matmul mm bmm mv dot addmm baddbmm outer ger cross trace adjoint",
    _cumulative: "cummax cummin",
    _elementary: "acos acosh arccos arccosh arcsin arcsinh arctan2 arctanh asin asinh atanh copysign deg2rad erfinv heaviside "
    "isneginf isposinf isreal ldexp logaddexp2 positive rad2deg signbit sinc xlogy",
    _matrices: "addbmm addmv addr cov corrcoef dist inner matrix_power rot90",
    _more_views: "as_strided diagflat diagonal_scatter dsplit fill_diagonal_ hsplit index_fill is_nonzero is_same_size is_signed "
    "kthvalue masked_scatter masked_scatter_ msort nanmean quantile scatter_reduce scatter_reduce_ select_scatter slice_scatter "
    "split_with_sizes sum_to_size take vsplit",
    _create: "new_zeros new_ones new_empty new_full new_tensor",
    _random: "normal_ uniform_ random_ bernoulli_ exponential_",
    _value: "item tolist numpy equal allclose",
    _complex: "conj angle isreal",
}
for _module, _names in _FROM.items():
    for _name in _names.split():
        setattr(Tensor, _name, numpy_names(getattr(_module, _name)))

Tensor.bitwise_left_shift, Tensor.bitwise_right_shift = _ops.bitwise_left_shift, _ops.bitwise_right_shift
Tensor.unsafe_split, Tensor.unsafe_chunk = _shape.split, _shape.chunk
Tensor.vdot = _linalg.dot
Tensor.bernoulli, Tensor.multinomial = _random.bernoulli, _random.multinomial


def _of_package(name):
    """The package's function of that name, which is made after this module."""

    def method(self, *args, **kwargs):
        import torch

        return getattr(torch, name)(self, *args, **kwargs)

    method.__name__ = name
    return method


for _name in "diag diag_embed kron bincount hardshrink prelu".split():
    setattr(Tensor, _name, _of_package(_name))


def new(self, *args, **_):
    """x.new(2, 3): an empty tensor of the same type; x.new([1, 2]): one with these elements."""
    if len(args) == 1 and isinstance(args[0], (list, tuple)) and not isinstance(args[0], T.Size):
        return _create.new_tensor(self, args[0])
    return _create.new_empty(self, sizes_from(args) if args else (0,))


Tensor.new = new
Tensor.swapaxes = Tensor.swapdims = _shape.transpose
Tensor.moveaxis = _shape.movedim
Tensor.multiply, Tensor.divide, Tensor.subtract = _ops.mul, _ops.div, _ops.sub


def where_method(self, condition, other):
    return _ops.where(condition, self, other)


Tensor.where = where_method
Tensor.detach = detached
Tensor.fliplr = lambda self: _join.flip(self, 1)
Tensor.flipud = lambda self: _join.flip(self, 0)
Tensor.T = property(lambda self: _views.permute(self, tuple(range(len(self.shape) - 1, -1, -1))))
Tensor.mT = property(lambda self: _shape.transpose(self, -2, -1))
Tensor.mH = property(_linalg.adjoint)
Tensor.H = property(lambda self: _complex.conj(_shape.t(self)))
Tensor.real = property(_complex.real, lambda self, value: copy_(_complex.real(self), value))
Tensor.imag = property(_complex.imag, lambda self, value: copy_(_complex.imag(self), value))
Tensor.conj_physical = _complex.conj
Tensor.is_conj = Tensor.is_neg = lambda self: False


def detach_(self):
    self._rg = False
    return self


Tensor.detach_ = detach_


# In-place forms


def _in_place(function):
    def method(self, *args, **kwargs):
        return assign(self, function(self, *args, **kwargs))

    return method


for _name in (
    "exp exp2 log log2 log1p expm1 sin cos tan tanh sigmoid sqrt rsqrt reciprocal erf neg sign square relu abs floor ceil "
    "round trunc nan_to_num logical_not add sub mul div true_divide floor_divide remainder fmod pow clamp clip clamp_min "
    "clamp_max lerp addcmul addcdiv eq ne lt le gt ge logical_and logical_or bitwise_and bitwise_or tril triu cumsum "
    "cumprod addmm baddbmm acos asin asinh atan atan2 atanh absolute bitwise_not bitwise_xor copysign divide erfinv fix "
    "float_power frac greater greater_equal hypot less less_equal log10 logical_xor logit multiply negative not_equal sgn sinc "
    "sinh cosh subtract xlogy"
).split():
    setattr(Tensor, _name + "_", _in_place(getattr(Tensor, _name)))


def fill_(self, value):
    return put(self, value if isinstance(value, Tensor) else _create.full((), value, dtype=self.dtype))


def zero_(self):
    return fill_(self, 0)


def copy_(self, src, non_blocking=False):
    if self._leaf and self._rg and _recorder().grad_enabled:
        raise RuntimeError("a leaf Variable that requires grad is being used in an in-place operation.")
    return put(self, src if isinstance(src, Tensor) else _create.tensor(src))


def set_(self, source):
    self.data = source
    return self


def _reshaping(function):
    def method(self, *args):
        view = function(self, *args)
        self.data = view
        return self

    return method


def _recorder():
    from crossover_tracer import recorder

    return recorder.current


Tensor.fill_, Tensor.zero_, Tensor.copy_, Tensor.set_ = fill_, zero_, copy_, set_
Tensor.unsqueeze_, Tensor.squeeze_, Tensor.t_, Tensor.transpose_ = (
    _reshaping(_shape.unsqueeze), _reshaping(_shape.squeeze), _reshaping(_shape.t), _reshaping(_shape.transpose),
)  # fmt: skip
Tensor.resize_ = lambda self, *sizes: self if sizes_from(sizes) == self.shape else _no_resize()


def _no_resize():
    from crossover_tracer.errors import Unsupported

    raise Unsupported("resize_ to another shape is not traced; create a tensor of the wanted size")


# Operators

_TRY = (Tensor, int, float, bool, complex)
builtin_type = builtins.type


def _operator(function):
    def method(self, other):
        if not isinstance(other, _TRY) and (isinstance(other, builtin_type) or not hasattr(other, "__float__")):
            return NotImplemented
        return function(self, other)

    return method


def _reflected(function):
    def method(self, other):
        if not isinstance(other, _TRY) and (isinstance(other, builtin_type) or not hasattr(other, "__float__")):
            return NotImplemented
        return function(other, self)

    return method


for _symbol, _function in {
    "add": _ops.add, "sub": _ops.sub, "mul": _ops.mul, "truediv": _ops.div, "floordiv": _ops.floor_divide,
    "mod": _ops.remainder, "pow": _ops.pow, "and": _ops.bitwise_and, "or": _ops.bitwise_or, "xor": _ops.bitwise_xor,
    "lshift": _ops.bitwise_left_shift, "rshift": _ops.bitwise_right_shift,
}.items():  # fmt: skip
    setattr(Tensor, f"__{_symbol}__", _operator(_function))
    setattr(Tensor, f"__r{_symbol}__", _reflected(_function))
    setattr(Tensor, f"__i{_symbol}__", _in_place(_function))

for _symbol in ("eq", "ne", "lt", "le", "gt", "ge"):
    setattr(Tensor, f"__{_symbol}__", _operator(getattr(_ops, _symbol)))

Tensor.__matmul__ = _linalg.matmul
Tensor.__rmatmul__ = lambda self, other: _linalg.matmul(other, self)
Tensor.__neg__ = _ops.neg
Tensor.__abs__ = _ops.abs
Tensor.__invert__ = _ops.bitwise_not
Tensor.__getitem__ = _index.getitem
Tensor.__setitem__ = _index.setitem
Tensor.__bool__ = _value.to_bool
Tensor.__float__ = _value.to_float
Tensor.__int__ = _value.to_int
Tensor.__index__ = _value.to_index
Tensor.__iter__ = lambda self: iter(_iterated(self))
Tensor.__contains__ = lambda self, item: bool(_reduce.any(_ops.eq(self, item)))
Tensor.__round__ = lambda self, digits=0: _ops.round(self)


def _iterated(input):
    if not input.shape:
        raise TypeError("iteration over a 0-d tensor")
    return _shape.unbind(input, 0)
