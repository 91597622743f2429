/** Evals: tests between models, tasks by models, and two models item by item. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareEvals } from '../../extension/core/runs/comparisons.js';
import { finalScores } from '../../extension/shared/finalScores.js';
import { DEFAULT_VIEW } from '../../extension/shared/protocol.js';
import type { EvalItems, EvalScore } from '../../extension/shared/report.js';
import { evalSpecs } from '../../webview/evalSpec.js';
import { comparisonSentences, pairOf, pairTables, taskColumns, taskRows } from '../../webview/evalPairs.js';
import { sampleReport } from '../fixtures/report.js';

const report = sampleReport('/models');
const scoreOf = (model: string, score: number, seed = 1): EvalScore => ({
  model,
  task: 't',
  seed,
  score,
  metric: 'accuracy',
  higherIsBetter: true,
  chance: null,
  interval: null,
  items: 100,
  tokens: 10,
});
const itemsOf = (model: string, scores: readonly number[], change: Partial<EvalItems> = {}): EvalItems => ({
  model,
  task: 't',
  seed: 1,
  tokens: 10,
  unit: 'sequence',
  scores,
  shared: false,
  answers: null,
  ...change,
});
const often = (share: number): number[] =>
  Array.from({ length: 60 }, (_, i) => (i % 10 < share * 10 ? 1 : 0));

test('a clear difference names the better model, its size and the test', () => {
  const [found] = compareEvals([itemsOf('A', often(0.9)), itemsOf('B', often(0.4))], [scoreOf('A', 0.9)]);
  assert.match(
    found!.sentence,
    /^A is better than B on t, by 0\.500 accuracy \(95% 0\.3\d+-0\.6\d+\), p < 0\.001 \(paired permutation test over 60 sequences, for these trained models\)\.$/,
  );
  const lower = { ...scoreOf('A', 0.9), higherIsBetter: false, metric: 'bits per byte' };
  const [other] = compareEvals([itemsOf('A', often(0.9)), itemsOf('B', often(0.4))], [lower]);
  assert.match(other!.sentence, /^B is better than A on t, by 0\.500 bits per byte/);
});

test('no difference and too few items are said so, and unequal data is not compared', () => {
  const alike = often(0.5).map((value, i) => (i % 7 === 0 ? 1 - value : value));
  const [none] = compareEvals([itemsOf('A', often(0.5)), itemsOf('B', alike)], [scoreOf('A', 0.5)]);
  assert.match(none!.sentence, /^No difference between A and B on t is shown: .* p = /);
  const [few] = compareEvals(
    [itemsOf('A', [1, 1, 1], { unit: 'chunk' }), itemsOf('B', [0, 0, 0])],
    [scoreOf('A', 1)],
  );
  assert.equal(few!.sentence, "Can't tell A and B apart on t: 3 chunks are too few for a test.");
  const longer = itemsOf('B', often(0.4), { tokens: 20 });
  assert.deepEqual(compareEvals([itemsOf('A', often(0.9)), longer], [scoreOf('A', 0.9)]), []);
});

test('seeds of shared items are averaged, seeds of other items are more items; several pairs are adjusted', () => {
  const seeds = (shared: boolean) =>
    ['A', 'B'].flatMap((model) =>
      [1, 2].map((seed) => itemsOf(model, often(model === 'A' ? 0.9 : 0.4), { seed, shared })),
    );
  assert.equal(compareEvals(seeds(true), [scoreOf('A', 1)])[0]?.units, 60);
  assert.equal(compareEvals(seeds(false), [scoreOf('A', 1)])[0]?.units, 120);
  const three = ['A', 'B', 'C'].map((model, i) => itemsOf(model, often(0.9 - 0.2 * i)));
  const found = compareEvals(three, [scoreOf('A', 1)]);
  assert.equal(found.length, 3);
  assert.match(found[0]!.sentence, /adjusted for 3 pairs/);
});

test('of scores taken while training, the last count', () => {
  const last = finalScores(report.evals);
  assert.deepEqual(
    last.map(({ model, tokens }) => [model, tokens]),
    [
      ['GPT-2', 200_000],
      ['RWKV-7', 200_000],
    ],
  );
  const [row] = taskRows(report);
  const texts = taskColumns(report).map(({ title, text }) => `${title}: ${text(row!)}`);
  assert.deepEqual(texts, [
    'Task: associative recall, 4 pairs',
    'GPT-2: 0.930 (0.890-0.970)',
    'RWKV-7: 0.980 (0.940-1.000)',
    'Guessing: 0.031',
    'Metric: accuracy (higher is better)',
  ]);
  const seeds = { ...report, evals: [scoreOf('GPT-2', 0.5), scoreOf('GPT-2', 0.7, 2)] };
  assert.equal(taskColumns(seeds)[1]!.text(taskRows(seeds)[0]!), '0.600 (0.500-0.700, 2 seeds)');
});

test('two models are looked at question by question, in any order', () => {
  assert.deepEqual(pairOf(report, DEFAULT_VIEW), ['GPT-2', 'RWKV-7']);
  assert.deepEqual(pairOf(report, { ...DEFAULT_VIEW, evalFirst: 'RWKV-7' }), ['RWKV-7', 'GPT-2']);
  assert.deepEqual(pairOf(report, { ...DEFAULT_VIEW, evalSecond: 'GPT-2' }), ['RWKV-7', 'GPT-2']);
  assert.deepEqual(pairOf(report, { ...DEFAULT_VIEW, evalFirst: 'gone' }), ['GPT-2', 'RWKV-7']);
  assert.equal(pairOf({ ...report, evalItems: report.evalItems.slice(1) }, DEFAULT_VIEW), null);
  const [shown] = pairTables(report, ['GPT-2', 'RWKV-7']);
  assert.ok(shown!.disagreements.length > 5);
  let first = 0;
  for (const row of shown!.disagreements) {
    assert.notEqual(row.first === row.expected, row.second === row.expected);
    if (row.first === row.expected) first++;
  }
  assert.match(
    shown!.sentence,
    new RegExp(`^Of 256 questions, only GPT-2 is right on ${first} and only RWKV-7 on `),
  );
  const comparisons = compareEvals(report.evalItems, report.evals);
  assert.equal(comparisonSentences({ ...report, comparisons }, ['RWKV-7', 'GPT-2']).length, 1);
  const chunks = ['GPT-2', 'RWKV-7'].map((model) =>
    itemsOf(model, [1.5, 2], { unit: 'chunk', shared: true }),
  );
  const [units] = pairTables({ ...report, evalItems: chunks }, ['GPT-2', 'RWKV-7']);
  assert.deepEqual(units!.units[1], { seed: 1, item: 2, first: 2, second: 2 });
});

test('held-out text has its scores of during training in its chart', () => {
  const score = { ...scoreOf('GPT-2', 3), task: 'held-out text', metric: 'bits per byte', tokens: 204_800 };
  const { spec } = evalSpecs({ ...report, evals: [score] }, DEFAULT_VIEW)[0]!;
  assert.deepEqual(
    spec.series[0]!.points.map(({ x }) => x),
    [20, 40, 60, 80, 100].map((step) => step * 2048),
  );
  assert.equal(spec.series[0]!.points.at(-1)!.y, 3);
});
