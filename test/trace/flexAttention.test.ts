/** flex_attention as the compiler gets it: masks of positions need no matrix, masks of data keep what is of data. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { prepare } from '../../extension/core/compiler/frontend.js';
import type { Node } from '../../extension/core/compiler/graph.js';
import { createTracer, type TracerProcess } from '../../extension/core/trace/process.js';
import { TraceError } from '../../extension/core/trace/tracer.js';

const folder = mkdtempSync(path.join(tmpdir(), 'crossover-flex-'));
const file = path.join(folder, 'model.py');
let tracer: TracerProcess;
before(() => (tracer = createTracer()));
after(() => {
  tracer.dispose();
  rmSync(folder, { recursive: true });
});

const T = 16;

/** The prepared forward pass of a model that attends with `call`, which sees q, k, v, idx and T. */
async function attending(...call: readonly string[]): Promise<readonly Node[]> {
  const source = `import torch, torch.nn as nn
from torch.nn.attention.flex_attention import *
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(8, 24)
        self.head = nn.Linear(8, 8)
    def forward(self, idx):
        (B, T), x = idx.shape, self.emb(idx)
        q, k, v = (y.view(B, T, 2, 4).transpose(1, 2) for y in x.chunk(3, -1))
        causal = lambda b, h, q_idx, kv_idx: q_idx >= kv_idx
        near = lambda b, h, q_idx, kv_idx: q_idx - kv_idx < 5
        ${call.join('\n        ')}
        return self.head(y.transpose(1, 2).reshape(B, T, 8))
`;
  writeFileSync(file, source);
  const trace = await tracer.trace({ file, expression: 'Model()', context: T, batch: 2, vocab: 8 });
  return prepare(trace, { mode: 'train' }).forward.nodes;
}

const attention = (nodes: readonly Node[]): Node => nodes.find(({ op }) => op === 'sdpa')!;

describe('flex_attention', () => {
  it('is causal, and of a window, without a mask', async () => {
    const whole = attention(
      await attending('y = flex_attention(q, k, v, block_mask=create_block_mask(causal, None, None, T, T))'),
    );
    assert.deepEqual([whole.inputs.length, whole.attrs['causal'], whole.attrs['window']], [3, true, 0]);
    const nodes = await attending(
      'mask = create_block_mask(and_masks(causal, near), None, None, T, T)',
      'y = torch.compile(flex_attention, dynamic=False)(q, k, v, block_mask=mask)',
    );
    const band = attention(nodes);
    assert.deepEqual([band.inputs.length, band.attrs['causal'], band.attrs['window']], [3, true, 5]);
    assert.ok(!nodes.some(({ op }) => ['ge', 'lt', 'logical_and', 'bitwise_and'].includes(op)));
  });

  it('keeps of a mask of documents only what depends on data', async () => {
    const mixed = attention(
      await attending(
        'docs = (idx == 3).cumsum(1)',
        'mask = lambda b, h, i, j: causal(b, h, i, j) & (docs[b, i] == docs[b, j])',
        'y = flex_attention(q, k, v, block_mask=create_block_mask(mask, B, None, T, T))',
      ),
    );
    assert.deepEqual([mixed.inputs.length, mixed.attrs['causal']], [4, true]);
  });

  it('with a bias for a score_mod is attention with a mask that is added', async () => {
    const nodes = await attending(
      'y = flex_attention(q, k, v, lambda s, b, h, i, j: s + (j - i) * 0.5 ** (h + 1), create_block_mask(causal, None, None, T, T))',
    );
    assert.deepEqual([attention(nodes).inputs.length, attention(nodes).attrs['causal']], [4, true]);
    assert.ok(!nodes.some(({ op }) => op === 'softmax'));
  });

  it('takes what a score_mod sums over further dimensions', async () => {
    const nodes = await attending(
      'y = flex_attention(q, k, v, lambda s, b, h, i, j: s + (q[b, h, i] * k[b, h, j]).sum(-1))',
      'assert y.shape == (B, 2, T, 4)',
    );
    assert.ok(nodes.some(({ op }) => op === 'sum'));
  });

  it('hides the blocks that a mask of blocks does not list, and shows the full ones whatever the mask says', async () => {
    const nodes = await attending(
      'one, none = torch.tensor([[[1, 2]]]), torch.tensor([[[[0, 1], [1, 0]]]])',
      'mask = BlockMask.from_kv_blocks(one * 0 + 1, none, torch.tensor([[[0, 1]]]), torch.tensor([[[[0, 1], [0, 1]]]]), 8, causal)',
      'assert mask.to_dense().tolist() == [[[[1, 0], [1, 1]]]] and mask.shape == (1, 1, 16, 16)',
      'seen = mask.mask(1, 1, T, T)[0, 0].tolist()',
      'assert all(seen[i][j] == (i >= j) for i in range(T) for j in range(T))',
      'both = BlockMask.from_kv_blocks(one * 0, none, one, none, (8, 8), causal).mask(1, 1, T, T)[0, 0].tolist()',
      'assert all(both[i][j] == (i >= 8 or j < 8) for i in range(T) for j in range(T))',
      'y = flex_attention(q, k, v, block_mask=mask)',
    );
    assert.equal(attention(nodes).inputs.length, 4);
  });

  it('says what does not fit, and where', async () => {
    const refused = async (line: string, message: RegExp): Promise<void> => {
      await assert.rejects(attending(line), (error: unknown) => {
        assert.ok(error instanceof TraceError);
        assert.match(error.message, message);
        return true;
      });
    };
    await refused('y = flex_attention(q, k[:, :1], v[:, :1])', /same number of heads but got Hq=2 and Hkv=1/);
    await refused(
      'y = flex_attention(q, k, v, block_mask=create_block_mask(causal, None, None, 9, 9))',
      /q_len=16 and kv_len=16; create a block mask of these lengths/,
    );
    await refused(
      'y = flex_attention(q, k, v, lambda s, b, h, i, j: s + (q[b, h, i] * k[b, h, j]).sum())',
      /takes `sum` of its scores or indices is not traced; compute each element from its own b, h, q_idx and kv_idx/,
    );
    await refused(
      'create_block_mask(causal, None, None, T, T)[:, :, 0]',
      /slices of a BlockMask are not traced; create one of the wanted size/,
    );
  });
});
