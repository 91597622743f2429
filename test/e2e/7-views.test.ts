/** The views of the activity bar: models without running them, the history of runs, devices when they are unfolded. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { Locator } from 'playwright-core';
import { writeRunFolder } from '../fixtures/runFolder.js';
import type { Session, Theme } from './session.js';
import type { Suite } from './suite.js';

function view(session: Session, name: string): Locator {
  return session.page.locator('.sidebar .pane', {
    has: session.page.locator('.pane-header .title', { hasText: new RegExp(`^${name}$`) }),
  });
}

const rows = (session: Session, name: string, text: string | RegExp): Locator =>
  view(session, name).locator('.monaco-list-row', { hasText: text });

async function menu(session: Session, row: Locator, label: string): Promise<void> {
  await row.click({ button: 'right' });
  const item = session.page.locator('.context-view .action-label', { hasText: label }).first();
  await item.waitFor();
  // A menu takes no click in the moment it opens.
  await session.page.waitForTimeout(400);
  await item.click();
}

const suite: Suite = (window) => {
  test('classes of the workspace and the zoo are listed, and a class is opened at its line', async () => {
    const session = window();
    await session.command('Crossover: Focus on Models View');
    await rows(session, 'Models', 'model.py').first().waitFor();
    for (const name of ['Block', 'Tiny']) await rows(session, 'Models', name).first().waitFor();
    await rows(session, 'Models', 'Tiny').first().click();
    await session.page.locator('.tab.active[data-resource-name="model.py"]').first().waitFor();
    await session.page.locator('.statusbar-item', { hasText: /Ln 39\b/ }).waitFor();
    await rows(session, 'Models', /GPT-2.*parameters/)
      .first()
      .waitFor();
  });

  test('a file that is written appears, and one without modules does not', async () => {
    const session = window();
    await session.command('Crossover: Focus on Models View');
    const file = path.join(session.workspace, 'fresh.py');
    writeFileSync(file, 'import torch.nn as nn\n\n\nclass Fresh(nn.Module):\n    pass\n');
    await rows(session, 'Models', 'Fresh').first().waitFor();
    writeFileSync(file, 'x = 1\n');
    await rows(session, 'Models', 'Fresh').first().waitFor({ state: 'detached' });
    rmSync(file);
  });

  test('a run is pinned, noted and deleted, the last only when that is confirmed', async () => {
    const session = window();
    const folder = writeRunFolder(session.workspace, (report) => ({
      ...report,
      id: '20250301-120000-bbbb',
      title: 'An older run',
      startedAt: Date.UTC(2025, 2, 1, 12),
      finishedAt: Date.UTC(2025, 2, 1, 12, 3),
    }));
    await session.command('Crossover: Focus on Runs View');
    const row = rows(session, 'Runs', 'An older run').first();
    await row.waitFor();
    await menu(session, row, 'Pin');
    await session.until('the pin', async () => (existsSync(path.join(folder, 'mark.json')) ? true : null));
    await session.until('the pinned run first', async () =>
      (await view(session, 'Runs').locator('.monaco-list-row').first().innerText()).includes('An older run')
        ? true
        : null,
    );
    await menu(session, row, 'Edit Note');
    await session.quickInput('Note on An older run');
    await session.page.keyboard.type('before the new cache');
    await session.accept();
    await rows(session, 'Runs', 'before the new cache').first().waitFor();
    assert.deepEqual(JSON.parse(readFileSync(path.join(folder, 'mark.json'), 'utf8')), {
      note: 'before the new cache',
      pinned: true,
    });
    await row.click();
    await session.panel('An older run');
    for (const theme of ['light', 'highContrast', 'dark'] satisfies Theme[]) {
      await session.theme(theme);
      await session.command('Crossover: Focus on Runs View');
      await row.hover();
      await session.screenshot(`views-${theme}`);
    }
    const dialog = session.page.locator('.monaco-dialog-box', { hasText: 'Delete the run' });
    await menu(session, row, 'Delete Run');
    await dialog.locator('.monaco-button', { hasText: 'Cancel' }).click();
    await dialog.waitFor({ state: 'detached' });
    assert.ok(existsSync(folder));
    await menu(session, row, 'Delete Run');
    await session.screenshot('views-delete');
    await dialog.locator('.monaco-button', { hasText: 'Delete' }).click();
    await row.waitFor({ state: 'detached' });
    assert.ok(!existsSync(folder));
  });

  test('the walkthrough has four steps with pictures', async () => {
    const session = window();
    const { page } = session;
    await session.command('Welcome: Open Walkthrough...');
    await page.keyboard.type('Get Started with Crossover');
    await page
      .locator('.quick-input-list .monaco-list-row', { hasText: 'Get Started with Crossover' })
      .first()
      .click();
    const steps = page.locator('.gettingStartedContainer .getting-started-step');
    await steps.first().waitFor();
    assert.equal(await steps.count(), 4);
    for (const theme of ['light', 'highContrast', 'dark'] satisfies Theme[]) {
      await session.theme(theme);
      await page
        .locator('.tab', { hasText: /Welcome|Walkthrough/ })
        .first()
        .click();
      await session.screenshot(`walkthrough-${theme}`);
    }
    await page.keyboard.press('Control+F4');
  });

  test('the status bar says the last crossover', async () => {
    const item = window().page.locator('.statusbar-item', { hasText: /RWKV-7 faster from [\d,]+ tokens/ });
    await item.first().waitFor();
  });

  test('what the processor can do is asked of the engine when it is unfolded', async () => {
    const session = window();
    await session.command('Crossover: Focus on Devices View');
    const cpu = rows(session, 'Devices', 'cpu').first();
    await cpu.waitFor();
    assert.equal(await rows(session, 'Devices', 'Threads').count(), 0);
    await cpu.click();
    await rows(session, 'Devices', /Threads\s*\d+/)
      .first()
      .waitFor({ timeout: 60_000 });
    await rows(session, 'Devices', 'Matrix products').first().waitFor();
    await session.screenshot('views-devices');
  });

  test('a model of the zoo is forked into the workspace, with what it imports', async () => {
    const session = window();
    await session.command('Crossover: Focus on Models View');
    await menu(session, rows(session, 'Models', 'RWKV-7').first(), 'Fork into Workspace');
    await session.quickInput(/Fork rwkv7/);
    await session.accept();
    const copy = path.join(session.workspace, 'rwkv7.py');
    await session.until('the copy', async () => (existsSync(copy) ? true : null));
    await session.page.locator('.tab.active[data-resource-name="rwkv7.py"]').first().waitFor();
    assert.ok(existsSync(path.join(session.workspace, 'ops.py')));
    const kept = JSON.parse(readFileSync(path.join(session.workspace, 'crossover.json'), 'utf8')) as {
      models: Record<string, string>;
    };
    assert.match(kept.models['rwkv7.py::RWKV7'] ?? JSON.stringify(kept), /^RWKV7\(/);
    await session.screenshot('views-forked');
  });
};

export default suite;
