/** Python with PyTorch, for tests that compare with it. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';

/** A Python that imports torch, or why there is none. */
export function findPython(): { readonly python: string } | { readonly missing: string } {
  const candidates = [
    process.env['CROSSOVER_PYTHON'],
    path.join('.cache', 'python', 'bin', 'python'),
    'python3',
  ];
  for (const python of candidates) {
    if (python === undefined || python === '') continue;
    if (python.includes(path.sep) && !existsSync(python)) continue;
    const options = { stdio: 'ignore' as const, timeout: 120_000 };
    if (spawnSync(python, ['-c', 'import torch'], options).status === 0) return { python };
  }
  return { missing: 'no Python with PyTorch here (set CROSSOVER_PYTHON)' };
}

/** Real data that is not part of the project, or null. */
export function sharedData(folder: string): string | null {
  const found = path.resolve('..', 'shared', 'data', folder);
  return existsSync(found) ? found : null;
}
