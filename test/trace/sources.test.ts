import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { collectSources, importsOf } from '../../extension/core/trace/sources.js';
import { TraceError } from '../../extension/core/trace/tracer.js';

const folder = mkdtempSync(path.join(tmpdir(), 'crossover-sources-'));
after(() => rmSync(folder, { recursive: true }));

let projects = 0;
/** A project of these files; returns its root. */
function project(files: Record<string, string>): string {
  const root = path.join(folder, `project${projects++}`);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
    writeFileSync(path.join(root, name), text);
  }
  return root;
}

const collected = (root: string, file: string): string[] =>
  Object.keys(collectSources(path.join(root, file)).texts).sort();

describe('import statements', () => {
  it('are found in every form', () => {
    const text = [
      'import os, numpy as np',
      'import a.b.c  # why',
      'from .x import y as z',
      'from .. import w',
      'from p.q import (one,  # first',
      '    two,)',
      'from m import *',
      'try:',
      '    import late; late.go()',
      'from long \\',
      '    import name',
      "x = 'import nothing'",
    ].join('\n');
    assert.deepEqual(importsOf(text), [
      { level: 1, module: 'x', names: ['y'] },
      { level: 2, module: '', names: ['w'] },
      { level: 0, module: 'p.q', names: ['one', 'two'] },
      { level: 0, module: 'm', names: [] },
      { level: 0, module: 'long', names: ['name'] },
      { level: 0, module: 'os', names: [] },
      { level: 0, module: 'numpy', names: [] },
      { level: 0, module: 'a.b.c', names: [] },
      { level: 0, module: 'late', names: [] },
    ]);
  });
});

describe('the sources of a model', () => {
  it('are the file and what it imports beside it, not its neighbours', () => {
    const root = project({
      'model.py': 'import torch\nfrom layers import Block\nimport kernels.fast',
      'layers.py': 'import helper',
      'helper.py': '',
      'kernels/__init__.py': '',
      'kernels/fast.py': '',
      'kernels/slow.py': '',
      'unused.py': '',
      'torch.py': 'a file of that name does not replace ours',
      'secret.txt': '',
    });
    assert.deepEqual(collected(root, 'model.py'), [
      'helper.py',
      'kernels/__init__.py',
      'kernels/fast.py',
      'layers.py',
      'model.py',
    ]);
  });

  it('reach up to the package and the project they stand in', () => {
    const root = project({
      'pyproject.toml': '',
      'lib/util.py': '',
      'pkg/__init__.py': '',
      'pkg/base.py': 'from .sub import part',
      'pkg/sub/__init__.py': '',
      'pkg/sub/part.py': '',
      'pkg/models/__init__.py': '',
      'pkg/models/gpt.py':
        'from ..base import X\nfrom pkg.sub import part\nimport lib.util\nfrom ....outside import y',
    });
    writeFileSync(path.join(folder, 'outside.py'), '');
    const sources = collectSources(path.join(root, 'pkg/models/gpt.py'));
    assert.equal(sources.root, root);
    assert.equal(sources.file, 'pkg/models/gpt.py');
    assert.deepEqual(Object.keys(sources.texts).sort(), [
      'lib/util.py',
      'pkg/__init__.py',
      'pkg/base.py',
      'pkg/models/__init__.py',
      'pkg/models/gpt.py',
      'pkg/sub/__init__.py',
      'pkg/sub/part.py',
    ]);
  });

  it('stand imports in a circle', () => {
    const root = project({ 'a.py': 'import b', 'b.py': 'import a' });
    assert.deepEqual(collected(root, 'a.py'), ['a.py', 'b.py']);
  });

  it('do not follow a link out of the project', { skip: process.platform === 'win32' }, () => {
    const root = project({ 'model.py': 'import key' });
    writeFileSync(path.join(folder, 'private.key'), 'secret');
    symlinkSync(path.join(folder, 'private.key'), path.join(root, 'key.py'));
    assert.deepEqual(collected(root, 'model.py'), ['model.py']);
  });

  it('are refused when they are too large, or not there', () => {
    const root = project({ 'model.py': `x = '${'a'.repeat(5 * 2 ** 20)}'` });
    assert.throws(
      () => collectSources(path.join(root, 'model.py')),
      (error: unknown) => error instanceof TraceError && error.code === 'size',
    );
    assert.throws(
      () => collectSources(path.join(root, 'nowhere.py')),
      (error: unknown) => error instanceof TraceError && error.code === 'file',
    );
  });
});
