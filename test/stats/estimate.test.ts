import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  estimate,
  interval95,
  median,
  quantile,
  ratioOfMedians,
  wilson,
} from '../../extension/core/stats/estimate.js';
import { Random } from '../../extension/core/stats/random.js';

/** Standard normal draws (Box-Muller), so that intervals can be compared with theory. */
function normals(count: number, seed: number): number[] {
  const random = new Random(seed);
  return Array.from(
    { length: count },
    () => Math.sqrt(-2 * Math.log(1 - random.unit())) * Math.cos(2 * Math.PI * random.unit()),
  );
}

test('median of odd, even and no values', () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2.5);
  assert.ok(Number.isNaN(median([])));
  assert.equal(median([1e9, -5, 1e10]), 1e9);
});

test('quantiles interpolate between neighbours, as numpy does', () => {
  assert.equal(quantile([1, 2, 3, 4], 0.25), 1.75);
  assert.equal(quantile([7], 0.9), 7);
  assert.deepEqual(interval95([1, 2]), [1.025, 1.975]);
});

test('an estimate is the same every time and holds its median', () => {
  const samples = [10, 11, 9, 10.5, 30];
  assert.deepEqual(estimate(samples), estimate(samples));
  const { median: middle, interval } = estimate(samples);
  assert.equal(middle, 10.5);
  assert.ok(interval[0] <= middle && middle <= interval[1]);
  assert.ok(interval[0] >= 9 && interval[1] <= 30);
});

test('the 95% interval of a median covers the truth about 95 times in 100', () => {
  let covered = 0;
  for (let i = 0; i < 200; i++) {
    const { interval } = estimate(normals(25, 1000 + i));
    if (interval[0] <= 0 && 0 <= interval[1]) covered += 1;
  }
  assert.ok(covered >= 178 && covered <= 200, `${covered} of 200`);
});

test('drift that hits both series alike does not widen the interval of their ratio', () => {
  const drift = [100, 110, 120, 130, 140, 150, 160];
  const { ratio, interval } = ratioOfMedians(
    drift.map((ms) => ms * 1.1),
    drift,
  );
  assert.ok(Math.abs(ratio - 1.1) < 1e-9);
  assert.ok(interval[1] - interval[0] < 1e-9);
});

test('wilson intervals agree with published values', () => {
  const [low, high] = wilson(8, 10);
  assert.ok(Math.abs(low - 0.4902) < 1e-3 && Math.abs(high - 0.9433) < 1e-3, `${low} ${high}`);
  assert.deepEqual(wilson(0, 0), [0, 1]);
  assert.equal(wilson(0, 50)[0], 0);
});

test('random draws are uniform, distinct where asked, and the same for the same seed', () => {
  const random = new Random(7);
  const counts = new Array<number>(10).fill(0);
  for (let i = 0; i < 10_000; i++) counts[random.below(10)]! += 1;
  assert.ok(
    counts.every((count) => count > 880 && count < 1120),
    counts.join(),
  );
  const drawn = random.distinct(50, 100, 150);
  assert.deepEqual(
    [...drawn].sort((a, b) => a - b),
    Array.from({ length: 50 }, (_, i) => 100 + i),
  );
  assert.notDeepEqual(
    drawn,
    [...drawn].sort((a, b) => a - b),
  );
  assert.equal(new Random(42).next(), new Random(42).next());
  assert.notEqual(new Random(42).next(), new Random(43).next());
});

/** Every sample with replacement there is: what resampling at random approaches. */
function allResamples(size: number): number[][] {
  return Array.from({ length: size ** size }, (_, code) =>
    Array.from({ length: size }, (__, place) => Math.floor(code / size ** place) % size),
  );
}

/** The value below which a share of all values lies, by sorting them. */
const exactQuantile = (values: readonly number[], share: number): number =>
  [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) * share)]!;

test('bootstrap intervals agree with the enumeration of all resamples', () => {
  const a = [103, 99, 101, 120, 100];
  const b = [90, 97, 95, 96, 91];
  const middle = (values: readonly number[]): number => [...values].sort((p, q) => p - q)[2]!;
  const medians = allResamples(5).map((indexes) => middle(indexes.map((i) => a[i]!)));
  const { interval } = estimate(a);
  assert.deepEqual(interval, [exactQuantile(medians, 0.025), exactQuantile(medians, 0.975)]);
  const ratios = allResamples(5).map(
    (indexes) => middle(indexes.map((i) => a[i]!)) / middle(indexes.map((i) => b[i]!)),
  );
  const found = ratioOfMedians(a, b);
  assert.ok(Math.abs(found.ratio - 101 / 95) < 1e-12);
  for (const [end, share] of [0.025, 0.975].entries()) {
    const near = [share - 0.012, share + 0.012].map((q) =>
      exactQuantile(ratios, Math.min(1, Math.max(0, q))),
    );
    assert.ok(
      near[0]! <= found.interval[end]! && found.interval[end]! <= near[1]!,
      `${found.interval[end]} in ${near}`,
    );
  }
});
