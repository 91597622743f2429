/** The samples behind a median, and the noise of the machine. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noiseColumns, noiseRows } from '../../webview/noiseSpec.js';
import { SAMPLE_COLUMNS, sampleRows, samplesSentence, stripScale } from '../../webview/samplesSpec.js';
import { toCsv } from '../../webview/tableText.js';
import { sampleReport } from '../fixtures/report.js';

const report = sampleReport('/models');
const samples = { title: 'Training step of GPT-2 at context 128', estimate: report.timing[0]!.step };

test('samples stand in the order they were taken, with their share of the median', () => {
  const rows = sampleRows(samples);
  assert.deepEqual(
    rows.map(({ round, ms }) => [round, ms]),
    samples.estimate.samples.map((ms, index) => [index + 1, ms]),
  );
  assert.equal(rows[2]?.ratio, 1);
  assert.match(toCsv(SAMPLE_COLUMNS, rows), /^Round,Time \(ms\),Of the median\r\n1,898\.\d+,0\.95\r\n/);
  assert.equal(
    samplesSentence(samples),
    'Median 946 ms, 95% interval 918-984 ms; 5 samples from 899 ms to 1.00 s.',
  );
});

test('every sample and the whole interval stand inside the strip; equal samples stand in its middle', () => {
  const across = stripScale(samples, 520, 14);
  for (const ms of [...samples.estimate.samples, ...samples.estimate.interval])
    assert.ok(across(ms) >= 14 && across(ms) <= 506, String(ms));
  assert.equal(across(Math.max(...samples.estimate.samples)), 506);
  const flat = { ...samples, estimate: { median: 3, interval: [3, 3] as const, samples: [3, 3] } };
  assert.equal(stripScale(flat, 520, 14)(3), 260);
});

test('controls of steps and of tokens are one table, and a busy machine is said', () => {
  const [quiet] = report.control;
  const rows = noiseRows({ ...report, control: [{ ...quiet!, spread: 0.18, busy: true }] });
  assert.deepEqual(
    rows.map((row) => noiseColumns.map(({ text }) => text(row))),
    [
      [
        'training step',
        'GPT-2',
        '256',
        '1.00',
        '0.987-1.02',
        '±18%',
        "machine was busy: can't tell inside this",
      ],
      ['decoded token', 'GPT-2', '256', '1.00', '0.980-1.02', '±2.0%', 'no difference inside this'],
    ],
  );
});
