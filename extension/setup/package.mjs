/** `npm run package`: builds what is missing and packs the extension into dist/crossover.vsix; nothing when it is fresh. */
import { copyFileSync, existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { cached, hashOf, root, step } from './shell.mjs';
import { runMain, setup } from './setup.mjs';

const runtime = [
  'pyodide.mjs',
  'pyodide.asm.mjs',
  'pyodide.asm.wasm',
  'python_stdlib.zip',
  'pyodide-lock.json',
  'package.json',
];
const packed = [
  'package.json',
  'package.nls.json',
  'extension/l10n',
  '.vscodeignore',
  'README.md',
  'CHANGELOG.md',
  'LICENSE',
  'media',
  'extension/schemas',
  ...[
    'extension.cjs',
    'cli.js',
    'verify/verify.py',
    'engine.js',
    'tracer.js',
    'native/crossover.node',
    'python',
    'zoo',
    'webview',
  ].map((name) => `dist/${name}`),
];

runMain(() => {
  if (!process.argv.includes('--built')) setup({ tests: false });
  mkdirSync(path.join(root, 'dist', 'pyodide'), { recursive: true });
  for (const name of runtime) {
    const target = path.join(root, 'dist', 'pyodide', name);
    if (!existsSync(target)) copyFileSync(path.join(root, 'node_modules', 'pyodide', name), target);
  }
  cached('vsix', hashOf(packed), ['dist/crossover.vsix'], () => {
    step('dist/crossover.vsix', process.execPath, [
      'node_modules/@vscode/vsce/vsce',
      'package',
      '--no-dependencies',
      '--allow-missing-repository',
      '--out',
      'dist/crossover.vsix',
    ]);
  });
});
