/**
 * Starts, cancels and talks to engine processes. Never loads the addon itself.
 *   startRun(experiment, root, options) -> {folder, ...}    cancelRun(folder)    askOnce(request) -> reply    openEngine() -> requests and replies
 * To follow a run: `../runs/index.js`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import {
  accessSync,
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { distPath } from '../paths.js';
import { requireDevice } from '../experiments/device.js';
import { usualLabel } from '../experiments/modelSource.js';
import type { Experiment } from '../experiments/experiment.js';
import { RUN_VERSION } from '../runs/events.js';
import { runsFolder } from '../runs/list.js';
import { takeLock } from '../runs/lock.js';
import { cancelFile, effectiveStatus, logFile, readRecord, writeRecord } from '../runs/record.js';
import { RunBusyError, RunError, writeError } from '../runs/runError.js';

import { askOnce } from './engineProcess.js';

export { askOnce, EngineError, type EngineProcess, openEngine } from './engineProcess.js';

export interface StartOptions {
  readonly title?: string;
  /** Parent of the run folder; default `.crossover/runs` below the root. */
  readonly runs?: string;
}

export interface StartedRun {
  readonly folder: string;
  readonly id: string;
  readonly pid: number;
  /** Settles when the engine process ends while this process lives; `null` when a signal ended it. */
  readonly ended: Promise<number | null>;
}

/**
 * Makes the run folder and starts an engine of its own for it, which goes on when this process ends. Relative model files and
 * data are read from `root`. Resolves when the engine has taken the run over; rejects with {@link RunError},
 * and before anything is written with `UsageError` when the device cannot run the experiment, and `RunBusyError` while another
 * run of the same root is going on.
 */
export async function startRun(
  experiment: Experiment,
  root: string,
  options: StartOptions = {},
): Promise<StartedRun> {
  // Every CPU runs fp32; the engine need not be asked.
  if (experiment.precision !== 'fp32')
    requireDevice(experiment, await askOnce<'devices'>({ method: 'devices' }));
  const startedAt = Date.now();
  const id = runId(startedAt);
  const folder = path.join(options.runs ?? runsFolder(root), id);
  try {
    mkdirSync(folder, { recursive: true });
    ignoreRuns(root);
  } catch (error) {
    throw writeError(folder, whyNotWritable(root) ?? error);
  }
  const title = options.title ?? experiment.title ?? titleOf(experiment);
  writeRecord(folder, {
    version: RUN_VERSION,
    id,
    title,
    experiment,
    root: path.resolve(root),
    status: 'running',
    process: null,
    startedAt,
    finishedAt: null,
    error: null,
  });
  requireAlone(root, folder);
  const log = openSync(logFile(folder), 'a');
  const child = spawn(process.execPath, [distPath('engine.js'), 'run', folder], {
    detached: true,
    stdio: ['ignore', log, log],
    env: { ...process.env, ELECTRON_RUN_AS_NODE: '1' },
    windowsHide: true,
  });
  closeSync(log);
  const ended = exitOf(child);
  child.unref();
  await takenOver(folder, ended);
  return { folder, id, pid: child.pid!, ended };
}

/** Takes the lock of the root for a run that is about to start; where another run holds it, nothing is left of this one. */
function requireAlone(root: string, folder: string): void {
  let holder: string | null = null;
  let alone = false;
  try {
    holder = takeLock(root, folder);
    alone = holder === null;
  } finally {
    if (!alone) rmSync(folder, { recursive: true, force: true });
  }
  if (holder !== null) throw new RunBusyError(holder, readRecord(holder).title);
}

/** Asks the engine of a run to stop; works from any process. The run ends as `cancelled` within a second or so. */
export async function cancelRun(folder: string): Promise<void> {
  if (effectiveStatus(readRecord(folder)) !== 'running') return;
  try {
    writeFileSync(cancelFile(folder), '');
  } catch (error) {
    throw writeError(cancelFile(folder), error);
  }
}

/** A title from the experiment's models, e.g. `gpt2 and GPT in model.py`. */
function titleOf(experiment: Experiment): string {
  return experiment.models.map(({ label, source }) => label ?? usualLabel(source)).join(' and ');
}

/** `20261123-234012-x7k2`: sorts by time, and two runs of one second differ. */
function runId(at: number): string {
  const stamp = new Date(at).toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-');
  return `${stamp}-${Math.floor(Math.random() * 36 ** 4)
    .toString(36)
    .padStart(4, '0')}`;
}

/** What keeps a folder from being written: a recursive mkdir on a read-only disk says that something does not exist. */
function whyNotWritable(folder: string): unknown {
  try {
    accessSync(folder, constants.W_OK);
    return null;
  } catch (error) {
    return error;
  }
}

/** Run folders are results, not sources: keeps them out of the user's commits. */
function ignoreRuns(root: string): void {
  const file = path.join(root, '.crossover', '.gitignore');
  mkdirSync(path.dirname(file), { recursive: true });
  try {
    writeFileSync(file, '*\n', { flag: 'wx' });
  } catch {
    // Already there.
  }
}

function exitOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => {
    child.once('error', () => resolve(3));
    child.once('exit', (code) => resolve(code));
  });
}

const TAKE_OVER_LIMIT_MS = 20_000;

/** Waits until the engine has written its process into `run.json`. */
async function takenOver(folder: string, ended: Promise<number | null>): Promise<void> {
  let over = false;
  void ended.then(() => (over = true));
  for (const start = Date.now(); Date.now() - start < TAKE_OVER_LIMIT_MS;) {
    const record = readRecord(folder);
    if (record.process !== null || record.status !== 'running') return;
    if (over) break;
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  const why =
    readFileSync(logFile(folder), 'utf8')
      .trim()
      .split('\n')
      .find((line) => /error/i.test(line)) ?? 'no message';
  const message = `The engine did not start (${why}): see ${logFile(folder)}.`;
  writeRecord(folder, { ...readRecord(folder), status: 'failed', finishedAt: Date.now(), error: message });
  throw new RunError(message, 'engine');
}
