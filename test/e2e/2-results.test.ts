/** The main job: numbers appear in the panel while the run goes on, and beside the lines after it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { Theme } from './session.js';
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

  test('every measured line says what it costs; an edit marks what it moved, and undo brings it back', async () => {
    const session = window();
    const { page } = session;
    const texts = (wanted: (texts: string[]) => boolean, what: string): Promise<string[]> =>
      session.until(what, async () => {
        const found = await session.annotations();
        return found.length > 0 && wanted(found) ? found : null;
      });
    const stale = (text: string): boolean => text.endsWith('stale');
    const fresh = await texts((found) => !found.some(stale), 'annotations');
    assert.ok(fresh.length >= 3, `annotations: ${fresh.join(' | ')}`);
    for (const text of fresh) assert.match(text, /^[\d.,]+ (ms|µs|s) · [\d.]+%$/);
    await session.screenshot('annotations');
    await page
      .locator('.editor-instance .view-lines')
      .first()
      .click({ position: { x: 4, y: 4 } });
    await page.keyboard.press('Control+Home');
    await page.keyboard.type('# edited\n');
    const moved = await texts((found) => found.every(stale), 'stale marks');
    assert.ok(moved.length >= fresh.length - 1);
    await session.screenshot('annotations-stale');
    const undo = async (): Promise<void> => {
      await session.until('fresh annotations after undo', async () => {
        await page.keyboard.press('Control+Z');
        const found = await session.annotations();
        return found.length > 0 && !found.some(stale) ? found : null;
      });
    };
    await undo();
    await session.goToLine(35);
    await page.keyboard.press('End');
    await page.keyboard.type('  # slower?');
    const mixed = await texts((found) => found.some(stale), 'one stale mark');
    assert.equal(mixed.filter(stale).length, 1, mixed.join(' | '));
    assert.ok(mixed.length >= 3);
    await session.screenshot('annotations-one-stale');
    await undo();
  });

  test('lenses above classes say what they cost, and the model class what the step takes', async () => {
    const session = window();
    const { page } = session;
    await session.open('model.py');
    const lenses = page.locator('.codelens-decoration');
    await page.keyboard.press('Control+Home');
    for (const line of [19, 39]) {
      await session.goToLine(line);
      await lenses
        .filter({ hasText: /Benchmark.*Compare with/ })
        .first()
        .waitFor();
    }
    await lenses
      .filter({ hasText: /[\d.]+ (ms|µs|s)\/step, [\d.]+%/ })
      .first()
      .waitFor();
    await lenses
      .filter({ hasText: /[\d.]+ (ms|µs|s)\/step at 64 tokens/ })
      .first()
      .waitFor();
  });

  test('a measured line explains itself on hovering', async () => {
    const session = window();
    const { page } = session;
    const line = page
      .locator('.editor-instance .view-line', { hasText: 'scaled_dot_product_attention' })
      .first();
    await line.locator('span', { hasText: 'scaled_dot_product_attention' }).last().hover();
    const hover = page.locator('.monaco-hover', { hasText: 'this line in one training step' }).first();
    await hover.waitFor();
    const text = await hover.innerText();
    for (const word of ['context', 'backward', 'FLOP/s', 'memory', '32', '64'])
      assert.ok(text.includes(word), text);
    await session.screenshot('hover');
    await page.keyboard.press('Escape');
  });

  test('figures, bars, ruler and lenses are switched one by one', async () => {
    const session = window();
    const { page } = session;
    const bars = (): Promise<number> =>
      page.evaluate(
        () =>
          [...document.querySelectorAll('.view-lines .view-line span')].filter((span) =>
            getComputedStyle(span, '::before').content.includes('\u200b'),
          ).length,
      );
    const lens = page.locator('.codelens-decoration', { hasText: 'Benchmark' });
    const figures = async (): Promise<number> => (await session.annotations()).length;
    const state = async (): Promise<string> =>
      `${(await figures()) > 0} ${(await bars()) > 0} ${(await lens.count()) > 0}`;
    const becomes = (wanted: string): Promise<true> =>
      session.until(`the state ${wanted}`, async () => ((await state()) === wanted ? true : null));
    await becomes('true true true');
    await session.configure({ 'crossover.annotations.text': false });
    await becomes('false true true');
    await session.configure({ 'crossover.annotations.background': false });
    await becomes('false false true');
    await session.configure({ 'crossover.codeLens.enabled': false, 'crossover.annotations.text': true });
    await becomes('true false false');
    await session.configure({ 'crossover.annotations.enabled': false });
    await becomes('false false false');
    await session.configure({
      'crossover.annotations.enabled': true,
      'crossover.annotations.background': true,
      'crossover.codeLens.enabled': true,
      'crossover.annotations.position': 'start',
    });
    await session.until('annotations in their column', async () => {
      const texts = await session.annotations();
      return texts.length > 0 && texts.every((text) => /^[\d.,]+ (ms|µs|s)  +[\d.]+%$/.test(text))
        ? true
        : null;
    });
    await session.screenshot('annotations-column');
    await session.configure({ 'crossover.annotations.position': 'end' });
    await becomes('true true true');
  });

  test('bars and figures are seen in every theme', async () => {
    const session = window();
    await session.command('View: Close Other Editors in Group').catch(() => undefined);
    for (const theme of ['light', 'highContrast', 'dark'] satisfies Theme[]) {
      await session.theme(theme);
      await session.command('View: Toggle Maximize Editor Group');
      await session.screenshot(`lines-${theme}`);
      await session.command('View: Toggle Maximize Editor Group');
    }
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
