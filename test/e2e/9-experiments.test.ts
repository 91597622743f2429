/** crossover.json and *.crossover.json: completion from the schema, lenses that run them, tasks, problems of failed models. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { Experiment } from '../../extension/core/experiments/experiment.js';
import { openSample } from './resultsPage.js';
import type { Session, Theme } from './session.js';
import type { Suite } from './suite.js';

const SMALL = {
  version: 1,
  models: [{ source: 'model.py::Tiny(TinyConfig(block_size=T, vocab_size=V))' }],
  device: 'cpu',
  precision: 'fp32',
  vocab: 256,
  timing: { contexts: [32], tokensPerStep: 64, samples: 5 },
};

const write = (session: Session, name: string, value: unknown): void => {
  writeFileSync(path.join(session.workspace, name), `${JSON.stringify(value, null, 2)}\n`);
};

function experimentOfNewestRun(session: Session): Experiment {
  const text = readFileSync(path.join(session.newestRun().folder, 'run.json'), 'utf8');
  return (JSON.parse(text) as { experiment: Experiment }).experiment;
}

const suite: Suite = (window) => {
  test('an experiment is checked by its schema and run from its lens', async () => {
    const session = window();
    const { page } = session;
    await session.command('View: Close All Editors');
    await session.configure({ 'crossover.samples': 5, 'crossover.contexts': [32, 64] });
    write(session, 'small.crossover.json', SMALL);
    await session.open('small.crossover.json');
    const lens = page.locator('.codelens-decoration a', { hasText: 'Run Experiment' }).first();
    await lens.waitFor();
    const before = session.runFolders().length;
    await lens.click();
    const panel = await session.panel('small');
    await panel.locator('.status', { hasText: 'Done' }).waitFor({ timeout: 120_000 });
    assert.equal(session.runFolders().length, before + 1);
    assert.equal(experimentOfNewestRun(session).title, 'small');
    const table = panel.locator('section[aria-label="Timing"] .table').first();
    assert.equal(await table.locator('tbody tr').count(), 1);
    for (const theme of ['light', 'highContrast', 'dark'] satisfies Theme[]) {
      await session.theme(theme);
      await session.open('small.crossover.json');
      await session.screenshot(`experiment-${theme}`);
    }
  });

  test('every experiment has a panel of its own, which another run of it takes over', async () => {
    const session = window();
    await session.command('View: Close All Editors');
    write(session, 'small.crossover.json', SMALL);
    const runSmall = async (): Promise<void> => {
      const before = session.runFolders().length;
      await session.open('small.crossover.json');
      await session.page.locator('.codelens-decoration a', { hasText: 'Run Experiment' }).first().click();
      await session.until('another run', async () => (session.runFolders().length > before ? true : null));
      const panel = await session.panel('small');
      await panel.locator('.status', { hasText: 'Done' }).waitFor({ timeout: 120_000 });
    };
    await runSmall();
    await openSample(session);
    const tabs = session.page.locator('.tab[aria-label*="Crossover: "]');
    assert.equal(await tabs.count(), 2);
    await session.screenshot('panel-per-experiment');
    await runSmall();
    assert.equal(await tabs.count(), 2);
  });

  test('what is wrong with an experiment is marked, and said when it is run', async () => {
    const session = window();
    const { page } = session;
    write(session, 'wrong.crossover.json', {
      ...SMALL,
      timing: { ...SMALL.timing, samples: 2 },
      trian: {},
    });
    await session.open('wrong.crossover.json');
    await page.locator('.squiggly-warning').first().waitFor();
    await session.screenshot('experiment-wrong');
    await page.locator('.codelens-decoration a', { hasText: 'Run Experiment' }).first().click();
    await session.notification(/wrong\.crossover\.json is not an experiment that can be run: .*"trian"/);
    await session.clearNotifications();
    rmSync(path.join(session.workspace, 'wrong.crossover.json'));
  });

  test('crossover.json has a lens on every model', async () => {
    const session = window();
    const { page } = session;
    write(session, 'crossover.json', {
      version: 1,
      models: { 'model.py::Tiny': 'Tiny(TinyConfig(block_size=T, vocab_size=V, n_layer=1))' },
    });
    await session.open('crossover.json');
    const lens = page.locator('.codelens-decoration a', { hasText: 'Benchmark' }).first();
    await lens.waitFor();
    await lens.click();
    const panel = await session.panel('Tiny (model.py)');
    await panel.locator('.status', { hasText: 'Done' }).waitFor({ timeout: 120_000 });
    assert.match(experimentOfNewestRun(session).models[0]?.source ?? '', /n_layer=1/);
  });

  test('a run is saved as an experiment', async () => {
    const session = window();
    const { page } = session;
    await session.command('Crossover: Focus on Runs View');
    const row = page.locator('.sidebar .monaco-list-row', { hasText: 'Tiny (model.py)' }).first();
    await row.click({ button: 'right' });
    const item = page.locator('.context-view .action-label', { hasText: 'Save as Experiment' }).first();
    await item.waitFor();
    await page.waitForTimeout(400);
    await item.click();
    await session.quickInput(/Save the Experiment/);
    await session.accept();
    const file = path.join(session.workspace, 'Tiny-model-py.crossover.json');
    await session.until('the file', async () => (existsSync(file) ? true : null));
    const saved = JSON.parse(readFileSync(file, 'utf8')) as Experiment;
    assert.match(saved.models[0]?.source ?? '', /^model\.py::Tiny\(/);
    await page.locator('.codelens-decoration a', { hasText: 'Run Experiment' }).first().waitFor();
  });

  test('a task runs an experiment in the terminal, and a model that fails is a problem at its line', async () => {
    const session = window();
    const { page } = session;
    mkdirSync(path.join(session.workspace, 'sub'), { recursive: true });
    const broken = readFileSync(path.join(session.workspace, 'model.py'), 'utf8').replace(
      'self.out(',
      'self.outt(',
    );
    writeFileSync(path.join(session.workspace, 'sub', 'broken.py'), broken);
    write(session, 'broken.crossover.json', {
      ...SMALL,
      models: [
        { source: 'sub/broken.py::Tiny(TinyConfig(block_size=T, vocab_size=V))' },
        { source: 'gpt2:200K' },
      ],
    });
    mkdirSync(path.join(session.workspace, '.vscode'), { recursive: true });
    write(session, '.vscode/tasks.json', {
      version: '2.0.0',
      tasks: [{ type: 'crossover', experiment: 'broken.crossover.json', label: 'measure broken' }],
    });
    const before = session.runFolders().length;
    await session.until('the task', async () => {
      const row = page.locator('.quick-input-list .monaco-list-row', { hasText: 'measure broken' }).first();
      const found = await session.quickOpen('task measure broken', row);
      if (found !== null) await row.click();
      return found;
    });
    await session.until(
      'a run of the task',
      async () =>
        session.runFolders().length > before &&
        existsSync(path.join(session.runFolders().at(-1) ?? '', 'run.json')) &&
        session.newestRun().status !== 'running'
          ? true
          : null,
      120_000,
    );
    await page.locator('.statusbar-item', { hasText: 'Crossover' }).first().waitFor();
    await page.waitForTimeout(1500);
    await session.screenshot('task');
    await page.locator('.part.panel .composite-bar .action-item', { hasText: 'Problems' }).first().click();
    const problem = page
      .locator('.markers-panel .monaco-list-row', { hasText: "no attribute 'outt'" })
      .first();
    await problem.waitFor();
    await session.screenshot('problems');
    await problem.click();
    await page.locator('.tab.active[data-resource-name="broken.py"]').first().waitFor();
    await page.locator('.statusbar-item', { hasText: /Ln 35\b/ }).waitFor();
    rmSync(path.join(session.workspace, 'sub'), { recursive: true });
  });
};

export default suite;
