import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mqarChance, mqarProblem, MqarSource } from '../../extension/core/evals/mqar.js';

const ints = (bytes: Uint8Array): number[] =>
  Array.from(new BigInt64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 8), Number);

test("every query repeats a key and its target is that key's value; nothing else is scored", () => {
  const task = { context: 64, pairs: 8, vocab: 256 };
  const source = new MqarSource(task, 32, 5, -100);
  const { idx, targets, scored } = source.next();
  const tokens = ints(idx);
  const wanted = ints(targets);
  assert.equal(scored.length, 32 * 8);
  for (let row = 0; row < 32; row++) {
    const line = tokens.slice(row * 64, (row + 1) * 64);
    const values = new Map(Array.from({ length: 8 }, (_, i) => [line[2 * i]!, line[2 * i + 1]!]));
    assert.equal(values.size, 8);
    for (const [key, value] of values) assert.ok(key >= 1 && key < 128 && value >= 128 && value < 256);
    const queries = scored.filter(({ place }) => Math.floor(place / 64) === row);
    assert.equal(new Set(queries.map(({ place }) => place)).size, 8);
    for (const { place, answer } of queries) {
      assert.ok(place % 64 >= 16 && (place % 64) % 2 === 0);
      assert.equal(values.get(tokens[place]!), answer);
      assert.equal(wanted[place], answer);
    }
  }
  assert.equal(wanted.filter((target) => target !== -100).length, scored.length);
});

test('queries sit early, about as 1/n', () => {
  const source = new MqarSource({ context: 256, pairs: 1, vocab: 512 }, 4000, 1, -1);
  const slots = source.next().scored.map(({ place }) => ((place % 256) - 2) / 2 + 1);
  const first = slots.filter((slot) => slot === 1).length / slots.length;
  const harmonic = Array.from({ length: 127 }, (_, i) => (i + 1) ** -0.99).reduce((a, b) => a + b, 0);
  assert.ok(Math.abs(first - 1 / harmonic) < 0.02, `${first} against ${1 / harmonic}`);
});

test('the same seed gives the same examples, another seed others', () => {
  const task = { context: 32, pairs: 4, vocab: 64 };
  const draw = (seed: number) => new MqarSource(task, 4, seed, -1).next().idx;
  assert.deepEqual(draw(1), draw(1));
  assert.notDeepEqual(draw(1), draw(2));
});

test('impossible tasks are named', () => {
  assert.match(mqarProblem({ context: 64, pairs: 17, vocab: 128 })!, /at least 68/);
  assert.match(mqarProblem({ context: 63, pairs: 4, vocab: 128 })!, /even/);
  assert.match(mqarProblem({ context: 64, pairs: 4, vocab: 64 })!, /larger than its context/);
  assert.equal(mqarProblem({ context: 64, pairs: 16, vocab: 65 }), null);
  assert.equal(mqarChance({ context: 64, pairs: 4, vocab: 128 }), 1 / 64);
});
