"""torch.distributed.optim: nothing of it is used in one process."""
