/** Where a step goes, as bars: pure functions of the report. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { breakdownLink } from '../../extension/host/breakdownLink.js';
import { DEFAULT_VIEW } from '../../extension/shared/protocol.js';
import type { PartCost, TimingPoint } from '../../extension/shared/report.js';
import {
  amountOf,
  blockText,
  breakdownChoices,
  breakdownLines,
  breakdownTree,
  MODULE_COLUMNS,
  moduleRows,
  shownPoint,
  type Block,
} from '../../webview/breakdownSpec.js';
import { lineRows } from '../../webview/lineTable.js';
import { sampleReport } from '../fixtures/report.js';

const report = sampleReport('/models');
const point = shownPoint(report, DEFAULT_VIEW)!;
const parts = point.parts!;
const choice = { phase: 'step', quantity: 'time', merge: false } as const;

const near = (a: number, b: number): boolean =>
  Math.abs(a - b) <= 1e-9 * Math.max(Math.abs(a), Math.abs(b), 1);

test('the first model at its largest context is shown, unless another was measured and chosen', () => {
  assert.deepEqual([point.model, point.context], ['GPT-2', 4096]);
  const view = { ...DEFAULT_VIEW, breakdownModel: 'RWKV-7', breakdownContext: 512 };
  const other = shownPoint(report, view)!;
  assert.deepEqual([other.model, other.context], ['RWKV-7', 512]);
  const gone = shownPoint(report, { ...view, breakdownModel: 'Mamba', breakdownContext: 77 })!;
  assert.deepEqual([gone.model, gone.context], ['GPT-2', 4096]);
  assert.equal(shownPoint({ ...report, timing: [] }, DEFAULT_VIEW), null);
  assert.deepEqual(breakdownChoices(report, 'GPT-2').contexts, [128, 256, 512, 1024, 2048, 4096]);
});

test('children of a bar never add up to more than it, and the whole is what all parts amount to', () => {
  for (const merge of [true, false])
    for (const phase of ['step', 'both', 'forward', 'backward'] as const)
      for (const quantity of ['time', 'flops', 'bytes', 'kept'] as const) {
        const root = breakdownTree('GPT-2', parts, { phase, quantity, merge });
        assert.ok(
          near(
            root.value,
            parts.reduce((sum, part) => sum + amountOf(part, phase, quantity), 0),
          ),
        );
        const visit = ({ value, share, children }: Block): void => {
          const sum = children.reduce((total, child) => total + child.value, 0);
          assert.ok(sum <= value * (1 + 1e-9) && near(share, value / root.value));
          assert.deepEqual(
            children.map((child) => child.value),
            children.map((child) => child.value).sort((a, b) => b - a),
          );
          children.forEach(visit);
        };
        visit(root);
      }
  const step = breakdownTree('GPT-2', parts, choice).value;
  assert.ok(near(step, point.step.median), `${step} of ${point.step.median}`);
});

test('layers of a list stand together when asked for, and stay apart otherwise', () => {
  const apart = breakdownTree('GPT-2', parts, choice);
  assert.deepEqual(
    apart.children.map(({ name }) => name),
    ['blocks', 'optimizer', 'embedding', 'head', 'gpt2.py:90'],
  );
  assert.equal(apart.children[0]?.children.length, 6);
  const together = breakdownTree('GPT-2', parts, { ...choice, merge: true }).children[0]!;
  assert.equal(together.name, 'blocks × 6');
  assert.deepEqual(
    together.children.map(({ name, kind }) => [name, kind]),
    [
      ['attention', 'module'],
      ['feedforward', 'module'],
      ['gpt2.py:75', 'line'],
    ],
  );
  assert.deepEqual(together.place, { file: '/models/gpt2.py', line: 41 });
  assert.ok(near(together.value, apart.children[0].value));
  const leaves: PartCost[] = ['mlp.0', 'mlp.2'].map((module) => ({ ...parts[0]!, module }));
  const sequential = breakdownTree('A', leaves, { ...choice, merge: true });
  assert.deepEqual(
    sequential.children[0]?.children.map(({ name }) => name),
    ['0', '2'],
  );
});

test('lines add up over modules, and what belongs to no line leads nowhere', () => {
  const lines = breakdownLines(parts, choice);
  assert.equal(blockText(lines[0]!, 'time'), 'gpt2.py:41, 736 ms, 31.0%');
  assert.equal(lines.find(({ name }) => name === 'optimizer')?.place, null);
  assert.ok(
    near(
      lines.reduce((sum, { share }) => sum + share, 0),
      1,
    ),
  );
  const forward = breakdownLines(parts, { ...choice, phase: 'forward' });
  assert.equal(
    forward.some(({ name }) => name === 'optimizer'),
    false,
  );
  assert.deepEqual(breakdownLines([], choice), []);
});

test('the table of modules holds each with all that it calls', () => {
  const rows = moduleRows(parts, true);
  assert.deepEqual(
    rows.map(({ module }) => module),
    ['', 'blocks × 6', 'blocks × 6.attention', 'blocks × 6.feedforward', 'embedding', 'head', 'optimizer'],
  );
  const forward = MODULE_COLUMNS.find(({ title }) => title === 'Forward')!;
  const of = (module: string): number => Number(forward.value?.(rows.find((row) => row.module === module)!));
  assert.ok(of('blocks × 6') > of('blocks × 6.attention') + of('blocks × 6.feedforward'));
  assert.equal(moduleRows(parts, false).length, 1 + 1 + 6 * 3 + 3);
});

test('a line says what it keeps; one of an earlier version says nothing of it', () => {
  const [first] = lineRows(point);
  assert.equal(first?.keptBytes, 6 * Math.round((0.31 / 6) * 4e8));
  const { lines, ...rest } = { ...point, parts: undefined };
  assert.equal(lineRows({ ...rest, lines } as unknown as TimingPoint)[0]?.keptBytes, null);
});

test('the link of a hover names its line and nothing else', () => {
  const link = breakdownLink('Show', 'file:///a%20b/m).py', 4);
  const [, query = ''] = /^\[Show\]\(command:crossover\.showInBreakdown\?([^)]*)\)$/.exec(link) ?? [];
  assert.deepEqual(JSON.parse(decodeURIComponent(query)), [{ uri: 'file:///a%20b/m).py', line: 4 }]);
});
