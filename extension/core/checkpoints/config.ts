/** What a checkpoint says of its model besides tensors: in the file itself, or in the config.json or params.json beside it. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import type { Checkpoint, Scalar } from './checkpoint.js';

const BESIDE = ['config.json', 'params.json'];
const LARGEST = 1 << 20;

export interface Config {
  /** The first of these that is a number, in the file or beside it. */
  number(...names: readonly string[]): number | null;
  names(): Iterable<string>;
}

export function configOf({ files, values }: Pick<Checkpoint, 'files' | 'values'>): Config {
  const beside = files[0] === undefined ? {} : configBeside(path.dirname(files[0]));
  const leaves = new Map<string, Scalar>();
  for (const [name, value] of values) leaves.set(name.slice(name.lastIndexOf('.') + 1), value);
  return {
    number(...names) {
      for (const name of names)
        for (const value of [leaves.get(name), beside[name]])
          if (typeof value === 'number' && value > 0) return value;
      return null;
    },
    names: () => values.keys(),
  };
}

function configBeside(folder: string): Readonly<Record<string, unknown>> {
  for (const name of BESIDE) {
    const file = path.join(folder, name);
    if (!existsSync(file) || statSync(file).size > LARGEST) continue;
    try {
      const parsed: unknown = JSON.parse(readFileSync(file, 'utf8'));
      if (typeof parsed === 'object' && parsed !== null) return parsed as Record<string, unknown>;
    } catch {
      // A file that is not JSON says nothing.
    }
  }
  return {};
}
