/** Annotations of lines: which figure is shown, how lines move while the file is edited, and how hot they are. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  annotationCell,
  annotationHover,
  annotationText,
  type Translate,
} from '../../extension/host/annotationText.js';
import { barWidth, lineAnnotations, namesLine, sumOf } from '../../extension/host/lineCosts.js';
import { sampleReport } from '../fixtures/report.js';

const report = sampleReport('/models');
const t: Translate = (text, ...values) =>
  values.reduce((said, value, i) => said.replace(`{${i}}`, value), text);

test('a line shows its cost at the largest context, and keeps every context for the hover', () => {
  const annotations = lineAnnotations(report, '/models', '/models/gpt2.py');
  assert.deepEqual(
    annotations.map(({ line }) => line),
    [41, 52, 63, 75, 80, 81, 90],
  );
  const [first] = annotations;
  assert.ok(first !== undefined);
  assert.equal(first.shown.context, 4096);
  assert.equal(first.all.length, 6);
  assert.equal(annotationText(first, false, t), '736 ms · 31.0%');
  assert.match(annotationText(first, true, t), /stale/);
  const hover = annotationHover(first, false, t);
  for (const context of ['128', '4,096']) assert.ok(hover.includes(context));
  assert.match(hover, /forward \| backward \| optimizer/);
});

test('figures stand in a column of one width, also where there is none and when they are stale', () => {
  const [first] = lineAnnotations(report, '/models', '/models/gpt2.py');
  const cells = [
    annotationCell(first!, false, t),
    annotationCell(first!, true, t),
    annotationCell(null, false, t),
  ];
  assert.deepEqual(
    cells.map((cell) => cell.replaceAll('\u00a0', ' ')),
    [' 736 ms   31.0%', ' 736 ms   stale', '               '],
  );
});

test('the panel may open the lines its report names, and nothing else', () => {
  assert.equal(namesLine(report, '/models/gpt2.py', 41), true);
  assert.equal(namesLine(report, '/models/gpt2.py', 42), false);
  assert.equal(namesLine(report, '/etc/passwd', 41), false);
});

test('relative files of a report are read from the root of its run', () => {
  const relative = {
    ...report,
    timing: report.timing.map((point) => ({
      ...point,
      lines: point.lines.map((line) => ({ ...line, file: 'sub/gpt2.py' })),
    })),
  };
  assert.equal(lineAnnotations(relative, '/models', '/models/sub/gpt2.py').length, 7);
  assert.equal(lineAnnotations(relative, '/models', '/models/gpt2.py').length, 0);
});

test('bars grow with the share of the step, one character per percent', () => {
  assert.deepEqual([0, 0.009, 0.01, 0.314, 1, 1.2, NaN].map(barWidth), [0, 0, 1, 31, 100, 100, 0]);
});

test('lines are added up as they are shown', () => {
  const annotations = lineAnnotations(report, '/models', '/models/gpt2.py');
  const sum = sumOf(annotations.filter(({ line }) => line >= 52 && line <= 63));
  assert.equal(sum?.model, 'GPT-2');
  assert.equal(sum.context, 4096);
  assert.ok(Math.abs(sum.share - 0.4) < 1e-9);
  assert.ok(Math.abs(sum.ms - 0.4 * (900 + 4096 * 0.36)) < 1e-6);
  assert.equal(sumOf([]), null);
});

test('the hover says at which rate a line computed and read', () => {
  const [first] = lineAnnotations(report, '/models', '/models/gpt2.py');
  const row = annotationHover(first!, false, t)
    .split('\n')
    .find((line) => line.startsWith('4,096'));
  assert.match(row ?? '', /40\.0\sGFLOP\/s/);
  assert.match(row ?? '', /2\.79\sGiB\/s/);
});
