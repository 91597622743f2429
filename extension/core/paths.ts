/** Where the files that ship with Crossover stand at run time. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The running bundle's folder: bundles are ES modules, but for the extension's, which is CommonJS. */
function bundleFolder(): string {
  return typeof __dirname === 'undefined' ? path.dirname(fileURLToPath(import.meta.url)) : __dirname;
}

/** The `dist` folder: `CROSSOVER_DIST`, or the nearest one at or above the running bundle. */
function distFolder(): string {
  const named = process.env['CROSSOVER_DIST'];
  if (named !== undefined && named !== '') return path.resolve(named);
  let folder = bundleFolder();
  for (;;) {
    if (path.basename(folder) === 'dist') return folder;
    const below = path.join(folder, 'dist');
    if (existsSync(below)) return below;
    const above = path.dirname(folder);
    if (above === folder) throw new Error('The dist folder was not found: run `npm run setup` first.');
    folder = above;
  }
}

/** Absolute path of a shipped file or folder, e.g. `distPath('zoo')` or `distPath('native', 'crossover.node')`. */
export function distPath(...parts: readonly string[]): string {
  return path.join(distFolder(), ...parts);
}

/** Folder of the Pyodide runtime: `dist/pyodide` in the packaged extension, else the npm package. */
export function pyodidePath(): string {
  const packaged = distPath('pyodide');
  if (existsSync(path.join(packaged, 'pyodide.mjs'))) return packaged;
  return path.dirname(createRequire(distPath('tracer.js')).resolve('pyodide/package.json'));
}

/** Absolute path in this user's cache of Crossover; the folder need not exist. */
export function cachePath(name: string): string {
  const { XDG_CACHE_HOME: xdg, LOCALAPPDATA: local } = process.env;
  if (process.platform === 'win32' && local !== undefined)
    return path.join(local, 'crossover', 'cache', name);
  if (process.platform === 'darwin') return path.join(homedir(), 'Library', 'Caches', 'crossover', name);
  return path.join(
    xdg !== undefined && path.isAbsolute(xdg) ? xdg : path.join(homedir(), '.cache'),
    'crossover',
    name,
  );
}
