"""Activation functions by the names that configurations have."""

from torch import nn


def _tanh_gelu():
    return nn.GELU(approximate="tanh")


class QuickGELUActivation(nn.Module):
    """x sigmoid(1.702 x)"""

    def forward(self, input):
        return input * (1.702 * input).sigmoid()


class ReLUSquaredActivation(nn.Module):
    def forward(self, input):
        return nn.functional.relu(input).square()


NewGELUActivation = PytorchGELUTanh = FastGELUActivation = _tanh_gelu
GELUActivation, SiLUActivation = nn.GELU, nn.SiLU

ACT2CLS = {
    "gelu": nn.GELU, "gelu_fast": _tanh_gelu, "gelu_new": _tanh_gelu, "gelu_pytorch_tanh": _tanh_gelu,
    "gelu_python": nn.GELU, "hardswish": nn.Hardswish, "leaky_relu": nn.LeakyReLU, "linear": nn.Identity, "mish": nn.Mish,
    "quick_gelu": QuickGELUActivation, "relu": nn.ReLU, "relu2": ReLUSquaredActivation, "relu6": nn.ReLU6,
    "sigmoid": nn.Sigmoid, "silu": nn.SiLU, "swish": nn.SiLU, "tanh": nn.Tanh,
}  # fmt: skip


class _Activations(dict):
    """A new module each time a name is looked up."""

    def __getitem__(self, key):
        if key not in self:
            raise KeyError(f"function {key} not found in ACT2FN, which has {', '.join(self)}")
        return super().__getitem__(key)()


ACT2FN = _Activations(ACT2CLS)


def get_activation(name):
    return ACT2FN[name]
