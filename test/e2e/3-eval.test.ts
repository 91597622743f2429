/** Evals in the panel: a test in words, tasks by models, and two models question by question. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Frame, Locator } from 'playwright-core';
import type { Session, Theme } from './session.js';
import type { Suite } from './suite.js';

const section = (panel: Frame): Locator => panel.locator('section[aria-label="Eval"]');

async function openEval(session: Session): Promise<Frame> {
  await session.open('model.py');
  await session.command('Crossover: Open Results');
  if (session.runFolders().length > 1) {
    await session.quickInput('Open Results');
    await session.page.keyboard.type('GPT-2 and RWKV-7');
    await session.page.keyboard.press('Enter');
  }
  const panel = await session.panel(/^GPT-2 and RWKV-7$/);
  await panel.locator('vscode-panel-tab', { hasText: 'Eval' }).click();
  await section(panel).waitFor();
  return panel;
}

const suite: Suite = (window) => {
  test('a difference between two models is tested, and said with the test', async () => {
    const panel = await openEval(window());
    const words = await section(panel).locator('.sentences').innerText();
    assert.match(
      words,
      /(is better than|No difference between) .* \(paired permutation test over 64 sequences/,
    );
    const overview = section(panel).getByRole('region', { name: 'Tasks by models' });
    const cells = await overview.locator('tbody tr').first().innerText();
    assert.match(cells, /0\.930 \(0\.890-0\.970\)[\s\S]*0\.980[\s\S]*0\.031/);
  });

  test('two models are compared question by question, in either order', async () => {
    const session = window();
    const panel = await openEval(session);
    const differing = section(panel).getByRole('region', { name: /^Where the two disagree/ });
    const heads = async (): Promise<string> =>
      (await differing.locator('thead').innerText()).replace(/\s+/g, ' ');
    assert.match(await heads(), /GPT-2.*RWKV-7/);
    assert.ok((await differing.locator('tbody tr').count()) > 5);
    const list = section(panel).locator('vscode-dropdown[aria-label="Compare"]');
    await list.click();
    await list.locator('vscode-option', { hasText: 'RWKV-7' }).click();
    await session.until('the other order', async () => (/RWKV-7.*GPT-2/.test(await heads()) ? true : null));
    for (const theme of ['light', 'highContrast', 'dark'] satisfies Theme[]) {
      await session.theme(theme);
      await session.screenshot(`eval-${theme}`);
      await section(panel).locator('h3', { hasText: 'Two models' }).scrollIntoViewIfNeeded();
      await session.screenshot(`eval-pairs-${theme}`);
      await section(panel).locator('.sentences').scrollIntoViewIfNeeded();
    }
  });
};

export default suite;
