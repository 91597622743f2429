/** The fixture models run by the engine and by PyTorch: same weights, loss, logits and gradients. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { describe, it } from 'node:test';
import { distPath } from '../../extension/core/paths.js';
import { findPython } from './python.js';

const found = findPython();
const models: Readonly<Record<string, string>> = {
  flexible: 'Flexible(V)',
  fourier: 'Fourier(V)',
  mambas: 'Mambas(V)',
  packages: 'Packages(V)',
  recurrent: 'Recurrent(V)',
  semantics: 'Semantics(V)',
  streams: 'Streams(V)',
  surface: 'Surface(V)',
};
/** The lengths that weight normalisation starts with are sums, and rounded as such. */
const rounded = new Set(['surface']);

describe('the engine', { skip: 'missing' in found ? found.missing : false }, () => {
  for (const [name, expression] of Object.entries(models)) {
    it(`agrees with PyTorch on ${name}.py`, () => {
      const file = path.resolve('test', 'fixtures', 'models', `${name}.py`);
      const sizes = ['--context', '12', '--vocab', '31', '--python', 'python' in found ? found.python : ''];
      const run = spawnSync(
        process.execPath,
        [distPath('cli.js'), 'verify', `${file}::${expression}`, ...sizes],
        {
          encoding: 'utf8',
          timeout: 120_000,
        },
      );
      assert.equal(run.status, 0, run.stdout + run.stderr);
      const initial = /Initial weights.*largest relative difference (\S+)/.exec(run.stdout);
      assert.ok(Number(initial?.[1]) <= (rounded.has(name) ? 1e-6 : 0), initial?.[0]);
    });
  }
});
