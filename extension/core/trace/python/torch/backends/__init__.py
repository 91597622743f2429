"""Back-end switches: attributes that may be read and set, and do nothing."""

from crossover_tracer.shells import Switches

cuda = Switches(matmul=Switches(allow_tf32=False, fp32_precision="ieee"), flash_sdp_enabled=lambda: False)
cudnn = Switches(allow_tf32=False, benchmark=False, deterministic=False, enabled=False, is_available=lambda: False,
                 conv=Switches(fp32_precision="ieee"), rnn=Switches(fp32_precision="ieee"))  # fmt: skip
mps = Switches(is_available=lambda: False, is_built=lambda: False)
mkldnn = Switches(is_available=lambda: True, enabled=True)
mkl = Switches(is_available=lambda: True)
opt_einsum = Switches(enabled=False)
fp32_precision = "ieee"
