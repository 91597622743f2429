/** Rows sort by what was measured, and tables become Markdown and CSV. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TimingPoint } from '../../extension/shared/report.js';
import { contextRows } from '../../webview/contextSpec.js';
import { decodeColumns } from '../../webview/decodeSpec.js';
import { EVAL_COLUMNS } from '../../webview/evalSpec.js';
import { LOSS_COLUMNS } from '../../webview/lossSpec.js';
import { lineColumns, lineRows } from '../../webview/lineTable.js';
import type { Column } from '../../webview/table.js';
import { csv, nextSorting, sortRows, toCsv, toMarkdown } from '../../webview/tableText.js';
import { timingColumns } from '../../webview/timingSpec.js';
import { sampleReport } from '../fixtures/report.js';

const report = sampleReport('/models');
const rows = contextRows(report, report.timing);
const columns = timingColumns(report);

interface Row {
  readonly name: string;
  readonly ms: number | null;
}
const simple: Column<Row>[] = [
  { title: 'Name', text: ({ name }) => name, words: true },
  { title: 'Time', text: ({ ms }) => `${ms} ms`, value: ({ ms }) => ms, unit: 'ms' },
];

test('numbers sort by size and not by their text, what is missing comes last both ways', () => {
  const given: Row[] = [900, null, 1200, NaN, 45].map((ms, index) => ({ name: `m${index}`, ms }));
  const by = (ascending: boolean): (number | null)[] =>
    sortRows(simple, given, { title: 'Time', ascending }).map(({ ms }) => ms);
  assert.deepEqual(by(true), [45, 900, 1200, null, NaN]);
  assert.deepEqual(by(false), [1200, 900, 45, null, NaN]);
  assert.deepEqual(sortRows(simple, given, null), given);
  assert.deepEqual(sortRows(simple, given, { title: 'Gone', ascending: true }), given);
});

test('every number of the timing table sorts in the order of what was measured', () => {
  const measured: Record<string, (point: TimingPoint) => number> = {
    Step: ({ step }) => step.median,
    '95% interval': ({ step }) => step.interval[0],
    'Tokens/s': ({ tokensPerSecond }) => tokensPerSecond,
    'Peak memory': ({ peakBytes }) => peakBytes,
    Context: ({ context }) => context,
  };
  for (const [title, of] of Object.entries(measured)) {
    const values = sortRows(columns, rows, { title, ascending: true }).map(of);
    assert.deepEqual(
      values,
      [...values].sort((a, b) => a - b),
      title,
    );
  }
  const models = sortRows(columns, rows, { title: 'Model', ascending: true }).map(({ model }) => model);
  assert.deepEqual([...new Set(models)], ['GPT-2', 'RWKV-7']);
  assert.equal(models.indexOf('RWKV-7'), rows.length / 2);
});

test('a header sorts up, then down, then as the report has it', () => {
  const up = nextSorting(null, 'Step');
  assert.deepEqual(up, { title: 'Step', ascending: true });
  const down = nextSorting(up, 'Step');
  assert.deepEqual(down, { title: 'Step', ascending: false });
  assert.equal(nextSorting(down, 'Step'), null);
  assert.deepEqual(nextSorting(down, 'Model'), { title: 'Model', ascending: true });
});

test('Markdown has the words of the page, aligned, with its bars escaped', () => {
  assert.equal(
    toMarkdown(simple, [{ name: 'a|b\\\nc', ms: 3 }]),
    '| Name | Time |\n| --- | --: |\n| a\\|b\\\\ c | 3 ms |\n',
  );
});

test('CSV has raw numbers, units in its header, both ends of intervals, and quotes where they are needed', () => {
  const [head, first] = toCsv(columns, rows).split('\r\n');
  assert.equal(
    head,
    'Model,Context,Step (ms),95% interval low (ms),95% interval high (ms),A/A control,Forward (ms),Backward (ms),Optimizer (ms),Tokens/s,' +
      '"Per 1,000 tokens (ms)",Peak memory (bytes),Rate (FLOP/s),Of peak,Batch,Samples',
  );
  const [model, context, step, low, high] = (first ?? '').split(',');
  const [point] = rows;
  assert.deepEqual(
    [model, Number(context), Number(step), Number(low), Number(high)],
    ['GPT-2', 128, point!.step.median, ...point!.step.interval],
  );
  assert.equal(toCsv(simple, [{ name: 'a', ms: null }]), 'Name,Time (ms)\r\na,\r\n');
  assert.equal(
    csv([['say "x"', 'a,b', 'two\nlines', 1e-7, Infinity, null]]),
    '"say ""x""","a,b","two\nlines",1e-7,,\r\n',
  );
});

test('no number of a table is left to its text', () => {
  const lines = lineRows(report.timing[0]!);
  const tables = [
    { columns, row: rows[0]! },
    { columns: decodeColumns(report), row: report.decode[0]! },
    { columns: lineColumns(null), row: lines[0]! },
    { columns: LOSS_COLUMNS, row: report.loss[0]! },
    { columns: EVAL_COLUMNS, row: report.evals[0]! },
  ] as unknown as { columns: Column<unknown>[]; row: unknown }[];
  for (const one of tables)
    for (const { title, words, value, ends } of one.columns)
      assert.equal(words !== true, value !== undefined || ends !== undefined, title);
});
