/** Tables that model files build with NumPy are the same numbers while tracing. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { it } from 'node:test';
import { findPython } from './python.js';

const found = findPython();

it("tables of the tracer's numpy are NumPy's", { skip: 'missing' in found ? found.missing : false }, () => {
  const script = path.resolve('test', 'parity', 'numpyTables.py');
  const packages = path.resolve('extension', 'core', 'trace', 'python');
  const run = spawnSync('python' in found ? found.python : '', [script, packages], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  assert.equal(run.stderr, '');
  assert.match(run.stdout, /^\d\d tables compared\n$/);
});
