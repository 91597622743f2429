/** One long instruction of every kind that takes seconds on its own: cancelled within 300 ms. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GLA_CHUNK, WKV_CHUNK, type Opcode, type TensorRef } from '../../extension/core/compiler/program.js';
import { serialize } from '../../extension/core/compiler/serialize.js';
import { addon, product, rowMajor } from './machine.js';

/** An operand: its shape; or that with strides of 0 but in the last `kept` dimensions; or null for one left out. */
type Operand = readonly number[] | { readonly shape: readonly number[]; readonly kept: number } | null;
interface Case {
  readonly op: Opcode;
  readonly operands: readonly Operand[];
  readonly ints?: readonly number[];
  readonly floats?: readonly number[];
}

/** All operands in the arena, one after the other, zero. */
function program({ op, operands, ints = [], floats = [] }: Case): Uint8Array {
  const tensors: TensorRef[] = [];
  let arenaBytes = 0;
  const indices = operands.map((operand) => {
    if (operand === null) return -1;
    const { shape, kept } = 'shape' in operand ? operand : { shape: operand, kept: operand.length };
    const strides = rowMajor(shape).map((stride, d) => (d < shape.length - kept ? 0 : stride));
    tensors.push({ segment: 'arena', storage: 'f32', byteOffset: arenaBytes, shape, strides });
    arenaBytes += Math.ceil(product(shape.slice(shape.length - kept)) / 16) * 64;
    return tensors.length - 1;
  });
  const instruction = { op, phase: 'forward', operands: indices, ints, floats } as const;
  return serialize({
    stateBytes: 0,
    arenaBytes,
    ioBytes: 0,
    tensors,
    instructions: [instruction],
    constants: new Uint8Array(),
  });
}

/** One row of the last dimensions that all others share. */
const shared = (shape: readonly number[], kept: number): Operand => ({ shape, kept });

const q = [1, 16, 16384, 64];
const lse = [1, 16, 16384];
const many = [64, 16, 2048, 64];
const weights = shared([64, 16, 2048, 2048], 2);
const x = [4, 16384, 16, 64];
const given = shared(x, 2);
const savedBy = (chunk: number) => [4 * 16 * Math.ceil(16384 / chunk) * 64 * 64];
const wkv = savedBy(WKV_CHUNK);
const gla = savedBy(GLA_CHUNK);
const u = [16, 64];
const scan = shared([8, 16384, 1024], 1);
const scanInner = shared([8, 16384, 64], 1);
const inner = [4, 4096, 1024];
const narrow = [4, 4096, 64];
const square = [8192, 8192];
/** One number of each of many transforms. */
const bin = [1, 2 ** 22, 1];
const grid = shared([200_000, 200_000], 0);

// prettier-ignore
const cases: readonly Case[] = [
  { op: 'matmul', operands: [square, square, square, null, null], ints: [0, 0], floats: [1] },
  { op: 'attention', operands: [q, lse, q, q, q, null], ints: [1, 0], floats: [0.125] },
  { op: 'attention_grad', operands: [q, q, q, q, q, q, q, q, lse, null], ints: [1, 0], floats: [0.125] },
  { op: 'weighted_attention', operands: [many, many, many, many, weights], ints: [-2047, 1] },
  { op: 'weighted_attention_grad', operands: [many, many, many, null, many, many, many, many, weights], ints: [-2047, 1] },
  { op: 'wkv6', operands: [x, null, wkv, given, given, given, given, u, null] },
  { op: 'wkv6_grad', operands: [x, x, x, x, u, null, given, null, wkv, given, given, given, given, u, null] },
  { op: 'wkv7', operands: [x, null, wkv, given, given, given, given, given, given, null] },
  { op: 'wkv7_grad', operands: [x, x, x, x, x, x, null, given, null, wkv, given, given, given, given, given, given, null] },
  { op: 'gla', operands: [x, null, gla, given, given, given, given, null], floats: [1] },
  { op: 'gla_grad', operands: [x, x, x, x, null, given, null, gla, given, given, given, given], floats: [1] },
  { op: 'selective_scan', operands: [[8, 16384, 1024], null, null, scan, scan, [1024, 64], scanInner, scanInner, null] },
  { op: 'selective_scan_grad', operands: [inner, inner, [1024, 64], narrow, narrow, null, shared(inner, 1), null, [4 * 256 * 64 * 1024], shared(inner, 1), shared(inner, 1), [1024, 64], narrow, narrow] },
  { op: 'short_conv', operands: [[16, 16384, 1024], null, shared([16, 16384, 1024], 1), [1024, 8], null, null] },
  { op: 'short_conv_grad', operands: [[16, 16384, 1024], [1024, 8], null, null, shared([16, 16384, 1024], 1), null, shared([16, 16384, 1024], 1), [1024, 8], null] },
  { op: 'lstm', operands: [[64, 2048, 512], null, null, null, shared([64, 2048, 2048], 1), [2048, 512], null, null], ints: [0] },
  { op: 'lstm_grad', operands: [[32, 1024, 2048], null, null, shared([32, 1024, 512], 1), null, [2048, 512], [32, 1024, 2048], [32, 1024, 512], null], ints: [0] },
  { op: 'fft', operands: [bin, bin, shared([1, 2 ** 22, 4096], 1), null], ints: [4096, 0], floats: [1] },
  { op: 'rfft', operands: [bin, bin, shared([1, 2 ** 22, 4096], 1)], ints: [4096], floats: [1, 1] },
  { op: 'irfft', operands: [bin, shared([1, 2 ** 22, 2049], 1), shared([1, 2 ** 22, 2049], 1)], ints: [4096], floats: [1, 1] },
  { op: 'fused', operands: [grid, grid], ints: [0, 1, 3, 1, 0, 0] },
  { op: 'rng_orthogonal', operands: [[4096, 4096]], floats: [1] },
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
