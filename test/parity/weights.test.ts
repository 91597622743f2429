/** Checkpoints in the layouts of nanoGPT, Hugging Face and RWKV-LM give the logits that PyTorch gives. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { distPath } from '../../extension/core/paths.js';
import { findPython } from './python.js';

const found = findPython();
const folder = mkdtempSync(path.join(tmpdir(), 'crossover-layouts-'));
const gpt2 = distPath('zoo', 'gpt2.py');
const ownModule = `${gpt2}::GPT2(GPT2Config(block_size=16, vocab_size=V, n_layer=2, n_head=2, n_embd=48))`;

function crossover(...args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [distPath('cli.js'), ...args], { encoding: 'utf8', timeout: 120_000 });
}

describe('checkpoints written by PyTorch', { skip: 'missing' in found ? found.missing : false }, () => {
  let expected: Readonly<Record<string, readonly number[]>>;
  after(() => rmSync(folder, { recursive: true, force: true }));
  before(() => {
    assert.ok('python' in found);
    const args = ['test/parity/weights.py', distPath('zoo'), folder];
    const run = spawnSync(found.python, args, { encoding: 'utf8', timeout: 120_000 });
    assert.equal(run.status, 0, run.stderr);
    expected = JSON.parse(run.stdout) as typeof expected;
  });

  const cases: readonly (readonly [string, string, readonly string[]])[] = [
    ['nanogpt.pt', 'gpt2', []],
    ['nanogpt.legacy.pt', 'gpt2', []],
    ['nanogpt.pt', ownModule, ['--vocab', '31']],
    ['pytorch_model.bin', 'gpt2', []],
    ['rwkv7.pth', 'rwkv7', []],
  ];
  for (const [name, model, more] of cases)
    it(`${name} in ${model.replace(/^.*\//, '')}`, () => {
      const weights = ['--weights', path.join(folder, name)];
      const run = crossover('forward', model, ...weights, '--tokens', '1,5,2,9,30', '--json', ...more);
      assert.equal(run.status, 0, run.stderr);
      const logits = (JSON.parse(run.stdout) as { logits: number[][] }).logits.at(-1)!;
      const largest = Math.max(...expected[name]!.map(Math.abs));
      assert.equal(logits.length, 31);
      for (const [i, value] of logits.entries())
        assert.ok(
          Math.abs(value - expected[name]![i]!) <= 1e-5 * largest,
          `${value} and ${expected[name]![i]}`,
        );
      assert.equal(/transposed/.test(run.stderr), name === 'pytorch_model.bin');
    });

  it('another architecture and a smaller vocabulary are refused', () => {
    const weights = ['--weights', path.join(folder, 'nanogpt.pt')];
    const other = crossover('forward', 'rwkv7', ...weights, '--tokens', '1');
    assert.equal(other.status, 2);
    assert.match(other.stderr, /is a nanoGPT checkpoint: it fits gpt2, not rwkv7\.\n$/);
    const bytes = crossover('train', 'gpt2', ...weights, '--steps', '1', '--context', '8');
    assert.notEqual(bytes.status, 0);
    assert.match(
      bytes.stdout + bytes.stderr,
      /vocabulary of 31, smaller than the run's 256: set it with --vocab 31/,
    );
  });
});
