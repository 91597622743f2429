import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  crossing,
  type CurvePoint,
  intersection,
  PRACTICAL,
  reachOf,
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
  const found = crossing(curves(777, 0.03).map((point) => ({ ...point, noise: 1.01 })));
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
  assert.equal(reachOf([0.97, 1.01]), 1 / 0.97);
  assert.equal(reachOf([NaN, NaN]), 1);
});

test('where a difference of practical size could hide, it cannot be told', () => {
  const a = [100, 100.1, 100.2, 99.9, 100];
  const b = a.map((ms) => ms * 1.02);
  assert.equal(verdict(a, b, 1.09, PRACTICAL), 'none', 'a control of 9% excludes 10%');
  assert.equal(verdict(a, b, 1.12, PRACTICAL), 'unsure', 'a control of 12% does not');
  assert.equal(
    verdict(
      a,
      a.map((ms) => ms * 1.5),
      1.12,
      PRACTICAL,
    ),
    'a',
    'a difference beyond a wide control stands',
  );
  const wild = [80, 120, 90, 130, 100];
  assert.equal(verdict(a, wild, 1.01, PRACTICAL), 'unsure', 'the pair itself is too uncertain');
  assert.equal(verdict(a, wild), 'none');
  const points = CONTEXTS.map((x) => ({ x, a, b, noise: x > 256 ? 1.3 : 1.03 }));
  assert.deepEqual(crossing(points, PRACTICAL), {
    kind: 'noisy',
    doubt: { places: [512, 1024, 2048, 4096], reach: 1.3, control: true },
  });
  const parted = points.map((point) => ({ ...point, noise: point.noise - 0.02 }));
  assert.deepEqual(crossing(parted, PRACTICAL), {
    kind: 'always',
    better: 'a',
    undecided: [],
    doubt: { places: [512, 1024, 2048, 4096], reach: 1.28, control: true },
  });
});

test('NaN samples never become a difference', () => {
  assert.equal(verdict([NaN, NaN, NaN, NaN, NaN], [1, 1, 1, 1, 1]), 'none');
});

test('curves that do not cross, that are equal, and that cross twice', () => {
  const shifted = CONTEXTS.map((x) => ({ x, a: [1, 1, 1, 1, 1], b: [2, 2, 2, 2, 2] }));
  assert.deepEqual(crossing(shifted), { kind: 'always', better: 'a', undecided: [], doubt: null });
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
  const among = (found: Parameters<typeof describeCrossing>[0]) =>
    describeCrossing(found, pair, 'decode', CONTEXTS, true).sentence;
  assert.equal(
    among({ kind: 'crossing', before: 'a', at: 3_127, interval: [2_688, 3_613] }),
    'RWKV-7 is faster to decode than GPT-2 from about 3,100 tokens (2,700-3,600).',
  );
  assert.equal(
    among({ kind: 'always', better: 'a', undecided: [], doubt: null }),
    'No crossover up to 4,096 tokens: GPT-2 is faster to decode than RWKV-7 at every measured context.',
  );
  const say = (found: Parameters<typeof describeCrossing>[0]) =>
    describeCrossing(found, pair, 'context', CONTEXTS).sentence;
  assert.equal(
    say({ kind: 'crossing', before: 'a', at: 3_127, interval: [2_688, 3_613] }),
    'RWKV-7 is faster from about 3,100 tokens (2,700-3,600).',
  );
  assert.equal(
    say({ kind: 'always', better: 'a', undecided: [], doubt: null }),
    'No crossover up to 4,096 tokens: GPT-2 is faster at every measured context.',
  );
  assert.equal(
    say({ kind: 'always', better: 'b', undecided: [128, 256], doubt: null }),
    'No crossover up to 4,096 tokens: RWKV-7 is never slower, with no difference at 128 and 256.',
  );
  assert.equal(say({ kind: 'equal' }), 'No difference between GPT-2 and RWKV-7 up to 4,096 tokens.');
  const doubt = { places: [512, 1024], reach: 1.18, control: true };
  assert.equal(
    say({ kind: 'always', better: 'b', undecided: [128], doubt }),
    "RWKV-7 is faster at 256, 2,048 and 4,096 tokens, with no difference at 128; can't tell at 512 and 1,024: the machine was busy (A/A control ±18%).",
  );
  assert.equal(
    say({ kind: 'noisy', doubt: { ...doubt, places: CONTEXTS } }),
    "Can't tell whether GPT-2 or RWKV-7 is faster up to 4,096 tokens: the machine was busy (A/A control ±18%).",
  );
  assert.equal(
    say({ kind: 'noisy', doubt: { places: CONTEXTS.slice(1), reach: 1.25, control: false } }),
    "Can't tell whether GPT-2 or RWKV-7 is faster at 256, 512, 1,024, 2,048 and 4,096 tokens: the machine was busy (ratio of times ±25%); no difference at 128.",
  );
  assert.match(say({ kind: 'unclear' }), /^Can't tell whether GPT-2 or RWKV-7 is faster/);
});
