"""no_grad, enable_grad, inference_mode, set_grad_enabled: context managers and decorators."""

import functools

from crossover_tracer import recorder as R


class _GradMode:
    mode = False

    def __new__(cls, function=None, *args, **kwargs):
        if callable(function) and not isinstance(function, bool):
            return cls()(function)
        return object.__new__(cls)

    def __enter__(self):
        if not hasattr(self, "saved"):
            self.saved = []
        self.saved.append(R.current.grad_enabled)
        R.current.grad_enabled = self.mode
        return self

    def __exit__(self, *_):
        R.current.grad_enabled = self.saved.pop()

    def __call__(self, function):
        @functools.wraps(function)
        def wrapped(*args, **kwargs):
            with type(self)._again(self):
                return function(*args, **kwargs)

        return wrapped

    def _again(self):
        return type(self)()


class no_grad(_GradMode):
    pass


class enable_grad(_GradMode):
    mode = True


class inference_mode(_GradMode):
    def __init__(self, mode=True):
        self.flag = mode is not False
        self.mode = not self.flag

    def _again(self):
        return inference_mode(self.flag)


class set_grad_enabled(_GradMode):
    def __init__(self, mode):
        self.saved = [R.current.grad_enabled]
        self.mode = bool(mode)
        R.current.grad_enabled = self.mode

    def __enter__(self):
        return self

    def _again(self):
        return set_grad_enabled(self.mode)


def is_grad_enabled():
    return R.current.grad_enabled


def is_inference_mode_enabled():
    return False
