"""Trains one model under real PyTorch on given batches: AdamW by its own groups, clipping, a rate per step.

Standard input: {file, expression, seed, T, V, B, clip, weightDecay, learningRate, steps: [{idx, targets, rate}]}.
Last line on standard output: {"losses": [...], "groups": n}.
"""

import importlib.util
import json
import os
import sys

import torch


def load(path):
    spec = importlib.util.spec_from_file_location(os.path.splitext(os.path.basename(path))[0], path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.insert(0, os.path.dirname(path))
    spec.loader.exec_module(module)
    return module


def optimizer_of(model, asked):
    if hasattr(model, "configure_optimizers"):
        return model.configure_optimizers(asked["weightDecay"], asked["learningRate"], (0.9, 0.95), "cpu")
    matrices = [p for p in model.parameters() if p.dim() >= 2]
    vectors = [p for p in model.parameters() if p.dim() < 2]
    groups = [
        {"params": matrices, "weight_decay": asked["weightDecay"]},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=asked["learningRate"], betas=(0.9, 0.95))


def main():
    asked = json.load(sys.stdin)
    torch.set_num_threads(1)
    module = load(asked["file"])
    torch.manual_seed(asked["seed"])
    model = eval(asked["expression"], {**vars(module), "T": asked["T"], "V": asked["V"], "B": asked["B"]})
    model.train()
    optimizer = optimizer_of(model, asked)
    scales = [group["lr"] / asked["learningRate"] for group in optimizer.param_groups]
    losses = []
    for step in asked["steps"]:
        idx, targets = (torch.tensor(step[key]).view(asked["B"], asked["T"]) for key in ("idx", "targets"))
        for group, scale in zip(optimizer.param_groups, scales):
            group["lr"] = scale * step["rate"]
        _, loss = model(idx, targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if asked["clip"] > 0:
            torch.nn.utils.clip_grad_norm_(model.parameters(), asked["clip"])
        optimizer.step()
        losses.append(loss.item())
    print("\n" + json.dumps({"losses": losses, "groups": len(scales)}))


if __name__ == "__main__":
    main()
