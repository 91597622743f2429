"""flash-linear-attention: the operations that are native here."""
