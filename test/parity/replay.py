"""Replays traces under real PyTorch and compares them with the model itself: weights, loss, logits, gradients.

Arguments: a JSON file {tracer, zoo, requests: [{name, request, seed?, gradients?}]}, where `tracer` is the folder of the
tracer's Python packages, `zoo` the folder of the zoo (for the recurrences) and `request` as crossover_trace describes it.
Prints one JSON object per request: {name, error} or {name, weights, loss, logits, gradients, nodes}, the numbers being
largest absolute differences (null when they could not be compared).
"""

import base64
import json
import os
import subprocess
import sys

TRACE = """
import sys, json
sys.path.insert(0, sys.argv[1])
from crossover_trace import trace
for line in sys.stdin:
    print(trace(line), flush=True)
"""


def traces(tracer, requests):
    """Responses of the tracer, run by this Python in a process of its own (both packages are called torch)."""
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    done = subprocess.run(
        [sys.executable, "-B", "-c", TRACE, tracer], input=lines, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()]


def number(value):
    return float(value) if isinstance(value, str) else value


class Replay:
    """Executes one graph of a trace, node by node."""

    def __init__(self, trace, name, sources):
        import torch

        self.torch, self.trace, self.graph, self.sources = torch, trace, trace[name], sources
        self.dtypes = {
            "f32": torch.float32, "f64": torch.float64, "bf16": torch.bfloat16, "f16": torch.float16, "i64": torch.int64,
            "i32": torch.int32, "i16": torch.int16, "i8": torch.int8, "u8": torch.uint8, "bool": torch.bool,
        }  # fmt: skip
        self.env = {}
        self.makers = {value: node for node in self.graph["nodes"] for value in node[2]}

    def run(self):
        pending = list(self.graph["customVjps"])
        for node in self.graph["nodes"]:
            if node[6] == "backward":
                continue
            self.execute(node)
            for vjp in [vjp for vjp in pending if all(value in self.env for value in vjp[1])]:
                pending.remove(vjp)
                self.splice(vjp)
        return self.env

    def splice(self, vjp):
        """Replaces the outputs of a user's autograd.Function by ones with the recorded gradient."""
        replay, torch = self, self.torch
        inputs, outputs, cotangents, gradients = vjp

        class Custom(torch.autograd.Function):
            @staticmethod
            def forward(ctx, *tensors):
                return tuple(replay.env[value].detach().clone() for value in outputs)

            @staticmethod
            def backward(ctx, *incoming):
                with torch.no_grad():
                    for value, gradient in zip(cotangents, incoming):
                        replay.env[value] = gradient
                    return tuple(None if value is None else replay.value(value) for value in gradients)

        for value, tensor in zip(outputs, Custom.apply(*(self.env[value] for value in inputs))):
            self.env[value] = tensor

    def value(self, value):
        if value not in self.env:
            node = self.makers[value]
            for source in node[1]:
                self.value(source)
            self.execute(node)
        return self.env[value]

    def execute(self, node):
        op, inputs, outputs, attrs, *_ = node
        attrs = self.trace["attrs"][attrs]
        types = [self.graph["values"][value] for value in outputs]
        found = self.compute(op, [self.env[value] for value in inputs], attrs, types)
        found = found if isinstance(found, tuple) else (found,)
        for value, (dtype, *shape), tensor in zip(outputs, types, found):
            if list(tensor.shape) != shape or tensor.dtype is not self.dtypes[dtype]:
                raise AssertionError(f"{op}: recorded {dtype} {shape}, PyTorch gives {tensor.dtype} {list(tensor.shape)}")
            self.env[value] = tensor

    def compute(self, op, args, attrs, types):
        torch, F = self.torch, self.torch.nn.functional
        dtype, shape = (self.dtypes[types[0][0]], types[0][1:]) if types else (None, None)
        if op in self.sources:
            return self.sources[op](attrs)
        if op == "full":
            return torch.full(shape, number(attrs["value"]), dtype=dtype)
        if op == "arange":
            return (attrs["start"] + torch.arange(shape[0], dtype=torch.float64) * attrs["step"]).to(dtype)
        if op == "constant":
            data = bytearray(base64.b64decode(self.graph["constants"][attrs["blob"]]))
            return torch.frombuffer(data, dtype=dtype).clone().view(shape)
        if op.startswith("rng."):
            return self.random(op, args, attrs, dtype, shape)
        if op in ("reshape", "expand"):
            return getattr(args[0], op)(shape)
        if op == "permute":
            return args[0].permute(attrs["dims"])
        if op == "slice" or op == "slice_scatter":
            sizes = shape if op == "slice" else list(args[1].shape)
            x = args[0] if op == "slice" else args[0].clone()
            for dim, (start, step, size) in enumerate(zip(attrs["starts"], attrs["steps"], sizes)):
                if op == "slice":
                    x = x.index_select(dim, start + step * torch.arange(size))
            if op == "slice":
                return x
            region = tuple(slice(a, a + s * n, s) for a, s, n in zip(attrs["starts"], attrs["steps"], sizes))
            x[region] = args[1]
            return x
        if op == "cat":
            return torch.cat(args, attrs["dim"])
        if op == "pad":
            sides = [side for pair in reversed(list(zip(attrs["low"], attrs["high"]))) for side in pair]
            return F.pad(args[0], sides, value=number(attrs["value"]))
        if op in ("tril", "triu"):
            return getattr(torch, op)(args[0], attrs["diagonal"])
        if op == "cast":
            return args[0].to(dtype)
        if op == "detach":
            return args[0].detach()
        if op == "softplus":
            return F.softplus(args[0], attrs["beta"], attrs["threshold"])
        if op == "gelu" or op == "gelu_tanh":
            return F.gelu(args[0], approximate="none" if op == "gelu" else "tanh")
        if op in ("silu", "relu"):
            return getattr(F, op)(args[0])
        if op in ("sum", "mean", "amax", "amin"):
            return getattr(torch, op)(args[0], tuple(attrs["dims"]), attrs["keepdim"])
        if op == "prod":
            for dim in sorted(attrs["dims"], reverse=True):
                args[0] = args[0].prod(dim, attrs["keepdim"])
            return args[0]
        if op in ("argmax", "argmin"):
            return getattr(torch, op)(args[0], attrs["dim"], attrs["keepdim"])
        if op in ("cumsum", "cumprod", "softmax", "log_softmax"):
            return getattr(torch, op)(args[0], attrs["dim"])
        if op == "topk":
            return tuple(torch.topk(args[0], attrs["k"], attrs["dim"], attrs["largest"]))
        if op == "sort":
            return tuple(torch.sort(args[0], attrs["dim"], attrs["descending"]))
        if op == "linear":
            return F.linear(*args)
        if op == "embedding":
            return F.embedding(args[1], args[0])
        if op in ("index_select", "gather"):
            return getattr(torch, op)(args[0], attrs["dim"], args[1])
        if op in ("scatter", "scatter_add"):
            return getattr(torch, op)(args[0], attrs["dim"], args[1], args[2])
        if op in ("layer_norm", "rms_norm"):
            dims = args[0].shape[len(args[0].shape) - attrs["dims"] :]
            return getattr(F, op)(args[0], dims, *args[1:], eps=attrs["eps"])
        if op == "group_norm":
            return F.group_norm(args[0], attrs["groups"], *args[1:], eps=attrs["eps"])
        if op == "cross_entropy":
            return F.cross_entropy(*args, ignore_index=attrs["ignoreIndex"], reduction=attrs["reduction"],
                                   label_smoothing=attrs["labelSmoothing"])  # fmt: skip
        if op == "nll_loss":
            return F.nll_loss(*args, ignore_index=attrs["ignoreIndex"], reduction=attrs["reduction"])
        if op == "sdpa":
            return self.attention(args, attrs)
        if op == "conv1d":
            bias = args[2] if len(args) > 2 else None
            return F.conv1d(args[0], args[1], bias, attrs["stride"], attrs["padding"], attrs["dilation"], attrs["groups"])
        if op == "dropout":
            raise AssertionError("replay needs models without dropout")
        if op in ("lstm", "selective_scan", "wkv4", "wkv6", "wkv7"):
            import ops

            return tuple(getattr(ops, op)(*args))
        if op == "gla":
            import ops

            return tuple(ops.gla(*args, scale=attrs["scale"]))
        names = {"shift_left": "bitwise_left_shift", "shift_right": "bitwise_right_shift"}
        return getattr(torch, names.get(op, op))(*args)

    def attention(self, args, attrs):
        q, k, v, *mask = args
        if attrs["window"]:
            ones = self.torch.ones(q.shape[-2], k.shape[-2], dtype=self.torch.bool)
            window = ones.tril().triu(1 - attrs["window"])
            return self.torch.nn.functional.scaled_dot_product_attention(q, k, v, window, scale=attrs["scale"], enable_gqa=True)
        return self.torch.nn.functional.scaled_dot_product_attention(
            q, k, v, *mask, is_causal=attrs["causal"], scale=attrs["scale"], enable_gqa=q.shape[-3] != k.shape[-3]
        )

    def random(self, op, args, attrs, dtype, shape):
        torch = self.torch
        if op == "rng.seed":
            torch.manual_seed(attrs["seed"])
            return ()
        tensor = torch.empty(shape, dtype=dtype)
        if op == "rng.normal":
            if attrs["small"] and tensor.numel() >= 16:
                # what PyTorch does for tensors that are not contiguous
                wide = torch.empty((*shape, 2), dtype=dtype)[..., 0]
                return wide.normal_(attrs["mean"], attrs["std"]).contiguous()
            return tensor.normal_(attrs["mean"], attrs["std"])
        if op == "rng.uniform":
            return tensor.uniform_(attrs["low"], attrs["high"])
        if op == "rng.trunc_normal":
            return torch.nn.init.trunc_normal_(tensor, attrs["mean"], attrs["std"], attrs["low"], attrs["high"])
        if op == "rng.orthogonal":
            return torch.nn.init.orthogonal_(tensor, attrs["gain"])
        if op == "rng.randint":
            return torch.randint(attrs["low"], attrs["high"], shape)
        if op == "rng.randperm":
            return torch.randperm(shape[0])
        return tensor.bernoulli_(args[0] if args else attrs["p"])


def build_model(request):
    """The model under real PyTorch, and the names its expressions see."""
    import types

    import torch

    folder = os.path.dirname(request["file"])
    sys.path[:0] = [folder, os.path.dirname(folder)]
    os.environ.update(request.get("env") or {})
    sys.argv = [request["file"], *(request.get("args") or ())]
    module = types.ModuleType("model_file")
    module.__file__ = request["file"]
    sys.modules["model_file"] = module
    exec(compile(request["sources"][request["file"]], request["file"], "exec"), module.__dict__)
    del sys.path[:2]
    names = {**module.__dict__, "T": request["context"], "B": request["batch"], "V": request["vocab"], "torch": torch}
    names["model"] = eval(request["expression"], names)
    if request.get("init"):
        exec(request["init"], names)
    return names["model"].train((request.get("moduleMode") or "train") == "train"), names


def largest(pairs):
    """Largest absolute difference; infinite when a pair disagrees on NaN, dtype or shape."""
    worst = 0.0
    for a, b in pairs:
        if a.shape != b.shape or a.dtype != b.dtype:
            return float("inf")
        if a.numel():
            same = (a == b) | ((a != a) & (b != b))
            difference = float((a.detach().double() - b.detach().double()).abs().masked_fill(same, 0).max())
            worst = max(worst, difference) if difference == difference else float("inf")
    return worst


def compare(request, response, seed, gradients):
    import torch

    if "error" in response:
        return {"error": response["error"]["message"]}
    trace = response["ok"]
    before = set(sys.modules)
    torch.manual_seed(seed)
    stream = sys.stdout
    sys.stdout = sys.stderr
    try:
        model, names = build_model(request)
    finally:
        sys.stdout = stream
        for name in set(sys.modules) - before:
            if (getattr(sys.modules[name], "__file__", None) or "").startswith(os.path.dirname(os.path.dirname(request["file"]))):
                del sys.modules[name]
    registered = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    torch.manual_seed(seed)
    init = Replay(trace, "init", {}).run()
    state, pairs = [], []
    for kind, aliases, value, requires_grad in trace["state"]:
        tensor = init[value].detach().clone()
        if kind != "constant":
            real = registered.pop(aliases[0]).detach()
            pairs.append((torch.view_as_real(real) if real.is_complex() else real, tensor))
        state.append(tensor.requires_grad_() if requires_grad else tensor)
    result = {"weights": largest(pairs), "nodes": len(trace["forward"]["nodes"])}
    if registered:
        return {"error": f"the trace lacks {sorted(registered)}"}
    torch.manual_seed(seed + 1)
    size = (request["batch"], request["context"])
    inputs = {name: torch.randint(request["vocab"], size) for name in ("idx", "targets")}
    sources = {"state": lambda attrs: state[attrs["index"]], "input": lambda attrs: inputs[attrs["name"]]}
    values = Replay(trace, "forward", sources).run()
    outputs = {name: values[value] for name, value in trace["forward"]["outputs"].items()}
    loss, logits = call(request, model, names, inputs)
    result["loss"] = None if loss is None else largest([(loss.float().reshape(()), outputs["loss"])])
    result["logits"] = None if logits is None else largest([(logits.float().reshape(outputs["logits"].shape), outputs["logits"])])
    if gradients:
        loss.backward()
        outputs["loss"].backward()
        real = dict(model.named_parameters())
        pairs = []
        for (kind, aliases, *_), tensor in zip(trace["state"], state):
            if kind == "parameter" and real[aliases[0]].requires_grad:
                one, two = real[aliases[0]].grad, tensor.grad
                pairs.append((torch.zeros_like(tensor) if one is None else one, torch.zeros_like(tensor) if two is None else two))
        result["gradients"] = largest(pairs)
    return result


def call(request, model, names, inputs):
    import inspect

    import torch

    idx, targets = inputs["idx"], inputs["targets"]
    if request.get("call"):
        returned = eval(request["call"], {**names, **inputs})
    else:
        names = list(inspect.signature(model.forward).parameters)
        with_targets = len(names) > 1 and names[1] in ("targets", "target", "labels", "y")
        returned = model(idx, targets) if with_targets else model(idx)
    returned = [item for item in (returned if isinstance(returned, tuple) else (returned,)) if isinstance(item, torch.Tensor)]
    loss = next((item for item in returned if item.numel() == 1), None)
    logits = next((item for item in returned if item.dim() >= 2), None)
    if loss is None:
        loss = torch.nn.functional.cross_entropy(logits.float().view(-1, logits.shape[-1]), targets.view(-1))
    return loss, logits


def main():
    with open(sys.argv[1]) as file:
        job = json.load(file)
    responses = traces(job["tracer"], [entry["request"] for entry in job["requests"]])
    import torch

    torch.set_num_threads(1)
    sys.path.insert(0, job["zoo"])
    import ops  # noqa: F401  the recurrences, before any model file brings an `ops` of its own

    sys.path.remove(job["zoo"])
    for entry, response in zip(job["requests"], responses):
        try:
            result = compare(entry["request"], response, entry.get("seed", 1337), entry.get("gradients", True))
        except Exception as error:  # one model's failure is its own result
            import traceback

            frame = traceback.extract_tb(error.__traceback__)[-1]
            result = {"error": f"{type(error).__name__}: {error} ({os.path.basename(frame.filename)}:{frame.lineno})"}
        print(json.dumps({"name": entry["name"], **result}), flush=True)


if __name__ == "__main__":
    main()
