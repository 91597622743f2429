/** The last lines an engine has written. */
import { readFile } from 'node:fs/promises';
import { logFile } from '../core/runs/index.js';

const LINES = 40;

/** The tail of the engine's log; a sentence when there is none. */
export async function readEngineLog(folder: string): Promise<string> {
  try {
    const text = (await readFile(logFile(folder), 'utf8')).trim();
    return text === ''
      ? 'The engine has written nothing to its log.'
      : text.split('\n').slice(-LINES).join('\n');
  } catch {
    return `There is no engine log in ${folder}.`;
  }
}
