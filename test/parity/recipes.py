"""Says how the zoo's models start and train, under real PyTorch, as JSON: one object per model.

Arguments: the zoo's folder, and a JSON list of [file, expression].
"""

import importlib
import json
import sys

import torch

RATE, DECAY, V = 1e-3, 0.1, 48
torch.set_num_threads(1)
sys.path.insert(0, sys.argv[1])


def summary(parameter):
    """Shape, moments and bounds; values of small tensors and of equal rows, extreme singular values of matrices."""
    x = parameter.detach().double()
    out = {"shape": list(x.shape), "mean": x.mean().item(), "max": x.max().item(), "min": x.min().item()}
    out["deviation"] = x.std(correction=0).item()
    if x.numel() <= 1024 or bool((x == x[:1]).all()):
        out["values"] = x.flatten()[:1024].tolist()
    if x.dim() == 2 and out["deviation"] > 0:
        singular = torch.linalg.svdvals(x)
        out["singular"] = [singular.min().item(), singular.max().item()]
    return out


def recipe(file, expression):
    library = importlib.import_module(file)
    torch.manual_seed(1)
    model = eval(expression, vars(library), {"T": 16, "V": V})
    optimizer = model.configure_optimizers(DECAY, RATE, (0.9, 0.95), "cpu")
    where = {id(p): group for group in optimizer.param_groups for p in group["params"]}
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(where), "a parameter is in two groups"
    rows = []
    for name, p in model.named_parameters():
        group = where[id(p)]
        adam = [*group["betas"], group["eps"]]
        rows.append({"name": name, "rate": group["lr"] / RATE, "decay": group["weight_decay"] / DECAY, "adam": adam, **summary(p)})
    return rows


print(json.dumps([recipe(*entry) for entry in json.loads(sys.argv[2])]))
