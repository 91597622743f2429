/** Checks that the C++ sources are formatted as `.clang-format` says; skipped, visibly, without clang-format. */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { has, root } from '../extension/setup/shell.mjs';

const sources = readdirSync(path.join(root, 'native'), { recursive: true })
  .map(String)
  .filter((name) => /\.(cc|h|cu|cuh|inc)$/.test(name))
  .map((name) => path.join('native', name));
if (!has('clang-format')) {
  process.stdout.write('skipped: clang-format is not installed\n');
} else {
  const result = spawnSync('clang-format', ['--dry-run', '--Werror', ...sources], {
    cwd: root,
    stdio: 'inherit',
  });
  process.exit(result.status ?? 1);
}
