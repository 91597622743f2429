/** Tests of paired differences, against exact figures and against their own promise. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { holm, pairedTest, smallestP } from '../../extension/core/stats/paired.js';
import { Random } from '../../extension/core/stats/random.js';

test('few units are tossed in every way: p is exact', () => {
  // Of the 8 tosses of 1, 2 and 3, the sums 6 and -6 are as far from zero as what was seen.
  const all = pairedTest([1, 2, 3], [0, 0, 0]);
  assert.equal(all.p, 2 / 8);
  assert.equal(all.difference, 2);
  // 3 - 2 - 1 = 0: every toss is as far.
  assert.equal(pairedTest([3, 0, 0], [0, 2, 1]).p, 1);
  assert.equal(smallestP(3), 2 / 8);
  assert.equal(pairedTest([1, 1], [1, 1]).p, 1);
});

test('many units give about the same p as all of their tosses', () => {
  const random = new Random(5);
  const differences = Array.from({ length: 13 }, () => random.unit() - 0.35);
  const exact = pairedTest(
    differences,
    differences.map(() => 0),
  ).p;
  // Units of no difference change nothing, but for the number of units: the same test by drawn tosses.
  const padded = [...differences, ...Array.from({ length: 7 }, () => 0)];
  const drawn = pairedTest(
    padded,
    padded.map(() => 0),
  ).p;
  assert.ok(Math.abs(drawn - exact) < 0.015, `${drawn} against ${exact}`);
});

test('where there is no difference, p is below 0.05 in about 5 of 100 cases', () => {
  const random = new Random(11);
  let found = 0;
  for (let i = 0; i < 300; i++) {
    const a = Array.from({ length: 10 }, () => random.unit());
    const b = Array.from({ length: 10 }, () => random.unit());
    if (pairedTest(a, b).p <= 0.05) found++;
  }
  assert.ok(found >= 5 && found <= 27, `${found} of 300`);
});

test('the same pairs give the same figures, and the interval holds the difference', () => {
  const a = Array.from({ length: 64 }, (_, i) => Math.sin(i) + 0.3);
  const b = Array.from({ length: 64 }, (_, i) => Math.cos(i * 1.3));
  const first = pairedTest(a, b);
  assert.deepEqual(pairedTest(a, b), first);
  assert.ok(first.interval[0] < first.difference && first.difference < first.interval[1]);
});

test('Holm: each p times the tests left, never falling', () => {
  const close = (found: number[], wanted: number[]): void =>
    found.forEach((p, i) => assert.ok(Math.abs(p - wanted[i]!) < 1e-12));
  close(holm([0.01, 0.04, 0.03]), [0.03, 0.06, 0.06]);
  close(holm([0.6, 0.7]), [1, 1]);
  close(holm([0.02]), [0.02]);
});
