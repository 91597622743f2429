"""mamba_ssm.ops.triton."""
