/** Executes the experiment of a run folder: takes the run over, measures, and writes how it ended. */
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import type { RunStatus } from '../../shared/report.js';
import { requireDevice } from '../experiments/device.js';
import { ProgressMeter } from '../experiments/progressMeter.js';
import { runExperiment } from '../experiments/runExperiment.js';
import { EventWriter } from '../runs/eventLog.js';
import { processStart } from '../runs/liveness.js';
import { cancelFile, readRecord, type RunRecord, writeRecord } from '../runs/record.js';
import { messageOf, writeError } from '../runs/runError.js';
import { loadAddon } from './addon.js';
import { Preparer } from './preparer.js';

const CANCEL_POLL_MS = 100;
/** Given back when the disk is full, so that how the run ended can still be written. */
const RESERVE_BYTES = 64 * 1024;

/** Runs to the end; returns the exit code (0 done, 1 cancelled, 3 failed). */
export async function executeRun(folder: string): Promise<number> {
  const owner = { pid: process.pid, started: processStart(process.pid) ?? '', host: hostname() };
  const record: RunRecord = { ...readRecord(folder), process: owner };
  const reserve = path.join(folder, 'reserve');
  const finish = (status: RunStatus, error: string | null): void => {
    rmSync(reserve, { force: true });
    writeRecord(folder, { ...record, status, error, finishedAt: Date.now() });
  };
  writeRecord(folder, record);
  const stop = new AbortController();
  const cancel = (): void => stop.abort(new Error('The run was cancelled.'));
  const poll = setInterval(() => {
    if (existsSync(cancelFile(folder))) cancel();
  }, CANCEL_POLL_MS);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, cancel);
  try {
    keepReserve(reserve);
    await measure(folder, record, stop.signal);
    finish('done', null);
    return 0;
  } catch (error) {
    if (!stop.signal.aborted)
      process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    finish(stop.signal.aborted ? 'cancelled' : 'failed', stop.signal.aborted ? null : messageOf(error));
    return stop.signal.aborted ? 1 : 3;
  } finally {
    clearInterval(poll);
  }
}

function keepReserve(file: string): void {
  try {
    writeFileSync(file, Buffer.alloc(RESERVE_BYTES, 1));
  } catch (error) {
    throw writeError(file, error);
  }
}

async function measure(folder: string, record: RunRecord, signal: AbortSignal): Promise<void> {
  const { experiment } = record;
  const events = new EventWriter(folder, record.id);
  const addon = loadAddon();
  requireDevice(experiment, addon.devices());
  const preparer = new Preparer();
  const session = addon.createSession(
    experiment.threads === undefined ? {} : { threads: experiment.threads },
  );
  try {
    const lab = {
      session,
      signal,
      emit: events.append.bind(events),
      progress: new ProgressMeter((progress) => events.append({ type: 'progress', progress })),
    };
    await runExperiment(lab, experiment, record.root, addon.devices(), preparer);
    events.sync();
  } finally {
    await preparer.dispose();
    session.dispose();
    events.close();
  }
}
