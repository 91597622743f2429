/** Packages that are not here: what files may import, decorate with and derive from, and when they do without. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Trace } from '../../extension/core/compiler/graph.js';
import { createTracer, type TracerProcess } from '../../extension/core/trace/process.js';

describe('packages that are not here', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'crossover-stand-ins-'));
  const file = path.join(folder, 'model.py');
  let tracer: TracerProcess;
  before(() => (tracer = createTracer()));
  after(() => {
    tracer.dispose();
    rmSync(folder, { recursive: true });
  });
  const trace = (lines: string, expression = 'LM(V)'): Promise<Trace> => {
    writeFileSync(file, lines);
    return tracer.trace({ file, expression, context: 4, batch: 2, vocab: 11 });
  };
  const count = ({ forward }: Trace, op: string): number =>
    forward.nodes.filter((node) => node.op === op).length;
  const lm = (forward: string, imports: string): string => `
import torch, torch.nn as nn
${imports}
class LM(nn.Module):
    def __init__(self, v):
        super().__init__()
        self.emb, self.head = nn.Embedding(v, 8), nn.Linear(8, v)
    def forward(self, idx):
        x = self.emb(idx)
${forward}
        return self.head(x)
`;

  for (const answer of ['except ImportError:', 'except Exception:', 'except:'])
    it(`are missing where a file has another way (${answer})`, async () => {
      const imports = `try:\n    import xformers.ops as xops\n    FAST = True\n${answer}\n    FAST = False`;
      const found = await trace(lm('        x = xops.fast(x) if FAST else torch.tanh(x)', imports));
      assert.equal(count(found, 'tanh'), 1);
    });

  it('are missing where an error of their import is suppressed, and where a file only asks for them', async () => {
    const imports = `
import contextlib, importlib.util
FAST = False
with contextlib.suppress(ImportError):
    import apex
    FAST = True
if importlib.util.find_spec("xformers"):
    FAST = True`;
    const found = await trace(lm('        x = torch.relu(x) if FAST else torch.tanh(x)', imports));
    assert.equal(count(found, 'tanh'), 1);
  });

  it('are imported where a file would give up without them', async () => {
    const imports =
      'try:\n    import sentencepiece\nexcept ImportError:\n    raise RuntimeError("pip install it")';
    assert.equal(count(await trace(lm('        x = torch.tanh(x)', imports)), 'tanh'), 1);
  });

  it("are xformers' attention and SwiGLU where a file has no other way", async () => {
    const imports =
      'import xformers.ops as xops\nfrom xformers.ops import LowerTriangularMask, memory_efficient_attention\nmlp = xops.SwiGLU(8, 12, 8)';
    const forward = `
        q = x.view(2, 4, 2, 4)
        x = memory_efficient_attention(q, q, q, attn_bias=LowerTriangularMask()).flatten(2)
        x = x + xops.memory_efficient_attention(x, x, x, torch.zeros(2, 4, 4), scale=0.5)
        x = mlp(x)`;
    const found = await trace(lm(forward, imports));
    const [causal, biased] = found.forward.nodes.filter(({ op }) => op === 'sdpa');
    assert.deepEqual(
      [causal!.attrs['causal'], biased!.attrs['causal'], biased!.attrs['scale']],
      [true, false, 0.5],
    );
    assert.equal(count(found, 'silu'), 1);
  });

  it('leave what they decorate as it is', async () => {
    const imports = `
import hydra
from beartype import beartype
from jaxtyping import Float, jaxtyped
@hydra.main(config_path=None)
def main(config):
    return config.nothing
@beartype
def act(x: Float[torch.Tensor, "b t c"]):
    return torch.tanh(x)
@jaxtyped(typechecker=beartype)
def twice(x):
    return x + x`;
    assert.equal(count(await trace(lm('        x = act(x)', imports)), 'tanh'), 1);
  });

  const pretrained = `
import torch
from torch import nn
from transformers import PreTrainedModel, PretrainedConfig
from transformers.activations import ACT2FN
from transformers.generation import GenerationMixin
from transformers.modeling_attn_mask_utils import _prepare_4d_causal_attention_mask
from transformers.modeling_outputs import CausalLMOutputWithPast
from transformers.utils import add_start_docstrings_to_model_forward, is_flash_attn_2_available, logging
logger = logging.get_logger(__name__)
if is_flash_attn_2_available():
    raise ImportError("there is none")
class Config(PretrainedConfig):
    model_type = "small"
    attribute_map = {"num_hidden_layers": "n_layer"}
    def __init__(self, vocab_size=11, hidden_size=8, n_layer=1, hidden_act="gelu_new", **kwargs):
        self.vocab_size, self.hidden_size, self.n_layer, self.hidden_act = vocab_size, hidden_size, n_layer, hidden_act
        super().__init__(**kwargs)
class Base(PreTrainedModel):
    config_class = Config
    def __init__(self, config):
        super().__init__(config)
        self.embed = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(nn.Linear(8, 8) for _ in range(config.num_hidden_layers))
        self.act = ACT2FN[config.hidden_act]
        self.post_init()
    def get_input_embeddings(self):
        return self.embed
    def forward(self, input_ids, attention_mask=None):
        x = self.embed(input_ids)
        mask = _prepare_4d_causal_attention_mask(attention_mask, input_ids.shape, x, 0)
        for layer in self.layers:
            x = x + torch.softmax((x @ x.mT)[:, None] + mask, -1)[:, 0] @ self.act(layer(x))
        return x
class CausalLM(PreTrainedModel, GenerationMixin):
    _tied_weights_keys = ["lm_head.weight"]
    def __init__(self, config):
        super().__init__(config)
        self.model, self.lm_head = Base(config), nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()
    def get_output_embeddings(self):
        return self.lm_head
    @add_start_docstrings_to_model_forward("doc")
    def forward(self, input_ids, attention_mask=None, labels=None, return_dict=None):
        logger.warning_once("seen")
        logits = self.lm_head(self.model(input_ids, attention_mask))
        loss = None
        if labels is not None:
            loss = nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
        return CausalLMOutputWithPast(loss=loss, logits=logits)
`;

  it("serve models of transformers, whose loss is the logits' as they shift labels themselves", async () => {
    const found = await trace(pretrained, 'CausalLM(Config(vocab_size=V))');
    const [entropy] = found.forward.nodes.filter(({ op }) => op === 'cross_entropy');
    assert.deepEqual(found.forward.values[entropy!.inputs[0]!]!.shape, [8, 11]);
    assert.equal(count(found, 'gelu_tanh'), 1);
    assert.deepEqual(
      found.state.map(({ names }) => names),
      [['model.embed.weight', 'lm_head.weight'], ['model.layers.0.weight'], ['model.layers.0.bias']],
    );
  });

  it('have what spectral models ask of others: lengths, methods by their path, stochastic depth', async () => {
    const imports = `
import hydra
from scipy import special, fft as lengths
from scipy.fftpack import next_fast_len
from torchvision.ops import StochasticDepth
from torchvision import transforms
assert [next_fast_len(n) for n in (1, 7, 97, 1021)] == [1, 8, 100, 1024]
assert [lengths.next_fast_len(n) for n in (7, 11, 97, 1021)] == [7, 11, 98, 1024]
assert hydra.utils.get_method("torch.nn.functional.gelu") is nn.functional.gelu
small = hydra.utils.instantiate({"_target_": "torch.nn.Linear", "in_features": 8, "_name_": "small"}, out_features=2)
assert small.weight.shape == (2, 8)`;
    const kept = await trace(lm('        x = StochasticDepth(0.0, "row")(x)', imports));
    assert.equal(count(kept, 'dropout'), 0);
    const dropped = await trace(
      lm('        x = x + StochasticDepth(0.5, mode="row")(torch.tanh(x))', imports),
    );
    const [drop] = dropped.forward.nodes.filter(({ op }) => op === 'dropout');
    assert.deepEqual(dropped.forward.values[drop!.outputs[0]!]!.shape, [2, 1, 1]);
    await assert.rejects(
      trace(lm('        x = special.erf(x)', imports)),
      /scipy\.special\.erf is not available/,
    );
  });

  it('leave the head its own weight where the configuration says so', async () => {
    const found = await trace(pretrained, 'CausalLM(Config(vocab_size=V, tie_word_embeddings=False))');
    assert.equal(found.state.length, 4);
  });
});
