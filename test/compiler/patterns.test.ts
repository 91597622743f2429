/** Hand-written attention, norms and activations are recognised, and look-alikes are not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GraphBuilder } from '../../extension/core/compiler/build.js';
import { prepare } from '../../extension/core/compiler/frontend.js';
import type { Node, ValueId } from '../../extension/core/compiler/graph.js';
import { interpret } from '../../extension/core/compiler/interpret.js';
import type { NdArray } from '../../extension/core/compiler/ops/operation.js';
import { EMPTY_TABLES, generator, largestDifference, randomArray, TestGraph } from './graphs.js';

const [B, H, T, D] = [2, 3, 6, 4];

interface Model {
  readonly g: TestGraph;
  readonly init: GraphBuilder;
  readonly random: () => number;
  /** A buffer whose initial value `make` builds; its content is computed by the interpreter. */
  buffer: (make: (init: GraphBuilder) => ValueId) => ValueId;
  parameter: (...shape: number[]) => ValueId;
}

/** Prepares y = build(model) as logits, checks that nothing changes numerically, and gives the prepared nodes. */
function prepared(build: (model: Model) => ValueId): readonly Node[] {
  const g = new TestGraph();
  const init = new GraphBuilder(EMPTY_TABLES);
  const random = generator(3);
  const buffer: Model['buffer'] = (make) => {
    const initial = make(init);
    const content = interpret(init.finish({ y: initial }))['y']!;
    return g.parameter(content, { kind: 'buffer', requiresGrad: false, initial });
  };
  const parameter: Model['parameter'] = (...shape) => g.parameter(randomArray(shape, random));
  const y = build({ g, init, random, buffer, parameter });
  const loss = g.sum(
    g.mul(y, g.input('weights', randomArray(g.shape(y), random), 'f32')),
    g.shape(y).map((_, i) => i),
  );
  const trace = { ...g.trace({ logits: y, loss }), init: init.finish({}) };
  const { forward, step } = prepare(trace, { mode: 'train', debug: () => undefined });
  const expected = interpret(trace.forward, g.feeds())['logits']!;
  assert.ok(largestDifference(interpret(forward, g.feeds())['logits']!, expected) < 5e-6);
  const gradients: Record<string, NdArray> = interpret(step, g.feeds());
  assert.ok(Object.values(gradients).every(({ data }) => data.every((x) => Number.isFinite(x))));
  return forward.nodes;
}

const operations = (nodes: readonly Node[]): string[] => nodes.map((node) => node.op);
const find = (nodes: readonly Node[], op: string): Node => {
  const node = nodes.find((n) => n.op === op);
  assert.ok(node, `${op} is missing among ${operations(nodes).join(' ')}`);
  return node;
};

const ones = (b: GraphBuilder, size = 8): ValueId => b.full(1, { dtype: 'f32', shape: [size, size] });

/** Attention by hand; `mask` changes the scores [B, H, T, T]. */
function attention(model: Model, mask: (scores: ValueId) => ValueId): ValueId {
  const { g } = model;
  const [q, k, v] = [0, 1, 2].map(() => {
    const x = g.reshape(model.parameter(B, T, H * D), [B, T, H, D]);
    return g.permute(x, [0, 2, 1, 3]);
  }) as [ValueId, ValueId, ValueId];
  const scores = g.scale(g.matmul(q, g.transpose(k)), 0.5);
  const y = g.matmul(g.one('softmax', [mask(scores)], { dim: -1 }), v);
  return g.reshape(g.permute(y, [0, 2, 1, 3]), [B, T, H * D]);
}

function expectAttention(
  name: string,
  expected: { causal: boolean; window?: number; mask?: boolean },
  mask: (model: Model) => (scores: ValueId) => ValueId,
): void {
  void test(`attention: ${name}`, () => {
    const nodes = prepared((model) => attention(model, mask(model)));
    const node = find(nodes, 'sdpa');
    assert.equal(node.attrs['causal'], expected.causal);
    assert.equal(node.attrs['window'], expected.window ?? 0);
    assert.equal(node.inputs.length, expected.mask ? 4 : 3);
    assert.ok(Math.abs((node.attrs['scale'] as number) - 0.5) < 1e-12);
    assert.ok(!operations(nodes).includes('softmax'));
  });
}

/** `masked_fill(keep == 0, fill)`. */
const filled = (g: TestGraph, keep: ValueId, scores: ValueId, fill = -Infinity): ValueId =>
  g.where(g.one('eq', [keep, g.scalarLike(0, keep)]), g.scalar(fill), scores);

const trilBuffer = (model: Model, diagonal = 0): ValueId => {
  const buffer = model.buffer((b) => b.reshape(b.one('tril', [ones(b)], { diagonal }), [1, 1, 8, 8]));
  return model.g.slice(buffer, [0, 0, 0, 0], [1, 1, T, T]);
};

const index = (g: TestGraph, shape: readonly number[]): ValueId =>
  g.reshape(g.one('arange', [], { start: 0, step: 1 }, { dtype: 'i64', shape: [T] }), shape);

expectAttention('no mask', { causal: false }, () => (scores) => scores);
expectAttention('tril buffer, -inf', { causal: true }, (m) => (scores) => filled(m.g, trilBuffer(m), scores));
expectAttention(
  'tril buffer, large negative',
  { causal: true },
  (m) => (scores) => filled(m.g, trilBuffer(m), scores, -1e9),
);
expectAttention('additive triu of -inf', { causal: true }, (m) => (scores) => {
  const hidden = m.g.full(-Infinity, { dtype: 'f32', shape: [T, T] });
  return m.g.add(scores, m.g.one('triu', [hidden], { diagonal: 1 }));
});
expectAttention('bool tril made in forward, where', { causal: true }, ({ g }) => (scores) => {
  const keep = g.cast(g.one('tril', [ones(g, T)], { diagonal: 0 }), 'bool');
  return g.where(keep, scores, g.scalar(-3.4028234663852886e38));
});
expectAttention(
  'positions compared',
  { causal: true },
  ({ g }) =>
    (scores) =>
      g.where(g.one('ge', [index(g, [T, 1]), index(g, [1, T])]), scores, g.scalar(-Infinity)),
);
expectAttention('1 - mask times -10000, GPT-1', { causal: true }, (m) => (scores) => {
  const { g } = m;
  const keep = trilBuffer(m);
  return g.sub(g.mul(scores, keep), g.scale(g.sub(g.scalar(1), keep), 1e4));
});
expectAttention('sliding window', { causal: true, window: 3 }, ({ g }) => (scores) => {
  const distance = g.sub(index(g, [T, 1]), index(g, [1, T]));
  const keep = g.one('logical_and', [
    g.one('ge', [distance, g.scalarLike(0, distance)]),
    g.one('lt', [distance, g.scalarLike(3, distance)]),
  ]);
  return g.where(keep, scores, g.scalar(-Infinity));
});
expectAttention('causal and a learned-free bias', { causal: true, mask: true }, (m) => (scores) => {
  const bias = m.g.input('bias', randomArray([H, T, T], m.random), 'f32');
  return filled(m.g, trilBuffer(m), m.g.add(scores, bias));
});
expectAttention(
  'one key too many is not causal',
  { causal: false, mask: true },
  (m) => (scores) => filled(m.g, trilBuffer(m, 1), scores),
);
expectAttention(
  'two keys too few is not causal',
  { causal: false, mask: true },
  (m) => (scores) => filled(m.g, trilBuffer(m, -2), scores, -1e30),
);
expectAttention('anti-causal is not causal', { causal: false, mask: true }, (m) => (scores) => {
  const keep = m.buffer((b) => b.one('triu', [ones(b, T)], { diagonal: 0 }));
  return filled(m.g, keep, scores);
});
expectAttention('a mask that is data is not causal', { causal: false, mask: true }, ({ g }) => (scores) => {
  const data = Float64Array.from({ length: T * T }, (_, i) => Number(i % T <= Math.floor(i / T)));
  return g.where(g.input('keep', { shape: [T, T], data }, 'bool'), scores, g.scalar(-Infinity));
});
expectAttention(
  'a sliced tril that starts later is not causal',
  { causal: false, mask: true },
  (m) => (scores) => {
    const buffer = m.buffer((b) => b.one('tril', [ones(b)], { diagonal: 0 }));
    return filled(m.g, m.g.slice(buffer, [2, 0], [T, T]), scores);
  },
);

void test('attention: heads that share keys and values, with heads and queries in one dim of the products', () => {
  const nodes = prepared(({ g, buffer, parameter }) => {
    const q = g.permute(g.reshape(parameter(B, T, H * D), [B, T, H, D]), [0, 2, 1, 3]);
    const [k, v] = [parameter(B, T, D), parameter(B, T, D)];
    const scores = g.reshape(g.matmul(g.reshape(g.scale(q, 0.5), [B, H * T, D]), g.transpose(k)), [
      B,
      H,
      T,
      T,
    ]);
    const triangle = buffer((init) => init.one('tril', [ones(init, T)], { diagonal: 0 }));
    const shown = g.one('ne', [triangle, g.scalar(0)]);
    const masked = g.where(shown, scores, g.scalar(-3e38));
    const weights = g.one('softmax', [masked], { dim: 3 });
    return g.reshape(g.matmul(g.reshape(weights, [B, H * T, T]), v), [B, H, T, D]);
  });
  const node = find(nodes, 'sdpa');
  assert.equal(node.attrs['causal'], true);
  assert.equal(node.attrs['scale'], 0.5);
  assert.ok(!operations(nodes).includes('softmax'));
});

void test('attention: a learned bias keeps its gradient', () => {
  const nodes = prepared((m) => attention(m, (scores) => m.g.add(scores, m.parameter(T, T))));
  assert.equal(find(nodes, 'sdpa').inputs.length, 4);
});

void test('attention: weights divided by a scale on q, one head, dropout of 0', () => {
  const nodes = prepared((m) => {
    const [q, k, v] = [0, 1, 2].map(() => m.parameter(B, T, D)) as [ValueId, ValueId, ValueId];
    const scores = m.g.matmul(m.g.div(q, m.g.scalar(2)), m.g.transpose(k));
    const masked = filled(m.g, m.g.one('tril', [ones(m.g, T)], { diagonal: 0 }), scores);
    const weights = m.g.one('dropout', [m.g.one('softmax', [masked], { dim: 2 })], { p: 0 });
    return m.g.matmul(weights, v);
  });
  const node = find(nodes, 'sdpa');
  assert.deepEqual([node.attrs['causal'], node.attrs['scale']], [true, 0.5]);
});

for (const layout of ['heads first', 'tokens first'])
  void test(`attention: grouped keys and values, ${layout}`, () => {
    const nodes = prepared((m) => {
      const { g } = m;
      const q = m.parameter(B, 4, T, D);
      const repeat = (): ValueId => {
        if (layout === 'heads first') {
          const x = g.reshape(m.parameter(B, 2, T, D), [B, 2, 1, T, D]);
          return g.reshape(g.expand(x, [B, 2, 2, T, D]), [B, 4, T, D]);
        }
        const x = g.reshape(m.parameter(B, T, 2, D), [B, T, 2, 1, D]);
        return g.permute(g.reshape(g.expand(x, [B, T, 2, 2, D]), [B, T, 4, D]), [0, 2, 1, 3]);
      };
      const scores = g.matmul(q, g.transpose(repeat()));
      return g.matmul(g.one('softmax', [scores], { dim: 3 }), repeat());
    });
    const node = find(nodes, 'sdpa');
    assert.ok(!operations(nodes).includes('expand'), operations(nodes).join(' '));
    assert.equal(node.inputs.length, 3);
  });

for (const kind of ['bool', 'additive'])
  void test(`sdpa with a causal ${kind} mask and repeated heads needs neither`, () => {
    const nodes = prepared((m) => {
      const { g } = m;
      const tril = g.one('tril', [ones(g, T)], { diagonal: 0 });
      const mask =
        kind === 'bool'
          ? g.cast(tril, 'bool')
          : g.where(g.cast(tril, 'bool'), g.scalar(0), g.scalar(-Infinity));
      const repeat = (): ValueId =>
        g.reshape(g.expand(m.parameter(B, 2, 1, T, D), [B, 2, 3, T, D]), [B, 6, T, D]);
      return g.one('sdpa', [m.parameter(B, 6, T, D), repeat(), repeat(), mask], {
        causal: false,
        scale: 0.5,
        window: 0,
      });
    });
    const node = find(nodes, 'sdpa');
    assert.equal(node.attrs['causal'], true);
    assert.equal(node.inputs.length, 3);
    assert.ok(!operations(nodes).includes('expand'));
  });

void test('sdpa with a mask of positions and of data keeps only that of data, beside causal', () => {
  const nodes = prepared((m) => {
    const { g } = m;
    const documents = g.input('documents', {
      shape: [B, T],
      data: Float64Array.from({ length: B * T }, (_, i) => (i % T) >> 1),
    });
    const [rows, columns] = [g.reshape(documents, [B, 1, T, 1]), g.reshape(documents, [B, 1, 1, T])];
    const earlier = g.one('ge', [index(g, [1, 1, T, 1]), index(g, [1, 1, 1, T])]);
    const near = g.one('lt', [
      g.sub(index(g, [1, 1, T, 1]), index(g, [1, 1, 1, T])),
      g.scalarLike(3, index(g, [T])),
    ]);
    const same = g.one('eq', [rows, columns]);
    const mask = g.one('logical_and', [g.one('bitwise_and', [earlier, same]), near]);
    const heads = (): ValueId => m.parameter(B, H, T, D);
    return g.one('sdpa', [heads(), heads(), heads(), mask], { causal: false, scale: 0.5, window: 0 });
  });
  const node = find(nodes, 'sdpa');
  assert.equal(node.attrs['causal'], true);
  assert.equal(node.attrs['window'], 3);
  assert.equal(node.inputs.length, 4);
  assert.deepEqual(
    operations(nodes).filter((op) => ['ge', 'lt', 'logical_and', 'bitwise_and'].includes(op)),
    [],
  );
});

void test('attention with dropout on its weights stays as written', () => {
  const g = new TestGraph();
  const [q, k, v] = [0, 1, 2].map(() => g.parameter(randomArray([B, H, T, D], generator(1)))) as [
    ValueId,
    ValueId,
    ValueId,
  ];
  const weights = g.one('dropout', [g.one('softmax', [g.matmul(q, g.transpose(k))], { dim: 3 })], { p: 0.1 });
  const y = g.matmul(weights, v);
  const trace = g.trace({ logits: y, loss: g.sum(y, [0, 1, 2, 3]) });
  assert.ok(operations(prepare(trace, { mode: 'train' }).step.nodes).includes('dropout'));
  assert.ok(operations(prepare(trace, { mode: 'forward' }).forward.nodes).includes('sdpa'));
});

/** Mean over the last dim, kept. */
const mean = (g: TestGraph, x: ValueId): ValueId => g.one('mean', [x], { dims: [-1], keepdim: true });
const EPS = 1e-5;

const norms: Record<string, (m: Model, x: ValueId) => ValueId> = {
  'rms_norm: x * rsqrt(mean(x^2) + eps) * w': ({ g, parameter }, x) => {
    const rstd = g.unary('rsqrt', g.add(mean(g, g.one('pow', [x, g.scalar(2)])), g.scalar(EPS)));
    return g.mul(g.mul(x, rstd), parameter(5));
  },
  'rms_norm: w * (x / sqrt(sum(x * x) / n + eps))': ({ g, parameter }, x) => {
    const total = g.one('sum', [g.mul(x, x)], { dims: [2], keepdim: true });
    const root = g.unary('sqrt', g.add(g.div(total, g.scalar(5)), g.scalar(EPS)));
    return g.mul(parameter(1, 1, 5), g.div(x, root));
  },
  'layer_norm: (x - mean) / sqrt(mean((x - mean)^2) + eps) * w + b': ({ g, parameter }, x) => {
    const centred = g.sub(x, mean(g, x));
    const root = g.unary('sqrt', g.add(g.scalar(EPS), mean(g, g.unary('square', centred))));
    return g.add(g.mul(parameter(5), g.div(centred, root)), parameter(5));
  },
  'layer_norm: (x - mean) * rsqrt(mean(x^2) - mean^2 + eps)': ({ g }, x) => {
    const variance = g.sub(mean(g, g.unary('square', x)), g.unary('square', mean(g, x)));
    return g.mul(g.sub(x, mean(g, x)), g.unary('rsqrt', g.add(variance, g.scalar(EPS))));
  },
};
for (const [name, build] of Object.entries(norms))
  void test(`norm: ${name}`, () => {
    const nodes = prepared((m) => build(m, m.parameter(2, 3, 5)));
    const node = find(nodes, name.split(':')[0]!);
    assert.equal(
      node.inputs.length,
      1 + (name.includes('* w') || name.includes('w *') ? 1 : 0) + (name.includes('+ b') ? 1 : 0),
    );
    assert.ok(!operations(nodes).includes('sqrt') && !operations(nodes).includes('rsqrt'));
  });

void test('norm: a variance of something else is not a norm', () => {
  const nodes = prepared((m) => {
    const [x, other] = [m.parameter(2, 3, 5), m.parameter(2, 3, 5)];
    return m.g.mul(x, m.g.unary('rsqrt', m.g.add(mean(m.g, m.g.unary('square', other)), m.g.scalar(EPS))));
  });
  assert.ok(!operations(nodes).includes('rms_norm'));
});

const activations: Record<string, (g: TestGraph, x: ValueId) => ValueId> = {
  gelu_tanh: (g, x) => {
    const cube = g.one('pow', [x, g.scalar(3)]);
    const inner = g.scale(g.add(x, g.scale(cube, 0.044715)), Math.sqrt(2 / Math.PI));
    return g.mul(g.scale(x, 0.5), g.add(g.unary('tanh', inner), g.scalar(1)));
  },
  gelu: (g, x) =>
    g.mul(g.mul(x, g.scalar(0.5)), g.add(g.scalar(1), g.unary('erf', g.div(x, g.scalar(1.4142135))))),
  silu: (g, x) => g.mul(g.unary('sigmoid', x), x),
  sigmoid: (g, x) => g.div(g.scalar(1), g.add(g.scalar(1), g.unary('exp', g.unary('neg', x)))),
  softplus: (g, x) => g.unary('log', g.add(g.scalar(1), g.unary('exp', x))),
};
for (const [name, build] of Object.entries(activations))
  void test(`activation: ${name} of a sum`, () => {
    const nodes = prepared((m) => build(m.g, m.g.add(m.parameter(3, 4), m.parameter(4))));
    assert.deepEqual(
      operations(nodes).filter((op) => !['state', 'input', 'full', 'sum', 'mul', 'add'].includes(op)),
      [name],
    );
  });
void test('activation: x * sigmoid(1.702 x) is not silu', () => {
  const nodes = prepared((m) => {
    const x = m.parameter(7);
    return m.g.mul(x, m.g.unary('sigmoid', m.g.scale(x, 1.702)));
  });
  assert.ok(operations(nodes).includes('sigmoid') && !operations(nodes).includes('silu'));
});

void test('softmax by hand and log-probabilities with a loss', () => {
  const nodes = prepared(({ g, parameter }) => {
    const x = parameter(4, 5);
    const shifted = g.sub(x, g.one('amax', [x], { dims: [1], keepdim: true }));
    const exponential = g.unary('exp', shifted);
    const soft = g.div(exponential, g.one('sum', [exponential], { dims: [1], keepdim: true }));
    const targets = g.input('targets', { shape: [4], data: Float64Array.of(0, 4, 2, 2) });
    const loss = g.one('nll_loss', [g.one('log_softmax', [soft], { dim: -1 }), targets], {
      ignoreIndex: -100,
      reduction: 'mean',
    });
    return g.mul(soft, loss);
  });
  assert.ok(operations(nodes).includes('softmax') && operations(nodes).includes('cross_entropy'));
  assert.ok(!operations(nodes).includes('exp') && !operations(nodes).includes('gather'));
});

void test('attention: a mask of data that hides every key of a query leaves all keys alike, as the number in place of scores says', () => {
  const nodes = prepared((model) => {
    const { g, random } = model;
    const shown = {
      shape: [B, 1, T, T],
      data: new Float64Array(B * T * T).map(() => Number(random() < 0.6)),
    };
    shown.data.fill(0, T, 2 * T);
    const hidden = g.unary('logical_not', g.input('shown', shown, 'bool'));
    return attention(model, (scores) => g.where(hidden, g.scalar(-1e4), scores));
  });
  assert.equal(find(nodes, 'sdpa').inputs.length, 4);
});
