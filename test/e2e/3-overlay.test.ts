/** Runs shown together: chosen from a list, said by run, with what makes them unlike, also after a reload. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Frame } from 'playwright-core';
import { writeRunFolder } from '../fixtures/runFolder.js';
import type { Session, Theme } from './session.js';
import type { Suite } from './suite.js';

async function tick(session: Session, title: string): Promise<void> {
  await session.page.keyboard.type(title);
  const row = session.page.locator('.quick-input-list .monaco-list-row', { hasText: title }).first();
  await row.waitFor();
  await row.click();
}

async function sees(panel: Frame): Promise<void> {
  await panel.locator('.together li', { hasText: 'GPT-2 and RWKV-7' }).waitFor();
  await panel.locator('.together li', { hasText: 'With half precision' }).waitFor();
  await panel.locator('.warning', { hasText: /differ in precision: .*fp32.*bf16|bf16.*fp32/ }).waitFor();
}

const suite: Suite = (window) => {
  test('another run is added from the panel, and a sentence says in what the two differ', async () => {
    const session = window();
    writeRunFolder(session.workspace, (report) => ({
      ...report,
      id: '20260102-120000-dddd',
      title: 'With half precision',
      startedAt: Date.UTC(2026, 0, 2, 12),
      environment: report.environment === null ? null : { ...report.environment, precision: 'bf16' },
      timing: report.timing.map((point) => ({
        ...point,
        step: { ...point.step, samples: point.step.samples.map((ms) => ms * 0.6) },
      })),
    }));
    await session.open('model.py');
    await session.command('Crossover: Open Results');
    await session.quickInput('Open Results');
    await session.page.keyboard.type('GPT-2 and RWKV-7');
    await session.page.keyboard.press('Enter');
    const panel = await session.panel(/^GPT-2 and RWKV-7$/);
    await panel.locator('vscode-button', { hasText: 'Add Run' }).click();
    await session.quickInput('Show Runs Together');
    await tick(session, 'With half precision');
    await session.page.keyboard.press('Enter');
    const both = await session.panel('together with');
    await sees(both);
    await both.locator('vscode-panel-tab', { hasText: 'Timing' }).click();
    const rows = await both.locator('section[aria-label="Timing"] tbody tr').allInnerTexts();
    assert.ok(rows.some((row) => /GPT-2 · Jan 1/.test(row)) && rows.some((row) => /GPT-2 · Jan 2/.test(row)));
    for (const theme of ['light', 'highContrast', 'dark'] satisfies Theme[]) {
      await session.theme(theme);
      await session.screenshot(`together-${theme}`);
    }
  });

  test('they are found together after a reload of the window', async () => {
    const session = window();
    await session.reload();
    await sees(await session.panel('together with'));
  });

  test('runs selected in the tree are shown together', async () => {
    const session = window();
    await session.command('Crossover: Open Results');
    await session.quickInput('Open Results');
    await session.page.keyboard.type('GPT-2 and RWKV-7');
    await session.page.keyboard.press('Enter');
    await session.panel(/^GPT-2 and RWKV-7$/);
    await session.command('Crossover: Focus on Runs View');
    const row = (title: string) =>
      session.page.locator('.sidebar .pane .monaco-list-row', { hasText: title }).first();
    await row('GPT-2 and RWKV-7').click();
    await row('With half precision').click({ modifiers: ['Control'] });
    await row('With half precision').click({ button: 'right' });
    const item = session.page
      .locator('.context-view .action-label', { hasText: 'Show Runs Together' })
      .first();
    await item.waitFor();
    await session.screenshot('together-menu');
    await session.page.waitForTimeout(400);
    await item.click();
    await sees(await session.panel('together with'));
  });
};

export default suite;
