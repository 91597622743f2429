"""Mamba's mixer (arXiv 2312.00752), with mamba_ssm's parameters and the order in which they are drawn."""

import math

import torch
from crossover_tracer.errors import Unsupported
from torch import nn

from ..ops.selective_scan_interface import mamba_inner_fn


class Mamba(nn.Module):
    def __init__(self, d_model, d_state=16, d_conv=4, expand=2, dt_rank="auto", dt_min=0.001, dt_max=0.1, dt_init="random",
                 dt_scale=1.0, dt_init_floor=1e-4, conv_bias=True, bias=False, use_fast_path=True, layer_idx=None,
                 device=None, dtype=None):  # fmt: skip
        super().__init__()
        self.d_model, self.d_state, self.d_conv, self.expand = d_model, d_state, d_conv, expand
        self.d_inner = inner = int(expand * d_model)
        self.dt_rank = rank = math.ceil(d_model / 16) if dt_rank == "auto" else dt_rank
        self.use_fast_path, self.layer_idx, self.activation, self.act = use_fast_path, layer_idx, "silu", nn.SiLU()
        kind = {"device": device, "dtype": dtype}
        self.in_proj = nn.Linear(d_model, 2 * inner, bias=bias, **kind)
        self.conv1d = nn.Conv1d(inner, inner, d_conv, groups=inner, padding=d_conv - 1, bias=conv_bias, **kind)
        self.x_proj = nn.Linear(inner, rank + 2 * d_state, bias=False, **kind)
        self.dt_proj = nn.Linear(rank, inner, bias=True, **kind)
        bound = rank**-0.5 * dt_scale
        if dt_init == "constant":
            nn.init.constant_(self.dt_proj.weight, bound)
        elif dt_init == "random":
            nn.init.uniform_(self.dt_proj.weight, -bound, bound)
        else:
            raise NotImplementedError
        low, high = math.log(dt_min), math.log(dt_max)
        dt = torch.exp(torch.rand(inner, **kind) * (high - low) + low).clamp(min=dt_init_floor)
        with torch.no_grad():
            self.dt_proj.bias.copy_(dt + torch.log(-torch.expm1(-dt)))
        self.dt_proj.bias._no_reinit = True
        paces = torch.arange(1, d_state + 1, dtype=torch.float32, device=device)
        self.A_log = nn.Parameter(torch.log(paces).repeat(inner, 1))
        self.D = nn.Parameter(torch.ones(inner, device=device))
        self.A_log._no_weight_decay = self.D._no_weight_decay = True
        self.out_proj = nn.Linear(inner, d_model, bias=bias, **kind)

    def forward(self, hidden_states, inference_params=None):
        if inference_params is not None:
            raise Unsupported("mamba_ssm.Mamba with inference_params is not traced; call it on whole sequences")
        return mamba_inner_fn(
            self.in_proj(hidden_states).transpose(1, 2), self.conv1d.weight, self.conv1d.bias, self.x_proj.weight,
            self.dt_proj.weight, self.out_proj.weight, self.out_proj.bias, -torch.exp(self.A_log.float()), None, None,
            self.D, self.dt_proj.bias,
        )  # fmt: skip
