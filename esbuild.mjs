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

/** Makes one folder like another. What is gone goes there too: a package or model of before must not stay importable. */
async function mirror(from, to) {
  await cp(from, to, { recursive: true, filter: (file) => !file.includes('__pycache__') });
  for (const name of await readdir(to, { recursive: true }))
    if (!existsSync(path.join(from, name))) await rm(path.join(to, name), { recursive: true, force: true });
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
await Promise.all([
  ...jobs,
  mirror('extension/core/trace/python', 'dist/python'),
  cp('extension/core/verify/verify.py', 'dist/verify/verify.py'),
  mirror('extension/zoo', 'dist/zoo'),
]);
