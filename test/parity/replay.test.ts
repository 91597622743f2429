/** Traces replayed under real PyTorch give the model's own weights, loss, logits and gradients. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { distPath } from '../../extension/core/paths.js';
import { zooIds, zooModel } from '../../extension/core/experiments/zoo.js';
import { findPython } from './python.js';

interface Result {
  readonly name: string;
  readonly error?: string;
  readonly weights: number;
  readonly loss: number;
  readonly logits: number;
  readonly gradients: number;
}

const found = findPython();
const folder = mkdtempSync(path.join(tmpdir(), 'crossover-replay-'));
after(() => rmSync(folder, { recursive: true }));

const expressions: Readonly<Record<string, string>> = {
  aliasing: 'Aliasing(V)',
  duality: 'Duality(V)',
  indexing: 'Indexing(V, T)',
  kernels: 'Kernels(V)',
  layers: 'Layers(V, T)',
  library: 'Library(V)',
  mambas: 'Mambas(V)',
  packages: 'Packages(V)',
  recurrent: 'Recurrent(V)',
  semantics: 'Semantics(V)',
  streams: 'Streams(V)',
  surface: 'Surface(V)',
};

function request(file: string, expression: string): object {
  const siblings = [
    file,
    ...['ops.py', 'llama.py', 'mamba2.py'].map((name) => path.join(path.dirname(file), name)),
  ];
  const sources = Object.fromEntries(
    siblings.flatMap((name): [string, string][] => {
      try {
        return [[name, readFileSync(name, 'utf8')]];
      } catch {
        return [];
      }
    }),
  );
  return { sources, file, expression, context: 12, batch: 2, vocab: 31 };
}

const fixtures = Object.entries(expressions).map(([name, expression]) => ({
  name,
  request: request(path.resolve('test', 'fixtures', 'models', `${name}.py`), expression),
}));
const zoo = zooIds().map((id) => {
  const { file, expression } = zooModel(id, { parameters: 100_000 });
  return { name: id, request: request(file, expression) };
});

describe('replay', { skip: 'missing' in found ? found.missing : false }, () => {
  it('agrees with PyTorch on every fixture and zoo model', () => {
    const job = path.join(folder, 'job.json');
    const work = { tracer: distPath('python'), zoo: distPath('zoo'), requests: [...fixtures, ...zoo] };
    writeFileSync(job, JSON.stringify(work));
    const python = 'python' in found ? found.python : '';
    const script = path.join('test', 'parity', 'replay.py');
    const run = spawnSync(python, ['-B', script, job], { encoding: 'utf8', timeout: 300_000 });
    assert.equal(run.status, 0, run.stderr);
    const results = run.stdout
      .split('\n')
      .flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Result]));
    assert.equal(results.length, work.requests.length);
    for (const result of results) {
      assert.equal(result.error, undefined, result.name);
      // Only QR, of orthogonal_, is not exact, and is the same call here; lengths of weight_norm are sums.
      const exact = result.name === 'surface' ? 1e-7 : 0;
      assert.ok(result.weights <= exact, `${result.name}: weights differ by ${result.weights}`);
      assert.ok(result.loss <= 1e-6, `${result.name}: loss differs by ${result.loss}`);
      assert.ok(result.logits <= 5e-6, `${result.name}: logits differ by ${result.logits}`);
      assert.ok(result.gradients <= 5e-6, `${result.name}: gradients differ by ${result.gradients}`);
    }
  });
});
