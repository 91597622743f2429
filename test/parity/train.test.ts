/** `crossover train` gives the losses PyTorch gives: same seed, same batches, AdamW, clipping, warm-up and cosine. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { readCorpus } from '../../extension/core/data/corpus.js';
import { BatchSource, byteTokenizer, tokenize } from '../../extension/core/data/tokenStream.js';
import { zooIds, zooModel } from '../../extension/core/experiments/zoo.js';
import { distPath } from '../../extension/core/paths.js';
import { findPython } from './python.js';

const found = findPython();
const addon = existsSync(distPath('native', 'crossover.node'));
const skip = 'missing' in found ? found.missing : !addon && 'the native addon is not built';
const folder = mkdtempSync(path.join(tmpdir(), 'crossover-train-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const shape = { T: 32, V: 256, B: 4 };
const seed = 3;
const steps = 10;
/** High enough for the clip to bite and for weights to move. */
const [top, bottom, warmUp] = [3e-3, 5e-4, 3];
const [clip, weightDecay] = [0.5, 0.3];

const ints = (bytes: Uint8Array): number[] =>
  Array.from(new BigInt64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 8), Number);

/** Linear warm-up, then half a cosine: written out apart from the project's schedule. */
function rate(step: number): number {
  if (step <= warmUp) return top * (step / warmUp);
  const angle = (Math.PI * (step - warmUp)) / (steps - warmUp);
  return bottom + (top - bottom) * (0.5 + 0.5 * Math.cos(angle));
}

function text(): string {
  const file = path.join(folder, 'text.txt');
  const words = Array.from(
    { length: 4000 },
    (_, i) => `${(i * 7919) % 613} is ${i % 3 === 0 ? 'odd' : 'even'};`,
  );
  writeFileSync(file, words.join(' '));
  return file;
}

describe('training', { skip }, () => {
  const data = text();
  const plain = path.resolve('test', 'fixtures', 'models', 'plainGpt.py');
  const cases = [
    ...zooIds().map((id) => {
      const { file, expression } = zooModel(id, { parameters: 150_000 });
      return { name: id, source: `${id}:150K`, file, expression };
    }),
    {
      name: 'a file without configure_optimizers',
      source: `${plain}::PlainGPT(T, V)`,
      file: plain,
      expression: 'PlainGPT(T, V)',
    },
  ];
  for (const { name, source, file, expression } of cases) {
    it(`${name}: ten losses within 1e-5 of PyTorch's`, { timeout: 240_000 }, () => {
      assert.ok('python' in found);
      const options = { T: 'context', V: 'vocab', B: 'batch' } as const;
      const words = Object.entries(options).flatMap(([key, option]) => [
        `--${option}`,
        String(shape[key as keyof typeof shape]),
      ]);
      words.push('--steps', String(steps), '--lr', String(top), '--min-lr', String(bottom));
      words.push('--warmup', String(warmUp), '--clip', String(clip), '--weight-decay', String(weightDecay));
      words.push('--data', data, '--seeds', String(seed), '--json');
      const ours = spawnSync(process.execPath, [distPath('cli.js'), 'train', source, ...words], {
        cwd: folder,
        encoding: 'utf8',
      });
      assert.equal(ours.status, 0, ours.stderr);
      const document = JSON.parse(ours.stdout) as { losses: { points: { loss: number }[] }[] };
      const losses = document.losses[0]!.points.map(({ loss }) => loss);
      const { training } = tokenize(readCorpus(data), byteTokenizer, shape.V);
      const batches = new BatchSource(training, shape.T, shape.B, seed);
      const asked = {
        file,
        expression,
        seed,
        ...shape,
        clip,
        weightDecay,
        learningRate: top,
        steps: Array.from({ length: steps }, (_, i) => {
          const { idx, targets } = batches.next();
          return { idx: ints(idx), targets: ints(targets), rate: rate(i + 1) };
        }),
      };
      const theirs = spawnSync(found.python, ['test/parity/train.py'], {
        input: JSON.stringify(asked),
        encoding: 'utf8',
      });
      assert.equal(theirs.status, 0, theirs.stderr);
      const reference = JSON.parse(theirs.stdout.trim().split('\n').at(-1)!) as { losses: number[] };
      assert.equal(losses.length, steps);
      assert.equal(reference.losses.length, steps);
      for (const [step, loss] of losses.entries()) {
        const expected = reference.losses[step]!;
        const apart = Math.abs(loss - expected) / expected;
        assert.ok(apart < 1e-5, `step ${step + 1}: ${loss} here, ${expected} in PyTorch`);
      }
      assert.ok(losses.at(-1)! < losses[0]! - 0.1, `it learns: ${losses.join(' ')}`);
    });
  }
});
