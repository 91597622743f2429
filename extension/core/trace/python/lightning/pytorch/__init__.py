"""lightning.pytorch is lightning."""

from .. import Callback, LightningDataModule, LightningModule, __getattr__, __version__, seed_everything

__all__ = ["Callback", "LightningDataModule", "LightningModule", "__getattr__", "__version__", "seed_everything"]
