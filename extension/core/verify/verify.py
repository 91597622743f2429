"""Runs a model once under real PyTorch and writes what Crossover compares with: initial weights, loss, logits, gradients.

Argument: a JSON file with file, expression, context, batch, vocab, seed, idx, targets (flat lists), and optionally call,
env, args, init, moduleMode, weights (a .safetensors of parameters and buffers to use), initial (a path for the weights the
model was made with) and output (a path for the results, a .safetensors of `loss`, `logits` and `grad.NAME`).
The last line on standard output is JSON: {"torch": version, "notes": [...]}, or {"error": sentence}.
"""

import ctypes
import importlib
import importlib.util
import inspect
import json
import os
import struct
import sys
import traceback


def project_folders(folder):
    """The folders above up to the nearest, at most five above, that looks like a project's; none without one."""
    above = [folder]
    for _ in range(6):
        if any(os.path.exists(os.path.join(above[-1], name)) for name in (".git", "pyproject.toml", "setup.py")):
            return above[1:]
        above.append(os.path.dirname(above[-1]))
    return []


def load_model_file(path):
    """Imports the model's file under its own name, in its package if it stands in one."""
    folder, name = os.path.dirname(path), os.path.splitext(os.path.basename(path))[0]
    parts = [name]
    while os.path.exists(os.path.join(folder, "__init__.py")):
        folder, parent = os.path.split(folder)
        parts.insert(0, parent)
    # The package's folder goes first: a module in it may have the package's own name.
    for root in dict.fromkeys([os.path.dirname(path), folder]):
        sys.path.insert(0, root)
    sys.path.extend(project_folders(folder))
    if len(parts) > 1:
        return importlib.import_module(".".join(parts))
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def pairs(tensor):
    """A complex tensor as Crossover keeps it, with a last dimension of real and imaginary part."""
    import torch

    return torch.view_as_real(tensor.resolve_conj()) if tensor.is_complex() else tensor


def read_safetensors(path):
    import torch

    kinds = {"F32": torch.float32, "I64": torch.int64, "U8": torch.uint8}
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = bytearray(file.read())
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        start, end = entry["data_offsets"]
        kind = kinds[entry["dtype"]]
        if end == start:
            tensors[name] = torch.empty(entry["shape"], dtype=kind)
        else:
            count = (end - start) // kind.itemsize
            tensors[name] = torch.frombuffer(data, dtype=kind, count=count, offset=start).view(entry["shape"])
    return tensors


def write_safetensors(path, tensors):
    import torch

    header, offset, stored = {}, 0, []
    for name, tensor in tensors.items():
        tensor = pairs(tensor.detach()).to("cpu", torch.float32).contiguous()
        size = tensor.numel() * 4
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [offset, offset + size]}
        offset += size
        stored.append((tensor, size))
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for tensor, size in stored:
            if size > 0:
                file.write(ctypes.string_at(tensor.data_ptr(), size))


def every_tensor(model):
    """Parameters and registered buffers by every name they have."""
    tensors = dict(model.named_parameters(remove_duplicate=False))
    tensors.update(model.named_buffers(remove_duplicate=False))
    return tensors


# As in the tracer (`crossover_tracer.results`), so that both sides make the same call.
TARGET_NAMES = {"target", "targets", "label", "labels", "y", "yb", "tgt", "tgts", "target_ids", "target_seq", "gt"}


def call_model(model, idx, targets):
    """model(idx, targets) when forward has a parameter for targets, by its name unless it is the second; else model(idx).

    Models of transformers shift `labels` themselves, and the targets here are shifted: their logits are used.
    """
    if any(kind.__name__ == "PreTrainedModel" for kind in type(model).__mro__):
        return model(idx)
    for position, parameter in enumerate(inspect.signature(model.forward).parameters.values()):
        if position > 0 and parameter.name.lower() in TARGET_NAMES:
            if position == 1 and parameter.kind is not parameter.KEYWORD_ONLY:
                return model(idx, targets)
            return model(idx, **{parameter.name: targets})
    return model(idx)


def outputs_of(result):
    """The loss and the logits in what a forward call returned; either may be None."""
    import torch

    if hasattr(result, "logits") or hasattr(result, "loss"):
        return getattr(result, "loss", None), getattr(result, "logits", None)
    values = result.values() if isinstance(result, dict) else result if isinstance(result, (tuple, list)) else [result]
    loss = logits = None
    for value in values:
        if not torch.is_tensor(value) or not value.is_floating_point():
            continue
        if value.numel() == 1 and value.dim() <= 1 and loss is None:
            loss = value.reshape(())
        elif value.dim() >= 2 and logits is None:
            logits = value
    return loss, logits


def let_flex_attention_differentiate():
    """PyTorch refuses gradients of flex_attention on a CPU, and cannot compile it there, though its plain formulas have them."""
    import torch

    try:
        from torch.nn.attention import flex_attention as module
    except ImportError:
        return
    if not hasattr(module, "_validate_device"):
        return
    module._validate_device = lambda *_tensors: None
    compiled = torch.compile

    def compile_others(model=None, **options):
        return model if model is module.flex_attention else compiled(model, **options)

    torch.compile = compile_others


def run(request):
    os.environ.update(request.get("env") or {})
    path = request["file"]
    sys.argv = [path, *(request.get("args") or [])]
    import torch

    let_flex_attention_differentiate()

    # The first vectorised call in several threads has been seen to be imprecise; nothing depends on this one.
    torch.log(torch.rand(200_000))
    torch.manual_seed(request["seed"])
    T, V, B = request["context"], request["vocab"], request["batch"]
    names = {"T": T, "V": V, "B": B}
    space = dict(vars(load_model_file(path)))
    space.update(names)
    model = eval(compile(request["expression"], "<expression>", "eval"), space)
    space["model"] = model
    if request.get("init"):
        exec(compile(request["init"], "<init>", "exec"), space)
        model = space["model"]
    if request.get("initial"):
        write_safetensors(request["initial"], every_tensor(model))
    own = every_tensor(model)
    if request.get("weights"):
        with torch.no_grad():
            for name, tensor in read_safetensors(request["weights"]).items():
                pairs(own[name]).copy_(tensor)
    model.train(request.get("moduleMode") != "eval")

    idx = torch.tensor(request["idx"], dtype=torch.int64).view(B, T)
    targets = torch.tensor(request["targets"], dtype=torch.int64).view(B, T)
    space.update(idx=idx, targets=targets)
    if request.get("call"):
        result = eval(compile(request["call"], "<call>", "eval"), space)
    else:
        result = call_model(model, idx, targets)
    loss, logits = outputs_of(result)
    if loss is None:
        if logits is None:
            raise ValueError("the forward call returned neither a loss nor logits")
        loss = torch.nn.functional.cross_entropy(logits.float().reshape(-1, logits.size(-1)), targets.view(-1))
    loss.backward()

    results = {"loss": loss}
    if logits is not None:
        results["logits"] = logits
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            results[f"grad.{name}"] = parameter.grad
    write_safetensors(request["output"], results)
    notes = []
    if model.training and any(isinstance(m, torch.nn.Dropout) and m.p > 0 for m in model.modules()):
        notes.append("The model drops values at random, so the two sides cannot agree: set dropout to 0.")
    return {"torch": torch.__version__, "notes": notes}


def sentence(error, path):
    """One sentence with the last line of the model's own file that is to blame."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if os.path.realpath(f.filename) != __file__]
    own = [f for f in frames if os.path.dirname(f.filename) == os.path.dirname(path)]
    line = f" ({own[-1].filename}:{own[-1].lineno})" if own else ""
    text = " ".join(str(error).split()) or "no message"
    return f"{type(error).__name__}: {text[:500]}{line}"


if __name__ == "__main__":
    with open(sys.argv[1]) as file:
        asked = json.load(file)
    try:
        answer = run(asked)
    except Exception as error:
        answer = {"error": sentence(error, asked["file"])}
    sys.stdout.flush()
    print("\n" + json.dumps(answer), flush=True)
