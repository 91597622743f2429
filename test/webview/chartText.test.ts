/** Charts leave the panel as numbers and as pictures. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_VIEW } from '../../extension/shared/protocol.js';
import { chartCsv, headingOf } from '../../webview/chartText.js';
import { evalSpecs } from '../../webview/evalSpec.js';
import { wrapped } from '../../webview/picture.js';
import { phaseSpec, timingSpec } from '../../webview/timingSpec.js';
import { sampleReport } from '../fixtures/report.js';

const report = sampleReport('/models');
const linesOf = (text: string): string[] => text.trimEnd().split('\r\n');

test('every point of a chart is a line of CSV, with its interval and with units in the header', () => {
  const [head, first, ...rest] = linesOf(chartCsv(timingSpec(report, DEFAULT_VIEW, 'step')));
  assert.equal(
    head,
    'Series,Context (tokens),Time of a training step (ms),Time of a training step (ms) low,Time of a training step (ms) high',
  );
  const { context, step } = report.timing[0]!;
  assert.equal(first, ['GPT-2', context, step.median, ...step.interval].join(','));
  assert.equal(rest.length, report.timing.length - 1);
  assert.equal(
    linesOf(chartCsv(timingSpec(report, DEFAULT_VIEW, 'peakBytes')))[0],
    'Series,Context (tokens),Peak memory (bytes)',
  );
});

test('a long curve is thinned to its ends, with what was measured behind what is smoothed', () => {
  const x = Float64Array.from({ length: 250_001 }, (_, index) => index);
  const spec = timingSpec(report, DEFAULT_VIEW, 'step');
  const band = { low: x.map((value) => value - 1), high: x.map((value) => value + 1) };
  const series = [
    { label: 'A, smoothed', model: 0, points: [], curve: { x, y: x, raw: x.map(() => 7), band } },
  ];
  const [head, first, ...rest] = linesOf(chartCsv({ ...spec, series }));
  assert.equal(head?.split(',').length, 6);
  assert.equal(first, '"A, smoothed",0,0,7,-1,1');
  assert.equal(rest.at(-1), '"A, smoothed",250000,250000,7,249999,250001');
  assert.ok(rest.length > 80_000 && rest.length <= 100_001, String(rest.length));
});

test('bars have a column per part', () => {
  const [head, first] = linesOf(chartCsv(phaseSpec(report)));
  assert.equal(head, 'Model,Context (tokens),Forward (ms),Backward (ms),Optimizer (ms)');
  const { forwardMs, backwardMs, optimizerMs } = report.timing[0]!;
  assert.equal(first, ['GPT-2', 128, forwardMs, backwardMs, optimizerMs].join(','));
});

test('a picture is headed by what it shows, and its lines break where they no longer fit', () => {
  assert.equal(
    headingOf(timingSpec(report, DEFAULT_VIEW, 'step')),
    'Training step against context length for GPT-2, RWKV-7',
  );
  assert.match(headingOf(evalSpecs(report, DEFAULT_VIEW)[0]!.spec), /^associative recall.*better$/);
  const fits = (line: string): boolean => line.length <= 9;
  assert.deepEqual(wrapped('one two three extraordinary', fits), ['one two', 'three', 'extraordinary']);
  assert.deepEqual(wrapped('', fits), ['']);
});
