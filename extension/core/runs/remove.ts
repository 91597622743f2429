/** Deletes runs. */
import { rmSync } from 'node:fs';
import path from 'node:path';
import { effectiveStatus, readRecord } from './record.js';
import { RunError, writeError } from './runError.js';

/** Deletes a run folder; refuses one that is going on, and any folder that is no run. Throws {@link RunError}. */
export function deleteRun(folder: string): void {
  if (path.basename(path.dirname(folder)) !== 'runs')
    throw new RunError(`${folder} is not a run folder: it was not deleted.`, 'missing');
  if (isGoingOn(folder))
    throw new RunError(
      'The run is going on: cancel it, then delete it, so that its engine does not write into a folder that is gone.',
      'busy',
    );
  try {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  } catch (error) {
    throw writeError(folder, error);
  }
}

/** A run that cannot be read has no engine that could be asked. */
function isGoingOn(folder: string): boolean {
  try {
    return effectiveStatus(readRecord(folder)) === 'running';
  } catch (error) {
    if (error instanceof RunError && error.code !== 'missing') return false;
    throw error;
  }
}
