/** Charts and tables are pure functions of the report. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_VIEW } from '../../extension/shared/protocol.js';
import { contextRows, controlSentences } from '../../webview/contextSpec.js';
import { decodeColumns, decodeSpec } from '../../webview/decodeSpec.js';
import { columnsOf } from '../../extension/shared/lossColumns.js';
import { evalSpecs } from '../../webview/evalSpec.js';
import { lossSpec } from '../../webview/lossSpec.js';
import { conditions } from '../../webview/conditions.js';
import { opaque } from '../../webview/theme.js';
import { linearRange, logRange, logTicks, tickText } from '../../webview/ticks.js';
import { phaseSpec, timingChart, timingColumns, timingSpec } from '../../webview/timingSpec.js';
import { sampleReport } from '../fixtures/report.js';

const report = sampleReport('/models');

test('timing: a series per model in the order of the report, and the crossover only on the whole step', () => {
  const spec = timingSpec(report, DEFAULT_VIEW, 'step');
  assert.deepEqual(
    spec.series.map(({ label, model, points }) => [label, model, points.length]),
    [
      ['GPT-2', 0, 6],
      ['RWKV-7', 1, 6],
    ],
  );
  assert.deepEqual(spec.x.ticks, [128, 256, 512, 1024, 2048, 4096]);
  assert.equal(spec.marks.length, 1);
  assert.equal(spec.marks[0]?.label, 'crossover at 1,300 (1,200-1,500)');
  assert.deepEqual(timingSpec(report, DEFAULT_VIEW, 'forward').marks, []);
});

test('timing: rates carry the interval of the step, and cross where the step does', () => {
  const [first] = report.timing;
  for (const metric of ['tokensPerSecond', 'perThousand'] as const) {
    const spec = timingSpec(report, DEFAULT_VIEW, metric);
    const { y, interval } = spec.series[0]!.points[0]!;
    assert.ok(interval !== null && interval !== undefined && interval[0] < y && y < interval[1], metric);
    assert.equal(spec.marks[0]?.at, 1340);
  }
  const thousand = timingSpec(report, DEFAULT_VIEW, 'perThousand').series[0]!.points[0]!.y;
  assert.ok(Math.abs(thousand - (first!.step.median * 1000) / 4096) < 1e-9);
  assert.deepEqual(timingSpec(report, DEFAULT_VIEW, 'peakBytes').marks, []);
});

test('timing: the phases of a step are stacked per model and add up to it; what was not measured is no bar', () => {
  const missing = report.timing.filter(({ model, context }) => model !== 'RWKV-7' || context !== 256);
  const spec = phaseSpec({ ...report, timing: missing });
  assert.deepEqual(spec.x.values, [128, 256, 512, 1024, 2048, 4096]);
  assert.deepEqual(spec.parts, ['Forward', 'Backward', 'Optimizer']);
  assert.equal(spec.bars[1]?.values[1], null);
  const sum = spec.bars[0]!.values[0]!.reduce((total, part) => total + part, 0);
  assert.ok(Math.abs(sum - report.timing[0]!.step.median) < 1e-9);
  assert.ok('bars' in timingChart(report, { ...DEFAULT_VIEW, timingMetric: 'phases' }));
});

test('a plot names kernel, width, head size, precision and tokens per step', () => {
  const { caption } = timingSpec(report, DEFAULT_VIEW, 'step');
  assert.deepEqual(caption, [
    'GPT-2: width 384; 6 × fused attention, 6 heads of 64',
    'RWKV-7: width 384; 6 × chunked WKV-7, 6 heads of 64',
    '4,096 tokens per step · fp32 · A processor · 2 threads · avx512',
  ]);
  assert.match(
    lossSpec(
      report,
      DEFAULT_VIEW,
      report.loss.map(({ points }) => columnsOf(points)),
    ).caption.at(-1) ?? '',
    /^2,048 tokens per step · fp32/,
  );
  assert.match(evalSpecs(report, DEFAULT_VIEW)[0]?.spec.caption.join() ?? '', /heads of 64.*fp32/);
  const [model] = report.models;
  const older = { ...model!, width: undefined, mixers: undefined } as unknown as typeof model;
  assert.deepEqual(conditions({ ...report, environment: null, models: [older!] }, null), []);
});

test('decode: a series per model, growing state beside constant, the crossover on the time per token only', () => {
  const spec = decodeSpec(report, DEFAULT_VIEW);
  assert.deepEqual(
    spec.series.map(({ label, points }) => [label, points.map(({ x }) => x)]),
    [
      ['GPT-2', [256, 1024, 4096]],
      ['RWKV-7', [256, 1024, 4096]],
    ],
  );
  assert.deepEqual(
    spec.marks.map(({ label }) => label),
    ['crossover at 1,600 (1,500-1,700)'],
  );
  assert.equal(spec.caption.at(-1), 'One sequence at a time');
  const state = decodeSpec(report, { ...DEFAULT_VIEW, decodeMetric: 'stateBytes' });
  assert.deepEqual(state.marks, []);
  assert.equal(new Set(state.series[1]!.points.map(({ y }) => y)).size, 1);
  const [row] = contextRows(report, report.decode);
  const texts = decodeColumns(report).map(({ title, text }) => `${title}: ${text(row!)}`);
  for (const wanted of ['Model: GPT-2', 'Context: 256', 'A/A control: ±2.0%', 'Prompt: 102 ms', 'Samples: 5'])
    assert.ok(texts.includes(wanted), texts.join(', '));
});

test('ticks carry no zeros that say nothing, and a linear axis ends where its values do', () => {
  for (const [text, shown] of [
    ['1.00 s', '1 s'],
    ['2.50 s', '2.5 s'],
    ['0.900', '0.9'],
    ['4,000', '4,000'],
    ['100 ms', '100 ms'],
    ['0', '0'],
  ] as const)
    assert.equal(tickText(text), shown);
  assert.deepEqual(linearRange([100, 200]), { min: 97, max: 203 });
  assert.equal(linearRange([0, 10])?.min, 0);
  assert.equal(linearRange([NaN]), null);
});

test('timing: a model keeps its colour while another has no measurements yet', () => {
  const half = { ...report, timing: report.timing.filter(({ model }) => model === 'RWKV-7') };
  assert.deepEqual(
    timingSpec(half, DEFAULT_VIEW, 'step').series.map(({ model }) => model),
    [1],
  );
});

test('timing: rows go by context with models side by side, and every number has its unit', () => {
  const rows = contextRows(report, report.timing);
  assert.deepEqual(
    rows.slice(0, 3).map(({ model, context }) => `${model} ${context}`),
    ['GPT-2 128', 'RWKV-7 128', 'GPT-2 256'],
  );
  const texts = timingColumns(report).map(({ title, text }) => `${title}: ${text(rows[0]!)}`);
  assert.ok(texts.includes('Step: 946 ms'), texts.join(', '));
  assert.ok(texts.includes('95% interval: 918-984 ms'), texts.join(', '));
  assert.ok(texts.includes('Of peak: 57.0%'), texts.join(', '));
});

test('timing: a busy machine is said beside the numbers of its context', () => {
  const [quiet] = report.control;
  const busy = { ...quiet!, context: 512, interval: [0.85, 1.1] as const, spread: 0.18, busy: true };
  const noisy = { ...report, control: [quiet!, busy] };
  const column = timingColumns(noisy).find(({ title }) => title === 'A/A control')!;
  const said = new Map(contextRows(noisy, noisy.timing).map((row) => [row.context, column.text(row)]));
  assert.equal(said.get(128), '-');
  assert.equal(said.get(256), '±1.8%');
  assert.equal(said.get(512), "±18%, can't tell");
  const [first, second] = controlSentences(noisy.control);
  assert.match(first!, /a difference inside this is no difference\.$/);
  assert.match(second!, /the machine was busy, and a difference inside ±18% can't be told\.$/);
});

test('eval: one chart per task, with the level of guessing', () => {
  const specs = evalSpecs(report, DEFAULT_VIEW);
  assert.deepEqual(
    specs.map(({ task }) => task),
    ['associative recall, 4 pairs'],
  );
  assert.equal(specs[0]?.spec.level?.at, 1 / 32);
  assert.match(specs[0]?.spec.y.label ?? '', /accuracy \(higher is better\)/);
});

test('ticks of a logarithmic axis are few at any range', () => {
  for (const [min, max] of [
    [48, 57],
    [0.9, 2.5],
    [3, 400],
    [1e-3, 1e6],
  ] as const) {
    const ticks = logTicks(min, max);
    assert.ok(ticks.length >= 2 && ticks.length <= 10, `${min}-${max}: ${ticks.join(', ')}`);
    for (const tick of ticks) assert.ok(tick >= min && tick <= max);
  }
  assert.deepEqual(logTicks(0, 10), []);
  assert.equal(logRange([-1, NaN]), null);
  assert.deepEqual(logRange([10, 10]), { min: 10 / 1.03, max: 10.3 });
});

test('translucent theme colours become opaque', () => {
  assert.equal(opaque('#d186167e'), '#d18616');
  assert.equal(opaque('#abcd'), '#abc');
  assert.equal(opaque('rgba(1, 2, 3, 0.5)'), 'rgb(1, 2, 3)');
  assert.equal(opaque('#3794ff'), '#3794ff');
});
