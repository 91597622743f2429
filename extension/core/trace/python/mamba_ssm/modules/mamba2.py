"""Mamba-2's mixer (arXiv 2405.21060), with mamba_ssm's parameters and the order in which they are drawn."""

import math

import torch
from crossover_tracer.errors import Unsupported
from torch import nn

from ..ops.triton.layernorm_gated import RMSNorm as RMSNormGated
from ..ops.triton.ssd_combined import mamba_split_conv1d_scan_combined


class Mamba2(nn.Module):
    def __init__(self, d_model, d_state=128, d_conv=4, conv_init=None, expand=2, headdim=64, d_ssm=None, ngroups=1,
                 A_init_range=(1, 16), D_has_hdim=False, rmsnorm=True, norm_before_gate=False, dt_min=0.001, dt_max=0.1,
                 dt_init_floor=1e-4, dt_limit=(0.0, float("inf")), bias=False, conv_bias=True, chunk_size=256,
                 use_mem_eff_path=True, layer_idx=None, process_group=None, sequence_parallel=True, device=None,
                 dtype=None):  # fmt: skip
        super().__init__()
        factory = {"device": device, "dtype": dtype}
        self.d_inner = expand * d_model
        if d_ssm not in (None, self.d_inner) or process_group is not None:
            raise Unsupported("mamba_ssm.Mamba2 with d_ssm or process_group is not traced; leave them out")
        assert self.d_inner % headdim == 0, f"{self.d_inner} channels do not divide into heads of {headdim}"
        self.d_model, self.d_state, self.d_conv, self.expand, self.headdim = d_model, d_state, d_conv, expand, headdim
        self.d_ssm, self.ngroups, self.nheads = self.d_inner, ngroups, self.d_inner // headdim
        self.D_has_hdim, self.rmsnorm, self.norm_before_gate = D_has_hdim, rmsnorm, norm_before_gate
        self.dt_limit, self.chunk_size, self.layer_idx = dt_limit, chunk_size, layer_idx
        blurred = self.d_inner + 2 * ngroups * d_state
        self.in_proj = nn.Linear(d_model, self.d_inner + blurred + self.nheads, bias=bias, **factory)
        self.conv1d = nn.Conv1d(blurred, blurred, d_conv, bias=conv_bias, groups=blurred, padding=d_conv - 1, **factory)
        if conv_init is not None:
            nn.init.uniform_(self.conv1d.weight, -conv_init, conv_init)
        low, high = math.log(dt_min), math.log(dt_max)
        dt = torch.exp(torch.rand(self.nheads, **factory) * (high - low) + low).clamp(min=dt_init_floor)
        self.dt_bias = nn.Parameter(dt + torch.log(-torch.expm1(-dt)))
        paces = torch.empty(self.nheads, dtype=torch.float32, device=device).uniform_(*A_init_range)
        self.A_log = nn.Parameter(torch.log(paces).to(dtype=dtype))
        self.D = nn.Parameter(torch.ones(self.d_inner if D_has_hdim else self.nheads, device=device))
        self.dt_bias._no_weight_decay = self.A_log._no_weight_decay = self.D._no_weight_decay = True
        if rmsnorm:
            self.norm = RMSNormGated(self.d_inner, eps=1e-5, norm_before_gate=norm_before_gate,
                                     group_size=self.d_inner // ngroups, **factory)  # fmt: skip
        self.out_proj = nn.Linear(self.d_inner, d_model, bias=bias, **factory)

    def forward(self, u, seqlen=None, seq_idx=None, cu_seqlens=None, inference_params=None):
        """[batch, time, d_model] in and out."""
        if any(given is not None for given in (seqlen, seq_idx, cu_seqlens, inference_params)):
            given = "seqlen, seq_idx, cu_seqlens or inference_params"
            raise Unsupported(f"mamba_ssm.Mamba2 with {given} is not traced; call it on whole sequences")
        return mamba_split_conv1d_scan_combined(
            self.in_proj(u), self.conv1d.weight.squeeze(1), self.conv1d.bias, self.dt_bias, -torch.exp(self.A_log.float()),
            self.D.view(-1, self.headdim) if self.D_has_hdim else self.D, self.chunk_size, dt_limit=self.dt_limit,
            rmsnorm_weight=self.norm.weight if self.rmsnorm else None, rmsnorm_eps=1e-5, outproj_weight=self.out_proj.weight,
            outproj_bias=self.out_proj.bias, headdim=None if self.D_has_hdim else self.headdim, ngroups=self.ngroups,
            norm_before_gate=self.norm_before_gate,
        )  # fmt: skip
