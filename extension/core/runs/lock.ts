/**
 * One run at a time in a folder, whoever starts it: two would disturb each other's times. `.crossover/lock` names the run
 * that holds it; the lock is free as soon as that run is no longer going on, so nothing is left behind by a crash.
 */
import { randomBytes } from 'node:crypto';
import { constants, copyFileSync, linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { effectiveStatus, readRecord } from './record.js';
import { systemCode, writeError } from './runError.js';

/** What file systems without hard links answer. */
const WITHOUT_LINKS: readonly string[] = ['EPERM', 'ENOTSUP', 'ENOSYS', 'EOPNOTSUPP', 'UNKNOWN'];

const lockFile = (root: string): string => path.join(root, '.crossover', 'lock');

/** Takes the lock for a run whose record is written; the folder of the run that holds it, or `null` when it was taken. */
export function takeLock(root: string, folder: string): string | null {
  const file = lockFile(root);
  const mine = `${file}.${randomBytes(6).toString('hex')}`;
  try {
    writeFileSync(mine, folder);
    for (;;) {
      if (made(mine, file)) return null;
      const holder = holderOf(file);
      if (holder !== null && isGoingOn(holder)) return holder;
      clear(file, holder);
    }
  } catch (error) {
    throw writeError(file, error);
  } finally {
    rmSync(mine, { force: true });
  }
}

/** Of two processes only one makes the lock: a link is made or refused as a whole. */
function made(mine: string, file: string): boolean {
  try {
    linkSync(mine, file);
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    if (!WITHOUT_LINKS.includes(systemCode(error))) throw error;
  }
  try {
    copyFileSync(mine, file, constants.COPYFILE_EXCL);
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    throw error;
  }
}

/** The run that holds the lock, `null` when the lock is gone. */
function holderOf(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}

function isGoingOn(folder: string): boolean {
  try {
    return effectiveStatus(readRecord(folder)) === 'running';
  } catch {
    return false;
  }
}

/** Removes the lock of a run that has ended; puts back what another process has locked in the meantime. */
function clear(file: string, ended: string | null): void {
  const taken = `${file}.${randomBytes(6).toString('hex')}.old`;
  try {
    renameSync(file, taken);
  } catch {
    return;
  }
  try {
    if (readFileSync(taken, 'utf8') !== ended) linkSync(taken, file);
  } catch {
    // Somebody holds it by now.
  } finally {
    rmSync(taken, { force: true });
  }
}
