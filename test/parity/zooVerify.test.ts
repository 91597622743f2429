/** `crossover verify` of every zoo model: loss, logits and every gradient, native engine beside PyTorch. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { describe, it } from 'node:test';
import { zooIds } from '../../extension/core/experiments/zoo.js';
import { distPath } from '../../extension/core/paths.js';
import { findPython } from './python.js';

const found = findPython();
const addon = existsSync(distPath('native', 'crossover.node'));
const skip = 'missing' in found ? found.missing : !addon && 'the native addon is not built';

const windowed =
  'Mistral(MistralConfig(dim=128, n_layers=2, n_heads=8, n_kv_heads=2, vocab_size=V, multiple_of=32, window=13))';
const cases = [
  ...zooIds().map((id) => ({ name: id, source: `${id}:400K` })),
  {
    name: 'rwkv5 5.1',
    source: `${distPath('zoo', 'rwkv5.py')}::RWKV5(RWKV5Config(V, 3, 96, head_size=32, version="5.1"))`,
  },
  { name: 'mistral, longer than its window', source: `${distPath('zoo', 'mistral.py')}::${windowed}` },
];

/**
 * Many matrices start at zero, which keeps gradients from all that is before them (RWKV's whole mixers): every parameter
 * is moved first.
 */
const moved = '[p.data.add_(torch.randn(p.shape) * 0.02) for p in model.parameters()]';

/**
 * GLA norms what a head reads, without anything added: at the first token that is a value times q.k, whose sign alone is
 * left, and its gradient grows as q.k comes near 0. There PyTorch itself is 3e-5 from float64, and so are we (2e-5).
 *
 * Gated DeltaNet of this size has one head, so that a layer's A_log and dt_bias are one number, and their gradients a sum
 * over all tokens; in one layer it nearly cancels, where PyTorch is 2.5e-5 from float64 and we are 5e-5.
 */
const bounds: Readonly<Record<string, number>> = { gla: 6e-5, deltanet: 6e-5 };

interface Report {
  readonly passed: boolean;
  readonly loss: { readonly relative: number };
  readonly gradients: readonly {
    readonly name: string;
    readonly verdict: string;
    readonly elements: number;
  }[];
  readonly largestGradient: number;
}

describe('verify of the zoo', { skip }, () => {
  for (const { name, source } of cases) {
    it(`${name} agrees with PyTorch`, { timeout: 240_000 }, () => {
      assert.ok('python' in found);
      const words = [source, '--context', '45', '--batch', '3', '--vocab', '65', '--python', found.python];
      words.push('--init', moved, '--json');
      const run = spawnSync(process.execPath, [distPath('cli.js'), 'verify', ...words], {
        encoding: 'utf8',
      });
      assert.equal(run.status, 0, run.stderr);
      const report = JSON.parse(run.stdout) as Report;
      assert.equal(report.passed, true);
      assert.ok(report.gradients.length > 10);
      // Rounding differs in some of many elements; what is equal to the last bit is zero on both sides.
      const zero = report.gradients.filter(({ verdict, elements }) => verdict === 'equal' && elements > 32);
      assert.deepEqual(zero, []);
      assert.ok(report.loss.relative <= 1e-6, `loss: ${report.loss.relative}`);
      assert.ok(report.largestGradient <= (bounds[name] ?? 2e-5), `gradients: ${report.largestGradient}`);
    });
  }
});
