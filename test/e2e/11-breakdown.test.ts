/** Breakdown: bars by mouse and keyboard lead to lines, and a line leads to its bar. */
import assert from 'node:assert/strict';
import { copyFileSync, utimesSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { choose, openSample, select } from './resultsPage.js';
import type { Theme } from './session.js';
import type { Suite } from './suite.js';

const suite: Suite = (window) => {
  test('the bars of a step are a tree that arrow keys walk through, and Enter opens a line', async () => {
    const session = window();
    const { page, workspace } = session;
    // The run names this file; it is older than the run.
    copyFileSync(path.join('extension', 'zoo', 'gpt2.py'), path.join(workspace, 'gpt2.py'));
    utimesSync(path.join(workspace, 'gpt2.py'), 1_700_000_000, 1_700_000_000);
    const panel = await openSample(session);
    await select(panel, 'Breakdown');
    const bars = panel.locator('section[aria-label="Breakdown"] [role="treeitem"]');
    const focused = panel.locator('[role="treeitem"]:focus');
    assert.match((await bars.first().getAttribute('aria-label')) ?? '', /^GPT-2, 2\.37 s, 100%/);
    await bars.first().focus();
    for (const [key, label] of [
      ['ArrowDown', /^blocks × 6, /],
      ['ArrowRight', /^optimizer, /],
      ['ArrowLeft', /^blocks × 6, /],
      ['ArrowDown', /^attention, .*53\.0%/],
      ['ArrowDown', /^gpt2\.py:41, /],
    ] as const) {
      await page.keyboard.press(key);
      assert.match((await focused.getAttribute('aria-label')) ?? '', label);
    }
    assert.equal(await focused.getAttribute('aria-level'), '4');
    await page.keyboard.press('Enter');
    await page.locator('.tab.active[data-resource-name="gpt2.py"]').first().waitFor();
    await page.locator('.statusbar-item', { hasText: /Ln 41\b/ }).waitFor();
  });

  test('quantity, phase and layers are chosen, and stay chosen', async () => {
    const session = window();
    let panel = await session.panel();
    await choose(panel, 'Breakdown', 'Show', 'FLOPs');
    await choose(panel, 'Breakdown', 'Of', 'Backward');
    const first = (): Promise<string | null> =>
      panel.locator('section[aria-label="Breakdown"] [role="treeitem"]').first().getAttribute('aria-label');
    assert.match((await first()) ?? '', /^GPT-2, .*FLOP, 100%/);
    await panel.locator('section[aria-label="Breakdown"] vscode-checkbox', { hasText: 'Layers' }).click();
    await panel.locator('[role="treeitem"][aria-label^="5, "]').waitFor();
    await session.command('View: Close All Editors');
    await session.open('model.py');
    panel = await openSample(session);
    assert.match((await first()) ?? '', /FLOP, 100%/);
    await panel.locator('section[aria-label="Breakdown"] vscode-checkbox', { hasText: 'Layers' }).click();
    await choose(panel, 'Breakdown', 'Show', 'Kept for the backward pass');
    assert.match((await first()) ?? '', /MiB, 100%/);
    assert.equal(await panel.locator('vscode-dropdown[aria-label="Of"]:visible').count(), 0);
    await choose(panel, 'Breakdown', 'Show', 'Time');
    await choose(panel, 'Breakdown', 'Of', 'Whole step');
  });

  test('from a line with a figure to its bar', async () => {
    const session = window();
    // Beside the panel, not behind it.
    await session.open('model.py');
    await session.open('gpt2.py');
    await session.goToLine(63);
    await session.command('Crossover: Show Line in Breakdown');
    const panel = await session.panel(/^GPT-2 and RWKV-7$/);
    const marked = panel.locator('section[aria-label="Breakdown"] li.selected');
    await marked.waitFor();
    assert.match(await marked.innerText(), /^gpt2\.py:63/);
    assert.equal(await panel.locator('[role="treeitem"][aria-selected="true"]').count(), 1);
    await session.goToLine(52);
    await session.command('Show or Focus Hover');
    await session.page.locator('.monaco-hover a', { hasText: 'Show in Breakdown' }).first().click();
    await panel.locator('li.selected', { hasText: 'gpt2.py:52' }).waitFor();
    await session.goToLine(2);
    await session.command('Crossover: Show Line in Breakdown');
    await session.notification('No run has measured this line');
    await session.clearNotifications();
  });

  test('the breakdown in every theme', async () => {
    const session = window();
    for (const theme of ['light', 'highContrast', 'dark'] satisfies Theme[]) {
      await session.theme(theme);
      await select(await session.panel(), 'Breakdown');
      await session.screenshot(`breakdown-${theme}`);
    }
  });
};

export default suite;
