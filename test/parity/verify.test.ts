/** `verify` finds what differs; PyTorch stands in for the engine here, so that the two sides agree unless changed. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { openCheckpoint } from '../../extension/core/checkpoints/open.js';
import { writeSafetensors } from '../../extension/core/checkpoints/safetensors.js';
import { tensorBytes } from '../../extension/core/checkpoints/storedTensor.js';
import { zooModel } from '../../extension/core/experiments/zoo.js';
import { compareTensors } from '../../extension/core/verify/difference.js';
import { runPython } from '../../extension/core/verify/python.js';
import { verify, VerifyError, type VerifyRequest } from '../../extension/core/verify/verify.js';
import { findPython } from './python.js';

const found = findPython();
const folder = mkdtempSync(path.join(tmpdir(), 'crossover-verify-test-'));
after(() => rmSync(folder, { recursive: true }));

const { file, expression } = zooModel('gpt2', { parameters: 100_000 });
const request: VerifyRequest = {
  file,
  expression,
  context: 12,
  batch: 2,
  vocab: 31,
  seed: 7,
  weightsGiven: false,
  ...('python' in found ? { python: found.python } : {}),
};

type Change = (name: string, values: Float32Array) => Float32Array | null;

/** An engine that is PyTorch, with its results changed. */
async function verifyWith(change: Change, asked: VerifyRequest = request) {
  return verify(asked, async ({ idx, targets, weights, results }) => {
    const output = path.join(folder, 'engine.safetensors');
    await runPython(asked.python!, { ...asked, idx, targets, initial: weights, output }, folder);
    const stored = openCheckpoint(output);
    let loss = NaN;
    const tensors = [...stored.tensors].flatMap(([name, tensor]) => {
      const { shape } = tensor;
      const values = change(name, new Float32Array(tensorBytes(tensor, 'f32').buffer));
      if (name === 'loss') loss = values?.[0] ?? NaN;
      if (values === null || name === 'loss') return [];
      const renamed = name === 'logits' ? 'output.logits' : name.replace(/^grad\./, '');
      return [{ name: renamed, storage: 'f32' as const, shape, bytes: new Uint8Array(values.buffer) }];
    });
    stored.close();
    writeSafetensors(results, tensors);
    return loss;
  });
}

const changed = 'grad.transformer.h.0.mlp.c_fc.weight';
const changing =
  (alter: (values: Float32Array) => Float32Array | null): Change =>
  (name, values) =>
    name === changed ? alter(values) : values;

describe('verify', { skip: 'missing' in found ? found.missing : false }, () => {
  it('passes when both sides agree', async () => {
    const report = await verifyWith((_, values) => values);
    assert.equal(report.passed, true);
    assert.equal(report.loss.relative, 0);
    assert.equal(report.largestGradient, 0);
    assert.ok(report.gradients.length > 10);
    assert.ok(report.initial!.every(({ differing }) => differing === 0));
    assert.match(report.torch, /^\d+\.\d+/);
  });

  it('gives targets only to a parameter that takes them, wherever it stands', async () => {
    const model = path.join(folder, 'calls.py');
    writeFileSync(
      model,
      `
import torch
from torch import nn
from torch.nn import functional as F

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(31, 31)

class Position(Model):
    def forward(self, idx, start: int = 0):
        assert isinstance(start, int)
        return self.emb(idx)[:, start:]

class Last(Model):
    def forward(self, idx, mask=None, labels=None):
        assert mask is None and labels is not None
        return F.cross_entropy(self.emb(idx).flatten(0, 1), labels.flatten())
`,
    );
    for (const name of ['Position', 'Last']) {
      const report = await verifyWith((_, values) => values, {
        ...request,
        file: model,
        expression: `${name}()`,
      });
      assert.equal(report.passed, true, name);
    }
  });

  it('fails when one gradient is off by more than the tolerance', async () => {
    const report = await verifyWith(changing((values) => values.map((value) => value * 1.001)));
    assert.equal(report.passed, false);
    assert.equal(`grad.${report.gradients[0]!.name}`, changed);
    assert.ok(Math.abs(report.largestGradient! - 1e-3) < 1e-5);
  });

  it('fails when a gradient is not a number, or is missing', async () => {
    const spoilt = await verifyWith(changing((values) => values.fill(NaN, 3, 4)));
    assert.equal(spoilt.passed, false);
    assert.equal(spoilt.gradients[0]!.verdict, 'nan');
    const missing = await verifyWith(changing(() => null));
    assert.equal(missing.passed, false);
    assert.equal(missing.gradients[0]!.verdict, 'missing');
  });

  it('fails when the loss is not a number', async () => {
    const report = await verifyWith((name, values) => (name === 'loss' ? values.fill(NaN) : values));
    assert.equal(report.passed, false);
    assert.equal(report.loss.relative, null);
  });

  it('gives the model its launch configuration', async () => {
    const launched = path.join(folder, 'launched.py');
    writeFileSync(
      launched,
      `import os, sys, torch, torch.nn as nn
class Model(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = float(os.environ['SCALE']) * len(sys.argv)
        self.emb = nn.Embedding(31, width)
        self.head = nn.Linear(width, 31)
    def forward(self, tokens, flag):
        assert flag == 'yes' and self.extra == 12
        return self.head(self.emb(tokens)) * self.scale
`,
    );
    const report = await verifyWith((_, values) => values, {
      ...request,
      file: launched,
      expression: 'Model(T)',
      call: "model(idx, 'yes')",
      env: { SCALE: '0.5' },
      args: ['a'],
      init: 'model.extra = T',
    });
    assert.equal(report.passed, true);
    assert.equal(report.gradients.length, 3);
  });

  it('says in one sentence why a model does not run', async () => {
    const broken = { ...request, expression: 'NoSuchModel()' };
    await assert.rejects(
      verifyWith((_, values) => values, broken),
      (error: unknown) => {
        assert.ok(error instanceof VerifyError);
        assert.match(error.message, /NoSuchModel/);
        assert.ok(!error.message.includes('\n'));
        return true;
      },
    );
  });

  it('says when there is no such Python', async () => {
    const nowhere = { ...request, python: path.join(folder, 'python') };
    await assert.rejects(
      verifyWith((_, values) => values, nowhere),
      /There is no program .*--python/,
    );
  });
});

describe('comparing tensors', () => {
  const compare = (a: number[], b: number[], top = 0) =>
    compareTensors('x', Float32Array.from(a), Float32Array.from(b), 1e-4, top);

  it('measures against the largest reference value', () => {
    assert.equal(compare([1, 2], [1, 2.5]).relative, 0.2);
    assert.equal(compare([1, 2], [1, 2]).verdict, 'equal');
    assert.equal(compare([1, 2.0001], [1, 2]).verdict, 'near');
  });

  it('lets no NaN, infinity or other length pass', () => {
    assert.equal(compare([NaN], [NaN]).verdict, 'nan');
    assert.equal(compare([1], [NaN]).verdict, 'nan');
    assert.equal(compare([Infinity], [1]).verdict, 'far');
    assert.equal(compare([1], [Infinity]).verdict, 'far');
    assert.equal(compare([1, 2], [1]).verdict, 'shape');
  });

  it('measures noise on both sides against the largest value of all, and nothing else', () => {
    assert.deepEqual(compare([3e-7], [-1e-7], 1), {
      ...compare([1], [2]),
      relative: Math.fround(3e-7) + Math.fround(1e-7),
      verdict: 'noise',
    });
    assert.equal(compare([1e-12], [0], 1).verdict, 'noise');
    assert.equal(compare([1e-3], [0], 1).verdict, 'far');
    assert.equal(compare([1e-3], [5e-7], 1).verdict, 'far');
    assert.equal(compare([5e-7], [1e-3], 1).verdict, 'far');
    assert.equal(compare([NaN], [0], 1).verdict, 'nan');
    assert.equal(compare([1e-12], [0]).verdict, 'far');
  });
});
