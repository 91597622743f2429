/** What a person says about a run: a note and a pin, in a file of their own, since `run.json` is the engine's to write. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { writeError } from './runError.js';

export interface RunMark {
  /** `''` without one. */
  readonly note: string;
  /** Pinned runs stand before the others. */
  readonly pinned: boolean;
}

export const markFile = (folder: string): string => path.join(folder, 'mark.json');

/** The mark of a run; a file that is missing or damaged says nothing. */
export function readMark(folder: string): RunMark {
  try {
    const value = JSON.parse(readFileSync(markFile(folder), 'utf8')) as Partial<RunMark> | null;
    return {
      note: typeof value?.note === 'string' ? value.note : '',
      pinned: value?.pinned === true,
    };
  } catch {
    return { note: '', pinned: false };
  }
}

/** Changes what is given and keeps the rest. Throws a `RunError`. */
export function writeMark(folder: string, change: Partial<RunMark>): void {
  const file = markFile(folder);
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    writeFileSync(temporary, `${JSON.stringify({ ...readMark(folder), ...change }, null, 2)}\n`);
    renameSync(temporary, file);
  } catch (error) {
    throw writeError(file, error);
  }
}
