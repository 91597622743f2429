/**
 * All set-up, in order: system packages, npm packages, native addon, bundles; with `--tests` also what tests need.
 * Every step is skipped when nothing it depends on has changed.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { cached, hashOf, root, SetupError, step } from './shell.mjs';
import { systemPackages } from './systemPackages.mjs';

/** Sources of the bundles; a change in any of them rebuilds all. */
const bundled = ['extension', 'webview', 'esbuild.mjs', 'package.json', 'tsconfig.json'];

/** Prepares everything; returns what could not be had, in words. */
export function setup({ tests }) {
  const [major] = process.versions.node.split('.').map(Number);
  if (major < 20)
    throw new SetupError(
      `Node ${process.versions.node} is too old: install Node 20 or later and run this again.`,
    );
  const missing = systemPackages({ tests });
  cached('npm', hashOf(['package-lock.json']), ['node_modules/esbuild'], () => {
    const env = { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' };
    step('npm packages', 'npm', ['ci', '--no-audit', '--no-fund'], {
      env,
      shell: process.platform === 'win32',
    });
  });
  step('native addon', process.execPath, ['extension/setup/native.mjs'], { quietWhenFresh: true });
  const products = [
    'dist/cli.js',
    'dist/engine.js',
    'dist/tracer.js',
    'dist/extension.cjs',
    ...(tests ? ['dist/test'] : []),
  ];
  const key = hashOf([...bundled, ...(tests ? ['test'] : [])], tests ? 'tests' : '');
  cached(tests ? 'bundles-tests' : 'bundles', key, products, () => {
    step('bundles', process.execPath, ['esbuild.mjs', ...(tests ? ['--tests'] : [])]);
  });
  if (tests) missing.push(...python());
  return missing;
}

/** Where parity tests find a Python with PyTorch. */
export const pythonWithTorch = path.join(root, '.cache', 'python', 'bin', 'python');

/** A virtual environment with PyTorch for parity tests. The product itself needs no Python. */
function python() {
  const works = () =>
    existsSync(pythonWithTorch) &&
    step('PyTorch present', pythonWithTorch, ['-c', 'import torch, numpy'], { optional: true }) !== null;
  if (works()) return [];
  step('Python environment', 'python3', ['-m', 'venv', '.cache/python'], { optional: true });
  if (existsSync(pythonWithTorch))
    step('PyTorch (for parity tests)', pythonWithTorch, ['-m', 'pip', 'install', '-q', 'torch', 'numpy'], {
      optional: true,
    });
  return works() ? [] : ['PyTorch, for parity tests (pip install torch numpy)'];
}

/** Runs `main`, turning a {@link SetupError} into its sentence and exit code 3. */
export function runMain(main) {
  try {
    main();
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(3);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  runMain(() => {
    const missing = setup({ tests: process.argv.includes('--tests') });
    if (missing.length > 0) process.stderr.write(`Set up, without: ${missing.join('; ')}.\n`);
  });
}
