import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { writeHtml } from '../../extension/cli/writeHtml.js';
import { sampleReport } from '../fixtures/report.js';

const folder = mkdtempSync(path.join(tmpdir(), 'crossover-html-'));
after(() => rmSync(folder, { recursive: true, force: true }));

test('a report that cannot be written leaves nothing behind and says why', () => {
  mkdirSync(path.join(folder, 'report.html'));
  assert.throws(
    () => writeHtml(sampleReport(folder), path.join(folder, 'report.html')),
    /^Error: The report could not be written to .*report\.html \([^\n]+\)\.$/,
  );
  assert.deepEqual(readdirSync(folder), ['report.html']);
  assert.throws(
    () => writeHtml(sampleReport(folder), path.join(folder, 'none', 'report.html')),
    /its folder does not exist/,
  );
});
