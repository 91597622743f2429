"""Failures a user can act on, and how they become one sentence with a place."""

import os

from . import positions


class TraceFault(Exception):
    """A failure with one of TraceError's codes; the place is added when it reaches the top."""

    code = "python"

    def __init__(self, message):
        super().__init__(message)
        self.message = message


class EntryError(TraceFault):
    """The entry expression, call or result is not usable."""

    code = "entry"


class SizeError(TraceFault):
    """More nodes, or larger tensors, than a trace may have."""

    code = "size"


class Unsupported(TraceFault, NotImplementedError):
    """PyTorch can do this; the tracer cannot."""

    code = "unsupported"


class UnsupportedName(AttributeError):
    """A name our packages lack: an ordinary AttributeError for hasattr and getattr, `unsupported` when uncaught."""

    code = "unsupported"


class DataDependent(TraceFault, RuntimeError):
    """Python asked for the value of a tensor that has none while tracing."""

    code = "data-dependent"


class ShapeError(RuntimeError):
    """Sizes that do not fit, in PyTorch's words. A RuntimeError, as in PyTorch."""

    code = "shape"


class ShapeIndexError(IndexError):
    """A dimension or index out of range, in PyTorch's words."""

    code = "shape"


class StopTrace(BaseException):
    """Leaves a training script at its first `.backward()`."""


def describe(error):
    """The response's `error` for any exception: code, one sentence, file and line of the innermost user frame."""
    file, line, function = positions.innermost(error.__traceback__)
    code = getattr(error, "code", None)
    text = _one_line(error)
    if isinstance(error, SyntaxError):
        code, text = "syntax", error.msg or "invalid syntax"
        if error.filename in positions.user_files:
            file, line, function = error.filename, error.lineno, None
    elif isinstance(error, RecursionError):
        code, text = "python", "the model recurses too deeply"
    elif isinstance(error, ModuleNotFoundError):
        code = "import"
        if file is not None and error.name:
            text = f"{text}; put its source in the workspace or remove the import"
    elif isinstance(error, ImportError):
        code = "import"
    elif isinstance(error, OSError) and error.filename is not None:
        code = "python"
        text = f"{error.strerror}: '{error.filename}'; a trace has no files, so keep that out of what builds the model"
    elif isinstance(error, KeyError) and _asks_environment(error):
        code = "python"
        text = f"the file needs the environment variable {error.args[0]}; give it as {error.args[0]}=VALUE (--env)"
    elif not isinstance(code, str):
        code = "python"
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    elif code == "shape":
        text = text.rstrip(".")
    if isinstance(error, UnsupportedName):
        text = f"{text}; it is not among the names that can be traced"
    place = ""
    if file is not None and line is not None:
        place = f" ({positions.basename(file)}:{line}" + (f", in {function})" if function else ")")
    end = "" if text.endswith("?") and not place else "."
    return {"code": code, "message": f"{text.rstrip('.')}{place}{end}", "file": file, "line": line}


def _asks_environment(error):
    """Whether a KeyError was raised by `os.environ[...]`."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return frame is not None and isinstance(frame.tb_frame.f_locals.get("self"), os._Environ)


def _one_line(error):
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    lines = [part.strip() for part in text.splitlines() if part.strip()]
    return " ".join(lines)[:1000]
