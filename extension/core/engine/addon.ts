/** Loads the native addon. Imported by the engine process only. */
import { createRequire } from 'node:module';
import { existsSync } from 'node:fs';
import { distPath } from '../paths.js';
import type { NativeAddon } from './binding.js';

let loaded: NativeAddon | null = null;

/** The addon, loaded once. Throws one sentence when it is missing or was built for another machine. */
export function loadAddon(): NativeAddon {
  if (loaded !== null) return loaded;
  const file = distPath('native', 'crossover.node');
  if (!existsSync(file)) throw new Error('The native addon has not been built: run `npm run setup`.');
  try {
    loaded = createRequire(import.meta.url)(file) as NativeAddon;
  } catch (error) {
    const why = error instanceof Error ? error.message.split('\n')[0] : String(error);
    throw new Error(
      `The native addon could not be loaded (${why}): run \`npm run setup\` to build it for this machine.`,
    );
  }
  return loaded;
}
