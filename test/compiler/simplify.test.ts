/** Simplification keeps every number, and removes what it should. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GraphBuilder } from '../../extension/core/compiler/build.js';
import type { Graph, ValueId } from '../../extension/core/compiler/graph.js';
import { interpret } from '../../extension/core/compiler/interpret.js';
import { simplify } from '../../extension/core/compiler/simplify.js';
import { verify } from '../../extension/core/compiler/verify.js';
import { generator, largestDifference, randomArray, TestGraph } from './graphs.js';

const names = (graph: Graph): string[] => graph.nodes.map((node) => node.op);

/** Simplifies one value built from parameters; checks its numbers; gives the operations left, sources aside. */
function left(build: (g: TestGraph) => ValueId): string[] {
  const g = new TestGraph();
  const graph = g.finish({ y: build(g) });
  const simple = simplify(graph);
  verify(simple);
  const difference = largestDifference(interpret(simple, g.feeds())['y']!, interpret(graph, g.feeds())['y']!);
  assert.ok(difference < 1e-12, `differs by ${difference}`);
  return names(simple).filter((op) => !['state', 'full', 'input'].includes(op));
}

const random = generator(5);
const parameter = (g: TestGraph, ...shape: number[]): ValueId => g.parameter(randomArray(shape, random));
const zeros = (g: TestGraph, ...shape: number[]): ValueId => g.full(0, { dtype: 'f32', shape });

const cases: Record<string, [(g: TestGraph) => ValueId, string[]]> = {
  'x + 0 and x * 1': [(g) => g.mul(g.add(parameter(g, 3), zeros(g, 3)), g.scalar(1)), []],
  'x + 0 that broadcasts': [(g) => g.add(parameter(g, 3), zeros(g, 2, 3)), ['expand']],
  'a product with zeros': [(g) => g.matmul(parameter(g, 2, 3), zeros(g, 3, 4)), []],
  'zeros through a whole first step': [
    (g) => {
      const state = g.mul(parameter(g, 1, 1), zeros(g, 3, 3));
      return g.add(g.matmul(parameter(g, 2, 3), state), g.matmul(parameter(g, 2, 4), parameter(g, 4, 3)));
    },
    ['matmul'],
  ],
  'numbers only': [(g) => g.unary('exp', g.add(g.scalar(1), g.scalar(2))), []],
  'factors merge': [(g) => g.scale(g.scale(parameter(g, 4), 3), 0.5), ['mul']],
  powers: [(g) => g.one('pow', [parameter(g, 4), g.scalar(2)]), ['square']],
  'reshapes merge': [(g) => g.reshape(g.reshape(parameter(g, 6), [2, 3]), [3, 2]), ['reshape']],
  'permutes cancel': [(g) => g.transpose(g.transpose(parameter(g, 2, 3))), []],
  'a permute of size-1 dims is a reshape': [
    (g) => g.permute(parameter(g, 1, 2, 1, 3), [1, 0, 3, 2]),
    ['reshape'],
  ],
  'slices merge': [(g) => g.slice(g.slice(parameter(g, 9), [8], [4], [-2]), [1], [2]), ['slice']],
  'a slice of cat': [(g) => g.narrow(g.cat([parameter(g, 2, 3), parameter(g, 2, 4)], 1), 1, 3, 4), []],
  'a slice across cat': [
    (g) => g.narrow(g.cat([parameter(g, 2, 3), parameter(g, 2, 4), parameter(g, 2, 1)], 1), 1, 2, 5),
    ['slice', 'cat'],
  ],
  'one part of a pair behind views': [
    (g) => {
      const pair = g.cat([parameter(g, 2, 3, 1), parameter(g, 2, 3, 1)], 2);
      const seen = g.reshape(g.permute(pair, [1, 0, 2]), [3, 1, 2, 2]);
      return g.slice(seen, [1, 0, 0, 1], [2, 1, 2, 1]);
    },
    ['permute', 'reshape', 'slice'],
  ],
  'split and joined again': [
    (g) => {
      const x = parameter(g, 2, 7);
      return g.cat([g.narrow(x, 1, 0, 3), g.narrow(x, 1, 3, 4)], 1);
    },
    [],
  ],
  'a slice inside padding': [(g) => g.narrow(g.pad(parameter(g, 3), [2], [4]), 0, 5, 3), []],
  'a slice across padding': [(g) => g.narrow(g.pad(parameter(g, 3), [2], [0]), 0, 1, 3), ['slice', 'pad']],
  'the first positions of a causal convolution': [
    (g) => {
      const attrs = { stride: 1, padding: 3, dilation: 1, groups: 3 };
      return g.narrow(g.one('conv1d', [parameter(g, 2, 3, 5), parameter(g, 3, 1, 4)], attrs), 2, 0, 5);
    },
    ['conv1d'],
  ],
  'the first positions of a strided convolution': [
    (g) => {
      const attrs = { stride: 2, padding: 1, dilation: 2, groups: 1 };
      return g.narrow(g.one('conv1d', [parameter(g, 2, 3, 9), parameter(g, 4, 3, 2)], attrs), 2, 0, 2);
    },
    ['conv1d'],
  ],
  'later positions of a convolution': [
    (g) => {
      const attrs = { stride: 1, padding: 1, dilation: 1, groups: 1 };
      return g.narrow(g.one('conv1d', [parameter(g, 1, 2, 6), parameter(g, 2, 2, 3)], attrs), 2, 1, 3);
    },
    ['conv1d', 'slice'],
  ],
  'a slice of what was written': [
    (g) =>
      g.narrow(g.one('slice_scatter', [zeros(g, 6), parameter(g, 2)], { starts: [3], steps: [1] }), 0, 3, 2),
    [],
  ],
  'a slice beside what was written': [
    (g) =>
      g.narrow(
        g.one('slice_scatter', [parameter(g, 6), parameter(g, 2)], { starts: [3], steps: [1] }),
        0,
        0,
        2,
      ),
    ['slice'],
  ],
  'writes that fill the base': [
    (g) => {
      let y = zeros(g, 2, 6);
      for (const start of [2, 0, 4])
        y = g.one('slice_scatter', [y, parameter(g, 2, 2)], { starts: [0, start], steps: [1, 1] });
      return y;
    },
    ['cat'],
  ],
  'writes that leave a hole': [
    (g) => {
      let y = parameter(g, 2, 6);
      for (const start of [0, 4])
        y = g.one('slice_scatter', [y, parameter(g, 2, 2)], { starts: [0, start], steps: [1, 1] });
      return y;
    },
    ['slice_scatter', 'slice_scatter'],
  ],
  'writes that overlap': [
    (g) => {
      let y = zeros(g, 4);
      for (const start of [0, 1, 2])
        y = g.one('slice_scatter', [y, parameter(g, 2)], { starts: [start], steps: [1] });
      return y;
    },
    ['slice_scatter', 'slice_scatter', 'slice_scatter'],
  ],
  'a sum over size 1': [(g) => g.sum(parameter(g, 3, 1), [1]), ['reshape']],
  'a sum of repeats': [(g) => g.sum(g.expand(parameter(g, 3, 1), [3, 5]), [1]), ['mul', 'reshape']],
  'a repeat only to broadcast': [
    (g) => g.add(parameter(g, 3, 4), g.expand(parameter(g, 4), [3, 4])),
    ['add'],
  ],
  'the same work twice': [
    (g) => {
      const [x, y] = [parameter(g, 3), parameter(g, 3)];
      return g.sub(g.unary('exp', g.mul(x, y)), g.unary('sin', g.mul(y, x)));
    },
    ['mul', 'exp', 'sin', 'sub'],
  ],
  'consecutive rows of a table': [
    (g) => {
      const rows = g.one('arange', [], { start: 2, step: 1 }, { dtype: 'i64', shape: [3] });
      return g.one('embedding', [parameter(g, 6, 2), rows]);
    },
    ['slice'],
  ],
};
for (const [name, [build, expected]] of Object.entries(cases))
  void test(`simplify: ${name}`, () => assert.deepEqual(left(build), expected));

void test('dropout and detach are never merged', () => {
  const g = new TestGraph();
  const x = parameter(g, 4);
  const drop = (): ValueId => g.one('dropout', [x], { p: 0.5 });
  assert.equal(
    names(simplify(g.finish({ y: g.add(drop(), drop()) }))).filter((op) => op === 'dropout').length,
    2,
  );
});

/** A random graph over small tensors; every operation chosen keeps numbers finite. */
function randomGraph(seed: number): { graph: Graph; feeds: ReturnType<TestGraph['feeds']> } {
  const draw = generator(seed);
  const below = (n: number): number => Math.floor(draw() * n);
  const g = new TestGraph();
  const pool = [
    g.parameter(randomArray([4, 6], draw)),
    g.parameter(randomArray([4, 1], draw)),
    g.scalar(0),
    g.scalar(1),
    g.full(0, { dtype: 'f32', shape: [4, 6] }),
  ];
  const pick = (): ValueId => pool[below(pool.length)]!;
  const grown = (): ValueId => g.broadcastWith(pick(), [4, 6]);
  const makers: (() => ValueId)[] = [
    () => g.add(pick(), pick()),
    () => g.sub(pick(), pick()),
    () => g.mul(pick(), pick()),
    () => g.one('minimum', [pick(), pick()]),
    () => g.unary(['neg', 'sin', 'sigmoid', 'relu', 'square', 'tanh'][below(6)]!, pick()),
    () => g.where(g.one('lt', [pick(), pick()]), pick(), pick()),
    () => grown(),
    () => g.reshape(g.permute(g.reshape(grown(), [2, 2, 6]), [1, 0, 2]), [4, 6]),
    () => g.reshape(g.transpose(g.reshape(grown(), [6, 4])), [4, 6]),
    () => {
      const at = below(5);
      const x = grown();
      return g.cat([g.narrow(x, 1, at + 1, 5 - at), g.narrow(grown(), 1, 0, at + 1)], 1);
    },
    () => g.slice(grown(), [3, 5], [4, 6], [-1, -1]),
    () => {
      const low = below(3);
      return g.narrow(g.pad(grown(), [0, low], [0, 3 - low], below(2)), 1, below(4), 6);
    },
    () =>
      g.one('slice_scatter', [grown(), g.narrow(grown(), 1, below(3), 2)], {
        starts: [0, 2 * below(3)],
        steps: [1, 1],
      }),
    () => g.sum(grown(), [1], true),
    () => g.one('amax', [grown()], { dims: [0], keepdim: true }),
    () => g.broadcastWith(g.matmul(g.transpose(grown()), g.narrow(grown(), 1, 0, 1)), [6, 6]),
  ];
  for (let i = 0; i < 24; i++) {
    const value = makers[below(makers.length)]!();
    const shape = g.shape(value);
    if (shape.length === 2 && shape[0] === 6) pool.push(g.narrow(value, 0, below(3), 4));
    else pool.push(value);
  }
  const outputs = Object.fromEntries(pool.slice(-6).map((id, i) => [`y${i}`, id]));
  return { graph: g.finish(outputs), feeds: g.feeds() };
}

void test('simplify keeps the numbers of random graphs', () => {
  let removed = 0;
  for (let seed = 1; seed <= 400; seed++) {
    const { graph, feeds } = randomGraph(seed);
    verify(graph);
    const simple = simplify(graph);
    verify(simple);
    removed += graph.nodes.length - simple.nodes.length;
    const expected = interpret(graph, feeds);
    for (const [name, value] of Object.entries(interpret(simple, feeds))) {
      const difference = largestDifference(value, expected[name]!);
      assert.ok(difference < 1e-10, `seed ${seed}, ${name}: differs by ${difference}`);
    }
  }
  assert.ok(removed > 1000);
});

void test('an illegal graph is refused with its node named', () => {
  const b = new GraphBuilder({
    files: ['model.py'],
    spans: [{ file: 0, line: 12, column: 0, endLine: 12, endColumn: 9, function: 'f' }],
    stacks: [[0]],
    scopes: ['h.0'],
    constants: [],
  });
  const x = b.scalar(1);
  const graph = b.finish({ y: b.unary('exp', x) });
  const wrong: Graph = { ...graph, values: [graph.values[0]!, { dtype: 'f32', shape: [2] }] };
  assert.throws(
    () => verify(wrong),
    /node 1 exp at model\.py:12 \(h\.0\): output 0 is f32 \[2\] and should be f32 \[\]/,
  );
  assert.throws(
    () => verify({ ...graph, nodes: graph.nodes.toReversed() }),
    /input %0 is not made before it/,
  );
});
