"""Lightning: the module class is nn.Module; trainers and callbacks fail when used."""

from crossover_tracer.shells import Shell, Switches
from torch.nn import Module as _Module

__version__ = "2.0.0"


class LightningModule(_Module):
    """nn.Module with the few names its users call."""

    trainer = Switches(is_global_zero=True, strategy=None, global_step=0, global_rank=0, world_size=1)
    global_rank = local_rank = 0
    current_epoch = global_step = 0

    def log(self, *_args, **_kwargs):
        return None

    def log_dict(self, *_args, **_kwargs):
        return None

    def save_hyperparameters(self, *_args, **_kwargs):
        return None

    def all_gather(self, data, *_args, **_kwargs):
        return data


class Callback:
    """Never called here."""


class LightningDataModule:
    """Never called here."""


def seed_everything(seed=None, workers=False):
    import torch

    torch.manual_seed(seed or 0)
    return seed


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return Shell(f"pytorch_lightning.{name}")
