/** A decoder's logits, prompt and token by token, are those of one pass over the whole sequence, for every zoo model. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { int64Bytes } from '../../extension/core/data/tokenStream.js';
import { Decoder } from '../../extension/core/engine/decoder.js';
import { LoadedModel } from '../../extension/core/engine/model.js';
import { prepare } from '../../extension/core/engine/prepare.js';
import { prepareDecoder } from '../../extension/core/engine/prepareDecoder.js';
import { type ModelSource, resolveModel } from '../../extension/core/experiments/modelSource.js';
import { zooIds } from '../../extension/core/experiments/zoo.js';
import { createTracer, type TracerProcess } from '../../extension/core/trace/process.js';
import { addon, numbers } from './machine.js';

const CONTEXT = 150;
const VOCAB = 61;
/** Output matrices that start at zero would hide everything before them. */
const MOVED = '[p.data.add_(torch.randn(p.shape) * 0.05) for p in model.parameters()]';
const folder = mkdtempSync(path.join(tmpdir(), 'crossover-decode-'));
const session = addon.createSession({ threads: 2 });
let tracer: TracerProcess;
before(() => (tracer = createTracer()));
after(() => {
  tracer.dispose();
  session.dispose();
  rmSync(folder, { recursive: true });
});

const tokens = numbers(CONTEXT, 5).map((x) => Math.floor(((x + 1) / 2) * VOCAB));

function largestDifference(a: Float32Array, b: Float32Array): number {
  assert.equal(a.length, b.length);
  return a.reduce((worst, x, i) => (Math.abs(x - b[i]!) <= worst ? worst : Math.abs(x - b[i]!)), 0);
}

/** Logits of one pass, [CONTEXT, VOCAB]. */
async function wholePass(model: ModelSource): Promise<Float32Array> {
  const prepared = await prepare(tracer, model, {
    context: CONTEXT,
    batch: 1,
    vocab: VOCAB,
    precision: 'fp32',
    modes: ['forward'],
    keepLogits: true,
    targets: false,
    moduleMode: 'eval',
  });
  const loaded = await LoadedModel.load(session, prepared, 3);
  try {
    return (await loaded.forward({ idx: int64Bytes(Int32Array.from(tokens)) })).logits!;
  } finally {
    loaded.dispose();
  }
}

async function decoderOf(model: ModelSource, prompts: readonly number[]): Promise<Decoder> {
  const options = { capacity: CONTEXT, vocab: VOCAB, precision: 'fp32', prompts } as const;
  return Decoder.load(session, await prepareDecoder(tracer, model, options), 3);
}

describe('decoding', () => {
  for (const id of zooIds())
    it(`${id}: prompts of 100 and 7 tokens, then one by one`, async () => {
      const model = resolveModel({ source: `${id}:150K`, init: MOVED }, folder);
      const whole = await wholePass(model);
      const largest = whole.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
      assert.ok(largest > 0.05, `the logits are ${largest} at most: nothing would be compared`);
      const at = (token: number) => whole.subarray(token * VOCAB, (token + 1) * VOCAB);
      const decoder = await decoderOf(model, [100, 7]);
      try {
        for (const prompt of [100, 7]) {
          await decoder.reset();
          const check = (logits: Float32Array): void => {
            const worst = largestDifference(logits, at(decoder.position - 1)) / largest;
            assert.ok(worst < 2e-5, `token ${decoder.position - 1} after ${prompt}: ${worst}`);
          };
          check((await decoder.read(tokens.slice(0, prompt))).logits);
          for (let t = prompt; t < CONTEXT; t++) check((await decoder.read([tokens[t]!])).logits);
        }
        await assert.rejects(decoder.read([0]), /was prepared for 150 tokens, and 151 are read/);
      } finally {
        decoder.dispose();
      }
    });

  it('gives the same bits again after it has forgotten every token', async () => {
    const decoder = await decoderOf(resolveModel({ source: 'llama:150K' }, folder), [20]);
    try {
      await decoder.read(tokens.slice(0, 20));
      const first = (await decoder.read([7])).logits;
      await decoder.read([8]);
      await decoder.reset();
      await decoder.read(tokens.slice(0, 20));
      assert.deepEqual((await decoder.read([7])).logits, first);
    } finally {
      decoder.dispose();
    }
  });

  it('refuses a mask that lets tokens see later ones', async () => {
    const file = path.join(folder, 'model.py');
    writeFileSync(
      file,
      `import torch, torch.nn as nn, torch.nn.functional as F
class Model(nn.Module):
    def __init__(self, vocab, context):
        super().__init__()
        self.emb = nn.Embedding(vocab, 8)
        self.register_buffer('mask', torch.tril(torch.ones(context, context), 1).log())
    def forward(self, idx):
        x = self.emb(idx)
        x = x + F.scaled_dot_product_attention(x[:, None], x[:, None], x[:, None], attn_mask=self.mask)[:, 0]
        return x @ self.emb.weight.T
`,
    );
    const model = resolveModel({ source: `${file}::Model(V, T)` }, folder);
    await assert.rejects(decoderOf(model, [5]), /The attention mask of .* lets token 0 see later ones/);
  });
});
