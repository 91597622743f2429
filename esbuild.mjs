/** Bundles the extension host, the engine, the tracer, the CLI, the webview and the tests into dist/. */
import { build } from 'esbuild';
import { cp, mkdir, readdir, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import path from 'node:path';

const production = process.argv.includes('--production');
const withTests = process.argv.includes('--tests');
const common = {
  bundle: true,
  sourcemap: production ? false : 'linked',
  minify: production,
  logLevel: 'warning',
};
const node = {
  ...common,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  external: ['pyodide', '*.node'],
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
};

/** Entry points that exist; a folder's test files are found, never listed by hand. */
async function find(folder, suffix) {
  if (!existsSync(folder)) return [];
  const entries = await readdir(folder, { recursive: true });
  return entries
    .filter((name) => name.endsWith(suffix))
    .map((name) => path.join(folder, name))
    .sort();
}

const jobs = [
  build({
    ...node,
    entryPoints: {
      cli: 'extension/cli/cli.ts',
      engine: 'extension/core/engine/worker.ts',
      tracer: 'extension/core/trace/worker.ts',
    },
    outdir: 'dist',
  }),
  build({
    ...common,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    external: ['vscode'],
    define: { 'import.meta.url': '__bundleUrl' },
    banner: { js: "const __bundleUrl = require('node:url').pathToFileURL(__filename).href;" },
    entryPoints: { extension: 'extension/extension.ts' },
    outExtension: { '.js': '.cjs' },
    outdir: 'dist',
  }),
  build({
    ...common,
    platform: 'browser',
    target: 'es2022',
    format: 'iife',
    minify: true,
    entryPoints: { panel: 'webview/panel.ts', report: 'webview/report.ts' },
    outdir: 'dist/webview',
  }),
];
if (withTests) {
  const tests = [...(await find('test', '.test.ts')), ...(await find('test', '.main.ts'))];
  jobs.push(
    build({
      ...node,
      entryPoints: tests,
      outbase: 'test',
      outdir: 'dist/test',
      external: [...node.external, 'playwright-core', '@vscode/test-electron', 'esbuild'],
    }),
  );
}
await mkdir('dist', { recursive: true });
// A Python package that is gone must not stay importable.
await rm('dist/python', { recursive: true, force: true });
await Promise.all([
  ...jobs,
  cp('extension/core/trace/python', 'dist/python', {
    recursive: true,
    filter: (file) => !file.includes('__pycache__'),
  }),
  cp('extension/core/verify/verify.py', 'dist/verify/verify.py'),
  cp('extension/zoo', 'dist/zoo', { recursive: true, filter: (file) => !file.includes('__pycache__') }),
]);
