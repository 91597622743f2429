/** The pass list on whole models: gradients, recomputation, custom gradients, costs and the printed form. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { graphCost } from '../../extension/core/compiler/cost.js';
import { prepare } from '../../extension/core/compiler/frontend.js';
import type { Graph, ValueId } from '../../extension/core/compiler/graph.js';
import { interpret } from '../../extension/core/compiler/interpret.js';
import { print } from '../../extension/core/compiler/print.js';
import { rematerialise } from '../../extension/core/compiler/remat.js';
import { verify } from '../../extension/core/compiler/verify.js';
import { generator, largestDifference, randomArray, TestGraph } from './graphs.js';
import { gpt, rwkv, type Model } from './models.js';

const SMALL = { batch: 2, context: 8, layers: 2, heads: 2, width: 4, vocab: 7 };

/** Central difference of the loss along a random direction against the gradient's product with it. */
function checkDirection({ trace, state, inputs }: Model, step: Graph): void {
  const random = generator(2);
  const gradients = interpret(step, { state, inputs });
  let expected = 0;
  const directions = state.map(({ shape }) => randomArray(shape, random));
  directions.forEach((direction, index) => {
    const gradient = gradients[`grad.${index}`];
    assert.ok(gradient, `parameter ${index} has no gradient`);
    gradient.data.forEach((value, i) => (expected += value * direction.data[i]!));
  });
  const lossAt = (h: number): number => {
    const moved = state.map(({ shape, data }, index) => ({
      shape,
      data: data.map((x, i) => x + h * directions[index]!.data[i]!),
    }));
    return interpret(trace.forward, { state: moved, inputs })['loss']!.data[0]!;
  };
  const slope = (lossAt(1e-5) - lossAt(-1e-5)) / 2e-5;
  assert.ok(
    Math.abs(slope - expected) <= 1e-6 * Math.max(1, Math.abs(slope)),
    `${expected} and by differences ${slope}`,
  );
}

const models: Record<string, Model> = { gpt: gpt(SMALL), rwkv: rwkv(SMALL, 4) };
for (const [name, model] of Object.entries(models)) {
  void test(`${name}: the gradient is the slope of the loss`, () => {
    checkDirection(model, prepare(model.trace, { mode: 'gradients', debug: () => undefined }).step);
  });

  void test(`${name}: recomputing changes no number and keeps fewer activations`, () => {
    const { step } = prepare(model.trace, { mode: 'gradients', remat: false });
    const again = rematerialise(step, { atLeastBytes: 0 });
    verify(again);
    const expected = interpret(step, model);
    for (const [key, value] of Object.entries(interpret(again, model)))
      assert.ok(largestDifference(value, expected[key]!) < 1e-12, key);
    const keptElements = (graph: Graph): number => {
      const forward = new Set(
        graph.nodes
          .filter((node) => node.phase === 'forward' && node.inputs.length > 0)
          .flatMap((node) => node.outputs),
      );
      const read = new Set(
        graph.nodes.filter((node) => node.phase === 'backward').flatMap((node) => node.inputs),
      );
      return [...read]
        .filter((id) => forward.has(id))
        .reduce((sum, id) => sum + graph.values[id]!.shape.reduce((a, b) => a * b, 1), 0);
    };
    assert.ok(
      keptElements(again) < 0.8 * keptElements(step),
      `${keptElements(again)} of ${keptElements(step)}`,
    );
  });
}

void test('gpt: a large activation is made again, never kept', () => {
  const { step } = prepare(gpt({ ...SMALL, context: 512, width: 64, shapesOnly: true }).trace, {
    mode: 'train',
  });
  const gelus = step.nodes.filter((node) => node.op === 'gelu');
  assert.deepEqual(
    gelus.map((node) => node.phase),
    ['forward', 'forward', 'backward', 'backward'],
  );
  const readBackward = new Set(
    step.nodes.filter((node) => node.phase === 'backward').flatMap((node) => node.inputs),
  );
  assert.ok(gelus.slice(0, 2).every((node) => !readBackward.has(node.outputs[0]!)));
});

void test('no pass is quadratic in the number of nodes', () => {
  const time = (layers: number): number => {
    const { trace } = gpt({ ...SMALL, context: 1024, layers, shapesOnly: true });
    const runs = [0, 1, 2].map(() => {
      const start = performance.now();
      prepare(trace, { mode: 'train' });
      return performance.now() - start;
    });
    return Math.min(...runs);
  };
  time(2);
  const [few, many] = [time(12), time(96)];
  assert.ok(many < 8 * 3 * Math.max(few, 5), `${many} ms for 8 times the layers of ${few} ms`);
});

/** Matrix-product FLOPs of a published formula against the count; element-wise work makes up the rest. */
function expectFlops(counted: number, published: number, most: number): void {
  assert.ok(
    counted >= published && counted <= published * most,
    `${counted} counted and ${published} published`,
  );
}

void test('gpt-2: FLOPs follow 6 (12 L D^2 + V D) + 6 L D T per token, causal credited', () => {
  const [L, D, V, T] = [12, 768, 50304, 1024];
  const { trace } = gpt({ batch: 1, context: T, layers: L, heads: 12, width: D, vocab: V, shapesOnly: true });
  const { step } = prepare(trace, { mode: 'train' });
  const cost = graphCost(step);
  const dense = 2 * (12 * L * D * D + V * D) * T;
  const pairs = (T * (T + 1)) / 2;
  const attention = 4 * L * D * pairs;
  expectFlops(cost.forward.flops, dense + attention, 1.01);
  expectFlops(cost.backward.flops, 2 * dense + 2.5 * attention, 1.03);
  assert.ok(Math.abs(attention / (2 * L * D * T * T) - 1) < 0.001);
});

void test('wkv: 6 N and 9 N operations per channel and token, twice that for the gradient', () => {
  for (const [op, perChannel] of [
    ['wkv6', 6],
    ['wkv7', 9],
  ] as const) {
    const g = new TestGraph();
    const [B, T, H, N] = [2, 32, 3, 8];
    const sequence = (): ValueId => g.parameter({ shape: [B, T, H, N], data: new Float64Array(0) });
    const inputs =
      op === 'wkv6'
        ? [
            sequence(),
            sequence(),
            sequence(),
            sequence(),
            g.parameter({ shape: [H, N], data: new Float64Array(0) }),
          ]
        : [0, 1, 2, 3, 4, 5].map(sequence);
    const y = g.emit(op, inputs)[0]!;
    const { step } = prepare(g.trace({ loss: g.sum(y, [0, 1, 2, 3]) }), { mode: 'train' });
    const cost = graphCost(step);
    const recurrence = perChannel * N * B * T * H * N;
    assert.equal(cost.forward.flops, recurrence + B * T * H * N);
    assert.equal(cost.backward.flops, 2 * recurrence);
  }
});

/** y = custom(x) with forward x^2 and a user's backward that returns 3 dy, whatever the true slope. */
function customGraph(g: TestGraph, straight: boolean): ValueId {
  const x = g.parameter({ shape: [2], data: Float64Array.of(1.5, -2) });
  const inside = g.mul(x, x);
  const y = g.one('detach', [inside]);
  const dy = g.one('cotangent', [], {}, g.type(y));
  const gradient = g.scale(dy, 3);
  g.customs.push({ inputs: [x], outputs: [y], cotangents: [dy], gradients: [gradient] });
  return straight ? y : g.add(g.scale(y, 2), x);
}

void test('a custom gradient replaces the true one, and the rest adds to it', () => {
  for (const [straight, expected] of [
    [true, 3],
    [false, 7],
  ] as const) {
    const g = new TestGraph();
    const y = customGraph(g, straight);
    const trace = g.trace({ loss: g.sum(y, [0]), logits: y });
    const { forward, step } = prepare(trace, { mode: 'train', debug: () => undefined });
    assert.deepEqual([...interpret(step, g.feeds())['grad.0']!.data], [expected, expected]);
    assert.equal(forward.customVjps.length, 0);
    assert.ok(
      ![...forward.nodes, ...step.nodes].some((node) => node.op === 'detach' || node.op === 'cotangent'),
    );
  }
});

void test('a custom gradient that stops with None gives no gradient', () => {
  const g = new TestGraph();
  const x = g.parameter({ shape: [2], data: Float64Array.of(1, 2) });
  const other = g.parameter({ shape: [2], data: Float64Array.of(1, 2) });
  const y = g.one('detach', [g.mul(x, other)]);
  const dy = g.one('cotangent', [], {}, g.type(y));
  g.customs.push({ inputs: [x, other], outputs: [y], cotangents: [dy], gradients: [null, g.mul(dy, x)] });
  const results = interpret(prepare(g.trace({ loss: g.sum(y, [0]) }), { mode: 'train' }).step, g.feeds());
  assert.deepEqual(Object.keys(results), ['loss', 'grad.1']);
  assert.deepEqual([...results['grad.1']!.data], [1, 2]);
});

void test('logits stay only where they are wanted', () => {
  const { trace } = gpt(SMALL);
  const names = (options: Parameters<typeof prepare>[1]): string[] =>
    Object.keys(prepare(trace, options).step.outputs);
  assert.deepEqual(names({ mode: 'forward' }), ['loss']);
  assert.deepEqual(names({ mode: 'forward', keepLogits: true }), ['logits', 'loss']);
  assert.ok(!names({ mode: 'train' }).includes('logits'));
});

void test('printed form of a small step', () => {
  const g = new TestGraph();
  const x = g.input('x', { shape: [2, 3], data: new Float64Array(6) }, 'f32');
  const w = g.parameter({ shape: [4, 3], data: new Float64Array(12) });
  const y = g.unary('silu', g.one('linear', [x, w]));
  const { step } = prepare(g.trace({ loss: g.one('mean', [y], { dims: [0, 1], keepdim: false }) }), {
    mode: 'train',
  });
  assert.equal(
    print(step),
    `forward:
  %0 = input() {name=x} : f32[2, 3]
  %1 = state() {index=0} : f32[4, 3]
  %2 = linear(%0, %1) : f32[2, 4]
  %3 = silu(%2) : f32[2, 4]
  %4 = sum(%3) {dims=[0, 1], keepdim=false} : f32[]
  %5 = mul(%4, 0.125) : f32[]
backward:
  %6 = silu_grad(0.125, %2) : f32[2, 4]
  %7 = permute(%6) {dims=[1, 0]} : f32[4, 2]
  %8 = matmul(%7, %0) : f32[4, 3]
loss = %5
grad.0 = %8
`,
  );
});
