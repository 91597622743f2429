"""fairscale.nn.model_parallel."""
