/** Of many pairs of models, those with the first stand out. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { foremost } from '../../extension/shared/foremost.js';
import type { Crossover, Report } from '../../extension/shared/report.js';
import { sampleReport } from '../fixtures/report.js';

function reportOf(labels: readonly string[]): Report {
  const report = sampleReport('/models');
  const [model] = report.models;
  const crossovers = labels.flatMap((before, i) =>
    labels.slice(i + 1).map((after): Crossover => ({
      before,
      after,
      axis: 'context',
      at: 100 + i,
      interval: null,
      sentence: `${after} and ${before}`,
    })),
  );
  const other = { ...crossovers[0]!, axis: 'decode' } as const;
  return {
    ...report,
    models: labels.map((label) => ({ ...model!, label })),
    crossovers: [...crossovers, other],
  };
}

test('few pairs are all shown', () => {
  const { shown, others } = foremost(reportOf(['a', 'b', 'c', 'd', 'e']), 'context');
  assert.equal(shown.length, 10);
  assert.equal(others.length, 0);
});

test('of many pairs those with the first model are shown, and none is lost', () => {
  const report = reportOf(['a', 'b', 'c', 'd', 'e', 'f']);
  const { shown, others } = foremost(report, 'context');
  assert.deepEqual(
    shown.map(({ after }) => after),
    ['b', 'c', 'd', 'e', 'f'],
  );
  assert.equal(others.length, 10);
  assert.equal(foremost(report, 'decode').shown.length, 1);
});
