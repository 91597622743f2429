/** Whether a process still lives: its number alone is not enough, since numbers are used again. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { systemCode } from './runError.js';

/** When a process started, in whatever unit the system gives; `''` when it cannot be told, `null` when it is gone. */
export function processStart(pid: number): string | null {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (systemCode(error) !== 'EPERM') return null;
  }
  if (process.platform === 'linux') {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      // Fields after the command name, which is in parentheses and may hold spaces; state is field 3, start time 22.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return fields[0] === 'Z' ? null : (fields[19] ?? '');
    } catch {
      return null;
    }
  }
  if (process.platform === 'win32') return '';
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim();
  } catch {
    return null;
  }
}

/** True while the very process that took the run over is there. */
export function isAlive(owner: { readonly pid: number; readonly started: string }): boolean {
  const started = processStart(owner.pid);
  return started !== null && (started === owner.started || started === '' || owner.started === '');
}
