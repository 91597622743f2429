/** gather, scatter, cumulate, arg_extreme, top_k along every dimension of strided tensors. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { close, Machine, numbers, offsets, product, rowMajor } from './machine.js';

const shape = [4, 5, 6];
const wide = [47, 9, 1];
const x = numbers(product(shape), 1);

/** Rows of positions of row-major elements along `dim`. */
function lines(of: readonly number[], dim: number): number[][] {
  const strides = rowMajor(of);
  const others = of.filter((_, d) => d !== dim);
  const bases = offsets(others, strides.filter((_, d) => d !== dim));
  return bases.map((base) => Array.from({ length: of[dim]! }, (_, i) => base + i * strides[dim]!));
}

for (const dim of [0, 1, 2]) {
  test(`gather and scatter along dimension ${dim}`, async () => {
    const picked = shape.map((size, d) => (d === dim ? 3 : size));
    const index = numbers(product(picked), 2).map((v) => Math.floor(((v + 1) / 2) * shape[dim]!));
    const src = numbers(product(picked), 3);
    const gathered = new Array<number>(product(picked));
    const added = [...x];
    const written = [...x];
    lines(shape, dim).forEach((line, l) =>
      lines(picked, dim)[l]!.forEach((at) => {
        gathered[at] = x[line[index[at]!]!]!;
        added[line[index[at]!]!]! += src[at]!;
        written[line[index[at]!]!] = src[at]!;
      }),
    );
    const m = new Machine();
    const tx = m.tensor(shape, { values: x, strides: wide });
    const out = m.tensor(picked);
    const tIndex = m.tensor(picked, { storage: 'i64', values: index });
    const tSrc = m.tensor(picked, { values: src });
    const [sum, last] = [m.tensor(shape, { values: x }), m.tensor(shape, { values: x, strides: wide })];
    m.op('gather', [out, tx, tIndex], [dim]);
    m.op('scatter', [sum, tIndex, tSrc], [dim, 1]);
    m.op('scatter', [last, tIndex, tSrc], [dim, 0]);
    await m.run();
    close(m.read(out), gathered, 0, 'gather');
    close(m.read(sum), added, 1e-6, 'scatter add');
    close(m.read(last), written, 0, 'scatter');
  });

  test(`cumulate along dimension ${dim}`, async () => {
    for (const reverse of [0, 1]) {
      for (const kind of [0, 1]) {
        const expected = new Array<number>(x.length);
        for (const line of lines(shape, dim)) {
          let total = kind;
          for (const at of reverse === 1 ? line.toReversed() : line) {
            total = kind === 0 ? total + x[at]! : total * x[at]!;
            expected[at] = total;
          }
        }
        const m = new Machine();
        const out = m.tensor(shape);
        const same = m.tensor(shape, { values: x, strides: wide });
        m.op('cumulate', [out, m.tensor(shape, { values: x })], [dim, reverse, kind]);
        m.op('cumulate', [same, same], [dim, reverse, kind]);
        await m.run();
        close(m.read(out), expected, 1e-6, `kind ${kind} reverse ${reverse}`);
        close(m.read(same), expected, 1e-6, 'in place');
      }
    }
  });

  test(`arg_extreme and top_k along dimension ${dim}, ties in order`, async () => {
    const values = x.map((v) => Math.round(v * 3));
    const one = shape.map((size, d) => (d === dim ? 1 : size));
    const three = shape.map((size, d) => (d === dim ? 3 : size));
    for (const flag of [0, 1]) {
      const m = new Machine();
      const tx = m.tensor(shape, { values, strides: wide });
      const arg = m.tensor(one, { storage: 'i64' });
      const [top, order] = [m.tensor(three), m.tensor(three, { storage: 'i64' })];
      m.op('arg_extreme', [arg, tx], [dim, flag]);
      m.op('top_k', [top, order, tx], [dim, 3, flag]);
      await m.run();
      lines(shape, dim).forEach((line, l) => {
        const sorted = (smallest: boolean) =>
          line.map((at, i) => ({ v: values[at]!, i })).sort((a, b) => (smallest ? a.v - b.v : b.v - a.v) || a.i - b.i);
        const at = lines(one, dim)[l]![0]!;
        assert.equal(m.read(arg)[at], sorted(flag === 1)[0]!.i);
        const expected = sorted(flag === 0).slice(0, 3);
        const places = lines(three, dim)[l]!;
        assert.deepEqual(places.map((p) => m.read(order)[p]), expected.map(({ i }) => i));
        assert.deepEqual(places.map((p) => m.read(top)[p]), expected.map(({ v }) => v));
      });
    }
  });
}

test('NaN is the largest and the smallest, as in PyTorch', async () => {
  for (const flag of [0, 1]) {
    const m = new Machine();
    const out = m.tensor([1], { storage: 'i64' });
    m.op('arg_extreme', [out, m.tensor([4], { values: [1, 9, NaN, -9] })], [0, flag]);
    await m.run();
    assert.deepEqual(m.read(out), [2]);
  }
});

test('indices out of range are errors with code data', async () => {
  for (const op of ['gather', 'scatter'] as const) {
    const m = new Machine();
    const index = m.tensor([2], { storage: 'i64', values: [0, 5] });
    const [a, b] = [m.tensor([2], { values: [1, 2] }), m.tensor([5], { values: [1, 2, 3, 4, 5] })];
    if (op === 'gather') m.op(op, [a, b, index], [0]);
    else m.op(op, [b, index, a], [0, 1]);
    await assert.rejects(m.run(), { code: 'data' });
  }
});
