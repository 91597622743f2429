/** The main job: numbers appear in the panel while the run goes on, and beside the lines after it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { Suite } from './suite.js';

const suite: Suite = (window) => {
  test('benchmarking the open file asks once how its model is built, with a good guess', async () => {
    const session = window();
    await session.command('View: Close All Editors');
    await session.open('model.py');
    await session.command('Crossover: Benchmark This Model');
    await session.quickInput('How is Tiny of model.py built?');
    const guess = await session.page.locator('.quick-input-widget:visible input').first().inputValue();
    assert.equal(guess, 'Tiny(TinyConfig(block_size=T, vocab_size=V))');
    const input = session.page.locator('.quick-input-widget:visible input').first();
    await input.fill('Tiny(TinyConfig(blocksize=T))');
    await session.accept();
    await session.page.locator('.quick-input-message', { hasText: 'blocksize' }).waitFor({ timeout: 60_000 });
    await session.screenshot('entry-wrong');
    await input.fill(guess);
    await session.accept();
  });

  test('numbers appear in the panel, in words, chart and table', async () => {
    const session = window();
    const panel = await session.panel('Tiny (model.py)');
    const table = panel.locator('section[aria-label="Timing"] .table').first();
    await table.waitFor({ timeout: 120_000 });
    await panel.locator('.status', { hasText: 'Done' }).waitFor({ timeout: 120_000 });
    const rows = await table.locator('tbody tr').allInnerTexts();
    assert.equal(rows.length, 2);
    for (const row of rows) assert.match(row, /\d (ms|µs|s)/);
    assert.equal(session.newestRun().status, 'done');
    const kept = readFileSync(path.join(session.workspace, 'crossover.json'), 'utf8');
    assert.deepEqual(JSON.parse(kept), {
      version: 1,
      models: { 'model.py::Tiny': 'Tiny(TinyConfig(block_size=T, vocab_size=V))' },
    });
  });

  test('the keyboard stays in the code', async () => {
    const focused = await window().page.evaluate(
      () => document.activeElement?.closest('.editor-instance') !== null,
    );
    assert.equal(focused, true);
  });

  test('every measured line says what it costs, and is stale exactly while the file differs', async () => {
    const session = window();
    const { page } = session;
    const fresh = await session.until('annotations', async () => {
      const texts = await session.annotations();
      return texts.length > 0 ? texts : null;
    });
    assert.ok(fresh.length >= 3, `annotations: ${fresh.join(' | ')}`);
    for (const text of fresh) assert.match(text, /^[\d.,]+ (ms|µs|s)  +[\d.]+%$/);
    await session.screenshot('annotations');
    await page
      .locator('.editor-instance .view-lines')
      .first()
      .click({ position: { x: 4, y: 4 } });
    await page.keyboard.press('Control+Home');
    await page.keyboard.type('# edited\n');
    const stale = await session.until('stale marks', async () => {
      const texts = await session.annotations();
      return texts.length > 0 && texts.every((text) => text.endsWith('stale')) ? texts : null;
    });
    assert.ok(stale.length >= fresh.length - 1);
    await session.screenshot('annotations-stale');
    await session.until('fresh annotations after undo', async () => {
      await page.keyboard.press('Control+Z');
      const texts = await session.annotations();
      return texts.length > 0 && texts.every((text) => !text.includes('stale')) ? texts : null;
    });
  });

  test('annotations can be switched off, and put at the ends of lines', async () => {
    const session = window();
    await session.configure({ 'crossover.annotations.enabled': false });
    await session.until('lines without annotations', async () =>
      (await session.annotations()).length === 0 ? true : null,
    );
    await session.configure({
      'crossover.annotations.enabled': true,
      'crossover.annotations.position': 'end',
    });
    await session.until('annotations at the ends of lines', async () => {
      const texts = await session.annotations();
      return texts.length > 0 && texts.every((text) => text.includes(' · ')) ? true : null;
    });
    await session.configure({ 'crossover.annotations.position': 'start' });
    await session.until('annotations in their column', async () => {
      const texts = await session.annotations();
      return texts.length > 0 && texts.every((text) => !text.includes(' · ')) ? true : null;
    });
  });

  test('the report is one file of its own', async () => {
    const session = window();
    const panel = await session.panel();
    await panel.locator('vscode-button', { hasText: 'Save HTML Report' }).click();
    await session.notification('one file that works offline');
    const html = readFileSync(path.join(session.newestRun().folder, 'report.html'), 'utf8');
    assert.match(html, /Tiny \(model\.py\)/);
    assert.doesNotMatch(html, /(src|href)="/);
    await session.clearNotifications();
  });
};

export default suite;
