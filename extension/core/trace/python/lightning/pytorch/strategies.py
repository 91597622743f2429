"""Strategies, for isinstance checks."""


class DeepSpeedStrategy:
    """Never made."""


class DDPStrategy(DeepSpeedStrategy):
    """Never made."""
