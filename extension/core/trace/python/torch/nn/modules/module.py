"""nn.Module: registration, traversal, state dicts, hooks, conversion; and the module path of every recorded node."""

import functools
from collections import OrderedDict, namedtuple

from crossover_tracer import recorder as R
from crossover_tracer.errors import UnsupportedName

from ... import _types as T
from ..._tensor import Tensor
from ..parameter import Buffer, Parameter

_IncompatibleKeys = namedtuple("IncompatibleKeys", ("missing_keys", "unexpected_keys"))


class RemovableHandle:
    """Removes a hook."""

    _next = 0

    def __init__(self, hooks, hook=None):
        self.hooks = hooks
        self.id = RemovableHandle._next
        RemovableHandle._next += 1

    def remove(self):
        self.hooks.pop(self.id, None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()


def _scoped(forward):
    """`forward` with the module's path as the scope of what it records; also reached by direct `.forward()` calls."""

    @functools.wraps(forward)
    def scoped(self, *args, **kwargs):
        recorder = R.current
        saved = recorder.scope
        recorder.scope = self.__dict__.get("_scope", saved)
        recorder.depth += 1
        try:
            return forward(self, *args, **kwargs)
        finally:
            recorder.depth -= 1
            recorder.scope = saved

    scoped.scoped = True
    return scoped


class Module:
    """torch.nn.Module."""

    training = True
    dump_patches = False
    call_super_init = False

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        forward = cls.__dict__.get("forward")
        if callable(forward) and hasattr(forward, "__code__") and not hasattr(forward, "scoped"):
            cls.forward = _scoped(forward)

    def __init__(self, *args, **kwargs):
        fields = self.__dict__
        fields["training"] = True
        fields["_parameters"] = {}
        fields["_buffers"] = {}
        fields["_non_persistent_buffers_set"] = set()
        fields["_modules"] = {}
        fields["_forward_hooks"] = OrderedDict()
        fields["_forward_pre_hooks"] = OrderedDict()
        fields["_load_state_dict_pre_hooks"] = OrderedDict()
        fields["_state_dict_hooks"] = OrderedDict()

    def forward(self, *args, **kwargs):
        raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')

    def __call__(self, *args, **kwargs):
        fields = self.__dict__
        if fields.get("_forward_pre_hooks"):
            for hook, with_kwargs in list(fields["_forward_pre_hooks"].values()):
                if with_kwargs:
                    found = hook(self, args, kwargs)
                    args, kwargs = found if found is not None else (args, kwargs)
                else:
                    found = hook(self, args)
                    args = args if found is None else found if isinstance(found, tuple) else (found,)
        output = self.forward(*args, **kwargs)
        if fields.get("_forward_hooks"):
            for hook, with_kwargs in list(fields["_forward_hooks"].values()):
                found = hook(self, args, kwargs, output) if with_kwargs else hook(self, args, output)
                output = output if found is None else found
        return output

    # Attributes

    def __setattr__(self, name, value):
        fields = self.__dict__
        parameters = fields.get("_parameters")
        if isinstance(value, Parameter):
            if parameters is None:
                raise AttributeError("cannot assign parameters before Module.__init__() call")
            _drop(name, fields, fields["_buffers"], fields["_modules"])
            self.register_parameter(name, value)
        elif parameters is not None and name in parameters:
            if value is not None:
                raise TypeError(
                    f"cannot assign '{type(value).__name__}' as parameter '{name}' (torch.nn.Parameter or None expected)"
                )
            self.register_parameter(name, value)
        elif isinstance(value, Module):
            if fields.get("_modules") is None:
                raise AttributeError("cannot assign module before Module.__init__() call")
            _drop(name, fields, parameters, fields["_buffers"])
            fields["_modules"][name] = value
        elif fields.get("_modules") is not None and name in fields["_modules"]:
            if value is not None:
                raise TypeError(f"cannot assign '{type(value).__name__}' as child module '{name}' (torch.nn.Module or None expected)")
            fields["_modules"][name] = value
        elif fields.get("_buffers") is not None and (isinstance(value, Buffer) or name in fields["_buffers"]):
            if value is not None and not isinstance(value, Tensor):
                raise TypeError(f"cannot assign '{type(value).__name__}' as buffer '{name}' (torch.Tensor or None expected)")
            if name not in fields["_buffers"]:
                self.register_buffer(name, value, getattr(value, "persistent", True))
            fields["_buffers"][name] = value
        else:
            object.__setattr__(self, name, value)

    def __getattr__(self, name):
        fields = self.__dict__
        for kind in ("_parameters", "_buffers", "_modules"):
            table = fields.get(kind)
            if table is not None and name in table:
                return table[name]
        if name in _KNOWN_METHODS:
            raise UnsupportedName(f"'{type(self).__name__}' object has no attribute '{name}'")
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def __delattr__(self, name):
        for kind in ("_parameters", "_buffers", "_modules"):
            if name in self.__dict__.get(kind, ()):
                del self.__dict__[kind][name]
                return
        object.__delattr__(self, name)

    def __dir__(self):
        return [*object.__dir__(self), *self._parameters, *self._buffers, *self._modules]

    def register_parameter(self, name, param):
        if "_parameters" not in self.__dict__:
            raise AttributeError("cannot assign parameter before Module.__init__() call")
        if "." in name or name == "":
            raise KeyError(f'parameter name can\'t contain "." or be empty, got: "{name}"')
        self._parameters[name] = param

    def register_buffer(self, name, tensor, persistent=True):
        if "_buffers" not in self.__dict__:
            raise AttributeError("cannot assign buffer before Module.__init__() call")
        if "." in name or name == "":
            raise KeyError(f'buffer name can\'t contain "." or be empty, got: "{name}"')
        if name not in self._buffers and hasattr(self, name):
            raise KeyError(f"attribute '{name}' already exists")
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(f"cannot assign '{type(tensor).__name__}' object to buffer '{name}' (torch Tensor or None required)")
        self._buffers[name] = tensor
        (self._non_persistent_buffers_set.discard if persistent else self._non_persistent_buffers_set.add)(name)

    def add_module(self, name, module):
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"{type(module).__name__} is not a Module subclass")
        if "." in name or name == "":
            raise KeyError(f'module name can\'t contain "." or be empty, got: {name}')
        if hasattr(self, name) and name not in self._modules:
            raise KeyError(f"attribute '{name}' already exists")
        self._modules[name] = module

    register_module = add_module

    def get_submodule(self, target):
        module = self
        for part in target.split(".") if target else ():
            module = getattr(module, part)
        return module

    def get_parameter(self, target):
        path, _, name = target.rpartition(".")
        return getattr(self.get_submodule(path), name)

    get_buffer = get_parameter

    # Traversal

    def children(self):
        for _, module in self.named_children():
            yield module

    def named_children(self):
        seen = set()
        for name, module in self._modules.items():
            if module is not None and id(module) not in seen:
                seen.add(id(module))
                yield name, module

    def modules(self):
        for _, module in self.named_modules():
            yield module

    def named_modules(self, memo=None, prefix="", remove_duplicate=True):
        memo = set() if memo is None else memo
        if id(self) in memo:
            return
        if remove_duplicate:
            memo.add(id(self))
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                yield from module.named_modules(memo, prefix + ("." if prefix else "") + name, remove_duplicate)

    def _named_members(self, table, prefix, recurse, remove_duplicate):
        seen = set()
        modules = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate) if recurse else [(prefix, self)]
        for path, module in modules:
            for name, member in getattr(module, table).items():
                if member is None or id(member) in seen:
                    continue
                if remove_duplicate:
                    seen.add(id(member))
                yield path + ("." if path else "") + name, member

    def parameters(self, recurse=True):
        for _, parameter in self.named_parameters(recurse=recurse):
            yield parameter

    def named_parameters(self, prefix="", recurse=True, remove_duplicate=True):
        return self._named_members("_parameters", prefix, recurse, remove_duplicate)

    def buffers(self, recurse=True):
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    def named_buffers(self, prefix="", recurse=True, remove_duplicate=True):
        return self._named_members("_buffers", prefix, recurse, remove_duplicate)

    def apply(self, fn):
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    # Modes and conversion

    def train(self, mode=True):
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self):
        return self.train(False)

    def requires_grad_(self, requires_grad=True):
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none=True):
        for parameter in self.parameters():
            parameter.grad = None

    def _apply(self, fn, recurse=True):
        for module in self.children() if recurse else ():
            module._apply(fn)
        for parameter in self._parameters.values():
            if parameter is not None:
                with_grad = R.current.grad_enabled
                R.current.grad_enabled = False
                try:
                    converted = fn(parameter)
                    if converted is not parameter:
                        parameter.data = converted
                finally:
                    R.current.grad_enabled = with_grad
        for name, buffer in self._buffers.items():
            if buffer is not None:
                self._buffers[name] = fn(buffer)
        return self

    def to(self, *args, **kwargs):
        kind, rest = kwargs.pop("dtype", None), dict(kwargs)
        places = []
        for arg in args:
            if isinstance(arg, T.dtype) or arg is float or arg is int:
                kind = T.as_dtype(arg)
            elif isinstance(arg, Tensor):
                kind = arg.dtype
                places.append(arg.device)
            elif not isinstance(arg, bool):
                places.append(arg)
        device = rest.get("device", places[0] if places else None)

        def convert(tensor):
            floating = tensor.dtype.category >= 2
            if kind is not None and floating:
                return tensor.to(kind) if device is None else tensor.to(device, kind)
            return tensor if device is None else tensor.to(device)

        return self._apply(convert)

    def to_empty(self, *, device, recurse=True):
        from ..._create import empty_like

        return self._apply(lambda tensor: empty_like(tensor, device=device), recurse)

    def type(self, dst_type):
        return self._apply(lambda tensor: tensor.type(dst_type))

    def _float(self, kind):
        return self._apply(lambda tensor: tensor.to(kind) if tensor.dtype.category == 2 else tensor)

    def float(self):
        return self._float(T.float32)

    def double(self):
        return self._float(T.float64)

    def half(self):
        return self._float(T.float16)

    def bfloat16(self):
        return self._float(T.bfloat16)

    def cuda(self, device=None):
        return self._apply(lambda tensor: tensor.cuda(device))

    def cpu(self):
        return self._apply(lambda tensor: tensor.cpu())

    def share_memory(self):
        return self

    def compile(self, *args, **kwargs):
        return None

    # State dicts

    def state_dict(self, *args, destination=None, prefix="", keep_vars=False):
        destination = OrderedDict() if destination is None else destination
        for name, parameter in self._parameters.items():
            if parameter is not None:
                destination[prefix + name] = parameter if keep_vars else parameter.detach()
        for name, buffer in self._buffers.items():
            if buffer is not None and name not in self._non_persistent_buffers_set:
                destination[prefix + name] = buffer if keep_vars else buffer.detach()
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(destination=destination, prefix=prefix + name + ".", keep_vars=keep_vars)
        for hook in self.__dict__.get("_state_dict_hooks", {}).values():
            found = hook(self, destination, prefix, {})
            destination = destination if found is None else found
        return destination

    def load_state_dict(self, state_dict, strict=True, assign=False):
        own = self.state_dict(keep_vars=True)
        state_dict = OrderedDict(state_dict)
        for path, module in self.named_modules():
            for hook in module.__dict__.get("_load_state_dict_pre_hooks", {}).values():
                hook(state_dict, path + ("." if path else ""), {}, strict, [], [], [])
        missing = [name for name in own if name not in state_dict]
        unexpected = [name for name in state_dict if name not in own]
        errors = []
        if strict and unexpected:
            errors.append("Unexpected key(s) in state_dict: " + ", ".join(f'"{name}"' for name in unexpected) + ".")
        if strict and missing:
            errors.append("Missing key(s) in state_dict: " + ", ".join(f'"{name}"' for name in missing) + ".")
        saved, R.current.grad_enabled = R.current.grad_enabled, False
        try:
            for name, tensor in own.items():
                if name in state_dict:
                    given = state_dict[name]
                    if given.shape != tensor.shape:
                        errors.append(
                            f"size mismatch for {name}: copying a param with shape {given.shape} from checkpoint, the "
                            f"shape in current model is {tensor.shape}."
                        )
                    else:
                        tensor.copy_(given)
        finally:
            R.current.grad_enabled = saved
        if errors:
            raise RuntimeError(f"Error(s) in loading state_dict for {type(self).__name__}: " + " ".join(errors))
        return _IncompatibleKeys(missing, unexpected)

    # Hooks

    def register_forward_hook(self, hook, *, prepend=False, with_kwargs=False, always_call=False):
        return _add(self._forward_hooks, (hook, with_kwargs))

    def register_forward_pre_hook(self, hook, *, prepend=False, with_kwargs=False):
        return _add(self._forward_pre_hooks, (hook, with_kwargs))

    def register_full_backward_hook(self, hook, prepend=False):
        return RemovableHandle({})

    register_backward_hook = register_full_backward_pre_hook = register_full_backward_hook

    def register_load_state_dict_pre_hook(self, hook):
        return _add(self._load_state_dict_pre_hooks, functools.partial(hook, self))

    def _register_load_state_dict_pre_hook(self, hook, with_module=False):
        return _add(self._load_state_dict_pre_hooks, functools.partial(hook, self) if with_module else hook)

    def register_load_state_dict_post_hook(self, hook):
        return RemovableHandle({})

    def register_state_dict_post_hook(self, hook):
        return _add(self._state_dict_hooks, hook)

    _register_state_dict_hook = register_state_dict_post_hook

    # Text

    def extra_repr(self):
        return ""

    def _get_name(self):
        return type(self).__name__

    def __repr__(self):
        lines = [f"({name}): " + repr(module).replace("\n", "\n  ") for name, module in self._modules.items()]
        extra = self.extra_repr()
        if not lines:
            return f"{self._get_name()}({extra})"
        return f"{self._get_name()}(\n  " + "\n  ".join(([extra] if extra else []) + lines) + "\n)"


_KNOWN_METHODS = {"get_extra_state", "set_extra_state", "ipu", "xpu", "mtia"}


def _drop(name, *tables):
    for table in tables:
        if table is not None:
            table.pop(name, None)


def _add(hooks, hook):
    handle = RemovableHandle(hooks)
    hooks[handle.id] = hook
    return handle
