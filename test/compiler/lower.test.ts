/** Programs against the graph interpreter: forward-only graphs, then whole models with every gradient. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { interpret } from '../../extension/core/compiler/interpret.js';
import type { ValueId } from '../../extension/core/compiler/graph.js';
import { prepare } from '../../extension/core/compiler/frontend.js';
import { TestGraph, generator, largestDifference, randomArray } from './graphs.js';
import { type Model, gpt, rwkv } from './models.js';
import { compileAndRun } from './programs.js';

const TOLERANCE = 1e-5;

type Build = (g: TestGraph, x: (...shape: number[]) => ValueId) => ValueId;

/** Compiles a graph whose result is handed out as `logits` and compares it with the interpreter. */
function check(name: string, build: Build): void {
  test(`lowering of ${name}`, () => {
    const random = generator(3);
    const g = new TestGraph();
    const logits = build(g, (...shape) => g.parameter(randomArray(shape, random)));
    const trace = g.trace({ logits: g.cast(logits, 'f32') });
    const expected = interpret(trace.forward, g.feeds()).logits!;
    const options = { mode: 'forward', precision: 'fp32' } as const;
    const { results } = compileAndRun(trace, options, g.stateArrays, g.inputs);
    const difference = largestDifference(expected, results.logits!);
    assert.ok(difference <= TOLERANCE, `differs by ${difference}`);
  });
}

const tokens = (g: TestGraph, values: number[]) =>
  g.input('idx', { shape: [values.length], data: Float64Array.from(values) });
const counter = (g: TestGraph, size: number, start = 0, step = 1) =>
  g.one('arange', [], { start, step }, { dtype: 'i64', shape: [size] });
const ones = (rank: number) => new Array<number>(rank).fill(1);

check('a chain of views that needs no copy', (g, x) =>
  g.reshape(g.permute(g.reshape(x(2, 6, 4), [2, 3, 2, 4]), [0, 2, 1, 3]), [2, 2, 12]),
);
check('a flip', (g, x) => g.mul(g.slice(x(3, 4), [2, 3], [3, 4], [-1, -1]), x(3, 4)));
check('a strided slice', (g, x) => g.unary('exp', g.slice(x(7, 5), [1, 0], [3, 5], [2, 1])));
check('a matrix plus its transpose', (g, x) => {
  const a = g.unary('exp', x(4, 4));
  return g.add(a, g.transpose(a));
});
check('broadcast of every kind', (g, x) => g.add(g.mul(x(3, 1, 4), x(2, 1)), g.add(x(4), g.scalar(0.5))));
check('cat of values, views and constants', (g, x) => {
  const a = x(2, 3);
  return g.cat(
    [g.unary('neg', a), a, g.full(2, { dtype: 'f32', shape: [2, 2] }), g.slice(a, [0, 1], [2, 2])],
    1,
  );
});
check('cat of one value twice', (g, x) => {
  const a = g.unary('exp', x(2, 3));
  return g.cat([a, a], 0);
});
check('pad on all sides with a value', (g, x) => g.pad(g.unary('exp', x(2, 3)), [1, 2], [3, 0], -1));
check('pad read element-wise', (g, x) => {
  const a = g.unary('exp', x(2, 5, 3));
  return g.sub(g.pad(g.narrow(a, 1, 0, 4), [0, 1, 0], [0, 0, 0]), a);
});
check('a shift to the left', (g, x) => {
  const a = g.unary('exp', x(2, 5, 3));
  return g.mul(g.pad(g.narrow(a, 1, 1, 4), [0, 0, 0], [0, 1, 0]), a);
});
check('a shift of a value that a product reads too', (g, x) => {
  const a = g.unary('exp', x(2, 5, 3));
  const moved = g.pad(g.narrow(a, 1, 0, 4), [0, 1, 0], [0, 0, 0]);
  return g.add(g.matmul(a, x(2, 3, 3)), moved);
});
check('two shifts of one value', (g, x) => {
  const a = g.unary('exp', x(2, 5, 3));
  const right = g.pad(g.narrow(a, 1, 0, 4), [0, 1, 0], [0, 0, 0]);
  return g.add(right, g.pad(g.narrow(a, 1, 0, 3), [0, 2, 0], [0, 0, 0]));
});
check('writes into overlapping slices', (g, x) => {
  const [base, a, b] = [x(4, 4), g.unary('exp', x(2, 3)), g.unary('exp', x(3, 2))];
  const first = g.one('slice_scatter', [base, a], { starts: [0, 0], steps: ones(2) });
  return g.one('slice_scatter', [first, b], { starts: [1, 1], steps: ones(2) });
});
check('writes with steps into a constant', (g, x) => {
  const base = g.full(3, { dtype: 'f32', shape: [5] });
  return g.one('slice_scatter', [base, g.unary('exp', x(2))], { starts: [1], steps: [2] });
});
check('a base that is read after it was written to', (g, x) => {
  const base = g.unary('exp', x(4));
  const written = g.one('slice_scatter', [base, x(2)], { starts: [1], steps: [1] });
  return g.add(written, base);
});
check('rotary halves', (g, x) => {
  const a = x(2, 3, 4);
  const turned = g.cat([g.unary('neg', g.narrow(a, 2, 2, 2)), g.narrow(a, 2, 0, 2)], 2);
  return g.add(g.mul(a, x(3, 4)), g.mul(turned, x(3, 4)));
});
check('a triangle of counters', (g, x) => g.one('tril', [g.unary('exp', x(4, 5))], { diagonal: 1 }));
check('an identity from counters', (g) =>
  g.cast(g.one('eq', [g.reshape(counter(g, 4), [4, 1]), g.reshape(counter(g, 4), [1, 4])]), 'f32'),
);
check('counters backwards', (g, x) => g.mul(x(2, 3), g.cast(g.expand(counter(g, 3, 2, -1), [2, 3]), 'f32')));
check('integer arithmetic', (g) => {
  const n = counter(g, 9, -4);
  const mixed = g.one('bitwise_xor', [
    g.mul(n, g.scalar(5, 'i64')),
    g.one('floor_divide', [n, g.scalar(3, 'i64')]),
  ]);
  return g.add(mixed, g.one('remainder', [n, g.scalar(4, 'i64')]));
});
check('a float cut to an integer and back', (g, x) => g.cast(g.cast(g.scale(x(6), 7), 'i64'), 'f32'));
check('softmax over a masked product', (g, x) => {
  const scores = g.matmul(x(2, 3, 4), g.transpose(x(2, 5, 4)));
  const hidden = g.one('lt', [g.reshape(counter(g, 3), [3, 1]), g.reshape(counter(g, 5, -1), [1, 5])]);
  return g.one('softmax', [g.where(hidden, g.scalar(-1e9), scores)], { dim: 2 });
});
check('several reductions of one tensor', (g, x) => {
  const a = x(3, 4);
  const centred = g.sub(a, g.reshape(g.one('amax', [a], { dims: [1], keepdim: false }), [3, 1]));
  return g.cat([g.sum(g.unary('exp', centred), [1]), g.sum(a, [0]), g.reshape(g.sum(a, [0, 1]), [1])], 0);
});
check('a product with a column-major result', (g, x) => {
  const c = g.transpose(g.matmul(x(2, 3, 4), x(2, 4, 5)));
  return g.cat([c, g.unary('exp', x(2, 5, 3))], 1);
});
check('a product with a shared right side', (g, x) =>
  g.matmul(x(2, 3, 4, 5), g.expand(x(1, 1, 5, 6), [2, 3, 5, 6])),
);
check('a residual whose sum is read twice', (g, x) => {
  const a = x(3, 4);
  const sum = g.add(a, g.one('linear', [a, x(4, 4), x(4)]));
  return g.mul(sum, g.one('linear', [sum, x(4, 4)]));
});
check('embedding of counters and tokens', (g, x) =>
  g.add(g.one('embedding', [x(5, 3), counter(g, 4)]), g.one('embedding', [x(6, 3), tokens(g, [5, 0, 2, 2])])),
);
check('top-k, gather and scatter', (g, x) => {
  const a = x(3, 5);
  const [values, places] = g.emit('topk', [a], { k: 2, dim: 1, largest: true }) as [ValueId, ValueId];
  const spread = g.one('scatter', [g.full(0, { dtype: 'f32', shape: [3, 5] }), places, values], { dim: 1 });
  return g.add(spread, g.reshape(g.sum(g.one('gather', [a, places], { dim: 1 }), [1]), [3, 1]));
});
check('scatter into a value that is read again', (g, x) => {
  const base = g.unary('exp', x(3, 2));
  const index = g.reshape(tokens(g, [0, 2, 2, 1]), [2, 2]);
  return g.add(g.one('scatter_add', [base, index, x(2, 2)], { dim: 0 }), base);
});
check('argmax and cumulative sums', (g, x) => {
  const a = x(3, 4);
  const best = g.cast(g.one('argmax', [a], { dim: 1, keepdim: true }), 'f32');
  return g.add(g.one('cumsum', [a], { dim: 0 }), best);
});
check('an expression that a later group computes again', (g, x) => {
  const a = g.unary('tanh', g.matmul(x(256, 2), x(2, 256)));
  const positive = g.unary('relu', g.sub(a, x(256)));
  const product = g.matmul(g.one('square', [positive]), g.scale(x(256, 256), 0.01));
  return g.mul(g.add(g.scale(positive, 2), g.reshape(g.unary('neg', positive), [256, 256])), product);
});
check('a result that is a parameter', (_, x) => x(2, 2));
check('empty tensors', (g, x) => g.cat([x(0, 3), g.unary('exp', x(2, 3))], 0));
check('a group larger than the registers', (g, x) => {
  let total = g.unary('exp', x(2, 3));
  for (let i = 0; i < 150; i++) total = g.add(g.unary('sin', total), g.mul(total, x(2, 3)));
  return total;
});

function checkModel(name: string, model: Model): void {
  test(`loss and every gradient of ${name}`, () => {
    const { step } = prepare(model.trace, { mode: 'gradients' });
    const expected = interpret(step, { state: model.state, inputs: model.inputs });
    const options = { mode: 'gradients', precision: 'fp32' } as const;
    const { results, compiled } = compileAndRun(model.trace, options, model.state, model.inputs);
    assert.equal(compiled.gradients.size, model.state.length);
    for (const [key, value] of Object.entries(expected)) {
      const difference = largestDifference(value, results[key]!);
      assert.ok(difference <= TOLERANCE, `${key} differs by ${difference}`);
    }
  });
}

const small = { batch: 2, context: 8, layers: 2, heads: 2, width: 8, vocab: 7 };
checkModel('a small GPT', gpt(small));
checkModel('a GPT of one layer and one row', gpt({ ...small, batch: 1, layers: 1 }));
checkModel('a small RWKV in two chunks', rwkv(small, 4));
checkModel('a small RWKV in one chunk', rwkv({ ...small, batch: 1 }, 8));
checkModel('a small RWKV in four chunks', rwkv(small, 2));

test('a training step clips and moves every parameter as AdamW does', () => {
  const model = gpt(small);
  const [rate, limit] = [0.1, 0.5];
  const run = (mode: 'gradients' | 'train') =>
    compileAndRun(model.trace, { mode, precision: 'fp32' }, model.state, model.inputs, [rate, 1, limit, 0]);
  const gradients = run('gradients').results;
  const { compiled, program, results } = run('train');
  const norm = Math.hypot(...model.state.map((_, i) => Math.hypot(...gradients[`grad.${i}`]!.data)));
  const told = results.gradNorm!.data[0]!;
  assert.ok(Math.abs(told - norm) <= 1e-5 * norm, `norm ${told}, not ${norm}`);
  model.state.forEach((array, index) => {
    const place = compiled.layout.tensors[index]!;
    const moved = program.f32('state', place.byteOffset, array.data.length);
    const decay = array.shape.length >= 2 ? 0.1 : 0;
    array.data.forEach((value, i) => {
      const gradient = gradients[`grad.${index}`]!.data[i]! * (limit / (norm + 1e-6));
      const expected = value * (1 - rate * decay) - (rate * gradient) / (Math.abs(gradient) + 1e-8);
      const error = Math.abs(moved[i]! - expected);
      assert.ok(error <= 1e-4, `parameter ${index}, element ${i}: ${moved[i]}, not ${expected}`);
    });
  });
});
