/** *Compare Architectures*: models of the workspace and the zoo, contexts, device and parts are picked step by step. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { Experiment } from '../../extension/core/experiments/experiment.js';
import type { Suite } from './suite.js';

const suite: Suite = (window) => {
  test('what was picked is what is measured', async () => {
    const session = window();
    const { page } = session;
    await session.configure({ 'crossover.samples': 5, 'crossover.contexts': [32, 64] });
    const untick = async (name: string): Promise<void> => {
      await page.locator('.quick-input-list .monaco-list-row', { hasText: name }).first().click();
      // What a row says when the pointer rests on it would cover the rows of the next list.
      await page.mouse.move(0, 0);
    };
    await session.command('Crossover: Compare Architectures...');
    await session.quickInput('(1/4): models');
    await page.locator('.quick-input-list .monaco-list-row', { hasText: 'Tiny (model.py)' }).waitFor();
    await untick('Tiny (model.py)');
    await untick('GPT-2');
    await session.screenshot('compare-models');
    await session.accept();
    // How the model of the workspace is built is asked once, and the second suite may have answered it.
    const asked = /How is Tiny of/;
    await session.quickInput(/How is Tiny of|\(2\/4\): context lengths/);
    if (asked.test(await page.locator('.quick-input-titlebar').first().innerText())) await session.accept();
    await session.until(
      'the contexts',
      async () =>
        (await page.locator('.quick-input-titlebar', { hasText: '(2/4): context lengths' }).count()) > 0
          ? true
          : null,
      60_000,
    );
    await session.accept();
    await session.quickInput('(3/4): device');
    await session.accept();
    await session.quickInput('(4/4): what to measure');
    await untick('Loss');
    await untick('Evals');
    await session.screenshot('compare-parts');
    await session.accept();
    const panel = await session.panel(/Tiny \(model\.py\) and RWKV-7/);
    const record = JSON.parse(readFileSync(path.join(session.newestRun().folder, 'run.json'), 'utf8')) as {
      experiment: Experiment;
    };
    const { models, timing, train, evals } = record.experiment;
    assert.equal(models.length, 2);
    assert.match(models[0]?.source ?? '', /model\.py::Tiny\(/);
    assert.equal(models[1]?.source, 'rwkv7');
    assert.deepEqual(timing?.contexts, [32, 64]);
    assert.equal(train, undefined);
    assert.equal(evals, undefined);
    await panel.locator('.status', { hasText: 'Done' }).waitFor({ timeout: 180_000 });
    const rows = await panel
      .locator('section[aria-label="Timing"] .table')
      .first()
      .locator('tbody tr')
      .count();
    assert.equal(rows, 4);
    await session.screenshot('compare-done');
  });
};

export default suite;
