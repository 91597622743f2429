/** Windows of tokens give the logits that the whole sequence gives, for every architecture, and refuse what they cannot. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { decoderWindows, longestWindow } from '../../extension/core/compiler/decode/decoder.js';
import { decoderStateBytes, showsLater } from '../../extension/core/compiler/decode/states.js';
import { prepare } from '../../extension/core/compiler/frontend.js';
import type { Graph, Trace } from '../../extension/core/compiler/graph.js';
import { interpret } from '../../extension/core/compiler/interpret.js';
import type { NdArray } from '../../extension/core/compiler/ops/operation.js';
import { verify } from '../../extension/core/compiler/verify.js';
import { zooIds, zooModel } from '../../extension/core/experiments/zoo.js';
import { createTracer, type TracerProcess } from '../../extension/core/trace/process.js';
import { generator, randomArray } from './graphs.js';

const folder = mkdtempSync(path.join(tmpdir(), 'crossover-decode-'));
let tracer: TracerProcess;
before(() => (tracer = createTracer()));
after(() => {
  tracer.dispose();
  rmSync(folder, { recursive: true });
});

const CONTEXT = 21;
const VOCAB = 17;

function traced(file: string, expression: string, call?: string): Promise<Trace> {
  const where = { file, expression, context: CONTEXT, batch: 1, vocab: VOCAB, targets: false };
  return tracer.trace({ ...where, ...(call === undefined ? {} : { call }) });
}

/** Weights of the size that trained ones have, so that no term hides another; buffers as the model makes them. */
function randomState(trace: Trace): NdArray[] {
  const random = generator(7);
  const outputs = Object.fromEntries(trace.state.map(({ initial }, i) => [String(i), initial]));
  const made = interpret(
    { ...trace.init, outputs },
    { draws: ({ outputs: [id] }) => randomArray(trace.init.values[id!]?.shape ?? [], random) },
  );
  return trace.state.map(({ type: { shape }, kind }, i) => {
    if (kind !== 'parameter') return made[String(i)]!;
    const scale = shape.length > 1 ? 1.5 / Math.sqrt(shape.at(-1)!) : 0.5;
    return randomArray(shape, random, -scale, scale);
  });
}

const ids = (tokens: readonly number[]): NdArray => ({
  shape: [1, tokens.length],
  data: Float64Array.from(tokens),
});

/** Logits after the tokens, read in windows of the given lengths. */
function decode(
  step: Graph,
  state: readonly NdArray[],
  tokens: readonly number[],
  lengths: readonly number[],
) {
  const memory: (NdArray | undefined)[] = [...state];
  const windowOf = decoderWindows(step, { context: CONTEXT, stateCount: state.length });
  let position = 0;
  const logits: Float64Array[] = [];
  for (const length of lengths) {
    const window = windowOf(length);
    verify(window.graph);
    if (position === 0) {
      verify(window.reset);
      const first = interpret(window.reset, { state });
      for (const { name, index } of window.resets) memory[index] = first[name]!;
    }
    const outputs = interpret(window.graph, {
      state: memory,
      inputs: {
        idx: ids(tokens.slice(position, position + length)),
        position: { shape: [1], data: Float64Array.of(position) },
      },
    });
    for (const { name, index } of window.updates) memory[index] = outputs[name]!;
    logits.push(outputs['logits']!.data);
    position += length;
  }
  return logits;
}

function expectEqual(found: Float64Array, wanted: Float64Array, what: string): void {
  assert.equal(found.length, wanted.length);
  const worst = Math.max(...found.map((x, i) => Math.abs(x - wanted[i]!)));
  assert.ok(worst < 1e-6, `${what}: logits differ by ${worst}`);
}

/** The newest logits of every prefix must be those of the whole sequence; where forward gives the last only, of the end. */
function check(trace: Trace): void {
  const { step } = prepare(trace, { mode: 'forward', keepLogits: true });
  const state = randomState(trace);
  const random = generator(3);
  const tokens = Array.from({ length: CONTEXT }, () => Math.floor(random() * VOCAB));
  const whole = interpret(step, { state, inputs: { idx: ids(tokens) } })['logits']!;
  const at = (t: number) => whole.data.slice(t * VOCAB, (t + 1) * VOCAB);
  const all = whole.data.length === CONTEXT * VOCAB;
  const most = longestWindow(step, CONTEXT);
  for (const first of new Set([1, Math.min(7, most), most])) {
    const lengths = [first, ...Array.from({ length: CONTEXT - first }, () => 1)];
    if (first > 1 && 2 * first < CONTEXT) lengths.splice(1, first, first);
    let end = -1;
    decode(step, state, tokens, lengths).forEach((logits, i) => {
      end += lengths[i]!;
      if (all) expectEqual(logits, at(end), `token ${end}, windows of ${first}`);
      else if (end === CONTEXT - 1) expectEqual(logits, whole.data, `the last token, windows of ${first}`);
    });
    assert.equal(end, CONTEXT - 1);
  }
}

/** Where it does not matter how many tensors the model has of its own. */
const OPTIONS = { context: CONTEXT, stateCount: 4 };

describe('the zoo, decoded', () => {
  for (const id of zooIds())
    it(id, async () => {
      const { file, expression, call } = zooModel(id, { parameters: 100_000 });
      check(await traced(file, expression, call));
    });
});

/** A model whose forward runs `lines` between embedding and head. */
function model(...lines: string[]): string {
  return `import math, torch, torch.nn as nn, torch.nn.functional as F
class Model(nn.Module):
    def __init__(self, vocab, n=8):
        super().__init__()
        self.emb = nn.Embedding(vocab, n)
        self.pos = nn.Parameter(torch.randn(64, n))
        self.a = nn.Linear(n, n)
        self.head = nn.Linear(n, vocab, bias=False)
    def forward(self, idx):
        B, T = idx.shape
        x = self.emb(idx)
        ${lines.join('\n        ')}
        return self.head(x)
`;
}

async function trace(...lines: string[]): Promise<Trace> {
  const file = path.join(folder, 'model.py');
  writeFileSync(file, model(...lines));
  return traced(file, 'Model(V)');
}

describe('models of a user, decoded', () => {
  const heads = 'q, k, v = (self.a(x).view(B, T, 2, 4).transpose(1, 2) for _ in range(3))';
  const back = 'x = x + y.transpose(1, 2).reshape(B, T, 8)';
  const cases: Readonly<Record<string, readonly string[]>> = {
    'positions in a table, and by arithmetic': [
      'x = x + self.pos[:T] + torch.arange(T, dtype=torch.float32)[:, None] * 0.1',
    ],
    'attention by hand': [
      heads,
      'att = (q @ k.transpose(-2, -1)) / 2.0',
      'att = att.masked_fill(torch.tril(torch.ones(T, T)) == 0, float("-inf"))',
      'y = F.softmax(att, dim=-1) @ v',
      back,
    ],
    'attention of a window, in a ring of rows': [
      heads,
      'i = torch.arange(T)',
      'mask = (i[None, :] <= i[:, None]) & (i[None, :] > i[:, None] - 5)',
      'y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)',
      back,
    ],
    'attention with biases of distance': [
      heads,
      'i = torch.arange(T)',
      'bias = -0.3 * (i[:, None] - i[None, :]).abs().float()',
      'bias = bias.masked_fill(i[None, :] > i[:, None], float("-inf"))',
      'y = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)',
      back,
    ],
    'shifts by padding, joining and writing': [
      'x = x + 0.5 * F.pad(x, (0, 0, 1, -1))',
      'x = x + torch.cat([torch.zeros(B, 2, 8), x[:, :-2]], dim=1)',
      'xx = torch.zeros_like(x)',
      'xx[:, 3:] = x[:, :-3]',
      'x = self.a(x) * xx + x',
    ],
    'a smear of tokens over the next, joined to the first': [
      'g = torch.sigmoid(self.a(x[:, 1:]))',
      'x = torch.cat([x[:, :1], x[:, 1:] + g * x[:, :-1]], dim=1)',
      'x = self.a(x)',
    ],
    'a mean with the token before, written in place': [
      'x = x.clone()',
      'x[:, 2:] = 0.5 * x[:, 2:] + 0.25 * x[:, 1:-1] + 0.25 * x[:, :-2]',
      'x = self.a(x)',
    ],
    'learned rows before the second token on': [
      'x = torch.cat([self.pos[None, :2], self.a(x[:, 2:] - x[:, :-2])], dim=1) + x',
    ],
    'differences of tokens with their place': [
      'd = (x[:, 1:] - x[:, :-1]) * self.pos[:T - 1]',
      'x = x + F.pad(d, (0, 0, 1, 0))',
    ],
    'a causal convolution of all channels': [
      'w = self.pos[:24].reshape(8, 8, 3)',
      'x = x + F.conv1d(F.pad(x.transpose(1, 2), (2, 0)), w).transpose(1, 2)',
    ],
    'a running mean': ['x = torch.cumsum(x, dim=1) / torch.arange(1, T + 1).view(1, T, 1)'],
    'tokens folded into the batch': [
      'y = F.layer_norm(self.a(x.view(B * T, 8)).view(B * T * 2, 4), (4,))',
      'x = x + y.view(B, T, 8)',
    ],
    'the last token alone': ['x = self.a(x)[:, [-1]]'],
    'halves, exchanged': ['a, b = self.a(x).chunk(2, dim=-1)', 'x = x + torch.cat([-b, a], dim=-1) * x'],
  };
  for (const [name, lines] of Object.entries(cases)) it(name, async () => check(await trace(...lines)));

  it('says which mask must be looked at, and what in it shows later tokens', async () => {
    const { step } = prepare(await trace(...cases['attention with biases of distance']!), {
      mode: 'forward',
      keepLogits: true,
    });
    const { tensors } = decoderWindows(step, OPTIONS)(1);
    const masks = tensors.filter(({ mask }) => mask);
    assert.deepEqual(
      masks.map(({ type }) => type.shape),
      [[CONTEXT, 1, 1, CONTEXT]],
    );
    assert.equal(showsLater([0, -1, -Infinity, 0, 0, -1e31], 1, 3), false);
    assert.equal(showsLater([0, -1, -Infinity, 0, 0, -5], 1, 3), true);
    assert.equal(showsLater([0, NaN, 0], 2, 3), false);
    assert.equal(showsLater([0, NaN, 0], 0, 3), true);
  });

  it('keeps as many rows as a window sees, and not one more', async () => {
    const { step } = prepare(await trace(...cases['attention of a window, in a ring of rows']!), {
      mode: 'forward',
      keepLogits: true,
    });
    const { tensors } = decoderWindows(step, OPTIONS)(1);
    assert.equal(longestWindow(step, CONTEXT), 5);
    assert.equal(decoderStateBytes(tensors, 2), 2 * 2 * 8 * 4);
    assert.equal(decoderStateBytes(tensors, 1000), 2 * 5 * 8 * 4);
  });
});

describe('what cannot be decoded', () => {
  const cases: Readonly<Record<string, readonly [line: string, says: RegExp]>> = {
    'a mask that shows later tokens to some': [
      'x = F.scaled_dot_product_attention(x[:, None], x[:, None], x[:, None], attn_mask=self.pos[:1, :1] > 9)[:, 0]',
      /^sdpa at .*model\.py:12 attends to later tokens/,
    ],
    'a mean over all tokens': [
      'x = x + x.mean(1, keepdim=True)',
      /^sum at .*model\.py:12 goes over all tokens/,
    ],
    'attention to later tokens': [
      'x = F.scaled_dot_product_attention(x[:, None], x[:, None], x[:, None])[:, 0]',
      /^sdpa at .*model\.py:12 attends to later tokens, so that the model cannot decode/,
    ],
    'a shift to earlier tokens': [
      'x = self.a(F.pad(x[:, 1:], (0, 0, 0, 1)))',
      /^pad at .*model\.py:12 reads later tokens/,
    ],
    'a sequence cut into pieces': [
      'x = x.view(B, 7, T // 7, 8).cumsum(2).view(B, T, 8)',
      /^reshape at .*model\.py:12 cuts the sequence/,
    ],
    'a reversed sequence': ['x = x + x.flip(1)', /^slice at .*model\.py:12 skips or reverses tokens/],
    'mixing along time by a matrix': [
      'x = (x.transpose(1, 2) @ self.pos[:T, :1].expand(T, T)).transpose(1, 2)',
      /model\.py:12 sums over tokens/,
    ],
  };
  for (const [name, [line, says]] of Object.entries(cases))
    it(name, async () => {
      const { step } = prepare(await trace(line), { mode: 'forward', keepLogits: true });
      assert.throws(() => decoderWindows(step, OPTIONS)(1), {
        name: 'GraphError',
        message: says,
      });
    });
});
