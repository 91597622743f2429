/** `npm run bench:pytorch -- [options]`: sets up what tests need, then compares with PyTorch. */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { root } from '../extension/setup/shell.mjs';
import { pythonWithTorch, runMain, setup } from '../extension/setup/setup.mjs';

runMain(() => {
  const words = process.argv.slice(2);
  if (!words.includes('--help')) setup({ tests: true });
  const program = path.join(root, 'dist', 'test', 'benchPytorch.main.js');
  const env = { ...process.env, CROSSOVER_PYTHON: process.env.CROSSOVER_PYTHON ?? pythonWithTorch };
  const result = spawnSync(process.execPath, [program, ...words], {
    cwd: process.env.INIT_CWD ?? root,
    env,
    stdio: 'inherit',
  });
  process.exit(result.status ?? 3);
});
