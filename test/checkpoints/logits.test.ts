/** Published trained checkpoints run by the zoo's models, whose sizes come from the files: their published logits. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { zooIds } from '../../extension/core/experiments/zoo.js';
import { withEngine } from '../../extension/cli/withEngine.js';
import { distPath } from '../../extension/core/paths.js';

const data = path.join('..', 'shared', 'data');
const skip = existsSync(data) ? false : 'no ../shared/data here';

function forward(...args: readonly string[]): number[][] {
  const run = spawnSync(process.execPath, [distPath('cli.js'), 'forward', ...args, '--json'], {
    encoding: 'utf8',
    timeout: 120_000,
    maxBuffer: 2 ** 28,
  });
  assert.equal(run.status, 0, run.stderr);
  return (JSON.parse(run.stdout) as { logits: number[][] }).logits;
}

const largestDifference = (a: readonly number[], b: readonly number[]): number => {
  assert.equal(a.length, b.length);
  const differences = a.map((value, i) => Math.abs(value - b[i]!));
  assert.ok(!differences.some(Number.isNaN), 'NaN');
  return Math.max(...differences);
};

const rwkv = [
  ['rwkv4', 'tiny-rwkv-4v0-660K'],
  ['rwkv5', 'tiny-rwkv-5v2-730K'],
  ['rwkv6', 'tiny-rwkv-6v0-1m'],
  ['rwkv7', 'tiny-rwkv-7v0-834K'],
] as const;

describe('published logits', { skip }, () => {
  for (const [id, name] of rwkv) {
    if (!(zooIds() as string[]).includes(id)) continue;
    it(`${id} reproduces ${name}`, () => {
      const file = path.join(data, 'rwkv_tiny', name);
      const expected = JSON.parse(readFileSync(`${file}.expected.json`, 'utf8')) as {
        prompt_bytes: number[];
        expected_logits_after_last_prompt_byte: number[];
      };
      const logits = forward(
        id,
        '--weights',
        `${file}.safetensors`,
        '--tokens',
        expected.prompt_bytes.join(),
      );
      const difference = largestDifference(logits.at(-1)!, expected.expected_logits_after_last_prompt_byte);
      assert.ok(difference <= 1e-5, `largest difference ${difference}`);
    });
  }

  it('generate makes the tokens that forward finds likeliest, one after the other', () => {
    const weights = path.join(data, 'rwkv_tiny', 'tiny-rwkv-7v0-834K.safetensors');
    const prompt = [...Buffer.from('"in')];
    const words = ['generate', 'rwkv7', '--weights', weights, '--prompt', '"in', '--temperature', '0'];
    const run = spawnSync(
      process.execPath,
      [distPath('cli.js'), ...words, '--max-new-tokens', '6', '--json'],
      {
        encoding: 'utf8',
        timeout: 120_000,
      },
    );
    assert.equal(run.status, 0, run.stderr);
    const found = JSON.parse(run.stdout) as { tokens: number[]; promptTokens: number; stateBytes: number };
    assert.equal(found.tokens.length, 6);
    assert.equal(found.promptTokens, 3);
    // Per layer a state of 64 x 64 and two shifted rows of 64.
    assert.equal(found.stateBytes, 12 * (64 * 64 + 2 * 64) * 4);
    const logits = forward('rwkv7', '--weights', weights, '--tokens', [...prompt, ...found.tokens].join());
    const likeliest = logits.map((row) => row.indexOf(Math.max(...row)));
    assert.deepEqual(found.tokens, likeliest.slice(prompt.length - 1, -1));
  });

  describe('the sorting GPT', () => {
    const folder = path.join(data, 'gpt_nano_sort');
    const weights = path.join(folder, 'gpt-nano-sort.safetensors');
    const heads = ['--heads', '3'];

    it('has its published logits', () => {
      const partials = JSON.parse(
        readFileSync(path.join(folder, 'gpt-nano-sort-t0-partials.json'), 'utf8'),
      ) as Record<'idx' | 'lm_head', { data: string; shape: number[] }>;
      const [rows, length, vocab] = partials.lm_head.shape as [number, number, number];
      const tokens = floats(partials.idx.data);
      const expected = floats(partials.lm_head.data);
      for (let row = 0; row < rows; row++) {
        const idx = tokens.slice(row * length, (row + 1) * length).join();
        const logits = forward('gpt2', '--weights', weights, '--tokens', idx, ...heads).flat();
        const difference = largestDifference(
          logits,
          expected.slice(row * length * vocab, (row + 1) * length * vocab),
        );
        assert.ok(difference <= 1e-5, `row ${row}: largest difference ${difference}`);
      }
    });

    it('sorts all 729 inputs', async () => {
      const letters = 6;
      const inputs = Array.from({ length: 3 ** letters }, (_, n) =>
        Array.from({ length: letters }, (_, place) => Math.floor(n / 3 ** place) % 3),
      );
      const sorted = inputs.map((input) => [...input].sort((a, b) => a - b));
      // Given what is right so far, every next letter must be right: then decoding greedily is right too.
      const idx = inputs.flatMap((input, n) => [...input, ...sorted[n]!.slice(0, -1)]);
      const context = 2 * letters - 1;
      const found = await withEngine((engine) =>
        engine.ask<'evaluate'>({
          method: 'evaluate',
          model: { source: 'gpt2', weights, heads: 3 },
          root: process.cwd(),
          context,
          batch: inputs.length,
          vocab: 3,
          precision: 'fp32',
          seed: 0,
          idx,
          targets: null,
          gradients: false,
          wantLogits: true,
        }),
      );
      const { values } = found.logits!;
      const best = (row: number, position: number): number => {
        const at = 3 * (row * context + position);
        const scores = values.slice(at, at + 3);
        return scores.indexOf(Math.max(...scores));
      };
      const right = sorted.filter((output, row) =>
        output.every((letter, place) => best(row, letters - 1 + place) === letter),
      );
      assert.equal(right.length, 729);
    });

    it('is refused where its heads are not said, and by another architecture', () => {
      const refused = (id: string): string => {
        const run = spawnSync(
          process.execPath,
          [distPath('cli.js'), 'forward', id, '--weights', weights, '--tokens', '0,1'],
          { encoding: 'utf8', timeout: 60_000 },
        );
        assert.notEqual(run.status, 0);
        return run.stderr;
      };
      assert.match(refused('gpt2'), /does not say how many heads its model has.*--heads N\.\n$/);
      assert.match(refused('rwkv7'), /is a minGPT checkpoint: it fits gpt2, not rwkv7\.\n$/);
    });
  });
});

/** Base64 of little-endian float32. */
function floats(base64: string): number[] {
  const bytes = Buffer.from(base64, 'base64');
  return Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(4 * i));
}
