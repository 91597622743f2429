"""RWKV's recurrences as native operations, and its CUDA kernels written with them and with ordinary operations.

Everything here is differentiated by the compiler, so the backward kernels have no counterpart: an autograd.Function
whose forward calls one of these is replaced by what its forward recorded.
"""

import functools

from crossover_tracer import recorder as R
from crossover_tracer.errors import ShapeError

from ._gla import gla
from ._join import padded
from ._pointwise import assign
from ._reduce import max as reduce_max
from ._scans import emit, lstm, selective_scan, wkv4
from .autograd.function import Function
from .nn import functional as F


def wkv6(r, k, v, logw, u, state=None):
    """y, state of VOCABULARY.md's `wkv6`; r, k, v, logw [B, T, H, N], u [H, N]."""
    return _recurrence("wkv6", (r, k, v, logw), u, state)


def wkv7(r, logw, k, v, a, b, state=None):
    """y, state of VOCABULARY.md's `wkv7`; v [B, T, H, P], all else [B, T, H, N]."""
    return _recurrence("wkv7", (r, logw, k, v, a, b), None, state, v)


NATIVE = {"gla": gla, "lstm": lstm, "selective_scan": selective_scan, "wkv4": wkv4, "wkv6": wkv6, "wkv7": wkv7}


def _recurrence(op, sequences, u, state, values=None):
    """`values` may have another size than the other sequences; the state is [B, H, P, N] then."""
    shape = sequences[0].shape
    if len(shape) != 4:
        raise ShapeError(f"{op} takes tensors of shape [batch, time, heads, size], not {list(shape)}")
    out = shape if values is None or len(values.shape) != 4 else (*shape[:3], values.shape[3])
    for tensor in sequences:
        if tuple(tensor.shape) != tuple(out if tensor is values else shape):
            raise ShapeError(f"{op} takes tensors of one shape, not {list(shape)} and {list(tensor.shape)}")
    batch, _, heads, size = shape
    matrix = (batch, heads, out[3], size)
    kind = sequences[0].dtype
    tensors = [tensor.to(kind) for tensor in sequences]
    if u is not None:
        tensors.append(u.to(kind).reshape(heads, size))
    if state is not None:
        tensors.append(state.to(kind).reshape(matrix))
    return emit(op, tensors, (out, matrix))


# Kernels that write into buffers the caller made


def differentiable(kernel):
    """Kernels run under no_grad in their Functions; here they are the operation itself."""

    @functools.wraps(kernel)
    def run(*args):
        recorder = R.current
        saved, recorder.grad_enabled = recorder.grad_enabled, True
        region, recorder.region = recorder.region, 0
        try:
            return kernel(*args)
        finally:
            recorder.grad_enabled, recorder.region, recorder.kernel_used = saved, region, True

    return run


def _into(y, value):
    assign(y, value.reshape(y.shape).to(y.dtype))


def _log_decay(w):
    """-exp(w), unless the caller already computed that (older files hand over the log decay)."""
    graph = R.current.graph
    value = w._v()
    while True:
        op, inputs, *_ = graph.nodes[graph.producers[value]]
        if op == "neg":
            return w
        if op not in ("cast", "reshape"):
            return -w.float().exp()
        value = inputs[0]


@differentiable
def wind(w, q, k, v, z, b, y, s, sa):
    _into(y, wkv7(q.float(), _log_decay(w), k, v, z, b)[0])


@differentiable
def clampw(r, w, k, v, a, b, y, s, sa):
    """RWKV-7 with the decay's soft clamp inside: log decay = -exp(-0.5) sigmoid(w)."""
    _into(y, wkv7(r.float(), w.float().sigmoid() * -0.6065306597, k, v, a, b)[0])


@differentiable
def wkv7_flat(B, T_, C, H, *tensors):
    """(r, w, k, v, a, b, y, ...) of shape [B, T, C]; a leading state is RWKV-7's `wkv7s`."""
    size = (B, T_, H, C // H)
    r, w, k, v, a, b = (x.view(size) for x in tensors[:6])
    _into(tensors[6], wkv7(r.float(), _log_decay(w), k, v, a, b)[0])


@differentiable
def wkv6_flat(B, T_, C, H, r, k, v, w, u, y):
    size = (B, T_, H, C // H)
    r, k, v, w = (x.view(size) for x in (r, k, v, w))
    _into(y, wkv6(r.float(), k, v, _log_decay(w), u)[0])


@differentiable
def wkv6_state(B, T_, C, H, r, k, v, w, u, s, y):
    """With a first state, which the kernel keeps as [value, key]."""
    size = (B, T_, H, C // H)
    r, k, v, w = (x.view(size) for x in (r, k, v, w))
    state = s if s.dim() == 4 else s.unsqueeze(0).expand(B, *s.shape)
    _into(y, wkv6(r.float(), k, v, _log_decay(w), u, state.transpose(-1, -2))[0])


@differentiable
def wkv5_flat(B, T_, C, H, r, k, v, w, u, y):
    """RWKV-5: one decay per channel, itself and not its logarithm, for the whole sequence."""
    size = (B, T_, H, C // H)
    r, k, v = (x.view(size) for x in (r, k, v))
    logw = w.float().log().view(1, 1, H, C // H).expand(size)
    _into(y, wkv6(r.float(), k, v, logw, u)[0])


@differentiable
def wkv4_flat(B, T_, C, w, u, k, v, y):
    """RWKV-4: w is the log decay already, [C]; k, v, y [B, T, C]."""
    _into(y, wkv4(w.float(), u, k.float(), v)[0])


# RWKV-7's fused pointwise kernels, which return tensors. x, k, v, a ... [B, T, C]; vectors [C]; heads of 64.


def _shifted(x):
    return padded(x, (0, 1, 0), (0, -1, 0))


@differentiable
def mix6(x, *vectors):
    """x + (previous token's x - x) * vector, for each of six vectors."""
    difference = _shifted(x) - x
    return [x + difference * vector for vector in vectors]


@differentiable
def kk_pre(k, k_k, a, k_a, head_size):
    """k (1 + (a-1) k_a), -kk, kk a and 1 / |k k_k|, where kk is k k_k normalised per head."""
    heads = (*k.shape[:2], -1, head_size)
    raw = (k * k_k).view(heads)
    kk = F.normalize(raw, dim=-1).view(k.shape)
    inverse = 1.0 / raw.float().norm(dim=-1).clamp(min=1e-12)
    return [k * (1 + (a - 1) * k_a), -kk, kk * a, inverse]


@differentiable
def lnx_rkvres_xg(x, r, k, v, r_k, weight, bias, g):
    """(group_norm(x) + sum(r k r_k) v) g over heads of 64; means and deviations are not handed out."""
    B, T_, C = x.shape
    heads = (B, T_, C // 64, 64)
    normed = F.group_norm(x.view(B * T_, C), C // 64, weight, bias, 64e-5).view(B, T_, C)
    scale = (r.view(heads) * k.view(heads) * r_k.view(C // 64, 64)).sum(-1, keepdim=True)
    return [(normed + (scale * v.view(heads)).view(B, T_, C)) * g, None, None]


@differentiable
def a_gate(a0, a12):
    return (a0 + a12).sigmoid()


@differentiable
def vres_gate(v, v_first, v0, v12):
    return v + (v_first - v) * (v0 + v12).sigmoid()


@differentiable
def cmix(x, x_k, key_weight, value_weight):
    """relu(key(x mixed with the previous token))^2 through the value matrix; also the mixed x and the activation."""
    mixed = x + (_shifted(x) - x) * x_k
    active = F.linear(mixed, key_weight).relu().square()
    return [F.linear(active, value_weight), mixed, active]


class _L2Wrap(Function):
    """The loss itself, with a pull of the largest logit of each token towards zero in its gradient."""

    @staticmethod
    def forward(ctx, loss, logits):
        ctx.save_for_backward(logits)
        return loss

    @staticmethod
    def backward(ctx, gradient):
        (logits,) = ctx.saved_tensors
        largest, index = reduce_max(logits, -1, True)
        factor = 1e-4 / (logits.numel() // logits.shape[-1])
        return gradient, logits.new_zeros(logits.shape).scatter_(-1, index, largest * factor)


def _l2wrap_loss(logits, targets):
    loss = F.cross_entropy(logits.float().view(-1, logits.shape[-1]), targets.reshape(-1))
    return _L2Wrap.apply(loss, logits)


@differentiable
def l2wrap_ce(logits, targets):
    """loss; the row statistics the kernel also returns are only for its own backward."""
    return [_l2wrap_loss(logits, targets), None, None, None]


@differentiable
def head_l2wrap_ce(hidden, weight, targets, rows):
    return [_l2wrap_loss(F.linear(hidden, weight), targets), None, None]


# {extension or namespace: its forward}; backward never runs.
KERNELS = {
    "wind_backstepping": wind, "wind": wind, "rwkv7_clampw": clampw, "rwkv7_clampw_v3": clampw,
    "wkv7": wkv7_flat, "wkv7g": wkv7_flat, "wkv6": wkv6_flat, "rwkv6": wkv6_flat, "wkv6state": wkv6_state,
    "wkv5": wkv5_flat, "rwkv5": wkv5_flat, "wkv": wkv4_flat, "rwkv7_tmix_mix6_bf16_v5": mix6,
    "rwkv7_tmix_kk_pre_bf16_v5": kk_pre, "rwkv7_tmix_lnx_rkvres_xg_bf16_v1": lnx_rkvres_xg,
    "rwkv7_tmix_a_gate_bf16": a_gate, "rwkv7_tmix_vres_gate_bf16_v3": vres_gate, "rwkv7_cmix_bf16_v5": cmix,
    "rwkv7_l2wrap_ce_bf16_v2": l2wrap_ce, "rwkv7_head_l2wrap_ce_bf16_v4": head_l2wrap_ce,
}  # fmt: skip
