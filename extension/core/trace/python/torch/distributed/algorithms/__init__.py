"""torch.distributed.algorithms: nothing of it is used in one process."""
