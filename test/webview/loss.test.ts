/** The chart of losses: a pure function of the report and of the columns beside it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { columnsOf, thinned, withoutPoints } from '../../extension/shared/lossColumns.js';
import { DEFAULT_VIEW, type View } from '../../extension/shared/protocol.js';
import type { LossCurve, Report } from '../../extension/shared/report.js';
import { LOSS_COLUMNS, lossChoices, lossCrossings, lossSpec, possibleView } from '../../webview/lossSpec.js';
import { sampleReport } from '../fixtures/report.js';

const report = sampleReport('/models');
const spec = (shown: Report, view: Partial<View> = {}) =>
  lossSpec(
    shown,
    { ...DEFAULT_VIEW, ...view },
    shown.loss.map(({ points }) => columnsOf(points)),
  );
/** A second seed that lies `by` above the first. */
const seeded = (by: number): Report => {
  const second = report.loss.map((curve): LossCurve => ({
    ...curve,
    seed: 2,
    points: curve.points.map((point) => ({ ...point, loss: point.loss + by, seconds: point.seconds * 1.5 })),
    heldOut: curve.heldOut.map((point) => ({ ...point, loss: point.loss + by })),
  }));
  return { ...report, loss: [...report.loss, ...second] };
};

test('training and held-out series on the chosen axis, crossovers of that axis only', () => {
  const byTokens = spec(report);
  assert.deepEqual(
    byTokens.series.map(({ label, curve, points }) => [label, curve?.x.length ?? points.length]),
    [
      ['GPT-2', 100],
      ['GPT-2, held out', 5],
      ['RWKV-7', 100],
      ['RWKV-7, held out', 5],
    ],
  );
  assert.equal(byTokens.series[0]?.curve?.x.at(-1), 204_800);
  assert.equal(byTokens.marks.length, 1);
  const bySeconds = spec(report, { lossAxis: 'seconds', lossLogX: true });
  assert.equal(bySeconds.marks.length, 0);
  assert.ok(Math.abs((bySeconds.series[0]?.curve?.x.at(-1) ?? 0) - 42) < 1e-9);
});

test('a crossover over tokens stands on the axis of steps too, where steps are alike', () => {
  const [crossing] = lossCrossings(report, 'step');
  assert.equal(crossing?.at, 150_000 / 2048);
  const uneven = report.loss.map((curve, index) =>
    index === 0 ? curve : { ...curve, points: curve.points.map((p) => ({ ...p, tokens: p.tokens * 2 })) },
  );
  assert.deepEqual(lossCrossings({ ...report, loss: uneven }, 'step'), []);
});

test('FLOPs are tokens times what the compiler counted, and hidden where a run does not say', () => {
  const byFlops = spec(report, { lossAxis: 'flops' });
  assert.equal(byFlops.series[0]?.curve?.x[0], 2048 * 6.9e7);
  assert.equal(byFlops.series[1]?.points[0]?.x, 20 * 2048 * 6.9e7);
  assert.match(byFlops.caption.join(), /as the compiler counts them/);
  assert.equal(byFlops.x.format(1.4e14), '140 TFLOP');
  const older = { ...report, loss: report.loss.map((curve) => ({ ...curve, flopsPerToken: null })) };
  assert.equal(lossChoices(older).flops, false);
  assert.equal(possibleView(older, { ...DEFAULT_VIEW, lossAxis: 'flops' }).lossAxis, 'tokens');
  assert.equal(spec(older, { lossAxis: 'flops' }).x.label, 'Training tokens');
});

test('bits per byte: exact for bytes, said to be a mean for longer tokens, absent where unknown', () => {
  const [curve] = spec(report, { lossUnit: 'bitsPerByte' }).series;
  assert.ok(Math.abs(curve!.curve!.y[0]! - report.loss[0]!.points[0]!.loss / Math.LN2) < 1e-12);
  assert.doesNotMatch(spec(report, { lossUnit: 'bitsPerByte' }).caption.join(), /mean of/);
  const long = { ...report, loss: report.loss.map((one) => ({ ...one, bytesPerToken: 4 })) };
  const shown = spec(long, { lossUnit: 'bitsPerByte' });
  assert.ok(Math.abs(shown.series[0]!.curve!.y[0]! - report.loss[0]!.points[0]!.loss / Math.LN2 / 4) < 1e-12);
  assert.match(shown.caption.join(), /mean of 4.00 bytes per training token/);
  assert.equal(shown.series[1]!.points[0]!.y, report.loss[0]!.heldOut[0]!.bitsPerByte);
  const older = { ...report, loss: report.loss.map((one) => ({ ...one, bytesPerToken: null })) };
  assert.equal(lossChoices(older).bitsPerByte, false);
  assert.equal(spec(older, { lossUnit: 'bitsPerByte' }).y.label, 'Loss (nats per token)');
});

test('smoothing keeps what was measured behind the line, and says how', () => {
  const smooth = spec(report, { lossSmoothing: '10' });
  const [curve] = smooth.series;
  assert.deepEqual(curve?.curve?.raw, columnsOf(report.loss[0]!.points).loss);
  assert.notDeepEqual(curve?.curve?.y, curve?.curve?.raw);
  assert.match(smooth.caption[0]!, /moving average over 10 steps/);
  assert.equal(spec(report).series[0]?.curve?.raw, null);
});

test('seeds are a mean and a band at the same step, or a line each', () => {
  const shown = spec(seeded(0.2));
  assert.deepEqual(
    shown.series.map(({ label }) => label),
    ['GPT-2', 'GPT-2, held out', 'RWKV-7', 'RWKV-7, held out'],
  );
  const { y, band } = shown.series[0]!.curve!;
  const first = report.loss[0]!.points[0]!.loss;
  assert.ok(Math.abs(y[0]! - (first + 0.1)) < 1e-9);
  assert.ok(Math.abs(band!.low[0]! - first) < 1e-12 && Math.abs(band!.high[0]! - first - 0.2) < 1e-12);
  const [low, high] = shown.series[1]!.points[0]!.interval!;
  assert.ok(Math.abs(high - low - 0.2) < 1e-9);
  assert.match(shown.caption[0]!, /mean of 2 seeds at the same step; bands: lowest to highest seed/);
  const seconds = spec(seeded(0.2), { lossAxis: 'seconds' }).series[0]!.curve!.x;
  assert.ok(Math.abs(seconds[0]! - 0.42 * 1.25) < 1e-9);
  const each = spec(seeded(0.2), { lossSeeds: true });
  assert.deepEqual(
    each.series.filter(({ curve }) => curve !== undefined).map(({ label, fine }) => [label, fine]),
    ['GPT-2, seed 1', 'RWKV-7, seed 1', 'GPT-2, seed 2', 'RWKV-7, seed 2'].map((label) => [label, true]),
  );
  assert.equal(lossChoices(report).seeds, false);
  assert.equal(lossChoices(seeded(0.2)).seeds, true);
});

test('one seed is no crossover', () => {
  const crossovers = report.crossovers.map((item) => ({ ...item, interval: null }));
  const [mark] = spec({ ...report, crossovers }).marks;
  assert.equal(mark?.label, 'curves cross at 150,000, one seed');
  const flops = crossovers.map((item) => ({ ...item, axis: 'flops' as const, at: 3.2e14 }));
  const [counted] = spec({ ...report, crossovers: flops }, { lossAxis: 'flops' }).marks;
  assert.equal(counted?.label, 'curves cross at 320 TFLOP, one seed');
});

test('a value that is not a number is a gap, and not a zero', () => {
  const [curve] = report.loss;
  const lost = { step: 101, tokens: 1e6, seconds: 50, loss: null as unknown as number };
  const broken = { ...curve!, points: [...curve!.points, lost] };
  const shown = spec({ ...report, loss: [broken] });
  assert.equal(shown.series[0]?.curve?.y.at(-1), NaN);
  const said = { ...broken, points: [{ ...lost, loss: NaN }] };
  assert.equal(LOSS_COLUMNS.find(({ title }) => title === 'Training loss')?.text(said), '-');
});

test('a report without its losses is small; a thinned one keeps extremes and says so', () => {
  const steps = Array.from({ length: 100_000 }, (_, step) => ({
    step: step + 1,
    tokens: (step + 1) * 1024,
    seconds: step + 1,
    loss: step === 4321 ? 99 : 2 + Math.sin(step),
  }));
  const long = {
    ...report,
    loss: Array.from({ length: 20 }, (_, seed) => ({ ...report.loss[0]!, seed, points: steps })),
  };
  assert.ok(JSON.stringify(withoutPoints({ ...long, timing: [] })).length < 100_000);
  assert.equal(withoutPoints(long).loss[3]?.points[0]?.step, 100_000);
  const thin = thinned(long, 100_000);
  const total = thin.loss.reduce((sum, { points }) => sum + points.length, 0);
  assert.ok(total <= 100_100 && total > 50_000, `${total} points`);
  assert.ok(thin.loss.every(({ points }) => points.some(({ loss }) => loss === 99)));
  assert.deepEqual(thin.loss[0]?.points.at(-1), steps.at(-1));
  assert.equal(lossChoices(thin).smoothing, false);
  assert.match(spec(thin).caption.join(), /cannot be smoothed/);
  assert.equal(thinned(report, 100_000), report);
});
