/** Checkpoints written by the PyTorch that is here, read back. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { compareFile, expectedOf } from '../checkpoints/torchFiles.js';
import { findPython } from './python.js';

const found = findPython();

test(
  'checkpoints are read as PyTorch wrote them',
  { skip: 'missing' in found ? found.missing : false },
  () => {
    assert.ok('python' in found);
    const folder = mkdtempSync(path.join(tmpdir(), 'crossover-checkpoints-'));
    try {
      const script = path.join('test', 'fixtures', 'checkpoints', 'make.py');
      const run = spawnSync(found.python, [script, folder], { encoding: 'utf8', timeout: 120_000 });
      assert.equal(run.status, 0, run.stderr);
      const expected = expectedOf(folder);
      assert.ok('types.zip.pt' in expected && 'module.legacy.pt' in expected);
      for (const [name, tensors] of Object.entries(expected)) compareFile(path.join(folder, name), tensors);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);
