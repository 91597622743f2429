import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RunEvent } from '../../extension/core/runs/events.js';
import type { RunRecord } from '../../extension/core/runs/record.js';
import { Summary, summarize } from '../../extension/core/runs/summarize.js';

const record: RunRecord = {
  version: 1,
  id: 'r',
  title: 'A and B',
  experiment: {
    version: 1,
    models: [{ source: 'a' }, { source: 'b' }],
    device: 'cpu',
    precision: 'fp32',
    vocab: 256,
    timing: { contexts: [256, 1024], tokensPerStep: 4096, samples: 5 },
  },
  root: '.',
  status: 'done',
  process: null,
  startedAt: 1,
  finishedAt: 2,
  error: null,
};

const point = (model: string, context: number): RunEvent => ({
  type: 'point',
  model,
  context,
  batch: 4096 / context,
  precision: 'fp32',
  peakBytes: 1e6,
  flops: 2e9,
});
const sample = (
  model: string,
  context: number,
  ms: number,
  series: 'main' | 'control' = 'main',
): RunEvent => ({
  type: 'sample',
  series,
  model,
  context,
  ms,
  forwardMs: ms * 0.3,
  backwardMs: ms * 0.5,
  optimizerMs: ms * 0.1,
});
const cost = { flops: 1, bytes: 1, share: 0 };

test('lines and phases of a point add up to the median step, whatever the profile said', () => {
  const events: RunEvent[] = [
    point('A', 256),
    ...[100, 101, 99, 100, 150].map((ms) => sample('A', 256, ms)),
    {
      type: 'profile',
      model: 'A',
      context: 256,
      lines: [
        { file: 'm.py', line: 3, forwardMs: 40, backwardMs: 10, optimizerMs: 0, ...cost },
        { file: 'm.py', line: 9, forwardMs: 20, backwardMs: 70, optimizerMs: 0, ...cost },
        { file: '', line: 0, forwardMs: 0, backwardMs: 0, optimizerMs: 9, ...cost },
      ],
      modules: [
        { module: 'h.0', forwardMs: 60, backwardMs: 80, optimizerMs: 0, ...cost },
        { module: 'optimizer', forwardMs: 0, backwardMs: 0, optimizerMs: 9, ...cost },
      ],
    },
    { type: 'peak', flopsPerSecond: 1e11 },
  ];
  const [timing] = summarize(record, events).timing;
  assert.equal(timing!.step.median, 100);
  const sum = (parts: readonly { forwardMs: number; backwardMs: number; optimizerMs: number }[]): number =>
    parts.reduce((total, part) => total + part.forwardMs + part.backwardMs + part.optimizerMs, 0);
  assert.ok(Math.abs(sum([timing!]) - 100) < 1e-9);
  assert.ok(Math.abs(sum(timing!.lines) - 100) < 1e-9);
  assert.ok(Math.abs(sum(timing!.modules) - 100) < 1e-9);
  assert.ok(Math.abs(timing!.lines.reduce((total, { share }) => total + share, 0) - 1) < 1e-12);
  assert.equal(timing!.tokensPerSecond, 40_960);
  assert.equal(timing!.flopsPerSecond, 2e10);
  assert.equal(timing!.shareOfPeak, 0.2);
});

test('a share of peak is left out where no peak was measured', () => {
  const report = summarize(record, [point('A', 256), sample('A', 256, 10)]);
  assert.equal(report.timing[0]!.shareOfPeak, null);
});

test('the control decides what is a difference', () => {
  const steady = (model: string, ms: number): RunEvent[] =>
    [256, 1024].flatMap((context) => [
      point(model, context),
      ...[0, 0.1, -0.1, 0.2, -0.2].map((d) => sample(model, context, ms + d)),
    ]);
  const noisy = [60, 160, 80, 110, 90].map((ms) => sample('A', 256, ms, 'control'));
  const quiet = [100, 100.1, 99.9, 100.2, 99.8].map((ms) => sample('A', 256, ms, 'control'));
  const both = [...steady('A', 100), ...steady('B', 110)];
  assert.match(
    summarize(record, [...both, ...quiet]).crossovers[0]!.sentence,
    /A is faster at every measured context/,
  );
  const busy = summarize(record, [...both, ...noisy]);
  assert.match(
    busy.crossovers[0]!.sentence,
    /^Can't tell whether A or B is faster up to 1,024 tokens: the machine was busy \(A\/A control ±\d+%\)\.$/,
  );
  assert.ok(busy.control[0]!.busy && busy.control[0]!.spread > 0.1);
  const slight = [96, 104, 100, 92, 108].map((ms) => sample('A', 256, ms, 'control'));
  const near = [...steady('A', 100), ...steady('B', 103)];
  const calm = summarize(record, [...near, ...slight]);
  assert.match(calm.crossovers[0]!.sentence, /^No difference between A and B/);
  assert.ok(!calm.control[0]!.busy);
  assert.equal(summarize(record, [...both, ...quiet]).control[0]!.context, 256);
});

test('held-out losses cross in tokens, and one seed is not enough to be sure', () => {
  const curve = (model: string, seed: number, losses: readonly number[]): RunEvent[] =>
    losses.map((loss, i) => ({
      type: 'heldOut',
      model,
      seed,
      step: i * 10,
      tokens: i * 1000,
      seconds: i * 2,
      loss,
      bitsPerByte: loss / Math.LN2,
    }));
  const one = [...curve('A', 1, [5, 3, 2.5, 2.2]), ...curve('B', 1, [5, 3.5, 2.4, 2.0])];
  const [tokens, seconds] = summarize(record, one).crossovers;
  assert.equal(tokens!.axis, 'tokens');
  assert.ok(tokens!.at! > 1000 && tokens!.at! < 2000, String(tokens!.at));
  assert.equal(tokens!.interval, null);
  assert.match(tokens!.sentence, /on one seed: can't tell/);
  assert.equal(seconds!.axis, 'seconds');
  const two = summarize(record, [
    ...one,
    ...curve('A', 2, [5, 3.01, 2.51, 2.2]),
    ...curve('B', 2, [5, 3.49, 2.41, 2.0]),
  ]);
  assert.ok(two.crossovers[0]!.interval![0] > 1000);
  assert.match(two.crossovers[0]!.sentence, /^B is at a lower loss from about/);
});

test('events of a kind this reader does not know are passed over', () => {
  const unknown = { type: 'thought', words: 1 } as unknown as RunEvent;
  assert.equal(summarize(record, [unknown, point('A', 256), sample('A', 256, 10)]).timing.length, 1);
});

test('losses cross at equal FLOPs where the compiler has counted them, and a run that does not say opens', () => {
  const heldOut = (model: string, loss: readonly number[]): RunEvent[] =>
    loss.map((value, index) => ({
      type: 'heldOut',
      model,
      seed: 1,
      step: index,
      tokens: index * 1000,
      seconds: index,
      loss: value,
      bitsPerByte: null,
    }));
  const counted = (model: string, flopsPerToken: number): RunEvent => ({
    type: 'training',
    model,
    seed: 1,
    flopsPerToken,
    bytesPerToken: 1,
  });
  const losses = [...heldOut('A', [5, 4, 3, 2.5, 2.4]), ...heldOut('B', [5, 4.5, 3.5, 2.4, 2])];
  const older = summarize(record, losses);
  assert.equal(older.loss[0]?.flopsPerToken, null);
  assert.deepEqual(
    older.crossovers.map(({ axis }) => axis),
    ['tokens', 'seconds'],
  );
  const report = summarize(record, [counted('A', 1e9), counted('B', 2e9), ...losses]);
  assert.deepEqual(
    report.loss.map(({ flopsPerToken, bytesPerToken }) => [flopsPerToken, bytesPerToken]),
    [
      [1e9, 1],
      [2e9, 1],
    ],
  );
  const found = report.crossovers.find(({ axis }) => axis === 'flops');
  assert.match(found!.sentence, /up to 4.00 TFLOP of training: A is at a lower loss/);
});

test('a summary takes events as they come, and a report of before is not changed by those after', () => {
  const summary = new Summary();
  summary.add(point('A', 256));
  for (const ms of [100, 101, 99, 100, 102]) summary.add(sample('A', 256, ms));
  const before = summary.report(record);
  summary.add(point('B', 256));
  for (const ms of [50, 51, 49, 50, 52]) summary.add(sample('B', 256, ms));
  assert.equal(before.timing.length, 1);
  assert.deepEqual(before.crossovers, []);
  const after = summary.report(record);
  assert.equal(after.timing.length, 2);
  assert.match(after.crossovers[0]!.sentence, /^B is faster/);
});

test('parts of a point add up to the median step; a run made before there were parts has none', () => {
  const timed = [point('A', 256), ...[100, 101, 99, 100, 150].map((ms) => sample('A', 256, ms))];
  const part = (module: string, ms: readonly [number, number, number]) => ({
    ...{ module, file: 'a.py', line: 3, ms, keptBytes: 0 },
    flops: [1, 1, 0] as const,
    bytes: [1, 1, 0] as const,
  });
  const profile: RunEvent = {
    ...{ type: 'profile', model: 'A', context: 256, lines: [], modules: [] },
    parts: [part('x', [7, 9, 0]), part('y', [1, 2, 0]), part('optimizer', [0, 0, 4])],
  };
  const parts = summarize(record, [...timed, profile]).timing[0]?.parts ?? [];
  const sum = parts.reduce((total, { ms }) => total + ms[0] + ms[1] + ms[2], 0);
  assert.ok(Math.abs(sum - 100) < 1e-9, String(sum));
  assert.ok(Math.abs(parts[0]!.ms[0] / parts[1]!.ms[0] - 7) < 1e-9);
  assert.equal(summarize(record, timed).timing[0]?.parts, undefined);
});
