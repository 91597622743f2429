/** The zoo's files under real PyTorch: they train, reproduce published logits, and are as large as we say. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { before, describe, it } from 'node:test';
import { architectures } from '../../extension/core/experiments/architectures.js';
import { defaultParameters, zooIds, zooModel } from '../../extension/core/experiments/zoo.js';
import { distPath } from '../../extension/core/paths.js';
import { recipes } from '../fixtures/recipes.js';
import { findPython, sharedData } from './python.js';

interface Report {
  readonly recurrences: Readonly<Record<string, number>>;
  readonly models: readonly {
    readonly losses: readonly number[];
    readonly missing: readonly string[];
    readonly parameters: number;
  }[];
  readonly rwkv4?: number;
  readonly hybrid: { readonly patterns: readonly string[]; readonly parameters: number };
  readonly rwkv5?: number;
  readonly rwkv6?: number;
  readonly rwkv7?: number;
}

const found = findPython();
const checkpoints = sharedData('rwkv_tiny');
const sizes = [200_000, 1_000_000];
const models = zooIds().flatMap((id) => sizes.map((parameters) => zooModel(id, { parameters })));

describe('the zoo under PyTorch', { skip: 'missing' in found ? found.missing : false }, () => {
  let report: Report;

  before(() => {
    assert.ok('python' in found);
    const asked = models.map((model) => [model.id, model.expression, recipes[model.id].embeddings.source]);
    const args = [
      'test/parity/zoo.py',
      distPath('zoo'),
      JSON.stringify(asked),
      ...(checkpoints ? [checkpoints] : []),
    ];
    const run = spawnSync(found.python, args, { encoding: 'utf8', timeout: 300_000 });
    assert.equal(run.status, 0, run.stderr);
    report = JSON.parse(run.stdout) as Report;
  });

  it('recurrences equal their unrolled sums, and carry their state', () => {
    assert.deepEqual(Object.keys(report.recurrences).length, 9);
    for (const [name, difference] of Object.entries(report.recurrences)) {
      assert.ok(difference < 1e-12, `${name}: ${difference}`);
    }
  });

  it('models train at any context', () => {
    for (const [index, { losses, missing }] of report.models.entries()) {
      assert.deepEqual(missing, [], models[index]!.label);
      // Fresh models know nothing: about ln 65. RWKV's larger head initialisation spreads that a little.
      for (const loss of losses) assert.ok(loss > 3 && loss < 6, `${models[index]!.label}: ${loss}`);
    }
  });

  it('the hybrid has the layers and the size of the study', () => {
    assert.deepEqual(report.hybrid.patterns, [
      'M-M-M--M-M*-M-M-M-M--M*-M-M-M-M-M*--M-M-M-M-M*-M--M-M-M-',
      'M-M-M--M-*M-M-M-M--*M-M-M-M-*M--M-M-M-*M-M--M-M-',
    ]);
    assert.ok(Math.abs(report.hybrid.parameters / 8.66e9 - 1) < 2e-3, String(report.hybrid.parameters));
  });

  it('models have the parameters that are shown', () => {
    for (const [index, { parameters }] of report.models.entries()) {
      assert.equal(parameters, models[index]!.parameters, models[index]!.label);
    }
  });

  const skip = checkpoints === null ? 'no ../shared/data/rwkv_tiny here' : false;
  for (const id of ['rwkv4', 'rwkv5', 'rwkv6', 'rwkv7'] as const) {
    it(`${id} reproduces the published logits of a trained checkpoint`, { skip }, () => {
      const difference = report[id];
      assert.ok(difference !== undefined && difference <= 1e-5, String(difference));
    });
  }
});

describe('the sizes of zoo models', () => {
  it('match within 3% in the default comparison', () => {
    const gpt2 = zooModel('gpt2').parameters;
    const rwkv7 = zooModel('rwkv7').parameters;
    assert.ok(Math.abs(gpt2 / rwkv7 - 1) < 0.03, `${gpt2} and ${rwkv7}`);
    assert.ok(Math.abs(gpt2 / defaultParameters - 1) < 0.03);
  });

  it('are the published ones at published depths and widths', () => {
    const published = [
      ['rwkv5', 2 * 65536, 24, 1024, 461.7216],
      ['rwkv5', 2 * 65536, 32, 4096, 7518.04416],
      ['mamba', 50280, 24, 768, 129.135],
      ['mamba', 50280, 48, 1024, 371.5],
      ['mamba', 50280, 64, 2560, 2768],
      ['mamba2', 50288, 24, 768, 129.0],
      ['mamba2', 50288, 48, 1024, 368.3],
      ['mamba2', 50288, 64, 2560, 2703],
    ] as const;
    for (const [id, vocab, layers, width, millions] of published) {
      const total = (architectures[id].parameters(layers, width) + vocab * width) / 1e6;
      assert.ok(Math.abs(total / millions - 1) < 5e-4, `${id} ${layers}x${width}: ${total} million`);
    }
  });

  it('are within 3% of what is asked for', () => {
    for (const id of zooIds()) {
      for (const parameters of [1e6, 5e6, 1e7, 5e7, 1e8, 1.24e8, 3.5e8]) {
        const ratio = zooModel(id, { parameters }).parameters / parameters;
        assert.ok(Math.abs(ratio - 1) < 0.03, `${id} at ${parameters}: ${ratio}`);
      }
    }
  });
});
