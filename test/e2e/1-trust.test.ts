/** Restricted Mode: commands that run model code say so and run nothing, until the workspace is trusted. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Suite } from './suite.js';

const suite: Suite = (window) => {
  test('model code is refused in Restricted Mode', async () => {
    const session = window();
    await session.open('model.py');
    const before = session.runFolders().length;
    for (const title of ['Crossover: Benchmark This Model', 'Crossover: Compare Architectures...']) {
      await session.command(title);
      await session.notification('trusted workspaces only');
      await session.screenshot('restricted');
      await session.clearNotifications();
    }
    assert.equal(session.runFolders().length, before);
  });

  test('results of earlier runs can be opened in Restricted Mode', async () => {
    const session = window();
    await session.command('Crossover: Open Results');
    const panel = await session.panel(/^GPT-2 and RWKV-7$/);
    assert.match(await panel.locator('.status').innerText(), /Done/);
  });

  test('the message leads to the page where the workspace can be trusted', async () => {
    const session = window();
    await session.open('model.py');
    await session.command('Crossover: Benchmark This Model');
    await session.pressInNotification('trusted workspaces only', 'Manage Workspace Trust');
    const trust = session.page.locator('.workspace-trust-editor .monaco-button', { hasText: /^Trust$/ });
    await trust.first().click();
    await session.page.locator('.workspace-trust-editor', { hasText: 'You trust this' }).waitFor();
    await session.page.keyboard.press('Control+F4');
  });
};

export default suite;
