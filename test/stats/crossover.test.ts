import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  crossing,
  type CurvePoint,
  intersection,
  noiseOf,
  verdict,
} from '../../extension/core/stats/crossover.js';
import { Random } from '../../extension/core/stats/random.js';
import { describeCrossing } from '../../extension/core/stats/sentences.js';

const CONTEXTS = [128, 256, 512, 1024, 2048, 4096];

/** Samples around `ms` with a spread of +-`noise`. */
function samples(ms: number, noise: number, random: Random, count = 7): number[] {
  return Array.from({ length: count }, () => ms * (1 + noise * (2 * random.unit() - 1)));
}

/** Curve a is flat, curve b grows as a power law through it at `cross`. */
function curves(cross: number, noise: number, power = 0.3): CurvePoint[] {
  const random = new Random(5);
  return CONTEXTS.map((x) => ({
    x,
    a: samples(100, noise, random),
    b: samples(100 * (x / cross) ** power, noise, random),
  }));
}

test('two power laws cross where they should, to the token', () => {
  const points = curves(777, 0);
  assert.ok(Math.abs(intersection(points)! - 777) < 1e-6);
});

test('a crossover under noise is found, and its interval holds the truth', () => {
  const found = crossing(curves(777, 0.03), 1.01);
  assert.equal(found.kind, 'crossing');
  if (found.kind !== 'crossing') return;
  assert.equal(found.before, 'b');
  assert.ok(found.interval[0] < 777 && 777 < found.interval[1], String(found.interval));
  assert.ok(found.interval[0] > 512 && found.interval[1] < 1500);
});

test('a difference inside the A/A control is no difference', () => {
  const a = [100, 100.1, 100.2, 99.9, 100];
  const b = a.map((ms) => ms * 1.02);
  assert.equal(verdict(a, b), 'a');
  assert.equal(verdict(a, b, 1.03), 'none');
  assert.equal(noiseOf([{ interval: [0.97, 1.01] }]), 1 / 0.97);
  assert.equal(noiseOf([]), 1);
});

test('NaN samples never become a difference', () => {
  assert.equal(verdict([NaN, NaN, NaN, NaN, NaN], [1, 1, 1, 1, 1]), 'none');
});

test('curves that do not cross, that are equal, and that cross twice', () => {
  const shifted = CONTEXTS.map((x) => ({ x, a: [1, 1, 1, 1, 1], b: [2, 2, 2, 2, 2] }));
  assert.deepEqual(crossing(shifted), { kind: 'always', better: 'a', undecided: [] });
  const equal = CONTEXTS.map((x) => ({ x, a: [1, 1.1, 0.9, 1, 1], b: [1, 0.9, 1.1, 1, 1] }));
  assert.deepEqual(crossing(equal), { kind: 'equal' });
  const twice = CONTEXTS.map((x, i) => ({
    x,
    a: [1, 1, 1, 1, 1],
    b: Array<number>(5).fill(i === 2 || i === 3 ? 2 : 0.5),
  }));
  assert.deepEqual(crossing(twice), { kind: 'unclear' });
});

test('sentences say who, from where, and what cannot be told', () => {
  const pair = ['GPT-2', 'RWKV-7'] as const;
  const say = (found: Parameters<typeof describeCrossing>[0]) =>
    describeCrossing(found, pair, 'context', CONTEXTS).sentence;
  assert.equal(
    say({ kind: 'crossing', before: 'a', at: 3_127, interval: [2_688, 3_613] }),
    'RWKV-7 is faster from about 3,100 tokens (2,700-3,600).',
  );
  assert.equal(
    say({ kind: 'always', better: 'a', undecided: [] }),
    'No crossover up to 4,096 tokens: GPT-2 is faster at every measured context.',
  );
  assert.equal(
    say({ kind: 'always', better: 'b', undecided: [128, 256] }),
    'No crossover up to 4,096 tokens: RWKV-7 is never slower, with no difference at 128 and 256.',
  );
  assert.equal(say({ kind: 'equal' }), 'No difference between GPT-2 and RWKV-7 up to 4,096 tokens.');
  assert.match(say({ kind: 'unclear' }), /^Can't tell whether GPT-2 or RWKV-7 is faster/);
});
