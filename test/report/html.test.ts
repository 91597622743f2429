/** The HTML report is one file that needs nothing else. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { renderHtmlReport } from '../../extension/core/report/html.js';
import { isReport } from '../../extension/shared/protocol.js';
import { sampleReport } from '../fixtures/report.js';

const report = sampleReport('/models');
const html = renderHtmlReport(report);

test('it holds the numbers, and refers to nothing outside itself', () => {
  const data = /<script type="application\/json" id="report">(.*?)<\/script>/s.exec(html)?.[1];
  const parsed: unknown = JSON.parse(data ?? '');
  assert.ok(isReport(parsed));
  assert.deepEqual(parsed, JSON.parse(JSON.stringify(report)));
  assert.doesNotMatch(html, /<(script|link|img)[^>]*(src|href)=/);
  assert.doesNotMatch(html, /@import|url\((?!data:)/);
  assert.match(html, /prefers-color-scheme: ?dark/);
});

test('its policy admits exactly the script and the style inside it', () => {
  const policy = /Content-Security-Policy" content="([^"]*)"/.exec(html)?.[1] ?? '';
  assert.match(policy, /default-src 'none'/);
  assert.doesNotMatch(policy, /unsafe/);
  for (const pattern of [/<style>(.*?)<\/style>/s, /<script>(.*?)<\/script>/s]) {
    const text = pattern.exec(html)?.[1] ?? '';
    assert.ok(text.length > 100);
    assert.ok(policy.includes(createHash('sha256').update(text).digest('base64')));
  }
});

test('text of a report cannot end the script it stands in', () => {
  const title = '</script><script>alert(1)</script>';
  const hostile = renderHtmlReport({ ...report, title, notes: [title] });
  assert.equal(hostile.split('<script').length, html.split('<script').length);
  assert.doesNotMatch(hostile, /<script>alert/);
});
