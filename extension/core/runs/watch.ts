/** Reads a run once, or follows it live by tailing its folder. */
import { statSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import type { Report } from '../../shared/report.js';
import { EventReader } from './eventLog.js';
import { effectiveStatus, readRecord, recordFile } from './record.js';
import { Summary } from './summarize.js';

export interface Disposable {
  dispose(): void;
}

const POLL_MS = 250;
/** Events taken before others in the process have their turn: some 30 ms. */
const EVENTS_AT_ONCE = 20_000;

/** Reads the report of a run. Rejects with {@link RunError} when the folder cannot be read. */
export async function readReport(folder: string): Promise<Report> {
  return new RunReader(folder).readAll();
}

/**
 * Calls `onReport` now and after every change until the run has ended or the handle is disposed. An unreadable folder
 * is told once to `onError` and ends the following.
 */
export function followRun(
  folder: string,
  onReport: (report: Report) => void,
  onError: (error: unknown) => void = () => undefined,
): Disposable {
  const reader = new RunReader(folder);
  let timer: NodeJS.Timeout | null = null;
  let disposed = false;
  const tick = (): void => {
    if (disposed) return;
    try {
      const report = reader.changed();
      if (report !== null) onReport(report);
      if (report !== null && report.status !== 'running') return;
    } catch (error) {
      onError(error);
      return;
    }
    if (!disposed) timer = setTimeout(tick, POLL_MS);
  };
  timer = setTimeout(tick, 0);
  return {
    dispose: () => {
      disposed = true;
      if (timer !== null) clearTimeout(timer);
    },
  };
}

/** The last report of a run, once it has ended; every one before it, and the last, goes to `onReport`. Rejects as {@link followRun} tells errors. */
export function runEnded(folder: string, onReport: (report: Report) => void): Promise<Report> {
  return new Promise((resolve, reject) => {
    const tell = (report: Report): void => {
      onReport(report);
      if (report.status !== 'running') resolve(report);
    };
    followRun(folder, tell, reject);
  });
}

/** Keeps what the events so far amount to, so that following a run reads every byte once. */
class RunReader {
  readonly #folder: string;
  readonly #log: EventReader;
  readonly #summary = new Summary();
  #events = 0;
  #seen = '';

  constructor(folder: string) {
    this.#folder = folder;
    this.#log = new EventReader(folder);
  }

  report(): Report {
    // The record first: when it says `done`, every event is in the log already.
    const record = readRecord(this.#folder);
    const status = effectiveStatus(record);
    this.#take();
    return this.#summary.report({ ...record, status }, this.#log.damaged.length);
  }

  /** The report, with pauses for others in this process while a long log is read. */
  async readAll(): Promise<Report> {
    let taken = 0;
    for (const event of this.#log.events()) {
      this.#summary.add(event);
      this.#events++;
      if (++taken % EVENTS_AT_ONCE === 0) await setImmediate();
    }
    return this.report();
  }

  /** Reads what the log has more than before. */
  #take(): void {
    for (const event of this.#log.events()) {
      this.#summary.add(event);
      this.#events++;
    }
  }

  /** The report, or `null` when nothing has changed since the last call. */
  changed(): Report | null {
    const record = statSync(recordFile(this.#folder), { throwIfNoEntry: false });
    const before = this.#events;
    const status = effectiveStatus(readRecord(this.#folder));
    this.#take();
    const seen = `${record?.mtimeMs ?? 0} ${status} ${this.#events}`;
    if (before === this.#events && seen === this.#seen) return null;
    this.#seen = seen;
    return this.report();
  }
}
