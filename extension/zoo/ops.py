"""The recurrences of RWKV, Mamba, LSTM and gated linear attention in plain PyTorch, one step of time after another.

Crossover replaces each by its native operation of the same name; anywhere else these functions are what runs, and they
are the definition that kernels are tested against. All tensors are [batch, time, heads, N] unless said otherwise.
"""

import torch

try:
    from crossover import fused
except ImportError:

    def fused(name):
        """Outside Crossover there is nothing to replace: the function stays as it is."""
        return lambda function: function


@fused("wkv4")
def wkv4(logw, u, k, v, state=None):
    """RWKV-4 (arXiv 2305.13048, section 3 and appendix D): a mean of the past, with weights that fade per channel.

    y_t = (sum_{i<t} e^((t-1-i) logw + k_i) v_i + e^(u + k_t) v_t) / (the same without v).
    `logw` (<= 0) and `u` are [channels], k and v [batch, time, channels]. Rows of `state` [batch, 3, channels] are the sums
    with and without v, both over e^p, and p, the largest exponent so far; None is an empty past. Exponentials are taken
    of differences from the larger exponent only, so that none overflows. Returns (y, state after the last token).
    """
    if state is None:
        zero = torch.zeros_like(k[:, 0])
        state = torch.stack((zero, zero, zero - 1e38), dim=1)
    weighted, weights, largest = state.unbind(1)
    ys = []
    for t in range(k.shape[1]):
        key, value = k[:, t], v[:, t]
        top = torch.maximum(largest, u + key)
        past, now = torch.exp(largest - top), torch.exp(u + key - top)
        ys.append((past * weighted + now * value) / (past * weights + now))
        top = torch.maximum(largest + logw, key)
        past, now = torch.exp(largest + logw - top), torch.exp(key - top)
        weighted, weights, largest = past * weighted + now * value, past * weights + now, top
    return torch.stack(ys, dim=1), torch.stack((weighted, weights, largest), dim=1)


@fused("wkv6")
def wkv6(r, k, v, logw, u, state=None):
    """RWKV-6 (arXiv 2404.05892, section 4): a matrix state with a decay per token and channel.

    y_t = r_t (diag(u) k_t^T v_t + S_{t-1}),  S_t = diag(exp(logw_t)) S_{t-1} + k_t^T v_t,  S[key, value].
    `u` is [heads, N], `state` [batch, heads, N, N] or None for zeros. Returns (y, state after the last token).
    """
    batch, time, heads, n = r.shape
    if state is None:
        state = torch.zeros(batch, heads, n, n, dtype=r.dtype, device=r.device)
    decay = torch.exp(logw)
    ys = []
    for t in range(time):
        kv = k[:, t].unsqueeze(-1) @ v[:, t].unsqueeze(-2)
        ys.append((r[:, t].unsqueeze(-2) @ (u.unsqueeze(-1) * kv + state)).squeeze(-2))
        state = decay[:, t].unsqueeze(-1) * state + kv
    return torch.stack(ys, dim=1), state


@fused("wkv7")
def wkv7(r, logw, k, v, a, b, state=None):
    """RWKV-7 (arXiv 2503.14456, section 4): the state also forgets along one direction per token (a delta rule).

    S_t = S_{t-1} (diag(exp(logw_t)) + a_t^T b_t) + v_t^T k_t,  y_t = S_t r_t,  S[value, key].
    All are [batch, time, heads, N], but v and y may have another size P. `state` is [batch, heads, P, N] or None for
    zeros. Returns (y, state after the last token).
    """
    batch, time, heads, n = r.shape
    if state is None:
        state = torch.zeros(batch, heads, v.shape[-1], n, dtype=r.dtype, device=r.device)
    decay = torch.exp(logw)
    ys = []
    for t in range(time):
        removed = (state @ a[:, t].unsqueeze(-1)) @ b[:, t].unsqueeze(-2)
        added = v[:, t].unsqueeze(-1) @ k[:, t].unsqueeze(-2)
        state = state * decay[:, t].unsqueeze(-2) + removed + added
        ys.append((state @ r[:, t].unsqueeze(-1)).squeeze(-1))
    return torch.stack(ys, dim=1), state


@fused("gla")
def gla(q, k, v, logw, state=None, scale=1.0):
    """Gated linear attention (arXiv 2312.06635), retention (2307.08621) and state-space duality (2405.21060).

    S_t = diag(exp(logw_t)) S_{t-1} + k_t^T v_t,  y_t = scale q_t S_t,  S[key, value]: the token itself is read too.
    q, k are [batch, time, groups, N], v is [batch, time, heads, P] and heads / groups consecutive heads share a q and k.
    `logw` is [batch, time, heads, N], or [batch, time, heads, 1] for one decay per head; it is <= 0. `state` is
    [batch, heads, N, P] or None for zeros. Returns (y, state after the last token); with one token it is a decoder's step.
    """
    batch, time, groups, n = q.shape
    heads, size = v.shape[2:]
    q, k = (x.repeat_interleave(heads // groups, dim=2) for x in (q * scale, k))
    if state is None:
        state = torch.zeros(batch, heads, n, size, dtype=v.dtype, device=v.device)
    decay = torch.exp(logw)
    ys = []
    for t in range(time):
        state = decay[:, t].unsqueeze(-1) * state + k[:, t].unsqueeze(-1) @ v[:, t].unsqueeze(-2)
        ys.append((q[:, t].unsqueeze(-2) @ state).squeeze(-2))
    return torch.stack(ys, dim=1), state


@fused("selective_scan")
def selective_scan(x, dt, A, B, C, state=None):
    """Mamba's selective scan (arXiv 2312.00752, algorithm 2): N decaying sums per channel, their pace set by the token.

    h_t = exp(dt_t A) h_{t-1} + (dt_t x_t) B_t,  y_t = h_t C_t, in every channel of its own.
    x and dt (> 0) are [batch, time, channels], A (< 0) is [channels, N], B and C are [batch, time, N], `state` is
    [batch, channels, N] or None for zeros. Returns (y, state after the last token).
    """
    if state is None:
        state = torch.zeros(x.shape[0], *A.shape, dtype=x.dtype, device=x.device)
    ys = []
    for t in range(x.shape[1]):
        step = dt[:, t].unsqueeze(-1)
        state = torch.exp(step * A) * state + step * x[:, t].unsqueeze(-1) * B[:, t].unsqueeze(1)
        ys.append((state @ C[:, t].unsqueeze(-1)).squeeze(-1))
    return torch.stack(ys, dim=1), state


@fused("lstm")
def lstm(gates, weight, h=None, c=None):
    """One layer of an LSTM (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000), as nn.LSTM's.

    `gates` [batch, time, 4 H] is what the input, forget, cell and output gates get from the layer's input, biases
    included; `weight` [4 H, H] takes the last output to them. i, f, o = sigmoid, g = tanh; c_t = f c_{t-1} + i g,
    y_t = o tanh(c_t). `h` and `c` are [batch, H], both or neither. Returns (y, c after the last token).
    """
    if h is None:
        h = c = torch.zeros_like(gates[:, 0, : weight.shape[1]])
    ys = []
    for t in range(gates.shape[1]):
        enter, forget, content, leave = (gates[:, t] + h @ weight.t()).chunk(4, dim=-1)
        c = torch.sigmoid(forget) * c + torch.sigmoid(enter) * torch.tanh(content)
        h = torch.sigmoid(leave) * torch.tanh(c)
        ys.append(h)
    return torch.stack(ys, dim=1), c
