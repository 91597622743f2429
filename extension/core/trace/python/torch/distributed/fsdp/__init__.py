"""Sharding wrappers pass the module through."""


def FullyShardedDataParallel(module, *_args, **_kwargs):
    return module


def fully_shard(module, *_args, **_kwargs):
    return module
