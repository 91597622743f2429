/** Annotations of lines: which figure is shown, how lines move while the file is edited, and how hot they are. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { annotationCell, annotationHover, annotationText } from '../../extension/host/annotationText.js';
import { lineAnnotations, moveLine, namesLine, SHADES, shadeOf } from '../../extension/host/lineCosts.js';
import { sampleReport } from '../fixtures/report.js';

const report = sampleReport('/models');

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
  assert.equal(annotationText(first, false), '736 ms · 31.0%');
  assert.match(annotationText(first, true), /stale/);
  const hover = annotationHover(first, false);
  for (const context of ['128', '4,096']) assert.ok(hover.includes(context));
  assert.match(hover, /forward \| backward \| optimizer/);
});

test('figures stand in a column of one width, also where there is none and when they are stale', () => {
  const [first] = lineAnnotations(report, '/models', '/models/gpt2.py');
  const cells = [annotationCell(first!, false), annotationCell(first!, true), annotationCell(null, false)];
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

test('lines move with edits above them and stay with edits below', () => {
  const insertTwo = { start: 3, end: 3, lines: 3 };
  assert.equal(moveLine(10, insertTwo), 12);
  assert.equal(moveLine(2, insertTwo), 2);
  const deleteThree = { start: 4, end: 7, lines: 1 };
  assert.equal(moveLine(8, deleteThree), 5);
  assert.equal(moveLine(6, deleteThree), 4);
  assert.equal(moveLine(3, deleteThree), 3);
});

test('shades grow with the share of the step', () => {
  const shades = [0, 0.009, 0.01, 0.08, 0.13, 0.2, 0.25, 0.9].map(shadeOf);
  assert.deepEqual(
    shades,
    [...shades].sort((a, b) => a - b),
  );
  assert.equal(shades[0], 0);
  assert.equal(shades[1], 0);
  assert.equal(shades.at(-1), SHADES);
  assert.equal(shadeOf(NaN), 0);
});
