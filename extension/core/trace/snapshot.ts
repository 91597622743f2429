/**
 * The interpreter's memory just after it has loaded our `torch`, kept between runs: starting from it takes a tenth of
 * the time. It is made by an interpreter that has seen no model, and is good for one version of everything in it.
 */
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { cachePath, distPath, pyodidePath } from '../paths.js';

/** Snapshots not rewritten for this long are deleted when another is written. */
const keptMs = 14 * 24 * 3600 * 1000;

let known: string | null = null;

/** Where the snapshot for these versions of Node, Pyodide and our sources is, or would be. */
export function snapshotFile(): string {
  if (known !== null) return known;
  const hash = createHash('sha256');
  hash.update(JSON.stringify([process.versions.v8, process.versions.node, process.platform, process.arch]));
  hash.update(readFileSync(path.join(pyodidePath(), 'package.json')));
  hash.update(readFileSync(distPath('tracer.js')));
  const folder = distPath('python');
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()) {
    if (name.endsWith('.py')) hash.update(name).update(readFileSync(path.join(folder, name)));
  }
  known = cachePath(`python-${hash.digest('hex').slice(0, 24)}.snapshot`);
  return known;
}

/** The snapshot's path if there is one. */
export function findSnapshot(): string | null {
  return existsSync(snapshotFile()) ? snapshotFile() : null;
}

/** Keeps a snapshot; where that is not possible, interpreters go on starting without. */
export function keepSnapshot(base64: string): void {
  const file = snapshotFile();
  const folder = path.dirname(file);
  try {
    mkdirSync(folder, { recursive: true });
    const unfinished = `${file}.${process.pid}`;
    writeFileSync(unfinished, Buffer.from(base64, 'base64'), { mode: 0o600 });
    renameSync(unfinished, file);
    for (const name of readdirSync(folder)) {
      const other = path.join(folder, name);
      if (name.startsWith('python-') && Date.now() - statSync(other).mtimeMs > keptMs)
        rmSync(other, { force: true });
    }
  } catch {
    // A full or read-only disk costs two seconds at each start, and nothing else.
  }
}

/** Deletes a snapshot that no interpreter could start from. */
export function dropSnapshot(): void {
  rmSync(snapshotFile(), { force: true });
}
