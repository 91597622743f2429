/** Environment: what was measured on, and the samples behind a median. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openSample, select } from './resultsPage.js';
import type { Theme } from './session.js';
import type { Suite } from './suite.js';

const suite: Suite = (window) => {
  test('a median shows its samples when it is pressed, and Escape leads back to it', async () => {
    const session = window();
    const panel = await openSample(session);
    await select(panel, 'Timing');
    const median = panel
      .locator('section[aria-label="Timing"] tbody tr')
      .first()
      .locator('button.link')
      .first();
    await median.focus();
    await session.page.keyboard.press('Enter');
    const dialog = panel.locator('dialog[open]');
    await dialog.waitFor();
    assert.equal(await dialog.locator('h2').innerText(), 'Training step of GPT-2 at context 128');
    assert.equal(await dialog.locator('tbody tr').count(), 5);
    assert.equal(await dialog.locator('svg circle').count(), 5);
    assert.match(await dialog.locator('p').first().innerText(), /^Median 946 ms, .*5 samples from 899 ms/);
    for (const theme of ['light', 'highContrast', 'dark'] satisfies Theme[]) {
      await session.theme(theme);
      await session.screenshot(`samples-${theme}`);
    }
    await dialog.locator('button', { hasText: 'Close' }).focus();
    await session.page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    const focused = await median.evaluate((button) => button === document.activeElement);
    assert.ok(focused, 'the keyboard is back on the median');
  });

  test('the environment says machine, software, sources, data and noise in every theme', async () => {
    const session = window();
    for (const theme of ['light', 'highContrast', 'dark'] satisfies Theme[]) {
      await session.theme(theme);
      const panel = await session.panel();
      await select(panel, 'Environment');
      const section = panel.locator('section[aria-label="Environment"]');
      const text = await section.innerText();
      for (const wanted of ['A processor', 'avx512', 'oneDNN 2.7.2', '0f4c6e2b', 'Revision', 'Node 20.20.2'])
        assert.ok(text.includes(wanted), wanted);
      assert.equal(await section.locator('tbody tr').count(), 2);
      await session.screenshot(`environment-${theme}`);
    }
  });
};

export default suite;
