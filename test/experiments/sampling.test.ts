/** Drawing tokens: temperature, top-k, top-p, and logits that are no numbers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sampleToken } from '../../extension/core/experiments/sampling.js';
import { Random } from '../../extension/core/stats/random.js';

const logits = Float32Array.of(0, Math.log(2), -Infinity, Math.log(5), Math.log(2));
const plain = { temperature: 1, topK: 0, topP: 1 };
const DRAWS = 20_000;

/** Share of each token among many draws. */
function shares(spec: typeof plain): number[] {
  const random = new Random(4);
  const counts = Array.from(logits, () => 0);
  for (let i = 0; i < DRAWS; i++) counts[sampleToken(logits, spec, random)]! += 1;
  return counts.map((count) => count / DRAWS);
}

function expectShares(spec: typeof plain, wanted: readonly number[]): void {
  const total = wanted.reduce((sum, weight) => sum + weight, 0);
  // Five standard deviations of a share.
  shares(spec).forEach((share, i) => {
    const expected = wanted[i]! / total;
    const sigma = Math.sqrt((expected * (1 - expected)) / DRAWS);
    assert.ok(Math.abs(share - expected) <= 5 * sigma, `token ${i}: ${share}, not ${expected}`);
  });
}

test('tokens are drawn as softmax says', () => {
  expectShares(plain, [1, 2, 0, 5, 2]);
});

test('temperature divides the logits, and 0 takes the likeliest, the first of equals', () => {
  expectShares({ ...plain, temperature: 0.5 }, [1, 4, 0, 25, 4]);
  assert.equal(sampleToken(logits, { ...plain, temperature: 0 }, new Random(1)), 3);
  assert.equal(sampleToken(Float32Array.of(1, 1), { ...plain, temperature: 0 }, new Random(1)), 0);
});

test('top-k leaves the k likeliest, top-p as few as reach the probability', () => {
  expectShares({ ...plain, topK: 2 }, [0, 2, 0, 5, 0]);
  expectShares({ ...plain, topP: 0.5 }, [0, 0, 0, 5, 0]);
  expectShares({ ...plain, topP: 0.6 }, [0, 2, 0, 5, 0]);
  expectShares({ ...plain, topK: 10, topP: 0.99 }, [1, 2, 0, 5, 2]);
});

test('a logit that is no number is an error with its token', () => {
  assert.throws(() => sampleToken(Float32Array.of(0, NaN), plain, new Random(1)), /logit of token 1 is NaN/);
});
