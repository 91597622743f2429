/** `npm start`: sets everything up, then runs the default comparison. Arguments go to `crossover compare`. */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { root } from './shell.mjs';
import { runMain, setup } from './setup.mjs';

runMain(() => {
  process.stderr.write('Setting up (nothing is rebuilt that has not changed)\n');
  const missing = setup({ tests: false });
  if (missing.length > 0) process.stderr.write(`Going on without: ${missing.join('; ')}.\n`);
  const cli = path.join(root, 'dist', 'cli.js');
  const result = spawnSync(process.execPath, [cli, 'compare', ...process.argv.slice(2)], {
    cwd: root,
    stdio: 'inherit',
  });
  process.exit(result.status ?? 3);
});
