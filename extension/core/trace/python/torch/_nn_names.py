"""Functions of torch.nn.functional that torch also offers."""

from .nn import functional as _functional

__all__ = ["adaptive_avg_pool1d", "adaptive_max_pool1d", "avg_pool1d", "batch_norm", "bilinear",
           "binary_cross_entropy_with_logits",
           "celu", "celu_", "channel_shuffle", "conv1d", "cosine_embedding_loss", "cosine_similarity", "dropout", "embedding",
           "embedding_bag", "group_norm", "hardshrink", "hinge_embedding_loss", "instance_norm", "kl_div", "layer_norm",
           "margin_ranking_loss", "max_pool1d", "pairwise_distance", "poisson_nll_loss", "prelu", "relu_", "rms_norm", "rrelu",
           "selu", "selu_", "threshold", "threshold_", "triplet_margin_loss", "conv_transpose1d"]  # fmt: skip
globals().update({name: getattr(_functional, name) for name in __all__})
