/** The files a zoo model consists of. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { importsOf } from '../trace/sources.js';

/** Absolute paths of a zoo file and of those beside it that it imports, itself first. */
export function zooSources(file: string): string[] {
  const found = [file];
  for (let at = 0; at < found.length; at++) {
    const text = readFileSync(found[at] ?? file, 'utf8');
    for (const { module } of importsOf(text)) {
      const beside = path.join(path.dirname(file), `${module}.py`);
      if (!found.includes(beside) && existsSync(beside)) found.push(beside);
    }
  }
  return found;
}
