"""Functions of torch.nn.functional that torch also offers."""

from .nn.functional import conv1d, dropout, embedding, group_norm, layer_norm, relu_, rms_norm

__all__ = ["conv1d", "dropout", "embedding", "group_norm", "layer_norm", "relu_", "rms_norm"]
