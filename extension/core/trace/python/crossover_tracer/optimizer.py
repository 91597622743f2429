"""Parameter groups from the model's `configure_optimizers`, whatever its signature."""

import inspect

import torch


class Settings:
    """Stands for a training configuration object: the usual names answer, others raise AttributeError."""

    def __init__(self, values):
        self.__dict__.update(values)


def groups_of(model, weight_decay, learning_rate, state_of, log):
    """[[state indexes, lrScale, weightDecay, beta1, beta2, eps]], or None with a line in the log."""
    configure = getattr(model, "configure_optimizers", None) or getattr(model, "configure_optimizer", None)
    if configure is None:
        return None
    try:
        optimizer = _call(configure, weight_decay, learning_rate)
        while isinstance(optimizer, (tuple, list, dict)):
            optimizer = optimizer["optimizer"] if isinstance(optimizer, dict) else optimizer[0]
        return _groups(optimizer, learning_rate, state_of)
    except Exception as error:  # any fault of this optional hook is a remark, not a failure
        log.append(f"configure_optimizers was not used: {type(error).__name__}: {error}")
        return None


def _values(weight_decay, learning_rate):
    betas = (0.9, 0.95)
    return {
        "weight_decay": weight_decay, "wd": weight_decay, "learning_rate": learning_rate, "lr": learning_rate,
        "lr_init": learning_rate, "betas": betas, "beta1": betas[0], "beta2": betas[1], "eps": 1e-8, "adam_eps": 1e-8,
        "device_type": "cpu", "device": "cpu", "zero_stage": 0, "grad_clip": 1.0, "grad_norm_clip": 1.0, "max_lr": learning_rate,
    }  # fmt: skip


def _call(configure, weight_decay, learning_rate):
    values = _values(weight_decay, learning_rate)
    args, kwargs = [], {}
    for parameter in inspect.signature(configure).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if parameter.name in values:
            value = values[parameter.name]
        elif parameter.default is not parameter.empty:
            continue
        elif "config" in parameter.name or "args" in parameter.name or parameter.name in ("cfg", "hp", "hparams"):
            value = Settings(values)
        else:
            raise TypeError(f"its parameter '{parameter.name}' is not known")
        if parameter.kind is parameter.KEYWORD_ONLY or kwargs or len(args) < _position(configure, parameter.name):
            kwargs[parameter.name] = value
        else:
            args.append(value)
    return configure(*args, **kwargs)


def _position(configure, name):
    return list(inspect.signature(configure).parameters).index(name)


def _groups(optimizer, learning_rate, state_of):
    if not isinstance(optimizer, torch.optim.Optimizer) or "betas" not in optimizer.defaults:
        raise TypeError(f"{type(optimizer).__name__} is not Adam or AdamW")
    rows = []
    seen = set()
    for group in optimizer.param_groups:
        indexes = []
        for parameter in group["params"]:
            index = state_of(parameter)
            if index is not None and index not in seen:
                seen.add(index)
                indexes.append(index)
        scale = group.get("my_lr_scale", float(group["lr"]) / learning_rate if learning_rate else 1.0)
        beta1, beta2 = group["betas"]
        if indexes:
            rows.append([indexes, float(scale), float(group["weight_decay"]), float(beta1), float(beta2), float(group["eps"])])
    return rows
