import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { build } from 'esbuild';
import { EventReader, EventWriter } from '../../extension/core/runs/eventLog.js';
import { listRuns, readReport, followRun, RunError } from '../../extension/core/runs/index.js';
import { isAlive, processStart } from '../../extension/core/runs/liveness.js';
import {
  effectiveStatus,
  eventsFile,
  readRecord,
  recordFile,
  type RunRecord,
  writeRecord,
} from '../../extension/core/runs/record.js';
import type { Report } from '../../extension/shared/report.js';

const root = mkdtempSync(path.join(tmpdir(), 'crossover-runs-'));
after(() => rmSync(root, { recursive: true, force: true }));

let count = 0;
function makeRun(change: Partial<RunRecord> = {}): string {
  const id = `run-${count++}`;
  const folder = path.join(root, '.crossover', 'runs', id);
  mkdirSync(folder, { recursive: true });
  writeRecord(folder, {
    version: 1,
    id,
    title: 'A run',
    experiment: { version: 1, models: [{ source: 'gpt2' }], device: 'cpu', precision: 'fp32', vocab: 256 },
    root,
    status: 'running',
    process: { pid: process.pid, started: processStart(process.pid)!, host: hostname() },
    startedAt: 1000 + count,
    finishedAt: null,
    error: null,
    ...change,
  });
  return folder;
}

/** Bundles a script that imports the project's sources, to be run in a process of its own. */
async function bundled(contents: string, name: string): Promise<string> {
  const outfile = path.join(root, name);
  const stdin = { contents, resolveDir: process.cwd(), loader: 'ts' } as const;
  await build({ stdin, bundle: true, platform: 'node', format: 'esm', outfile });
  return outfile;
}

const loss = (step: number) =>
  ({ type: 'loss', model: 'A', seed: 1, step, tokens: step, seconds: step, loss: 1 / step }) as const;

test('a torn last line is dropped and nothing before it is lost', async () => {
  const folder = makeRun();
  const writer = new EventWriter(folder, 'run');
  writer.append(loss(1), loss(2));
  const whole = statSync(eventsFile(folder)).size;
  writer.append(loss(3));
  writer.close();
  const bytes = readFileSync(eventsFile(folder));
  for (let cut = whole; cut < bytes.length; cut++) {
    writeFileSync(eventsFile(folder), bytes.subarray(0, cut));
    const report = await readReport(folder);
    assert.deepEqual(
      report.loss[0]?.points.map(({ step }) => step),
      [1, 2],
      `cut at ${cut}`,
    );
    assert.deepEqual(report.problems, []);
  }
});

test('a damaged line in the middle is left out and told', async () => {
  const folder = makeRun();
  const writer = new EventWriter(folder, 'run');
  writer.append(loss(1));
  writer.close();
  appendFileSync(eventsFile(folder), 'not json\n' + JSON.stringify(loss(2)) + '\n');
  const report = await readReport(folder);
  assert.equal(report.loss[0]?.points.length, 2);
  assert.match(report.problems[0]!.message, /1 damaged line/);
});

test('unknown versions are refused with a sentence', async () => {
  const folder = makeRun();
  writeFileSync(recordFile(folder), JSON.stringify({ ...readRecord(folder), version: 99 }));
  await assert.rejects(
    readReport(folder),
    (error: RunError) => error.code === 'version' && /version 99/.test(error.message),
  );
  const other = makeRun();
  writeFileSync(eventsFile(other), '{"type":"header","version":7,"id":"x"}\n');
  await assert.rejects(readReport(other), /version 7 and this Crossover reads version 1/);
  const listed = (await listRuns(root)).find((entry) => entry.folder === folder);
  assert.match(listed?.problem ?? '', /version 99/);
});

test('a missing and a damaged run.json are sentences', async () => {
  await assert.rejects(readReport(root), /is not a run folder/);
  const folder = makeRun();
  for (const text of ['', '{', 'null', '[]', '{"version":1}']) {
    writeFileSync(recordFile(folder), text);
    await assert.rejects(
      readReport(folder),
      (error: RunError) => error instanceof RunError && error.code === 'damaged',
      text,
    );
  }
});

test('a run whose process was killed is interrupted, with what was measured', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  const started = processStart(child.pid!)!;
  const folder = makeRun({ process: { pid: child.pid!, started, host: hostname() } });
  const writer = new EventWriter(folder, 'run');
  writer.append(loss(1));
  writer.close();
  assert.equal((await readReport(folder)).status, 'running');
  child.kill('SIGKILL');
  await new Promise((resolve) => child.once('exit', resolve));
  const report = await readReport(folder);
  assert.equal(report.status, 'interrupted');
  assert.equal(report.loss[0]?.points.length, 1);
  assert.match(report.problems[0]!.message, /stopped before the run was finished/);
});

test('a later process with the same number is not taken for the engine', () => {
  const started = processStart(process.pid)!;
  assert.notEqual(started, '');
  assert.ok(isAlive({ pid: process.pid, started }));
  assert.ok(!isAlive({ pid: process.pid, started: started + '1' }));
});

test('an engine that never took over is interrupted after a while', () => {
  const record = readRecord(makeRun({ process: null, startedAt: 1_000_000 }));
  assert.equal(effectiveStatus(record, 1_010_000), 'running');
  assert.equal(effectiveStatus(record, 1_040_000), 'interrupted');
});

test('a process killed while it writes run.json and events leaves both readable', async () => {
  const script = `
    import { EventWriter } from './extension/core/runs/eventLog.js';
    import { readRecord, writeRecord } from './extension/core/runs/record.js';
    const folder = process.argv[2];
    const writer = new EventWriter(folder, 'run');
    for (let step = 1; ; step++) {
      writer.append({ type: 'loss', model: 'A', seed: 1, step, tokens: step, seconds: step, loss: 1 });
      writeRecord(folder, { ...readRecord(folder), title: 'x'.repeat(step % 5000) });
    }`;
  const bundle = await bundled(script, 'writer.mjs');
  for (const delay of [150, 163, 171, 188]) {
    const folder = makeRun();
    const child = spawn(process.execPath, [bundle, folder], { stdio: 'ignore' });
    await new Promise((resolve) => setTimeout(resolve, delay));
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('exit', resolve));
    const report = await readReport(folder);
    const steps = report.loss[0]?.points.map(({ step }) => step) ?? [];
    assert.deepEqual(
      steps,
      Array.from({ length: steps.length }, (_, i) => i + 1),
    );
  }
});

test(
  'a full disk is a sentence, and the old run.json stays',
  { skip: !existsSync('/dev/full') && 'no /dev/full' },
  () => {
    const folder = makeRun();
    symlinkSync('/dev/full', `${recordFile(folder)}.${process.pid}.tmp`);
    assert.throws(
      () => writeRecord(folder, { ...readRecord(folder), title: 'new' }),
      (error: RunError) =>
        error.code === 'full' && /^The disk is full: .*run\.json could not be written/.test(error.message),
    );
    assert.equal(readRecord(folder).title, 'A run');
  },
);

test(
  'a failed append is a sentence and leaves whole lines',
  { skip: process.platform !== 'linux' && 'needs ulimit' },
  async () => {
    const script = `
    import { EventWriter } from './extension/core/runs/eventLog.js';
    process.on('SIGXFSZ', () => {});
    const writer = new EventWriter(process.argv[2], 'run');
    try {
      for (let step = 1; ; step++) writer.append({ type: 'note', message: 'n'.repeat(300) });
    } catch (error) {
      process.stdout.write(error.message);
    }`;
    const bundle = await bundled(script, 'filler.mjs');
    const folder = makeRun();
    const run = spawnSync(
      'bash',
      ['-c', `ulimit -f 64; exec "$0" "$1" "$2"`, process.execPath, bundle, folder],
      { encoding: 'utf8' },
    );
    assert.match(run.stdout, /events\.jsonl could not be written/);
    const report = await readReport(folder);
    assert.deepEqual(report.problems, []);
    assert.ok(report.notes.length > 100 && report.notes.every((note) => note.length === 300));
    assert.equal(readFileSync(eventsFile(folder)).at(-1), 0x0a);
  },
);

test('reading goes on where it stopped', () => {
  const folder = makeRun();
  const writer = new EventWriter(folder, 'run');
  const reader = new EventReader(folder);
  assert.deepEqual(reader.read(), []);
  writer.append(loss(1));
  assert.deepEqual(reader.read(), [loss(1)]);
  assert.deepEqual(reader.read(), []);
  writer.append(loss(2), loss(3));
  assert.deepEqual(reader.read(), [loss(2), loss(3)]);
  writer.close();
});

test('following tells changes and ends with the run', async () => {
  const folder = makeRun();
  const writer = new EventWriter(folder, 'run');
  const seen: Report[] = [];
  const ended = new Promise<void>((resolve, reject) => {
    followRun(
      folder,
      (report) => {
        seen.push(report);
        if (report.status === 'done') resolve();
        else if (seen.length === 1) {
          writer.append(loss(1));
          setTimeout(() => {
            writer.append(loss(2));
            writeRecord(folder, { ...readRecord(folder), status: 'done', finishedAt: 5 });
          }, 400);
        }
      },
      reject,
    );
  });
  await ended;
  writer.close();
  assert.ok(seen.length >= 3, `${seen.length} reports`);
  assert.deepEqual(
    seen.at(-1)!.loss[0]!.points.map(({ step }) => step),
    [1, 2],
  );
});

test('runs are listed newest first', async () => {
  const old = makeRun({ startedAt: 1, status: 'done' });
  const young = makeRun({ startedAt: 9_999_999, status: 'cancelled' });
  const runs = (await listRuns(root)).filter(({ problem }) => problem === null);
  assert.equal(runs[0]!.folder, young);
  assert.equal(runs[0]!.status, 'cancelled');
  assert.equal(runs.at(-1)!.folder, old);
  assert.deepEqual(await listRuns(path.join(root, 'nowhere')), []);
});
