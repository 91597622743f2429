"""The forward call: how it is made, and how loss and logits are found in what it returns."""

import inspect

import torch

from . import recorder as R
from .errors import EntryError

_TARGET_NAMES = {"target", "targets", "label", "labels", "y", "yb", "tgt", "tgts", "target_ids", "target_seq", "gt"}


def call_model(model, idx, targets):
    """model(idx, targets) when forward has a parameter for targets, model(idx) otherwise."""
    if targets is None:
        return model(idx)
    name = targets_parameter(model)
    if name is None:
        return model(idx)
    return model(idx, targets) if name is True else model(idx, **{name: targets})


def targets_parameter(model):
    """True when forward's second parameter takes targets, its name when a later one does, None when none does.

    Models of transformers shift `labels` themselves, and the targets here are shifted: their logits are used.
    """
    if any(kind.__name__ == "PreTrainedModel" for kind in type(model).__mro__):
        return None
    try:
        parameters = list(inspect.signature(model.forward).parameters.values())
    except (TypeError, ValueError):
        return None
    for position, parameter in enumerate(parameters):
        if parameter.name.lower() in _TARGET_NAMES and position > 0:
            direct = position == 1 and parameter.kind is not inspect.Parameter.KEYWORD_ONLY
            return True if direct else parameter.name
    return None


def interpret(returned, idx, targets, vocab):
    """(loss or None, logits or None) from tensors, tuples, dicts and objects with .loss and .logits."""
    loss = logits = None
    named = returned if isinstance(returned, dict) else getattr(returned, "__dict__", {})
    if not isinstance(returned, torch.Tensor):
        loss = _named(returned, named, "loss")
        logits = _named(returned, named, "logits")
    if loss is None and logits is None:
        for tensor in _tensors(returned):
            if tensor.dtype.category != 2:
                continue
            if tensor.numel() == 1 and tensor.dim() <= 1:
                loss = tensor if loss is None else loss
            elif logits is None and tensor.dim() >= 2:
                logits = tensor
    if loss is None and logits is None:
        raise EntryError("the model returned neither logits nor a loss; return logits of shape [batch, time, vocabulary]")
    if logits is not None and logits.dim() == 2 and logits.shape[0] == idx.numel():
        logits = logits.reshape(*idx.shape, logits.shape[-1])
    if loss is not None and loss.dim() > 0:
        loss = loss.reshape(())
    if targets is None:
        return None, logits
    return _with_loss(loss, logits, targets)


def _with_loss(loss, logits, targets):
    if loss is None:
        if tuple(logits.shape[:-1]) != tuple(targets.shape):
            raise EntryError(
                f"the model returned logits of shape {list(logits.shape)} for targets of shape {list(targets.shape)}; "
                "give forward a `targets` parameter that returns the loss, or logits for every position"
            )
        loss = torch.nn.functional.cross_entropy(logits.float().reshape(-1, logits.shape[-1]), targets.view(-1))
    return loss, logits


def _named(returned, named, name):
    value = named.get(name) if isinstance(named, dict) else None
    value = getattr(returned, name, None) if value is None and not isinstance(returned, (tuple, list, dict)) else value
    return value if isinstance(value, torch.Tensor) else None


def _tensors(item, depth=0):
    if isinstance(item, torch.Tensor):
        yield item
    elif depth < 4 and isinstance(item, (tuple, list)):
        for part in item:
            yield from _tensors(part, depth + 1)
    elif depth < 4 and isinstance(item, dict):
        for part in item.values():
            yield from _tensors(part, depth + 1)


def logits_of_loss(loss, idx):
    """The logits behind a loss, when only the loss was returned: the input of its cross-entropy, as [B, T, V]."""
    graph = R.current.forward
    seen, stack = set(), [loss._v()]
    while stack:
        value = stack.pop()
        if value in seen:
            continue
        seen.add(value)
        op, inputs, *_ = graph.nodes[graph.producers[value]]
        if op == "cross_entropy":
            dtype, shape = graph.values[inputs[0]]
            if shape[0] == idx.numel():
                return R.current.emit("reshape", (inputs[0],), (), dtype, (*idx.shape, shape[1]))
            return inputs[0]
        if len(seen) > 2000:
            break
        stack.extend(inputs)
    return None
