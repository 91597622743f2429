"""The recurrences of RWKV-6, RWKV-7 and gated linear attention in plain PyTorch, one step of time after another.

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
    `state` is [batch, heads, N, N] or None for zeros. Returns (y, state after the last token).
    """
    batch, time, heads, n = r.shape
    if state is None:
        state = torch.zeros(batch, heads, n, n, dtype=r.dtype, device=r.device)
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
