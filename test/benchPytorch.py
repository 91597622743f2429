"""The PyTorch side of `npm run bench:pytorch`: whole training steps of one model, asked for over standard input.

Lines in: {"load": {file, expression, context, batch, vocab, threads, eager}}, then {"steps": n} as often as wanted.
Lines out: {"ready": {torch, compiled}}, then {"ms": [...], "losses": [...], "peakResidentBytes": n}.
A step is forward, loss, backward, clipping to norm 1 and AdamW, as in nanoGPT's train.py.
"""

import importlib.util
import json
import os
import resource
import sys
import time

import torch


def build(asked):
    folder, name = os.path.dirname(asked["file"]), os.path.splitext(os.path.basename(asked["file"]))[0]
    sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location(name, asked["file"])
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    names = {**vars(module), "T": asked["context"], "V": asked["vocab"], "B": asked["batch"]}
    torch.manual_seed(1337)
    model = eval(asked["expression"], names)
    model.train()
    if hasattr(model, "configure_optimizers"):
        optimizer = model.configure_optimizers(0.1, 1e-3, (0.9, 0.95), "cpu")
    else:
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1)
    return model, optimizer


def say(message):
    sys.__stdout__.write(json.dumps(message) + "\n")
    sys.__stdout__.flush()


def main():
    sys.stdout = sys.stderr  # what a model prints must not get between the answers
    asked = json.loads(sys.stdin.readline())["load"]
    torch.set_num_threads(asked["threads"])
    model, optimizer = build(asked)
    runner = model if asked["eager"] else torch.compile(model)
    shape = (asked["batch"], asked["context"])

    def step(number):
        generator = torch.Generator().manual_seed(number)
        idx = torch.randint(asked["vocab"], shape, generator=generator)
        targets = torch.randint(asked["vocab"], shape, generator=generator)
        started = time.perf_counter()
        _, loss = runner(idx, targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return (time.perf_counter() - started) * 1000, loss.item()

    say({"ready": {"torch": torch.__version__, "compiled": not asked["eager"]}})
    number = 0
    for line in sys.stdin:
        results = []
        for _ in range(json.loads(line)["steps"]):
            number += 1
            results.append(step(number))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        say({"ms": [ms for ms, _ in results], "losses": [loss for _, loss in results], "peakResidentBytes": peak})


if __name__ == "__main__":
    main()
