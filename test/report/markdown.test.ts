/** A report as Markdown: findings first, every number with its interval, noise said. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reportMarkdown } from '../../extension/core/report/markdown.js';
import { sampleReport } from '../fixtures/report.js';

const report = sampleReport('/models');

test('findings stand first, then the tables', () => {
  const text = reportMarkdown(report, '/runs/one');
  assert.match(text, /^# GPT-2 and RWKV-7\n\n\* RWKV-7 is faster from about 1,340 tokens/);
  for (const wanted of [
    '## Training steps, 4,096 tokens per step',
    '| GPT-2 | 128 | 946 ms (918-984 ms) |',
    '| RWKV-7 | 4,096 | 2.20 ms (2.16-2.27 ms) | 455 | 609 KiB |',
    'A/A control, GPT-2 against itself, by context: 256: ±1.8%.',
    '| associative recall, 4 pairs |',
    '* RWKV-7 uses its own initialisation',
    'Run folder: /runs/one',
  ])
    assert.ok(text.includes(wanted), `${wanted} is missing in\n${text}`);
});

test('what a run has not measured has no table, problems name their model, and a busy machine is said', () => {
  const [control] = report.control;
  const text = reportMarkdown(
    {
      ...report,
      status: 'cancelled',
      crossovers: [],
      decode: [],
      decodeControl: [],
      loss: [],
      evals: [],
      control: [{ ...control!, spread: 0.3, busy: true }],
      problems: [{ message: 'It does not fit | at all.', model: 'A|B', file: null, line: null }],
    },
    '/runs/one',
  );
  assert.ok(!text.includes('Decoding') && !text.includes('## Loss') && !text.includes('## Evals'));
  assert.match(text, /^# GPT-2 and RWKV-7 \(cancelled\)\n\nA processor/);
  assert.match(text, /256: ±30% \(the machine was busy: can't tell inside this\)/);
  assert.match(text, /Problem: A\|B: It does not fit/);
});
