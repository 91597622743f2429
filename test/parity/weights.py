"""Makes checkpoints of models of the zoo under PyTorch, in the layouts other programs write, with the logits they must give.

Called as `weights.py ZOO FOLDER`; prints {file: logits of the last position}.
"""

import json
import sys

import torch

zoo, folder = sys.argv[1:]
sys.path.insert(0, zoo)
from gpt2 import GPT2, GPT2Config  # noqa: E402
from rwkv7 import RWKV7, RWKV7Config  # noqa: E402

torch.manual_seed(3)
tokens = torch.tensor([[1, 5, 2, 9, 30]])
expected = {}


def filled(model):
    """Weights that all matter: nothing zero, nothing symmetric."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model.eval()


def put(name, model, checkpoint, **options):
    torch.save(checkpoint, f"{folder}/{name}", **options)
    with torch.no_grad():
        expected[name] = model(tokens)[0][0, -1].tolist()


# nanoGPT's checkpoint of a compiled model, with its optimizer.
gpt = filled(GPT2(GPT2Config(block_size=16, vocab_size=31, n_layer=2, n_head=2, n_embd=48)))
optimizer = gpt.configure_optimizers()
gpt(tokens, tokens)[1].backward()
optimizer.step()
arguments = dict(n_layer=2, n_head=2, n_embd=48, block_size=16, bias=False, vocab_size=31, dropout=0.0)
compiled = {"_orig_mod." + name: value for name, value in gpt.state_dict().items()}
nanogpt = dict(model=compiled, optimizer=optimizer.state_dict(), model_args=arguments, iter_num=1)
put("nanogpt.pt", gpt, nanogpt)
put("nanogpt.legacy.pt", gpt, nanogpt, _use_new_zipfile_serialization=False)

# Hugging Face's GPT-2: no prefix, linear layers transposed, masks beside them, heads of 64 channels.
tanh = filled(GPT2(GPT2Config(block_size=16, vocab_size=31, n_layer=2, n_head=2, n_embd=128, bias=True, gelu="tanh")))
hugging = {}
for name, value in tanh.state_dict().items():
    if name != "lm_head.weight":
        linear = name.endswith(("c_attn.weight", "c_proj.weight", "c_fc.weight"))
        hugging[name.removeprefix("transformer.")] = value.t().contiguous() if linear else value
for layer in range(2):
    hugging[f"h.{layer}.attn.bias"] = torch.ones(1, 1, 16, 16, dtype=torch.uint8).tril()
put("pytorch_model.bin", tanh, hugging)

# RWKV-LM in bfloat16, with the first block's unused value residual and ranks that the width would not give.
config = RWKV7Config(vocab_size=31, n_layer=2, n_embd=64, head_size=16, decay_rank=16, a_rank=8, v_rank=24, gate_rank=40)
rwkv = filled(RWKV7(config))
released = {name: value.bfloat16() for name, value in rwkv.state_dict().items()}
rwkv.load_state_dict({name: value.float() for name, value in released.items()})
for name in ("v0", "v1", "v2"):
    released[f"blocks.0.att.{name}"] = released[f"blocks.1.att.{name}"].clone()
put("rwkv7.pth", rwkv, released)
print(json.dumps(expected))
