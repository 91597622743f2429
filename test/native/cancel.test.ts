/** One long instruction of every kind that takes seconds on its own: cancelled within 300 ms. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GLA_CHUNK, WKV_CHUNK, type Opcode, type TensorRef } from '../../extension/core/compiler/program.js';
import { serialize } from '../../extension/core/compiler/serialize.js';
import { addon, product, rowMajor } from './machine.js';

/** Shapes of the operands in order; null for one that is left out. A stride of 0 everywhere: `{ broadcast }`. */
interface Case {
  readonly op: Opcode;
  readonly operands: readonly (readonly number[] | { broadcast: readonly number[] } | null)[];
  readonly ints?: readonly number[];
  readonly floats?: readonly number[];
}

/** All operands in the arena, one after the other, zero. */
function program({ op, operands, ints = [], floats = [] }: Case): Uint8Array {
  const tensors: TensorRef[] = [];
  let arenaBytes = 0;
  const indices = operands.map((operand) => {
    if (operand === null) return -1;
    const shape = 'broadcast' in operand ? operand.broadcast : operand;
    const strides = 'broadcast' in operand ? shape.map(() => 0) : rowMajor(shape);
    tensors.push({ segment: 'arena', storage: 'f32', byteOffset: arenaBytes, shape, strides });
    arenaBytes += Math.ceil(('broadcast' in operand ? 1 : product(shape)) / 16) * 64;
    return tensors.length - 1;
  });
  const instruction = { op, phase: 'forward', operands: indices, ints, floats } as const;
  return serialize({
    stateBytes: 0, arenaBytes, ioBytes: 0, tensors, instructions: [instruction], constants: new Uint8Array(),
  });
}

const queries = [1, 16, 16384, 64], rows = [1, 16, 16384];
const many = [64, 16, 2048, 64], weights = { broadcast: [64, 16, 2048, 2048] };
const tokens = [8, 16384, 16, 64], states = [8 * 16 * Math.ceil(16384 / WKV_CHUNK) * 64 * 64];
const headStates = [8 * 16 * Math.ceil(16384 / GLA_CHUNK) * 64 * 64];
const decays = { broadcast: tokens }, bonus = [16, 64];
const sequence = [8, 16384, 512], inner = [8, 16384, 64];

const cases: readonly Case[] = [
  { op: 'attention', operands: [queries, rows, queries, queries, queries, null], ints: [1, 0], floats: [0.125] },
  { op: 'attention_grad', operands: [queries, queries, queries, queries, queries, queries, queries, queries, rows, null], ints: [1, 0], floats: [0.125] },
  { op: 'weighted_attention', operands: [many, many, many, many, weights], ints: [-2047, 1] },
  { op: 'weighted_attention_grad', operands: [many, many, many, null, many, many, many, many, weights], ints: [-2047, 1] },
  { op: 'wkv6', operands: [tokens, null, states, tokens, tokens, tokens, decays, bonus, null] },
  { op: 'wkv6_grad', operands: [tokens, tokens, tokens, tokens, bonus, null, tokens, null, states, tokens, tokens, tokens, decays, bonus, null] },
  { op: 'wkv7', operands: [tokens, null, states, tokens, decays, tokens, tokens, tokens, tokens, null] },
  { op: 'wkv7_grad', operands: [tokens, tokens, tokens, tokens, tokens, tokens, null, tokens, null, states, tokens, decays, tokens, tokens, tokens, tokens, null] },
  { op: 'gla', operands: [tokens, null, headStates, tokens, tokens, tokens, decays, null], floats: [1] },
  { op: 'gla_grad', operands: [tokens, tokens, tokens, tokens, null, tokens, null, headStates, tokens, tokens, tokens, decays], floats: [1] },
  { op: 'selective_scan', operands: [sequence, null, null, sequence, sequence, [512, 64], inner, inner, null] },
  { op: 'lstm', operands: [[64, 2048, 512], null, null, null, [64, 2048, 2048], [2048, 512], null, null], ints: [0] },
  { op: 'fused', operands: [[1, 1], { broadcast: [200_000, 200_000] }].map((o) => (Array.isArray(o) ? { broadcast: [200_000, 200_000] } : o)), ints: [0, 1, 3, 1, 1, 0, 4, 1, 0, 0, 0] },
  { op: 'rng_orthogonal', operands: [[6144, 6144]], floats: [1] },
];

for (const c of cases) {
  test(`${c.op} is cancelled within 300 ms`, async () => {
    const session = addon.createSession({});
    const loaded = session.loadProgram(program(c), session.createState(0));
    const running = loaded.run();
    let over = false;
    void running.then(
      () => (over = true),
      () => (over = true),
    );
    await new Promise((resolve) => setTimeout(resolve, 150));
    assert.equal(over, false, 'the instruction is too short to be cancelled');
    const asked = performance.now();
    loaded.cancel();
    await assert.rejects(running, { code: 'cancelled' });
    const took = performance.now() - asked;
    assert.ok(took < 300, `took ${took} ms`);
    session.dispose();
  });
}
