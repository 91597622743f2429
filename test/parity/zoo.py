"""Runs the zoo under real PyTorch and prints what zoo.test.ts asserts, as JSON.

Arguments: the zoo's folder, and a JSON list of [file, expression, pattern of embeddings and head].
Optional third: the folder of the tiny RWKV checkpoints.
"""

import importlib
import json
import re
import struct
import sys

import torch

torch.set_num_threads(1)
sys.path.insert(0, sys.argv[1])
import ops  # noqa: E402


def read_safetensors(path):
    with open(path, "rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        header = json.loads(file.read(size))
        data = bytearray(file.read())
    header.pop("__metadata__", None)
    return {
        name: torch.frombuffer(data, dtype=torch.float32, count=(end - start) // 4, offset=start).view(entry["shape"])
        for name, entry in header.items()
        for start, end in [entry["data_offsets"]]
    }


def largest(a, b):
    return float((a - b).abs().max())


def checkpoint(folder, name, module, config, **more):
    """Largest difference of the last token's logits from the published ones."""
    with open(f"{folder}/{name}.expected.json") as file:
        expected = json.load(file)
    library = importlib.import_module(module)
    sizes = expected["architecture"]
    heads = {} if sizes["head_size"] is None else {"head_size": sizes["head_size"]}
    settings = getattr(library, config)(
        vocab_size=sizes["n_vocab"], n_layer=sizes["n_layer"], n_embd=sizes["n_embed"], **heads, **more
    )
    model = getattr(library, module.upper())(settings).eval()
    model.load_state_dict(read_safetensors(f"{folder}/{name}.safetensors"), strict=True)
    with torch.no_grad():
        logits, _ = model(torch.tensor([expected["prompt_bytes"]]))
    return largest(logits[0, -1], torch.tensor(expected["expected_logits_after_last_prompt_byte"]))


def recurrences():
    """The recurrences against their unrolled sums in float64, and against themselves cut in two."""
    torch.manual_seed(0)
    B, T, H, N = 2, 9, 2, 4
    r, k, v, a, b = (torch.randn(B, T, H, N, dtype=torch.float64) for _ in range(5))
    logw = -torch.rand(B, T, H, N, dtype=torch.float64)
    u = torch.randn(H, N, dtype=torch.float64)
    a, b = 0.5 * a, 0.5 * b

    y6, end6 = ops.wkv6(r, k, v, logw, u)
    unrolled6 = torch.zeros_like(y6)
    for t in range(T):
        for j in range(t + 1):
            weight = u if j == t else torch.exp(logw[:, j + 1 : t].sum(1))
            unrolled6[:, t] += (r[:, t] * weight * k[:, j]).sum(-1, keepdim=True) * v[:, j]

    y7, end7 = ops.wkv7(r, logw, k, v, a, b)
    unrolled7 = torch.zeros_like(y7)
    for t in range(T):
        for j in range(t + 1):
            term = torch.einsum("bhi,bhj->bhij", v[:, j], k[:, j])
            for i in range(j + 1, t + 1):
                term = term @ (torch.diag_embed(logw[:, i].exp()) + torch.einsum("bhi,bhj->bhij", a[:, i], b[:, i]))
            unrolled7[:, t] += torch.einsum("bhij,bhj->bhi", term, r[:, t])

    u4, logw4 = torch.randn(N, dtype=torch.float64), -torch.rand(N, dtype=torch.float64)
    k4, v4 = k[:, :, 0], v[:, :, 0]
    y4, end4 = ops.wkv4(logw4, u4, k4, v4)
    unrolled4 = torch.zeros_like(y4)
    for t in range(T):
        weights = [torch.exp((u4 if j == t else (t - 1 - j) * logw4) + k4[:, j]) for j in range(t + 1)]
        unrolled4[:, t] = sum(w * v4[:, j] for j, w in enumerate(weights)) / sum(weights)
    y4a, state = ops.wkv4(logw4, u4, k4[:, :4], v4[:, :4])
    y4b, state4 = ops.wkv4(logw4, u4, k4[:, 4:], v4[:, 4:], state)

    x, dt, A = torch.randn(B, T, H, dtype=torch.float64), torch.rand(B, T, H, dtype=torch.float64), -torch.rand(H, N).double()
    enters, reads = k[:, :, 0], r[:, :, 0]
    ys, ends = ops.selective_scan(x, dt, A, enters, reads)
    unrolled_scan = torch.zeros_like(ys)
    for t in range(T):
        for j in range(t + 1):
            kept = torch.exp(dt[:, j + 1 : t + 1].sum(1).unsqueeze(-1) * A)
            added = (dt[:, j] * x[:, j]).unsqueeze(-1) * enters[:, j].unsqueeze(1)
            unrolled_scan[:, t] += (kept * added * reads[:, t].unsqueeze(1)).sum(-1)
    ysa, state = ops.selective_scan(x[:, :4], dt[:, :4], A, enters[:, :4], reads[:, :4])
    ysb, states = ops.selective_scan(x[:, 4:], dt[:, 4:], A, enters[:, 4:], reads[:, 4:], state)

    layer = torch.nn.LSTM(N, N, batch_first=True, dtype=torch.float64)
    first = torch.randn(2, B, N, dtype=torch.float64)
    known, (_, cell) = layer(k4, (first[:1], first[1:]))
    gates = torch.nn.functional.linear(k4, layer.weight_ih_l0, layer.bias_ih_l0 + layer.bias_hh_l0)
    yl, endl = ops.lstm(gates, layer.weight_hh_l0, *first)

    def cut(inputs, at):
        return [x[:, :at] for x in inputs], [x[:, at:] for x in inputs]

    first, second = cut((r, k, v, logw), 4)
    y6a, state = ops.wkv6(*first, u)
    y6b, state6 = ops.wkv6(*second, u, state)
    first, second = cut((r, logw, k, v, a, b), 4)
    y7a, state = ops.wkv7(*first)
    y7b, state7 = ops.wkv7(*second, state)
    return {
        "lstm": max(largest(yl, known), largest(endl, cell[0])),
        "scanUnrolled": largest(ys, unrolled_scan),
        "scanCut": max(largest(torch.cat((ysa, ysb), 1), ys), largest(states, ends)),
        "wkv4Unrolled": largest(y4, unrolled4),
        "wkv4Cut": max(largest(torch.cat((y4a, y4b), 1), y4), largest(state4, end4)),
        "wkv6Unrolled": largest(y6, unrolled6),
        "wkv7Unrolled": largest(y7, unrolled7),
        "wkv6Cut": max(largest(torch.cat((y6a, y6b), 1), y6), largest(state6, end6)),
        "wkv7Cut": max(largest(torch.cat((y7a, y7b), 1), y7), largest(state7, end7)),
    }


def trains(file, expression, embeddings, contexts=(1, 7, 48)):
    """Builds the model and takes a step at several contexts."""
    library = importlib.import_module(file)
    torch.manual_seed(1337)
    V = 65
    losses, missing, parameters = [], [], 0
    for T in contexts:
        model = eval(expression, vars(library), {"T": T, "V": V})
        idx, targets = torch.randint(V, (2, 2, T))
        logits, loss = model(idx, targets)
        assert logits.shape == (2, T, V)
        loss.backward()
        for name, p in model.named_parameters():
            # One token alone does not pass through the decay of RWKV-5 and 6.
            if p.grad is None and T > 1 or p.grad is not None and not bool(torch.isfinite(p.grad).all()):
                missing.append(name)
        losses.append(loss.item())
        parameters = sum(p.numel() for name, p in model.named_parameters() if not re.search(embeddings, name))
        optimizer = model.configure_optimizers(0.1, 1e-3, (0.9, 0.95), "cpu")
        grouped = [p for g in optimizer.param_groups for p in g["params"]]
        assert len(grouped) == len(set(map(id, grouped))) == len(list(model.parameters()))
        optimizer.step()
    return {"losses": losses, "missing": missing, "parameters": parameters}


def hybrid():
    """The hybrid's layers at the study's two sizes, and its parameters at the larger; nothing is allocated."""
    library = importlib.import_module("mamba2_hybrid")
    with torch.device("meta"):
        model = library.Mamba2Hybrid(library.Mamba2HybridConfig())
    patterns = [library.arrangement(layers) for layers in (56, 48)]
    return {"patterns": patterns, "parameters": sum(p.numel() for p in model.parameters())}


result = {"hybrid": hybrid(), "recurrences": recurrences(), "models": [trains(*entry) for entry in json.loads(sys.argv[2])]}
if len(sys.argv) > 3:
    result["rwkv4"] = checkpoint(sys.argv[3], "tiny-rwkv-4v0-660K", "rwkv4", "RWKV4Config", n_ffn=256)
    result["rwkv5"] = checkpoint(sys.argv[3], "tiny-rwkv-5v2-730K", "rwkv5", "RWKV5Config", n_ffn=256, head_size_divisor=1)
    result["rwkv6"] = checkpoint(sys.argv[3], "tiny-rwkv-6v0-1m", "rwkv6", "RWKV6Config")
    result["rwkv7"] = checkpoint(sys.argv[3], "tiny-rwkv-7v0-834K", "rwkv7", "RWKV7Config")
print(json.dumps(result))
