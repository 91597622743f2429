"""torch.special under its usual names."""

from ._elementary import entr, erfinv, sinc, xlog1py, xlogy
from ._ops import erf, exp2, expm1, log1p, logit, round, sigmoid
from ._ops import sigmoid as expit
from ._reduce import log_softmax, logsumexp, softmax

__all__ = ["entr", "erf", "erfinv", "exp2", "expit", "expm1", "log1p", "log_softmax", "logit", "logsumexp", "round", "sigmoid",
           "sinc", "softmax", "xlog1py", "xlogy"]  # fmt: skip
