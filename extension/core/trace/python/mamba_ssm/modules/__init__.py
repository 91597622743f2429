"""mamba_ssm.modules."""
