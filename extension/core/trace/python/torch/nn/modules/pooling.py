"""Pooling, resampling, padding from inside, transposed convolution, instance normalisation and bags of embeddings."""

from collections import namedtuple

from .. import functional as F
from .. import init
from ..parameter import Parameter
from .layers import BatchNorm1d, Embedding, Linear, _empty, _pair
from .module import Module

_AdaptiveOutput = namedtuple("ASMoutput", ("output", "loss"))


class AvgPool1d(Module):
    def __init__(self, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
        super().__init__()
        self.kernel_size, self.stride, self.padding = kernel_size, stride or kernel_size, padding
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad

    def forward(self, input):
        return F.avg_pool1d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)


class MaxPool1d(Module):
    def __init__(self, kernel_size, stride=None, padding=0, dilation=1, return_indices=False, ceil_mode=False):
        super().__init__()
        self.kernel_size, self.stride, self.padding = kernel_size, stride or kernel_size, padding
        self.dilation, self.return_indices, self.ceil_mode = dilation, return_indices, ceil_mode

    def forward(self, input):
        return F.max_pool1d(input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode,
                            self.return_indices)  # fmt: skip


class AdaptiveAvgPool1d(Module):
    def __init__(self, output_size):
        super().__init__()
        self.output_size = output_size

    def forward(self, input):
        return F.adaptive_avg_pool1d(input, self.output_size)


class AdaptiveMaxPool1d(Module):
    def __init__(self, output_size, return_indices=False):
        super().__init__()
        self.output_size, self.return_indices = output_size, return_indices

    def forward(self, input):
        return F.adaptive_max_pool1d(input, self.output_size, self.return_indices)


class Upsample(Module):
    def __init__(self, size=None, scale_factor=None, mode="nearest", align_corners=None, recompute_scale_factor=None):
        super().__init__()
        self.size, self.scale_factor, self.mode = size, scale_factor, mode
        self.align_corners, self.recompute_scale_factor = align_corners, recompute_scale_factor

    def forward(self, input):
        return F.interpolate(input, self.size, self.scale_factor, self.mode, self.align_corners, self.recompute_scale_factor)


class _Pad1d(Module):
    mode = "reflect"

    def __init__(self, padding):
        super().__init__()
        self.padding = _pair(padding, 2)

    def forward(self, input):
        return F.pad(input, self.padding, self.mode)

    def extra_repr(self):
        return f"{self.padding}"


class ReflectionPad1d(_Pad1d):
    pass


class ReplicationPad1d(_Pad1d):
    mode = "replicate"


class CircularPad1d(_Pad1d):
    mode = "circular"


class ConvTranspose1d(Module):
    """weight [in, out / groups, k]."""

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, output_padding=0, groups=1, bias=True,
                 dilation=1, padding_mode="zeros", device=None, dtype=None):  # fmt: skip
        super().__init__()
        if in_channels % groups or out_channels % groups:
            raise ValueError("in_channels must be divisible by groups" if in_channels % groups
                             else "out_channels must be divisible by groups")  # fmt: skip
        if padding_mode != "zeros":
            raise ValueError('Only "zeros" padding mode is supported for ConvTranspose1d')
        self.in_channels, self.out_channels, self.groups, self.padding_mode = in_channels, out_channels, groups, padding_mode
        self.kernel_size, self.stride, self.padding = _pair(kernel_size, 1), _pair(stride, 1), _pair(padding, 1)
        self.output_padding, self.dilation = _pair(output_padding, 1), _pair(dilation, 1)
        self.weight = _empty((in_channels, out_channels // groups, *self.kernel_size), device, dtype)
        if bias:
            self.bias = _empty((out_channels,), device, dtype)
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    reset_parameters = Linear.reset_parameters

    def forward(self, input, output_size=None):
        extra = self.output_padding
        if output_size is not None:
            reach = self.dilation[0] * (self.kernel_size[0] - 1)
            least = (input.shape[-1] - 1) * self.stride[0] - 2 * self.padding[0] + reach + 1
            extra = (tuple(output_size)[-1] - least,)
        return F.conv_transpose1d(input, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation)


class InstanceNorm1d(BatchNorm1d):
    """Without weight and bias, and by the input's own statistics, unless asked otherwise."""

    def __init__(self, num_features, eps=1e-05, momentum=0.1, affine=False, track_running_stats=False, device=None, dtype=None):
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype)

    def forward(self, input):
        mean, var = (self.running_mean, self.running_var) if self.track_running_stats else (None, None)
        batched = input.dim() == 3
        x = input if batched else input.unsqueeze(0)
        own = self.training or not self.track_running_stats
        output = F.instance_norm(x, mean, var, self.weight, self.bias, own, self.momentum, self.eps)
        return output if batched else output.squeeze(0)


class EmbeddingBag(Module):
    def __init__(self, num_embeddings, embedding_dim, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, mode="mean",
                 sparse=False, _weight=None, include_last_offset=False, padding_idx=None, device=None, dtype=None):  # fmt: skip
        super().__init__()
        self.num_embeddings, self.embedding_dim, self.mode, self.max_norm = num_embeddings, embedding_dim, mode, max_norm
        self.include_last_offset = include_last_offset
        self.padding_idx = padding_idx if padding_idx is None or padding_idx >= 0 else num_embeddings + padding_idx
        if _weight is None:
            self.weight = _empty((num_embeddings, embedding_dim), device, dtype)
            self.reset_parameters()
        else:
            self.weight = Parameter(_weight)

    reset_parameters = Embedding.reset_parameters

    @classmethod
    def from_pretrained(cls, embeddings, freeze=True, **kwargs):
        made = cls(*embeddings.shape, _weight=embeddings, **kwargs)
        made.weight.requires_grad = not freeze
        return made

    def forward(self, input, offsets=None, per_sample_weights=None):
        return F.embedding_bag(input, self.weight, offsets, self.max_norm, mode=self.mode, per_sample_weights=per_sample_weights,
                               include_last_offset=self.include_last_offset, padding_idx=self.padding_idx)  # fmt: skip


class PairwiseDistance(Module):
    def __init__(self, p=2.0, eps=1e-06, keepdim=False):
        super().__init__()
        self.norm, self.eps, self.keepdim = p, eps, keepdim

    def forward(self, x1, x2):
        return F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)


class AdaptiveLogSoftmaxWithLoss(Module):
    """Frequent classes in a head, the others in clusters of ever smaller width (arXiv 1609.04309); computed for all classes."""

    def __init__(self, in_features, n_classes, cutoffs, div_value=4.0, head_bias=False, device=None, dtype=None):
        from .container import ModuleList, Sequential

        super().__init__()
        cutoffs = list(cutoffs)
        if not cutoffs or cutoffs != sorted(set(cutoffs)) or cutoffs[0] <= 0 or cutoffs[-1] > n_classes - 1:
            raise ValueError("cutoffs should be a sequence of unique, positive integers sorted in an increasing order, where "
                             "each value is between 1 and n_classes-1")  # fmt: skip
        self.in_features, self.n_classes, self.cutoffs = in_features, n_classes, [*cutoffs, n_classes]
        self.div_value, self.head_bias, self.shortlist_size = div_value, head_bias, cutoffs[0]
        self.n_clusters = len(cutoffs)
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, head_bias, device, dtype)
        self.tail = ModuleList()
        for i in range(self.n_clusters):
            width, size = int(in_features // div_value ** (i + 1)), self.cutoffs[i + 1] - self.cutoffs[i]
            sides = (in_features, width), (width, size)
            self.tail.append(Sequential(*(Linear(*side, False, device, dtype) for side in sides)))

    def log_prob(self, input):
        """[N, in_features]: log-probabilities [N, n_classes]."""
        from ... import _join

        head = F.log_softmax(self.head(input), -1)
        parts = [head[..., : self.shortlist_size]]
        for i, cluster in enumerate(self.tail):
            parts.append(F.log_softmax(cluster(input), -1) + head[..., self.shortlist_size + i].unsqueeze(-1))
        return _join.cat(parts, -1)

    def predict(self, input):
        return self.log_prob(input).argmax(-1)

    def forward(self, input_, target_):
        found = self.log_prob(input_).gather(-1, target_.unsqueeze(-1)).squeeze(-1)
        return _AdaptiveOutput(found, (-found).mean())


__all__ = [name for name, item in list(globals().items())
           if isinstance(item, type) and issubclass(item, Module) and not name.startswith("_")
           and item.__module__ == __name__]  # fmt: skip
