/** Running commands for the set-up: quiet when they succeed, their output when they fail. No dependencies. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder that holds package.json. */
export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');

/**
 * Prints a step's name, runs it, prints how long it took; a failure prints the output and ends the set-up. With
 * `quietWhenFresh`, a command that printed nothing had nothing to do.
 */
export function step(title, command, args, options = {}) {
  const started = Date.now();
  process.stderr.write(`  ${title} ... `);
  const result = spawnSync(command, args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 28, ...options });
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  if (result.status === 0) {
    const fresh = options.quietWhenFresh && result.stdout === '' && result.stderr === '';
    process.stderr.write(fresh ? 'up to date\n' : `${seconds} s\n`);
    return result.stdout ?? '';
  }
  process.stderr.write(`failed\n`);
  if (options.optional) return null;
  process.stderr.write(`${result.stdout ?? ''}${result.stderr ?? ''}${result.error?.message ?? ''}\n`);
  throw new SetupError(`The step "${title}" failed; mend what it printed above and run the command again.`);
}

export class SetupError extends Error {}

/** Whether a program can be run. */
export function has(program) {
  const finder = process.platform === 'win32' ? 'where' : 'which';
  return spawnSync(finder, [program], { stdio: 'ignore' }).status === 0;
}

/** SHA-256 over names and contents of files, and of every file below folders, in a stable order. */
export function hashOf(places, salt = '') {
  const hash = createHash('sha256').update(salt).update(process.version);
  const visit = (place) => {
    const full = path.join(root, place);
    if (!existsSync(full)) return;
    let entries;
    try {
      entries = readdirSync(full, { withFileTypes: true });
    } catch {
      hash.update(place).update(readFileSync(full));
      return;
    }
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (entry.name !== '__pycache__' && entry.name !== 'node_modules') visit(path.join(place, entry.name));
    }
  };
  places.forEach(visit);
  return hash.digest('hex');
}

/** Runs `work` unless it last succeeded with the same key and everything in `products` still exists. */
export function cached(name, key, products, work) {
  const stamp = path.join(root, '.cache', 'stamps', name);
  const fresh = existsSync(stamp) && readFileSync(stamp, 'utf8') === key;
  if (fresh && products.every((product) => existsSync(path.join(root, product)))) return false;
  work();
  mkdirSync(path.dirname(stamp), { recursive: true });
  writeFileSync(stamp, key);
  return true;
}
