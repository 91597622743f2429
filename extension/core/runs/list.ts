/** The runs of a folder, newest first. */
import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import type { RunStatus } from '../../shared/report.js';
import { readMark, type RunMark } from './mark.js';
import { effectiveStatus, readRecord, recordFile } from './record.js';
import { messageOf } from './runError.js';

export interface RunEntry {
  /** Absolute path of the run folder. */
  readonly folder: string;
  readonly id: string;
  readonly title: string;
  readonly status: RunStatus;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly finishedAt: number | null;
  /** `null` where the run cannot be read. */
  readonly device: string | null;
  readonly mark: RunMark;
  /** Why the run cannot be read, one sentence; `null` for a readable one. */
  readonly problem: string | null;
}

/** Where the runs of a project stand. */
export function runsFolder(root: string): string {
  return path.join(root, '.crossover', 'runs');
}

/** Lists the runs below `root`; a folder that cannot be read is listed with its problem. */
export async function listRuns(root: string): Promise<RunEntry[]> {
  const parent = runsFolder(root);
  let names: string[];
  try {
    names = readdirSync(parent);
  } catch {
    return [];
  }
  const entries = names.flatMap((name) => {
    const folder = path.join(parent, name);
    const entry = readEntry(folder, name);
    return entry === null ? [] : [entry];
  });
  return entries.sort((a, b) => b.startedAt - a.startedAt || b.id.localeCompare(a.id));
}

function readEntry(folder: string, name: string): RunEntry | null {
  let modified: number;
  try {
    modified = statSync(recordFile(folder)).mtimeMs;
  } catch {
    return null;
  }
  try {
    const record = readRecord(folder);
    const { id, title, startedAt, finishedAt, experiment } = record;
    return {
      folder,
      id,
      title,
      status: effectiveStatus(record),
      startedAt,
      finishedAt,
      device: experiment.device,
      mark: readMark(folder),
      problem: null,
    };
  } catch (error) {
    const problem = messageOf(error);
    return {
      folder,
      id: name,
      title: name,
      status: 'failed',
      startedAt: modified,
      finishedAt: null,
      device: null,
      mark: readMark(folder),
      problem,
    };
  }
}
