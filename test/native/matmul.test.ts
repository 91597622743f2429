/** Matrix products of every layout against float64. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TensorRef } from '../../extension/core/compiler/program.js';
import { serialize } from '../../extension/core/compiler/serialize.js';
import { addon, close, Machine, numbers, offsets, product, rowMajor, type Tensor } from './machine.js';

interface Case {
  readonly batch: number[];
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** Layout of a and b: plain, transposed, wide (rows of a larger tensor), shared (one matrix for all batches). */
  readonly a?: Layout;
  readonly b?: Layout;
  readonly bias?: boolean;
  readonly residual?: 'apart' | 'same';
  readonly accumulate?: boolean;
  readonly alpha?: number;
  readonly bf16?: boolean;
  readonly heads?: boolean;
}
type Layout = 'plain' | 'transposed' | 'wide' | 'shared' | 'sharedTransposed';

function strides(batch: number[], rows: number, columns: number, layout: Layout): number[] {
  const plain = rowMajor([...batch, rows, columns]);
  const d = plain.length - 2;
  const matrix = { plain: [columns, 1], transposed: [1, rows], wide: [columns + 3, 1], shared: [columns, 1], sharedTransposed: [1, rows] }[layout];
  const outer = plain.slice(0, d).map((s) => (layout.startsWith('shared') ? 0 : layout === 'wide' ? (s / columns) * (columns + 3) : s));
  return [...outer, ...matrix];
}

function place(m: Machine, shape: number[], layout: number[], seed: number): { tensor: Tensor; values: number[] } {
  const places = offsets(shape, layout);
  const cells = numbers(places.reduce((most, at) => Math.max(most, at), 0) + 1, seed);
  const base = m.tensor([cells.length], { values: cells });
  return { tensor: m.view(base, shape, layout), values: places.map((at) => cells[at]!) };
}

const round = (v: number) => {
  const bits = new Uint32Array(new Float32Array([v]).buffer)[0]!;
  return new Float32Array(new Uint32Array([((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) << 16]).buffer)[0]!;
};

async function check(c: Case): Promise<void> {
  const { batch, m, n, k, alpha = 1 } = c;
  const machine = new Machine();
  const a = place(machine, [...batch, m, k], strides(batch, m, k, c.a ?? 'plain'), 1);
  const b = place(machine, [...batch, k, n], strides(batch, k, n, c.b ?? 'plain'), 2);
  const shape = [...batch, m, n];
  const before = numbers(product(shape), 3);
  // heads: c is written as [T, H, D] rows would be, batch 1 inside the rows.
  const cStrides = c.heads === true ? [n, batch[0]! * n, 1] : rowMajor(shape);
  const out = machine.tensor(shape, { strides: cStrides, ...(c.accumulate === true || c.residual === 'same' ? { values: before } : {}) });
  const apart = c.residual === 'apart' ? machine.tensor(shape, { values: before }) : null;
  const biases = numbers(n, 4);
  const bias = c.bias === true ? machine.tensor([n], { values: biases }) : null;
  const residual = c.residual === 'same' ? out : apart;
  machine.op('matmul', [out, a.tensor, b.tensor, bias, residual], [c.accumulate === true ? 1 : 0, c.bf16 === true ? 1 : 0], [alpha]);
  await machine.run();
  const f = c.bf16 === true ? round : (v: number) => v;
  const expected: number[] = [];
  for (let batchIndex = 0; batchIndex < product(batch); batchIndex++) {
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let l = 0; l < k; l++) sum += f(a.values[(batchIndex * m + i) * k + l]!) * f(b.values[(batchIndex * k + l) * n + j]!);
        const at = (batchIndex * m + i) * n + j;
        expected.push(alpha * sum + (bias === null ? 0 : biases[j]!) + (residual !== null || c.accumulate === true ? before[at]! : 0));
      }
    }
  }
  close(machine.read(out), expected, 3e-6, JSON.stringify(c));
}

const layouts: Layout[] = ['plain', 'transposed', 'wide', 'shared', 'sharedTransposed'];

test('layouts of both factors, one matrix and batches', async () => {
  for (const a of layouts) {
    for (const b of layouts) {
      await check({ batch: [], m: 5, n: 7, k: 3, a, b });
      await check({ batch: [3], m: 33, n: 17, k: 20, a, b });
      await check({ batch: [2, 3], m: 4, n: 9, k: 5, a, b, alpha: 0.5 });
    }
  }
});

test('sizes from one up', async () => {
  for (const [m, n, k] of [[1, 1, 1], [1, 64, 32], [64, 1, 32], [1, 300, 70], [70, 65, 1], [130, 65, 33], [257, 48, 64], [64, 256, 100]] as const) {
    for (const b of ['plain', 'transposed'] as const) {
      for (const a of ['plain', 'transposed'] as const) await check({ batch: [], m, n, k, a, b });
    }
  }
});

test('bias, residual, accumulation and scale together', async () => {
  for (const bias of [false, true]) {
    for (const alpha of [1, -0.25]) {
      for (const batch of [[], [4]]) {
        await check({ batch, m: 21, n: 19, k: 13, bias, alpha, residual: 'apart' });
        await check({ batch, m: 21, n: 19, k: 13, bias, alpha, residual: 'same' });
        await check({ batch, m: 21, n: 19, k: 13, bias, alpha, accumulate: true });
        await check({ batch, m: 21, n: 19, k: 13, bias, alpha, b: 'sharedTransposed' });
      }
    }
  }
});

test('a left factor stored by columns, deeper than one piece', async () => {
  await check({ batch: [], m: 130, n: 141, k: 1100, a: 'transposed', bias: true, residual: 'apart' });
  await check({ batch: [], m: 128, n: 128, k: 2049, a: 'transposed', accumulate: true, alpha: 0.5 });
  await check({ batch: [], m: 200, n: 129, k: 300, a: 'transposed', b: 'transposed', residual: 'same' });
});

test('heads inside rows', async () => {
  await check({ batch: [6], m: 37, n: 16, k: 37, heads: true });
  await check({ batch: [6], m: 37, n: 16, k: 37, heads: true, a: 'transposed', b: 'wide' });
});

test('bf16 inputs are rounded and summed in float32', async () => {
  for (const b of ['plain', 'transposed', 'shared'] as const) {
    await check({ batch: [2], m: 33, n: 40, k: 64, b, bf16: true, bias: true });
    await check({ batch: [], m: 65, n: 31, k: 64, b, bf16: true, accumulate: true, a: 'transposed' });
  }
});

test('bf16 rounds to nearest, ties to even; infinity and NaN stay', async () => {
  // 1 + 2^-8 and 1 + 3 * 2^-8 lie halfway between two bf16 numbers; the next float up rounds up.
  const values = [1 + 2 ** -8, 1 + 3 * 2 ** -8, Math.fround(1 + 2 ** -8 + 2 ** -23), -(1 + 2 ** -8), Infinity, -Infinity, NaN, 3.4e38, 0];
  const rounded = [1, 1 + 2 ** -6, 1 + 2 ** -7, -1, Infinity, -Infinity, NaN, Infinity, 0];
  const machine = new Machine();
  const out = machine.tensor([values.length, 1]);
  machine.op('matmul', [out, machine.tensor([values.length, 1], { values }), machine.tensor([1, 1], { values: [1] }), null, null], [0, 1], [1]);
  await machine.run();
  assert.deepEqual(machine.read(out), rounded);
  // The sums stay in float32: 1 + 2^-12 has no bf16.
  const sum = new Machine();
  const one = sum.tensor([1, 1]);
  sum.op('matmul', [one, sum.tensor([1, 2], { values: [1, 2 ** -12] }), sum.tensor([2, 1], { values: [1, 1] }), null, null], [0, 1], [1]);
  await sum.run();
  assert.deepEqual(sum.read(one), [1 + 2 ** -12]);
});

/** A product too large for one call, checked at a few elements; c is a part of wider rows. */
async function checkLarge(batch: number, m: number, n: number, k: number, transposed: boolean): Promise<void> {
  const wide = n + 5;
  const sizes = [batch * m * wide, batch * m * k, batch * k * n, n].map((count) => Math.ceil(count / 16) * 64);
  const at = sizes.map((_, i) => sizes.slice(0, i).reduce((a, b) => a + b, 0));
  const ioBytes = at[3]! + sizes[3]!;
  const tensor = (i: number, shape: number[], strides: number[]): TensorRef => ({ segment: 'io', storage: 'f32', byteOffset: at[i]!, shape, strides });
  const tensors = [
    tensor(0, [batch, m, n], [m * wide, wide, 1]),
    tensor(1, [batch, m, k], [m * k, ...(transposed ? [1, m] : [k, 1])]),
    tensor(2, [batch, k, n], [k * n, ...(transposed ? [1, k] : [n, 1])]),
    tensor(3, [n], [1]),
  ];
  const data = new Float32Array(ioBytes / 4);
  for (let i = 0; i < data.length; i++) data[i] = ((i * 2654435761) >>> 8) / 2 ** 23 - 1;
  const before = data.slice(0, sizes[0]! / 4);
  const session = addon.createSession({});
  const instruction = { op: 'matmul', phase: 'forward', operands: [0, 1, 2, 3, -1], ints: [1, 0], floats: [0.5] } as const;
  const program = session.loadProgram(serialize({ stateBytes: 0, arenaBytes: 0, ioBytes, tensors, instructions: [instruction], constants: new Uint8Array() }), session.createState(0));
  program.write(2, 0, new Uint8Array(data.buffer));
  await program.run();
  const after = new Float32Array(program.read(2, 0, sizes[0]!).buffer);
  session.dispose();
  const element = (i: number, ...index: number[]) => data[at[i]! / 4 + index.reduce((sum, x, d) => sum + x * tensors[i]!.strides[d]!, 0)]!;
  const expected: number[] = [];
  const actual: number[] = [];
  for (let sample = 0; sample < 4000; sample++) {
    const [q, i, j] = [sample % batch, (sample * 7919) % m, (sample * 104729) % n] as const;
    let sum = 0;
    for (let l = 0; l < k; l++) sum += element(1, q, i, l) * element(2, q, l, j);
    const place = (q * m + i) * wide + j;
    expected.push(0.5 * sum + data[at[3]! / 4 + j]! + before[place]!);
    actual.push(after[place]!);
  }
  close(actual, expected, 1e-5, `${batch} x ${m} x ${n} x ${k}`);
  for (let row = 0; row < batch * m; row++) {
    for (let j = n; j < wide; j++) assert.equal(after[row * wide + j], before[row * wide + j]);
  }
}

test('products of many calls: cut along rows, columns and batches', async () => {
  await checkLarge(1, 77, 50304, 1024, true);
  await checkLarge(1, 9001, 301, 1500, false);
  await checkLarge(2, 1201, 1103, 1700, false);
  await checkLarge(40, 128, 1031, 401, true);
});
