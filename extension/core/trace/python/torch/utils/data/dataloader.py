"""torch.utils.data.dataloader."""

from . import DataLoader

__all__ = ["DataLoader"]
