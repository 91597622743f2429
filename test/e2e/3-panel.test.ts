/** The results panel with a finished comparison: tabs by keyboard, crossover, tables, log axes, themes. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { writeRunFolder } from '../fixtures/runFolder.js';
import type { Frame } from 'playwright-core';
import { openSample, select, TABS } from './resultsPage.js';
import type { Theme } from './session.js';
import type { Suite } from './suite.js';

/** How many different colours the middle of a chart has: a blank canvas has one. */
async function colours(panel: Frame, tab: string): Promise<number> {
  return panel
    .locator(`section[aria-label="${tab}"] canvas`)
    .first()
    .evaluate((canvas) => {
      const { width, height } = canvas as HTMLCanvasElement;
      const data = (canvas as HTMLCanvasElement).getContext('2d')?.getImageData(0, 0, width, height).data;
      const found = new Set<number>();
      for (let at = 0; data !== undefined && at < data.length; at += 4)
        if ((data[at + 3] ?? 0) > 200)
          found.add(((data[at] ?? 0) << 16) | ((data[at + 1] ?? 0) << 8) | (data[at + 2] ?? 0));
      return found.size;
    });
}

const suite: Suite = (window) => {
  test('the crossover is said in words, and every tab has a chart and its table', async () => {
    const session = window();
    const panel = await openSample(session);
    const words = await panel.locator('section[aria-label="Timing"] .sentences').innerText();
    assert.match(words, /RWKV-7 .*faster.*1,\d\d\d/);
    for (const tab of TABS) {
      await select(panel, tab);
      const section = panel.locator(`section[aria-label="${tab}"]`);
      assert.ok((await colours(panel, tab)) > 3, `the chart of ${tab} is drawn`);
      assert.ok((await section.locator('tbody tr').count()) > 1, `the table of ${tab} has rows`);
      assert.match((await section.locator('canvas').first().getAttribute('aria-label')) ?? '', /table below/);
    }
  });

  test('tabs are changed with the arrow keys, and the focus is seen', async () => {
    const session = window();
    const panel = await session.panel();
    await select(panel, 'Timing');
    for (const tab of ['Decode', 'Loss', 'Eval'] as const) {
      await session.page.keyboard.press('ArrowRight');
      await panel.locator(`section[aria-label="${tab}"]`).waitFor();
      const outline = await panel
        .locator('vscode-panel-tab[aria-selected="true"]')
        .evaluate((tab) => getComputedStyle(tab).outlineStyle);
      assert.notEqual(outline, 'none');
    }
    await session.page.keyboard.press('ArrowLeft');
    await panel.locator('section[aria-label="Loss"]').waitFor();
  });

  test('log axes can be switched, and the choice outlives the panel', async () => {
    const session = window();
    let panel = await session.panel();
    await select(panel, 'Timing');
    const box = (): ReturnType<Frame['locator']> =>
      panel.locator('section[aria-label="Timing"] vscode-checkbox', { hasText: 'Log context' });
    assert.equal(await box().getAttribute('aria-checked'), 'true');
    await box().click();
    assert.equal(await box().getAttribute('aria-checked'), 'false');
    await session.screenshot('timing-linear');
    await session.command('View: Close All Editors');
    await session.open('model.py');
    panel = await openSample(session);
    assert.equal(await box().getAttribute('aria-checked'), 'false');
    await box().click();
  });

  test('theme colours are followed live', async () => {
    const session = window();
    const seen = new Set<string>();
    for (const theme of ['light', 'dark', 'highContrast'] satisfies Theme[]) {
      await session.theme(theme);
      const panel = await session.panel();
      for (const tab of TABS) {
        await select(panel, tab);
        await session.screenshot(`panel-${tab.toLowerCase()}-${theme}`);
        if (tab !== 'Timing') continue;
        const picture = await panel
          .locator('section[aria-label="Timing"] canvas')
          .evaluate((canvas) => (canvas as HTMLCanvasElement).toDataURL());
        seen.add(picture);
      }
    }
    assert.equal(seen.size, 3, 'each theme draws its own colours');
    await session.theme('dark');
  });

  test('the page obeys a strict content security policy', async () => {
    const panel = await window().panel();
    const policy = await panel.locator('meta[http-equiv]').getAttribute('content');
    assert.match(policy ?? '', /default-src 'none'/);
    assert.doesNotMatch(policy ?? '', /unsafe/);
    const ran = await panel.evaluate(() => {
      const script = document.createElement('script');
      script.textContent = 'window.injected = true';
      document.body.append(script);
      return 'injected' in window;
    });
    assert.equal(ran, false);
  });

  test('markup in the names of models and files is shown as text', async () => {
    const session = window();
    const name = '<img src=x onerror=alert(1)>.py';
    writeRunFolder(session.workspace, (report) => ({
      ...report,
      id: '20250101-120000-aaaa',
      title: `Net (${name})`,
      startedAt: Date.UTC(2025, 0, 1, 12),
      models: report.models.map((model) => ({ ...model, source: `${name}::Net(T)` })),
      timing: report.timing.map((point) => ({
        ...point,
        lines: point.lines.map((line) => ({ ...line, file: path.join(session.workspace, name) })),
      })),
      notes: [`A note on ${name}.`],
    }));
    await session.command('Crossover: Open Results');
    await session.page.locator('.quick-input-list .monaco-list-row', { hasText: 'onerror' }).first().click();
    const panel = await session.panel('onerror');
    assert.equal(await panel.locator('h1').innerText(), `Net (${name})`);
    await select(panel, 'Breakdown');
    await panel.locator('section[aria-label="Breakdown"] button.link', { hasText: name }).first().waitFor();
    await panel.locator('li', { hasText: name }).waitFor();
    assert.equal(await panel.locator('img').count(), 0);
    await openSample(session);
  });
};

export default suite;
