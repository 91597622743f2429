/** Memory of another process of this user. */
import { readFileSync } from 'node:fs';

const pageBytes = 4096;

/**
 * Resident bytes of a process, or 0 where the system does not say without starting a program. The interpreter's own
 * heap is capped inside the process on every system; this counts the rest as well.
 */
export function residentBytes(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * pageBytes;
  } catch {
    return 0;
  }
}
