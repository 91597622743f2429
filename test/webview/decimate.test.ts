/** Decimation, smoothing and zooming: pure rules, tried on random curves. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../extension/core/stats/random.js';
import {
  columnEdges,
  columnExtremes,
  columnSpans,
  decimate,
  lowerBound,
} from '../../extension/shared/decimate.js';
import { hoverPoints, visibleValues } from '../../webview/denseLines.js';
import { extent } from '../../webview/extent.js';
import { meanAndBand, movingAverage } from '../../webview/smoothing.js';
import { panned, zoomed } from '../../webview/zoom.js';

/** A curve of uneven places, with gaps. */
function curveOf(length: number, seed: number): { x: Float64Array; y: Float64Array } {
  const random = new Random(seed);
  const x = new Float64Array(length);
  const y = new Float64Array(length);
  let at = 0;
  for (let i = 0; i < length; i++) {
    at += random.unit() < 0.01 ? 50 : random.unit();
    x[i] = at;
    y[i] = random.unit() < 0.01 ? NaN : random.unit();
  }
  return { x, y };
}

/** Column of pixels a place falls into. */
function columnOf(x: number, from: number, to: number, log: boolean, columns: number): number {
  const share = log ? Math.log(x / from) / Math.log(to / from) : (x - from) / (to - from);
  return Math.min(columns - 1, Math.max(0, Math.floor(share * columns)));
}

test('the first value not below another is found', () => {
  const x = Float64Array.of(1, 2, 2, 5);
  assert.deepEqual(
    [0, 1, 2, 3, 5, 6].map((value) => lowerBound(x, value)),
    [0, 0, 1, 3, 3, 4],
  );
});

test('every column keeps its first, lowest, highest and last point, linear and logarithmic, and no more', () => {
  for (const log of [false, true])
    for (let seed = 1; seed <= 40; seed++) {
      const { x, y } = curveOf(1 + seed * 60, seed);
      const random = new Random(1000 + seed);
      const from = x[0]! + random.unit() * x.at(-1)! * 0.4;
      const to = from + 0.1 + random.unit() * x.at(-1)!;
      const columns = 1 + random.below(200);
      const kept = decimate(x, y, { from, to, log, columns });
      assert.ok(kept.length <= 4 * columns + 2);
      for (let i = 1; i < kept.length; i++) assert.ok(kept[i]! > kept[i - 1]!);
      const known = new Set(kept);
      const wanted = new Map<number, { first: number; last: number; low: number; high: number }>();
      x.forEach((place, index) => {
        const value = y[index]!;
        if (place < from || place > to || Number.isNaN(value)) return;
        const column = columnOf(place, from, to, log, columns);
        const found = wanted.get(column) ?? { first: value, last: value, low: value, high: value };
        wanted.set(column, {
          first: found.first,
          last: value,
          low: Math.min(found.low, value),
          high: Math.max(found.high, value),
        });
      });
      const drawn = new Map<number, number[]>();
      for (const index of known) {
        const column = columnOf(x[index]!, from, to, log, columns);
        drawn.set(column, [...(drawn.get(column) ?? []), y[index]!]);
      }
      for (const [column, { first, last, low, high }] of wanted) {
        const values = drawn.get(column) ?? [];
        for (const value of [first, last, low, high])
          assert.ok(values.includes(value), `seed ${seed}, column ${column} of ${columns}, log ${log}`);
      }
    }
});

test('a zigzag fills, column by column, all its points and the way to the next ones', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const { x, y } = curveOf(2000, seed);
    // The line ends inside the window.
    y.fill(NaN, 1500);
    const end = y.findLastIndex((value) => !Number.isNaN(value));
    const edges = columnEdges(x, { from: x[100]!, to: x[1900]!, log: false, columns: 150 });
    const { low, high } = columnSpans(y, edges, columnExtremes(y, edges));
    assert.equal(low.length, 152);
    let before = NaN;
    for (let stretch = 0; stretch < low.length; stretch++) {
      const values = [...y.subarray(edges[stretch], edges[stretch + 1])].filter(
        (value) => !Number.isNaN(value),
      );
      const ended = edges[stretch]! > end;
      const reached = Number.isNaN(before) || ended ? values : [before, ...values];
      assert.equal(low[stretch], reached.length === 0 ? NaN : Math.min(...reached));
      assert.equal(high[stretch], reached.length === 0 ? NaN : Math.max(...reached));
      before = values.at(-1) ?? before;
    }
  }
});

test('the points beside the window are kept, so that lines reach its edges; ends of a whole curve too', () => {
  const x = Float64Array.from({ length: 1000 }, (_, i) => i);
  const kept = decimate(x, x, { from: 100.5, to: 200.5, log: false, columns: 50 });
  assert.equal(kept[0], 100);
  assert.equal(kept.at(-1), 201);
  const whole = decimate(x, x, { from: 0, to: 999, log: false, columns: 50 });
  assert.equal(whole[0], 0);
  assert.equal(whole.at(-1), 999);
  const positive = decimate(x, x, { from: 1, to: 999, log: true, columns: 50 });
  assert.equal(positive[0], 1, 'zero has no place on a logarithmic axis');
  assert.equal(
    decimate(new Float64Array(0), new Float64Array(0), { from: 0, to: 1, log: false, columns: 5 }).length,
    0,
  );
});

test('a pointer rests on real points, all of them where they are few', () => {
  const { x, y } = curveOf(100_000, 3);
  const curve = { x, y, raw: null, band: null };
  const places = new Map(Array.from(x, (place, index) => [place, y[index]!]));
  const far = hoverPoints(curve, { min: 0, max: x.at(-1)! }, false);
  assert.ok(far.length > 100 && far.length <= 320);
  for (const point of far) assert.equal(places.get(point.x), point.y);
  const near = hoverPoints(curve, { min: x[500]!, max: x[540]! }, false);
  const known = [...y.subarray(500, 541)].filter((value) => !Number.isNaN(value));
  assert.ok(near.length >= known.length * 0.9, `${near.length} of ${known.length}`);
  const values = visibleValues(curve, { min: x[500]!, max: x[540]! }, false);
  assert.ok(values.includes(Math.max(...known)) && values.includes(Math.min(...known)));
});

test('the extent of any stretch is that of its numbers', () => {
  const { y } = curveOf(5000, 9);
  const random = new Random(2);
  for (let i = 0; i < 300; i++) {
    const from = random.below(5000);
    const to = from + random.below(5001 - from);
    const numbers = [...y.subarray(from, to)].filter((value) => !Number.isNaN(value));
    const wanted = numbers.length === 0 ? null : [Math.min(...numbers), Math.max(...numbers)];
    assert.deepEqual(extent(y, from, to), wanted, `${from} to ${to}`);
  }
  assert.equal(extent(new Float64Array(2000).fill(NaN), 0, 2000), null);
});

test('the moving average starts at the first value, follows a constant, and passes over what is no number', () => {
  const constant = movingAverage(new Float64Array(50).fill(3), 10);
  for (const value of constant) assert.ok(Math.abs(value - 3) < 1e-12);
  const values = Float64Array.of(5, 1, NaN, 1);
  const smooth = movingAverage(values, 10);
  assert.equal(smooth[0], 5);
  // (0.9 * 0.1 * 5 + 0.1 * 1) / (1 - 0.9^2)
  assert.ok(Math.abs(smooth[1]! - (0.09 * 5 + 0.1) / 0.19) < 1e-12);
  assert.ok(Number.isNaN(smooth[2]!));
  assert.ok(Math.abs(smooth[3]! - (0.081 * 5 + 0.09 + 0.1) / 0.271) < 1e-12);
  assert.deepEqual(movingAverage(values, 1), values);
});

test('mean and band go row by row, and a missing seed leaves a gap', () => {
  const { mean, low, high } = meanAndBand([Float64Array.of(1, 2, NaN), Float64Array.of(3, 2, 1, 7)]);
  assert.deepEqual(mean, Float64Array.of(2, 2, NaN));
  assert.deepEqual(low, Float64Array.of(1, 2, NaN));
  assert.deepEqual(high, Float64Array.of(3, 2, NaN));
});

test('zooming keeps the place under the pointer, moving keeps the width, and neither leaves what there is', () => {
  const all = { min: 1, max: 1001 };
  for (const log of [false, true]) {
    const at = (range: { min: number; max: number }, share: number): number =>
      log ? range.min * (range.max / range.min) ** share : range.min + (range.max - range.min) * share;
    const near = zoomed(all, all, 4, 0.25, log)!;
    assert.ok(Math.abs(at(near, 0.25) / at(all, 0.25) - 1) < 1e-9);
    const right = panned(near, all, 0.1, log)!;
    assert.ok(Math.abs(at(right, 0) / at(near, 0.1) - 1) < 1e-9);
    const end = panned(near, all, 100, log)!;
    assert.ok(Math.abs(end.max / all.max - 1) < 1e-9 && end.min > near.min);
    assert.ok(panned(near, all, -100, log)!.min >= all.min * (1 - 1e-9));
    assert.equal(zoomed(near, all, 1 / 100, 0.5, log), null);
    assert.equal(panned(all, all, 0.5, log), null);
    let deep = all;
    for (let i = 0; i < 100; i++) deep = zoomed(deep, all, 4, 0.5, log)!;
    assert.ok(deep.max > deep.min);
  }
});

test('a frame of a million points is chosen in a few milliseconds', () => {
  const curves = Array.from({ length: 10 }, (_, seed) => curveOf(100_000, seed));
  const frames = 30;
  const began = performance.now();
  for (let frame = 0; frame < frames; frame++)
    for (const { x, y } of curves)
      decimate(x, y, { from: frame, to: x.at(-1)! - 100 + frame, log: frame % 2 === 1, columns: 1200 });
  const each = (performance.now() - began) / frames;
  // 16 ms are a frame; this machine may be busy.
  assert.ok(each < 50, `${each.toFixed(1)} ms a frame`);
  process.stdout.write(`# ${each.toFixed(2)} ms for a frame of 1,000,000 points\n`);
});
