/** A run's life: cancelled from the notification, its engine killed, and found again after a reload. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Session } from './session.js';
import type { Suite } from './suite.js';

/** Starts a run that would take minutes, and waits until it measures. */
async function startLong(session: Session): Promise<number> {
  await session.configure({ 'crossover.samples': 1000, 'crossover.contexts': [64, 128, 256] });
  session.knowModel();
  const before = session.runFolders().length;
  await session.command('View: Close All Editors');
  await session.open('model.py');
  await session.command('Crossover: Benchmark This Model');
  await session.until('a new run folder', async () => (session.runFolders().length > before ? true : null));
  const panel = await session.panel();
  await panel.locator('.running progress[value]').waitFor({ timeout: 60_000 });
  return session.until('the engine', async () => session.newestRun().pid);
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const suite: Suite = (window) => {
  test('a run is cancelled from its progress notification, and its engine ends', async () => {
    const session = window();
    const pid = await startLong(session);
    await session.page.locator('.statusbar-item', { hasText: 'Crossover' }).first().waitFor();
    await session.screenshot('running');
    await session.pressInNotification('Tiny (model.py)', 'Cancel');
    await session.notification('was cancelled');
    assert.equal(session.newestRun().status, 'cancelled');
    await session.until('the end of the engine', async () => (alive(pid) ? null : true));
    const panel = await session.panel();
    await panel.locator('.status', { hasText: 'Cancelled' }).waitFor();
    await session.clearNotifications();
  });

  test('Cancel Run stops a run from the palette', async () => {
    const session = window();
    await startLong(session);
    await session.command('Crossover: Cancel Run');
    await session.notification('was cancelled');
    await session.clearNotifications();
  });

  test('a killed engine is a message that says what to do, and what was measured stays', async () => {
    const session = window();
    const pid = await startLong(session);
    process.kill(pid, 'SIGKILL');
    await session.notification('The engine stopped before the run');
    await session.screenshot('engine-killed');
    const panel = await session.panel();
    await panel.locator('.status', { hasText: 'Interrupted' }).waitFor();
    await panel.locator('.problem').first().waitFor();
    await session.until('the annotations of an earlier run', async () =>
      (await session.annotations()).length > 0 ? true : null,
    );
    await session.clearNotifications();
  });

  test('a reload of the window finds the run that is going on, and its panel', async () => {
    const session = window();
    const pid = await startLong(session);
    await session.reload();
    assert.equal(alive(pid), true, 'the engine outlives the reload');
    const panel = await session.panel();
    await panel.locator('.running progress[value]').waitFor();
    await session.page.locator('.statusbar-item', { hasText: 'Crossover' }).first().waitFor();
    await session.screenshot('after-reload');
    await session.command('Crossover: Cancel Run');
    await session.notification('was cancelled');
    await session.until('the end of the engine', async () => (alive(pid) ? null : true));
    await session.clearNotifications();
  });
};

export default suite;
