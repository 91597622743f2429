/** Tables that sort and are copied, charts that are saved, phases as bars. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { choose, openSample, select } from './resultsPage.js';
import type { Theme } from './session.js';
import type { Suite } from './suite.js';

const suite: Suite = (window) => {
  test('a table sorts by a header that is clicked or pressed, by number, and says so', async () => {
    const panel = await openSample(window());
    await select(panel, 'Timing');
    const table = panel.locator('section[aria-label="Timing"] .table').first();
    const header = table.locator('th', { has: panel.locator('button', { hasText: /^Step$/ }) });
    const steps = async (): Promise<string[]> => table.locator('tbody tr td:nth-child(3)').allInnerTexts();
    assert.equal(await header.getAttribute('aria-sort'), 'none');
    const before = await steps();
    await header.locator('button').click();
    assert.equal(await header.getAttribute('aria-sort'), 'ascending');
    const rising = await steps();
    assert.match(rising[0] ?? '', /^9\d\d ms$/);
    assert.match(rising.at(-1) ?? '', /^2\.\d+ s$/);
    assert.deepEqual([...rising].sort(), [...before].sort());
    await window().page.keyboard.press('Enter');
    assert.equal(await header.getAttribute('aria-sort'), 'descending');
    assert.equal((await steps())[0], rising.at(-1));
    await window().screenshot('table-sorted');
    await window().page.keyboard.press('Enter');
    assert.deepEqual(await steps(), before);
  });

  test('a table is copied as CSV with raw numbers, and as Markdown with its words', async () => {
    const { page } = window();
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    const panel = await window().panel();
    const table = panel.locator('section[aria-label="Timing"] .table').first();
    const copied = async (label: string, start: RegExp): Promise<string> => {
      await table.locator('button', { hasText: label }).click();
      return window().until(label, async () => {
        const text = await page.evaluate(() => navigator.clipboard.readText());
        return start.test(text) ? text : null;
      });
    };
    const csv = await copied('Copy as CSV', /^Model,Context,Step \(ms\),/);
    assert.match(csv.split('\r\n')[1] ?? '', /^GPT-2,128,9\d\d\.\d+,/);
    const markdown = await copied('Copy as Markdown', /^\| Model \| Context \| Step /);
    assert.match(markdown.split('\n')[2] ?? '', /^\| GPT-2 \| 128 \| 9\d\d ms \|/);
  });

  test('a chart is saved as CSV and as PNG where a person says, under the name of the run', async () => {
    const session = window();
    const panel = await session.panel();
    for (const kind of ['CSV', 'PNG'] as const) {
      const file = path.join(
        session.workspace,
        `GPT-2 and RWKV-7, Time of a training step.${kind.toLowerCase()}`,
      );
      await panel.locator('section[aria-label="Timing"] button', { hasText: `Save as ${kind}` }).click();
      await session.quickInput('Save Chart');
      await session.accept();
      await session.until(`the ${kind} file`, () => Promise.resolve(existsSync(file) ? true : null));
      const saved = readFileSync(file);
      if (kind === 'CSV')
        assert.match(saved.toString(), /^Series,Context \(tokens\),Time of a training step \(ms\)/);
      else {
        assert.equal(saved.subarray(1, 4).toString(), 'PNG');
        assert.ok(saved.readUInt32BE(16) >= 2000, 'the picture is wide enough to read');
      }
    }
  });

  test('the phases of a step are stacked bars in every theme', async () => {
    const session = window();
    for (const theme of ['light', 'highContrast', 'dark'] satisfies Theme[]) {
      await session.theme(theme);
      const panel = await session.panel();
      await choose(panel, 'Timing', 'Show', 'Forward, backward, optimizer');
      const label = await panel.locator('section[aria-label="Timing"] canvas').getAttribute('aria-label');
      assert.match(label ?? '', /^Forward, backward and optimizer time/);
      assert.equal(await panel.locator('section[aria-label="Timing"] vscode-checkbox:visible').count(), 0);
      await session.screenshot(`phases-${theme}`);
    }
    await choose(await session.panel(), 'Timing', 'Show', 'Training step');
  });
};

export default suite;
