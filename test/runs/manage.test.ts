/** Notes, pins, deletion, and the lock that keeps two runs of one folder apart. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { build } from 'esbuild';
import { deleteRun, listRuns, readMark, writeMark } from '../../extension/core/runs/index.js';
import { processStart } from '../../extension/core/runs/liveness.js';
import { takeLock } from '../../extension/core/runs/lock.js';
import { readRecord, writeRecord, type RunRecord } from '../../extension/core/runs/record.js';

const root = mkdtempSync(path.join(tmpdir(), 'crossover-manage-'));
after(() => rmSync(root, { recursive: true, force: true }));

function makeRun(id: string, change: Partial<RunRecord> = {}, below = root): string {
  const folder = path.join(below, '.crossover', 'runs', id);
  mkdirSync(folder, { recursive: true });
  writeRecord(folder, {
    version: 1,
    id,
    title: id,
    experiment: { version: 1, models: [{ source: 'gpt2' }], device: 'cpu', precision: 'fp32', vocab: 256 },
    root: below,
    status: 'done',
    process: { pid: process.pid, started: processStart(process.pid)!, host: hostname() },
    startedAt: 1000,
    finishedAt: 2000,
    error: null,
    ...change,
  });
  return folder;
}

test('a note and a pin are kept apart, and listed with the run', async () => {
  const folder = makeRun('marked');
  assert.deepEqual(readMark(folder), { note: '', pinned: false });
  writeMark(folder, { note: 'before the cache' });
  writeMark(folder, { pinned: true });
  const entry = (await listRuns(root)).find(({ id }) => id === 'marked');
  assert.deepEqual(entry?.mark, { note: 'before the cache', pinned: true });
  assert.equal(entry?.device, 'cpu');
  writeFileSync(path.join(folder, 'mark.json'), '{"note": 3');
  assert.deepEqual(readMark(folder), { note: '', pinned: false });
});

test('a run is deleted whole; one that is going on and a folder that is no run are not', () => {
  const ended = makeRun('ended');
  deleteRun(ended);
  assert.ok(!existsSync(ended));
  const running = makeRun('running', { status: 'running', finishedAt: null });
  assert.throws(() => deleteRun(running), /cancel it, then delete it/);
  assert.ok(existsSync(running));
  const damaged = makeRun('damaged');
  writeFileSync(path.join(damaged, 'run.json'), '{');
  deleteRun(damaged);
  assert.ok(!existsSync(damaged));
  assert.throws(() => deleteRun(root), /not a run folder/);
  assert.ok(existsSync(root));
});

test('the lock is held while its run goes on, and free once it has ended or its engine has died', () => {
  const first = makeRun('first', { status: 'running', finishedAt: null });
  const second = makeRun('second', { status: 'running', finishedAt: null });
  assert.equal(takeLock(root, first), null);
  assert.equal(takeLock(root, second), first);
  writeRecord(first, { ...readRecord(first), status: 'cancelled' });
  assert.equal(takeLock(root, second), null);
  writeRecord(second, {
    ...readRecord(second),
    process: { pid: 2 ** 22 + 1, started: '1', host: hostname() },
  });
  const third = makeRun('third', { status: 'running', finishedAt: null });
  assert.equal(takeLock(root, third), null);
  const left = readdirSync(path.join(root, '.crossover')).sort();
  assert.deepEqual(left, ['lock', 'runs']);
});

test('of many processes that start at once exactly one takes the lock', { timeout: 60_000 }, async () => {
  const below = path.join(root, 'contended');
  const runs = Array.from({ length: 8 }, (_, index) =>
    makeRun(`run-${index}`, { status: 'running', finishedAt: null }, below),
  );
  const ended = makeRun('ended', {}, below);
  const outfile = path.join(root, 'take.mjs');
  const contents = `import { takeLock } from './extension/core/runs/lock.js';
    const [root, folder, at] = process.argv.slice(2);
    while (Date.now() < Number(at));
    process.stdout.write(takeLock(root, folder) === null ? 'taken' : 'held');`;
  const stdin = { contents, resolveDir: process.cwd(), loader: 'ts' } as const;
  await build({ stdin, bundle: true, platform: 'node', format: 'esm', outfile });
  for (let round = 0; round < 3; round++) {
    // The lock of a run that has ended lies there: it must be cleared by one of them, and taken by one.
    writeFileSync(path.join(below, '.crossover', 'lock'), ended);
    const at = String(Date.now() + 1200);
    const answers = await Promise.all(
      runs.map(
        (folder) =>
          new Promise<string>((resolve) => {
            const child = spawn(process.execPath, [outfile, below, folder, at]);
            let output = '';
            child.stdout.on('data', (text: Buffer) => (output += text.toString()));
            child.once('close', () => resolve(output));
          }),
      ),
    );
    assert.equal(answers.filter((answer) => answer === 'taken').length, 1, answers.join(' '));
    assert.equal(answers.filter((answer) => answer === 'held').length, 7, answers.join(' '));
  }
});
