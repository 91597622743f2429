"""Datasets: importable, so that a model file that defines one can be traced."""

from crossover_tracer.errors import Unsupported


class Dataset:
    def __class_getitem__(cls, item):
        return cls


class IterableDataset(Dataset):
    pass


class Sampler(Dataset):
    pass


class TensorDataset(Dataset):
    def __init__(self, *tensors):
        self.tensors = tensors


class DataLoader:
    def __init__(self, *_args, **_kwargs):
        pass

    def __iter__(self):
        raise Unsupported("data loaders are not available while tracing; the run feeds its own batches")


def random_split(*_args, **_kwargs):
    raise Unsupported("data sets are not available while tracing; the run feeds its own batches")


def get_worker_info():
    return None
