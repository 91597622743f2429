/** Several runs as one report: who is who, and what makes them unlike. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { overlay } from '../../extension/core/runs/overlay.js';
import { sameRun } from '../../extension/shared/overlayLabel.js';
import type { Environment, Report } from '../../extension/shared/report.js';
import { controlColumn } from '../../webview/contextSpec.js';
import { sampleReport } from '../fixtures/report.js';

const first = sampleReport('models');
const later = (change: Partial<Report> = {}, environment: Partial<Environment> = {}): Report => ({
  ...first,
  id: 'later',
  title: 'RWKV-7 again',
  startedAt: first.startedAt + 86_400_000,
  models: first.models.slice(1),
  environment: { ...first.environment!, ...environment },
  timing: first.timing
    .filter(({ model }) => model === 'RWKV-7')
    .map((point) => ({
      ...point,
      step: { ...point.step, median: point.step.median / 2, samples: point.step.samples.map((ms) => ms / 2) },
    })),
  control: [{ model: 'RWKV-7', context: 256, ratio: 1, interval: [0.95, 1.05], spread: 0.05, busy: false }],
  decode: first.decode.filter(({ model }) => model === 'RWKV-7'),
  loss: first.loss.slice(1),
  evals: first.evals.filter(({ model }) => model === 'RWKV-7'),
  evalItems: first.evalItems.slice(1),
  ...change,
});
const together = (...reports: Report[]): Report =>
  overlay(reports.map((report, index) => ({ root: `/root${index}`, report })));

test('one run stays as it is', () => {
  assert.equal(together(first), first);
});

test('every series is said by its run, and files stand where they are', () => {
  const shown = together(first, later());
  const tags = shown.overlay!.runs.map(({ tag }) => tag);
  assert.equal(new Set(tags).size, 2);
  assert.deepEqual(
    shown.models.map(({ label }) => label),
    [`GPT-2 · ${tags[0]}`, `RWKV-7 · ${tags[0]}`, `RWKV-7 · ${tags[1]}`],
  );
  const labels = new Set(shown.models.map(({ label }) => label));
  for (const { model } of [
    ...shown.timing,
    ...shown.decode,
    ...shown.loss,
    ...shown.evals,
    ...shown.evalItems,
  ])
    assert.ok(labels.has(model), model);
  assert.equal(shown.timing[0]!.lines[0]!.file, '/root0/models/gpt2.py');
  assert.equal(shown.timing.at(-1)!.lines[0]!.file, '/root1/models/rwkv7.py');
  assert.deepEqual(
    shown.overlay!.runs.map(({ title }) => title),
    ['GPT-2 and RWKV-7', 'RWKV-7 again'],
  );
  assert.match(shown.notes[0]!, new RegExp(`^${tags[0]}: `));
  const same = together(first, { ...first, id: 'same' });
  assert.equal(new Set(same.models.map(({ label }) => label)).size, 4, 'runs of one minute have numbers');
});

test('crossovers are worked out within runs and across them', () => {
  const shown = together(first, later());
  const [old, fresh] = shown.overlay!.runs.map(({ tag }) => tag);
  const over = shown.crossovers.filter(({ axis }) => axis === 'context').map(({ sentence }) => sentence);
  assert.equal(over.length, 3);
  assert.ok(
    over.some((text) => text.includes(`RWKV-7 · ${old} is faster than GPT-2 · ${old} from about`)),
    over.join(),
  );
  assert.ok(
    over.some((text) => text.includes(`RWKV-7 · ${fresh} is faster than RWKV-7 · ${old} at every`)),
    over.join(),
  );
  const steps = together(first, later({ tokensPerStep: 8192 }));
  assert.equal(steps.crossovers.filter(({ axis }) => axis === 'context').length, 1);
  assert.ok(steps.overlay!.warnings.some((text) => /tokens per step: 4,096, 8,192/.test(text)));
  assert.equal(steps.tokensPerStep, null);
});

test('what makes runs unlike is said, with the values and the runs', () => {
  const alike = together(first, later()).overlay!.warnings;
  assert.equal(alike.length, 1);
  assert.match(alike[0]!, /not measured in turn/);
  const shown = together(first, later({}, { precision: 'bf16', threads: 8, gitCommit: 'abcdef0123456789' }));
  const { warnings } = shown.overlay!;
  assert.ok(warnings.some((text) => /^The runs differ in precision: fp32 \(.*\), bf16 \(.*\)\.$/.test(text)));
  assert.ok(warnings.some((text) => /differ in threads: 2 .*, 8 .*; their times are not alike/.test(text)));
  assert.ok(warnings.some((text) => /revision of the sources: none \(.*, abcdef0123 \(/.test(text)));
  assert.equal(shown.environment, null, 'no machine is named that is not that of all');
  const silent = together(first, later({ environment: null })).overlay!.warnings;
  assert.ok(silent.some((text) => /does not say what it was measured on/.test(text)));
});

test('losses on other text are neither crossed nor tested against each other', () => {
  const shown = together(first, later({}, { dataHash: 'ff'.repeat(32) }));
  assert.ok(
    shown.overlay!.warnings.some((text) => /training text: .*; their losses cannot be compared/.test(text)),
  );
  const [old, fresh] = shown.overlay!.runs.map(({ tag }) => tag);
  const across = [...shown.crossovers.filter(({ axis }) => axis === 'tokens'), ...shown.comparisons].filter(
    ({ sentence }) => sentence.includes(old!) && sentence.includes(fresh!),
  );
  assert.deepEqual(across, []);
  assert.equal(together(first, later()).comparisons.length, 3);
});

test('a measurement has the A/A control of its own run', () => {
  const shown = together(first, later());
  const [column] = controlColumn(shown.control);
  const at256 = shown.timing.filter(({ context }) => context === 256).map((point) => column!.text(point));
  assert.deepEqual(at256, ['±1.8%', '±1.8%', '±5.0%']);
  assert.equal(sameRun('GPT-2', 'RWKV-7'), true);
});

test('an overlay runs while one of its runs does', () => {
  assert.equal(together(first, later({ status: 'running' })).status, 'running');
  assert.equal(together(first, later({ status: 'interrupted' })).status, 'interrupted');
  assert.equal(together(first, later()).status, 'done');
});
