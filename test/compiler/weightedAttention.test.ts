/** Linear attention written out is recognised, with the diagonals its weights lie on, and look-alikes are not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GraphBuilder } from '../../extension/core/compiler/build.js';
import { differentiate } from '../../extension/core/compiler/differentiate.js';
import { prepare } from '../../extension/core/compiler/frontend.js';
import type { Attrs, Graph, ValueId } from '../../extension/core/compiler/graph.js';
import { interpret } from '../../extension/core/compiler/interpret.js';
import { normalize } from '../../extension/core/compiler/normalize.js';
import { EMPTY_TABLES, generator, largestDifference, randomArray, TestGraph } from './graphs.js';

const [B, H, T, N] = [2, 2, 36, 3];
const SOME = { first: 1 - T, last: 1 };
const ALL = { first: 1 - T, last: T };

interface Model {
  readonly g: TestGraph;
  readonly parameter: (...shape: number[]) => ValueId;
  /** A buffer of [T, T] that starts as `tril(ones)`. */
  readonly lower: () => ValueId;
  readonly q: ValueId;
  readonly k: ValueId;
  readonly v: ValueId;
}

/** Prepares y = build(model), checks loss and gradients against the graph as written; attributes of what was found. */
function found(build: (model: Model) => ValueId): Attrs[] {
  const g = new TestGraph();
  const init = new GraphBuilder(EMPTY_TABLES);
  const random = generator(5);
  const parameter = (...shape: number[]): ValueId => g.parameter(randomArray(shape, random));
  const lower = (): ValueId => {
    const initial = init.one('tril', [init.full(1, { dtype: 'f32', shape: [T, T] })], { diagonal: 0 });
    const content = interpret(init.finish({ y: initial }))['y']!;
    return g.parameter(content, { kind: 'buffer', requiresGrad: false, initial });
  };
  const [q, k, v] = [parameter(B, H, T, N), parameter(B, H, T, N), parameter(B, H, T, N)];
  const y = build({ g, parameter, lower, q, k, v });
  const weights = g.input('weights', randomArray(g.shape(y), random), 'f32');
  const loss = g.sum(
    g.mul(y, weights),
    g.shape(y).map((_, d) => d),
  );
  const trace = { ...g.trace({ loss }), init: init.finish({}) };
  const { step } = prepare(trace, { mode: 'gradients', debug: () => undefined });
  const written: Graph = differentiate(normalize(trace.forward), {
    requiresGrad: (index) => g.state[index]!.requiresGrad,
  });
  const expected = interpret(written, g.feeds());
  const actual = interpret(step, g.feeds());
  for (const [name, value] of Object.entries(expected)) {
    const difference = largestDifference(value, actual[name]!);
    assert.ok(difference < 1e-9, `${name} differs by ${difference}`);
  }
  return step.nodes.filter(({ op }) => op === 'weighted_attention').map(({ attrs }) => attrs);
}

const scores = ({ g, q, k }: Model): ValueId => g.matmul(q, g.transpose(k));

/** Powers of a decay per head, by distance, as a skewed view of a padded row: zero for later keys. */
function decays({ g, parameter }: Model): ValueId {
  const row = g.unary('exp', g.unary('neg', g.unary('exp', parameter(H, T))));
  const padded = g.pad(row, [0, 0], [0, T]);
  const tiled = g.reshape(g.expand(g.reshape(padded, [H, 1, 2 * T]), [H, T, 2 * T]), [H, T * 2 * T]);
  const skewed = g.reshape(g.slice(tiled, [0, 0], [H, T * (2 * T - 1)]), [H, T, 2 * T - 1]);
  return g.reshape(g.slice(skewed, [0, 0, T - 1], [H, T, T]), [1, H, T, T]);
}

const models: Record<string, readonly [Attrs, (m: Model) => ValueId]> = {
  'a decay matrix made by views': [SOME, (m) => m.g.matmul(m.g.mul(scores(m), decays(m)), m.v)],
  'weights on the left, keys given as columns': [
    SOME,
    (m) => m.g.matmul(m.g.mul(decays(m), m.g.matmul(m.q, m.parameter(B, H, N, T))), m.v),
  ],
  'weights without known zeros': [ALL, (m) => m.g.matmul(m.g.mul(scores(m), m.parameter(H, T, T)), m.v)],
  'tril and a scale': [
    SOME,
    (m) => m.g.matmul(m.g.one('tril', [m.g.scale(scores(m), 0.5)], { diagonal: 0 }), m.v),
  ],
  'a band': [
    { first: -4, last: 3 },
    ({ g, ...m }) => {
      const band = g.one('triu', [g.one('tril', [m.parameter(T, T)], { diagonal: 2 })], { diagonal: -4 });
      return g.matmul(g.mul(scores({ g, ...m }), band), m.v);
    },
  ],
  'a buffer that masks and weights of a head': [
    SOME,
    (m) => m.g.matmul(m.g.mul(m.g.mul(scores(m), m.parameter(H, T, T)), m.lower()), m.v),
  ],
  'zeros filled in where a buffer is zero': [
    SOME,
    (m) => {
      const hidden = m.g.one('eq', [m.lower(), m.g.scalar(0)]);
      return m.g.matmul(m.g.where(hidden, m.g.scalar(0), scores(m)), m.v);
    },
  ],
  'zeros where a parameter decides': [
    ALL,
    (m) => {
      const keep = m.g.one('gt', [m.parameter(T, T), m.g.scalar(0)]);
      return m.g.matmul(m.g.where(keep, scores(m), m.g.scalar(0)), m.v);
    },
  ],
};

for (const [name, [expected, build]] of Object.entries(models))
  void test(`weighted attention: ${name}`, () => {
    assert.deepEqual(found(build), [expected]);
  });

const others: Record<string, (m: Model) => ValueId> = {
  'no weights': (m) => m.g.matmul(scores(m), m.v),
  'scores that something else reads': (m) => {
    const s = scores(m);
    const y = m.g.matmul(m.g.mul(s, decays(m)), m.v);
    return m.g.add(y, m.g.sum(s, [3], true));
  },
  'weights that are added': (m) => m.g.matmul(m.g.add(scores(m), decays(m)), m.v),
  'weights per query': (m) => m.g.matmul(m.g.mul(scores(m), m.parameter(T, 1)), m.v),
  'a product of two products': (m) => m.g.matmul(m.g.mul(scores(m), scores({ ...m, q: m.k, k: m.q })), m.v),
  'few tokens': ({ g, q, k, v, parameter }) => {
    const [a, b, c] = [q, k, v].map((x) => g.narrow(x, 2, 0, 8)) as [ValueId, ValueId, ValueId];
    return g.matmul(g.mul(g.matmul(a, g.transpose(b)), parameter(8, 8)), c);
  },
};

for (const [name, build] of Object.entries(others))
  void test(`no weighted attention: ${name}`, () => {
    assert.deepEqual(found(build), []);
  });
