"""fairscale: model parallelism over one process."""
