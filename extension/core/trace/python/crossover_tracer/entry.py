"""One trace from request to response."""

import io
import json
import os
import sys
import warnings

import torch

from . import optimizer, positions, results, serialize
from . import recorder as R
from .errors import EntryError, StopTrace, describe
from .sources import Workspace
from .states import States

MAX_LOG = 64_000


def trace(request_json):
    """The response JSON for a request JSON; both are described in `crossover_trace`."""
    request = json.loads(request_json)
    _reset_torch()
    recorder = R.reset()
    output = io.StringIO()
    saved = (sys.stdout, sys.stderr, sys.argv, dict(os.environ), sys.getrecursionlimit())
    sys.stdout = sys.stderr = output
    try:
        with Workspace(request["sources"], request["file"]) as workspace, warnings.catch_warnings():
            warnings.simplefilter("default")
            sys.argv = [request["file"], *(request.get("args") or ())]
            os.environ.update(request.get("env") or {})
            try:
                found = _trace(request, recorder, workspace, output)
                return json.dumps({"ok": found}, allow_nan=False, separators=(",", ":"))
            except (Exception, SystemExit, StopTrace) as error:
                return json.dumps({"error": describe(_as_fault(error))}, allow_nan=False)
    finally:
        sys.stdout, sys.stderr, sys.argv = saved[:3]
        os.environ.clear()
        os.environ.update(saved[3])
        sys.setrecursionlimit(saved[4])
        R.reset()


def _as_fault(error):
    """What is not an Exception, as one with a sentence."""
    if isinstance(error, SystemExit):
        text = "the file ends the program while it is imported; put that under `if __name__ == '__main__'`"
    elif isinstance(error, StopTrace):
        text = "the model calls backward() itself; give an expression that builds the module"
    else:
        return error
    return EntryError(text).with_traceback(error.__traceback__)


def _reset_torch():
    torch._types.set_default(torch.float32)
    torch._types.default_devices[:] = [torch._types.CPU]
    torch.amp._active.clear()
    for name in [name for name, item in vars(torch.ops).items() if isinstance(item, torch.ops.Namespace)]:
        delattr(torch.ops, name)


def _trace(request, recorder, workspace, output):
    context, batch, vocab = request["context"], request["batch"], request["vocab"]
    notes = []
    namespace, failure = workspace.run_model_file(notes)
    names = {"T": context, "B": batch, "V": vocab}
    recorder.grad_enabled = True
    model = _build(request, namespace, names, failure)
    names["model"] = model
    if request.get("init"):
        _run(request["init"], namespace, names)
    training = (request.get("moduleMode") or "train") == "train"
    model.train(training)
    recorder.grad_enabled = True
    wanted = request.get("targets") is not False
    states = States(recorder, model)
    decay, rate = request.get("weightDecay"), request.get("learningRate")
    groups = optimizer.groups_of(
        model, 0.1 if decay is None else decay, 1e-3 if rate is None else rate, states.index_of, notes
    )
    states.enter_forward()
    idx, targets = _inputs(recorder, context, batch, wanted)
    if request.get("call"):
        names.update(idx=idx, targets=targets)
        returned = _evaluate(request["call"], namespace, names)
    else:
        returned = results.call_model(model, idx, targets)
    recorder.scope = 0
    states.check_unchanged(notes)
    loss, logits = results.interpret(returned, idx, targets, vocab)
    outputs = recorder.forward.outputs
    if training and loss is not None and not loss.requires_grad and any(entry.requires_grad for entry in recorder.state):
        raise EntryError(
            "The loss depends on no parameter, so the model cannot be trained; look for torch.no_grad, "
            "torch.inference_mode or detach around its forward"
        )
    if loss is not None:
        outputs["loss"] = loss.float()._v()
    if logits is not None:
        outputs["logits"] = logits.float()._v()
    else:
        value = results.logits_of_loss(loss, idx)
        if value is not None:
            outputs["logits"] = value
    log = output.getvalue()[:MAX_LOG] + "".join(f"{note}\n" for note in notes)
    return serialize.build(recorder, recorder.state, groups, (context, batch, vocab), log)


def _build(request, namespace, names, failure):
    try:
        model = _evaluate(request["expression"], namespace, names)
    except (EntryError, NameError) as error:
        # a name is missing because the file stopped before it: that is what the user has to know
        if failure is None or isinstance(failure, StopTrace):
            raise
        raise failure from error
    if isinstance(model, type) and issubclass(model, torch.nn.Module):
        raise EntryError(f"`{request['expression']}` is the class itself; call it to build the model")
    if not isinstance(model, torch.nn.Module):
        raise EntryError(f"`{request['expression']}` gives an object of type {type(model).__name__}, not an nn.Module")
    return model


def _evaluate(expression, namespace, names):
    scope = {**namespace, **names}
    scope.setdefault("torch", torch)
    try:
        code = compile(expression.strip(), "<expression>", "eval", dont_inherit=True)
    except SyntaxError as error:
        raise EntryError(f"The expression `{expression}` is not a Python expression: {error.msg}") from None
    try:
        return eval(code, scope)
    except NameError as error:
        if positions.innermost(error.__traceback__)[0] is None and error.name:
            raise EntryError(_unknown_name(error.name, namespace)) from None
        raise
    except TypeError as error:
        if positions.innermost(error.__traceback__)[0] is None:
            raise EntryError(f"The expression `{expression}` fails: {error}") from error
        raise


def _unknown_name(name, namespace):
    import difflib

    classes = [key for key, item in namespace.items() if isinstance(item, type) and issubclass(item, torch.nn.Module)]
    near = difflib.get_close_matches(name, [key for key in namespace if not key.startswith("_")], 3) or classes[-5:]
    return f"The file defines no `{name}`" + (f"; did you mean {' or '.join(near)}?" if near else "")


def _run(statement, namespace, names):
    scope = {**namespace, **names}
    scope.setdefault("torch", torch)
    try:
        code = compile(statement, "<init>", "exec", dont_inherit=True)
    except SyntaxError as error:
        raise EntryError(f"The init statement `{statement}` is not Python: {error.msg}") from None
    exec(code, scope)


def _inputs(recorder, context, batch, wanted):
    tensors = []
    for name in ("idx", "targets") if wanted else ("idx",):
        value = recorder.intern(("input", name), "input", ("name", name), "i64", (batch, context))
        tensors.append(torch._tensor.fresh(value, torch.int64, (batch, context)))
    return tensors if wanted else (tensors[0], None)
