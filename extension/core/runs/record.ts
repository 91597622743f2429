/** `run.json`: what a run is, who runs it and how it ended. Replaced atomically, so a reader sees old or new, never half. */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import type { RunStatus } from '../../shared/report.js';
import type { Experiment } from '../experiments/experiment.js';
import { RUN_VERSION } from './events.js';
import { isAlive } from './liveness.js';
import { RunError, systemCode, writeError } from './runError.js';

/** The process that executes a run; its start time tells it from a later process with the same number. */
export interface RunProcess {
  readonly pid: number;
  readonly started: string;
  readonly host: string;
}

export interface RunRecord {
  readonly version: number;
  readonly id: string;
  readonly title: string;
  readonly experiment: Experiment;
  /** Folder that relative model files and data are read from. */
  readonly root: string;
  /** As last written; {@link effectiveStatus} tells a run whose process has died. */
  readonly status: RunStatus;
  /** `null` until the engine has taken the run over. */
  readonly process: RunProcess | null;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly finishedAt: number | null;
  /** Why the run failed, one sentence. */
  readonly error: string | null;
}

export const recordFile = (folder: string): string => path.join(folder, 'run.json');
export const eventsFile = (folder: string): string => path.join(folder, 'events.jsonl');
export const cancelFile = (folder: string): string => path.join(folder, 'cancel');
export const logFile = (folder: string): string => path.join(folder, 'engine.log');
/** The HTML report of a run, or of several that are shown together, of which it is the first. */
export const reportFile = (folder: string, together = false): string =>
  path.join(folder, together ? 'report-together.html' : 'report.html');

/** An engine that has not taken its run over after this long has died. */
const TAKE_OVER_MS = 30_000;

/** Writes `run.json` through a temporary file, fsync and rename. Throws {@link RunError}. */
export function writeRecord(folder: string, record: RunRecord): void {
  const file = recordFile(folder);
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    const descriptor = openSync(temporary, 'w');
    try {
      const bytes = Buffer.from(JSON.stringify(record, null, 2) + '\n');
      for (let written = 0; written < bytes.length;) written += writeSync(descriptor, bytes, written);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw writeError(file, error);
  }
}

/** Reads `run.json`. Throws {@link RunError} when it is missing, damaged or of another version. */
export function readRecord(folder: string): RunRecord {
  const file = recordFile(folder);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT')
      throw new RunError(`${folder} is not a run folder: it has no run.json.`, 'missing');
    throw new RunError(`${file} could not be read (${systemCode(error)}): check its permissions.`, 'damaged');
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new RunError(`${file} is damaged: it is not JSON, so this run cannot be shown.`, 'damaged');
  }
  return checkRecord(value, file);
}

function checkRecord(value: unknown, file: string): RunRecord {
  const record = value as Partial<RunRecord> | null;
  if (typeof record !== 'object' || record === null || typeof record.version !== 'number')
    throw new RunError(`${file} is damaged: it has no version, so this run cannot be shown.`, 'damaged');
  if (record.version !== RUN_VERSION)
    throw new RunError(
      `${file} has version ${record.version} and this Crossover reads version ${RUN_VERSION}: open it with the Crossover that wrote it.`,
      'version',
    );
  const experiment: unknown = record.experiment;
  if (
    typeof record.id !== 'string' ||
    typeof record.status !== 'string' ||
    typeof record.startedAt !== 'number' ||
    typeof experiment !== 'object' ||
    experiment === null ||
    !Array.isArray((experiment as Partial<Experiment>).models)
  )
    throw new RunError(`${file} is damaged: fields of a run are missing, so it cannot be shown.`, 'damaged');
  return record as RunRecord;
}

/** The status a person should see: a run whose process is gone is interrupted, whatever `run.json` says. */
export function effectiveStatus(record: RunRecord, now = Date.now()): RunStatus {
  if (record.status !== 'running') return record.status;
  if (record.process === null) return now - record.startedAt < TAKE_OVER_MS ? 'running' : 'interrupted';
  if (record.process.host !== hostname()) return 'running';
  return isAlive(record.process) ? 'running' : 'interrupted';
}
