/** `fused` against float64: every operation with its edges, layouts, reductions, integer lane, storage types. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FUSED_OPS, type FusedOp } from '../../extension/core/compiler/program.js';
import { close, Machine, numbers, offsets, product, rowMajor } from './machine.js';

const number = (op: FusedOp) => FUSED_OPS.indexOf(op);
const NONE = 0;

function erf(x: number): number {
  // Series for small arguments, continued fraction of erfc for large ones.
  const a = Math.abs(x);
  if (a < 2.5) {
    let term = a;
    let total = a;
    for (let n = 1; n < 80; n++) {
      term *= (-a * a) / n;
      total += term / (2 * n + 1);
    }
    return (Math.sign(x) * 2 * total) / Math.sqrt(Math.PI);
  }
  let fraction = 0;
  for (let k = 60; k > 0; k--) fraction = (k / 2) / (a + fraction);
  return Math.sign(x) * (1 - Math.exp(-a * a) / Math.sqrt(Math.PI) / (a + fraction));
}
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const softplus = (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const geluGate = (x: number) => sigmoid(2 * Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3));
const bool = (b: boolean) => (b ? 1 : 0);
const floorMod = (a: number, b: number) => a - b * Math.floor(a / b);
const halfEven = (x: number) => {
  const low = Math.floor(x);
  return x - low === 0.5 ? low + (Math.abs(low % 2) === 1 ? 1 : 0) : Math.round(x);
};

interface Reference {
  readonly f: (a: number, b: number, c: number) => number;
  /** Ranges of the operands. */
  readonly range?: readonly [number, number];
  readonly second?: readonly [number, number];
  /** Relative to the value, or to `floor` where it is smaller; default 3e-7 and 1e-3. */
  readonly tolerance?: number;
  readonly floor?: number;
}

const references: Partial<Record<FusedOp, Reference>> = {
  copy: { f: (a) => a }, where: { f: (a, b, c) => (a !== 0 ? b : c) }, neg: { f: (a) => -a },
  exp: { f: Math.exp, range: [-100, 88] }, exp2: { f: (a) => 2 ** a, range: [-140, 127] },
  log: { f: Math.log, range: [1e-30, 1e4] }, log2: { f: Math.log2, range: [1e-30, 1e4] },
  log1p: { f: Math.log1p, range: [-0.999, 100] }, expm1: { f: Math.expm1, range: [-20, 80] },
  sin: { f: Math.sin, range: [-9000, 9000], tolerance: 4e-7 }, cos: { f: Math.cos, range: [-9000, 9000], tolerance: 4e-7 },
  tan: { f: Math.tan, range: [-1.4, 1.4] }, tanh: { f: Math.tanh, range: [-12, 12] },
  sigmoid: { f: sigmoid, range: [-80, 80] }, relu: { f: (a) => Math.max(a, 0) },
  gelu: { f: (a) => 0.5 * a * (1 + erf(a / Math.SQRT2)), range: [-3, 8], tolerance: 1e-6, floor: 0.1 },
  gelu_tanh: { f: (a) => a * geluGate(a), range: [-6, 8], tolerance: 1e-6, floor: 0.1 },
  silu: { f: (a) => a * sigmoid(a), range: [-60, 60], tolerance: 6e-7 }, softplus: { f: softplus, range: [-80, 80], tolerance: 5e-7 },
  sqrt: { f: Math.sqrt, range: [0, 1e6] }, rsqrt: { f: (a) => 1 / Math.sqrt(a), range: [1e-6, 1e6] },
  abs: { f: Math.abs }, sign: { f: Math.sign }, square: { f: (a) => a * a }, reciprocal: { f: (a) => 1 / a },
  erf: { f: erf, range: [-5, 5] }, floor: { f: Math.floor, range: [-9, 9] }, ceil: { f: Math.ceil, range: [-9, 9] },
  round: { f: halfEven, range: [-9, 9] }, trunc: { f: Math.trunc, range: [-9, 9] },
  isnan: { f: (a) => bool(Number.isNaN(a)) }, isinf: { f: (a) => bool(Math.abs(a) === Infinity) },
  logical_not: { f: (a) => bool(a === 0) },
  add: { f: (a, b) => a + b }, sub: { f: (a, b) => a - b }, mul: { f: (a, b) => a * b }, div: { f: (a, b) => a / b },
  pow: { f: (a, b) => a ** b, range: [0.01, 20], second: [-8, 8] },
  maximum: { f: (a, b) => Math.max(a, b) }, minimum: { f: (a, b) => Math.min(a, b) },
  remainder: { f: floorMod, range: [-9, 9], second: [0.5, 3], tolerance: 2e-6 },
  floor_divide: { f: (a, b) => Math.floor(a / b), range: [-9, 9], second: [0.5, 3] },
  atan2: { f: Math.atan2 },
  eq: { f: (a, b) => bool(a === b) }, ne: { f: (a, b) => bool(a !== b) }, lt: { f: (a, b) => bool(a < b) },
  le: { f: (a, b) => bool(a <= b) }, gt: { f: (a, b) => bool(a > b) }, ge: { f: (a, b) => bool(a >= b) },
  logical_and: { f: (a, b) => bool(a !== 0 && b !== 0) }, logical_or: { f: (a, b) => bool(a !== 0 || b !== 0) },
  logical_xor: { f: (a, b) => bool((a !== 0) !== (b !== 0)) },
  fma: { f: (a, b, c) => a * b + c, floor: 1 }, // rounded once or twice, as the CPU has it
  gelu_grad: { f: (dy, x) => dy * (0.5 * (1 + erf(x / Math.SQRT2)) + (x * Math.exp(-x * x / 2)) / Math.sqrt(2 * Math.PI)), second: [-5, 8], tolerance: 1e-6, floor: 0.3 },
  gelu_tanh_grad: {
    f: (dy, x) => {
      const s = geluGate(x);
      return dy * (s + x * s * (1 - s) * 2 * Math.sqrt(2 / Math.PI) * (1 + 3 * 0.044715 * x * x));
    },
    second: [-5, 8], tolerance: 1e-6, floor: 0.3,
  },
  silu_grad: { f: (dy, x) => dy * (sigmoid(x) + x * sigmoid(x) * (1 - sigmoid(x))), second: [-20, 20], tolerance: 1e-6, floor: 0.3 },
  softplus_grad: { f: (dy, x) => dy * sigmoid(x), second: [-30, 30], tolerance: 5e-7 },
  tanh_grad: { f: (dy, y) => dy * (1 - y * y), tolerance: 5e-7 }, sigmoid_grad: { f: (dy, y) => dy * y * (1 - y), second: [0, 1], tolerance: 5e-7 },
};

const spread = (values: number[], [low = 0, high = 0]: readonly number[]) =>
  values.map((v) => Math.fround(low + ((v + 1) / 2) * (high - low)));

for (const [op, { f, range = [-3, 3], second = [-3, 3], tolerance = 3e-7, floor = 1e-3 }] of Object.entries(references) as [FusedOp, Reference][]) {
  test(`fused ${op}`, async () => {
    const n = 1037;
    const a = [...spread(numbers(n - 6, 1), range), range[0], range[1], range[0], ...spread([0.1, 0.2, 0.3], range)].map(Math.fround);
    const b = spread(numbers(n, 2), second);
    const c = numbers(n, 3);
    if (op === 'eq' || op === 'le' || op === 'ne') b.splice(0, 300, ...a.slice(0, 300));
    if (op === 'where' || op.startsWith('logical')) a.fill(0, 0, 500);
    const m = new Machine();
    const inputs = [a, b, c].map((values) => m.tensor([n], { values }));
    const out = m.tensor([n]);
    const scalars = m.tensor([n]);
    // Once with all operands varying, once with b and c as immediates.
    m.op('fused', [out, ...inputs], [0, 1, 0, 0, 3, 0, number(op), 3, 0, 1, 2]);
    m.op('fused', [scalars, ...inputs], [0, 1, 0, 0, 3, 0, number(op), 3, 0, 128, 129], [b[7]!, c[7]!]);
    await m.run();
    for (const [place, second_, third] of [[out, null, null], [scalars, b[7]!, c[7]!]] as const) {
      m.read(place).forEach((value, i) => {
        const want = f(a[i]!, second_ ?? b[i]!, third ?? c[i]!);
        const bound = tolerance * Math.max(Math.abs(want), op === 'exp' || op === 'exp2' ? 1e-37 : floor);
        const good = value === want || Math.abs(value - want) <= bound;
        assert.ok(good, `${op}(${a[i]}, ${second_ ?? b[i]}, ${third ?? c[i]}) is ${value}, expected ${want}`);
      });
    }
  });
}

test('edges: NaN and infinities go through as IEEE 754 says', async () => {
  const x = [NaN, Infinity, -Infinity, 0, -1, 1e-40, 200];
  const expected: [FusedOp, number[]][] = [
    ['exp', [NaN, Infinity, 0, 1, Math.exp(-1), 1, Infinity]], ['tanh', [NaN, 1, -1, 0, Math.tanh(-1), 1e-40, 1]],
    ['sigmoid', [NaN, 1, 0, 0.5, sigmoid(-1), 0.5, 1]], ['erf', [NaN, 1, -1, 0, erf(-1), 1.1283792e-40, 1]],
    ['log', [NaN, Infinity, NaN, -Infinity, NaN, Math.log(1e-40), Math.log(200)]],
    ['relu', [NaN, Infinity, 0, 0, 0, 1e-40, 200]], ['isnan', [1, 0, 0, 0, 0, 0, 0]], ['isinf', [0, 1, 1, 0, 0, 0, 0]],
    ['sin', [NaN, NaN, NaN, 0, Math.sin(-1), 1e-40, Math.sin(200)]], ['expm1', [NaN, Infinity, -1, 0, Math.expm1(-1), 1e-40, Infinity]],
    ['log1p', [NaN, Infinity, NaN, 0, -Infinity, 1e-40, Math.log1p(200)]], ['softplus', [NaN, Infinity, 0, Math.LN2, softplus(-1), Math.LN2, 200]],
  ];
  const m = new Machine();
  const input = m.tensor([x.length], { values: x });
  const places = expected.map(([op]) => {
    const out = m.tensor([x.length]);
    m.op('fused', [out, input], [0, 1, 0, 0, 1, 0, number(op), 1, 0, -1, -1]);
    return out;
  });
  await m.run();
  expected.forEach(([op, values], k) =>
    m.read(places[k]!).forEach((value, i) => {
      const want = values[i]!;
      const good = Object.is(value, want) || value === want || Math.abs(value - want) <= 4e-7 * Math.abs(want) || (Math.abs(want) < 1e-37 && Math.abs(value - want) < 1e-44);
      assert.ok(good, `${op}(${x[i]}) is ${value}, expected ${want}`);
    }),
  );
  const pairs = new Machine();
  const left = pairs.tensor([4], { values: [NaN, 1, NaN, 2] });
  const right = pairs.tensor([4], { values: [1, NaN, NaN, 3] });
  const [most, least] = [pairs.tensor([4]), pairs.tensor([4])];
  pairs.op('fused', [most, left, right], [0, 1, 0, 0, 2, 0, number('maximum'), 2, 0, 1, -1]);
  pairs.op('fused', [least, left, right], [0, 1, 0, 0, 2, 0, number('minimum'), 2, 0, 1, -1]);
  await pairs.run();
  assert.deepEqual(pairs.read(most), [NaN, NaN, NaN, 3]);
  assert.deepEqual(pairs.read(least), [NaN, NaN, NaN, 2]);
});

const shapes = [[1], [7], [5, 3], [3, 70, 5], [2, 3, 4, 5], [33, 129], [2000, 3], [3, 3000], [16, 40, 9]];
const reductions = ['none', 'sum', 'max', 'min', 'prod'] as const;

/** out = reduce(x * y + 1) over the dims of `mask`, accumulating into what is there when asked. */
async function reduceCase(shape: number[], mask: number, kind: number, accumulate: boolean, layout: number): Promise<void> {
  const n = product(shape);
  const x = numbers(n, 1);
  const factor = kind === 4 ? 0.001 : 1;
  const natural = rowMajor(shape);
  const reversed = [...shape.keys()].reverse();
  const columnMajor = rowMajor(shape.toReversed()).toReversed();
  const last = shape.length - 1;
  // y: same layout, broadcast over the last dim, broadcast over the first, transposed.
  const yStrides = [natural, natural.map((s, d) => (d === last ? 0 : s)), natural.map((s, d) => (d === 0 && last > 0 ? 0 : s)), columnMajor][layout]!;
  const places = offsets(shape, yStrides);
  const cells = numbers(Math.max(...places) + 1, 2);
  const y = places.map((place) => cells[place]!);
  const kept = shape.map((size, d) => (((mask >> d) & 1) !== 0 ? 1 : size));
  const outStrides = rowMajor(kept).map((s, d) => (((mask >> d) & 1) !== 0 || kept[d] === 1 ? 0 : s));
  const outPlaces = offsets(shape, outStrides);
  const initial = numbers(product(kept), 3);
  const identities = [0, 0, -Infinity, Infinity, 1];
  const expected = accumulate ? [...initial] : initial.map(() => identities[kind]!);
  x.forEach((v, i) => {
    const value = v * y[i]! * factor + 1;
    const at = outPlaces[i]!;
    const before = expected[at]!;
    expected[at] = kind === 1 ? before + value : kind === 2 ? Math.max(before, value) : kind === 3 ? Math.min(before, value) : before * value;
  });
  const m = new Machine();
  const tx = m.tensor(shape, { values: x });
  const ty = m.tensor([cells.length], { values: cells });
  const out = m.tensor(kept, accumulate ? { values: initial } : {});
  const full = m.tensor(shape, layout === 3 ? { strides: columnMajor } : {});
  const code = [number('mul'), 2, 0, 1, -1, number('fma'), 3, 2, 128, 129];
  m.op('fused', [m.view(out, shape, outStrides), full, tx, m.view(ty, shape, yStrides)],
    [0, 2, mask, kind, 3, bool(accumulate), NONE, 2, 0, ...code], [factor, 1]);
  await m.run();
  const label = `${reductions[kind]} ${shape.join('x')} mask ${mask} layout ${layout} dims ${reversed.length}`;
  close(m.read(full), x.map((v, i) => v * y[i]!), 1e-7, `${label}, unreduced`);
  close(m.read(out), expected, kind === 1 ? 3e-6 : 2e-5, label);
}

for (const shape of shapes) {
  test(`reductions of ${shape.join(' x ')} over every set of dimensions`, async () => {
    for (let mask = 0; mask < 1 << shape.length; mask++) {
      for (const layout of [0, 1, 2, 3]) await reduceCase(shape, mask, 1, (mask + layout) % 2 === 1, layout);
      await reduceCase(shape, mask, 2 + (mask % 3), false, mask % 4);
    }
  });
}

test('integer lane, index, storage conversions and an output over its input', async () => {
  const [rows, columns] = [5, 70];
  const n = rows * columns;
  const big = Array.from({ length: n }, (_, i) => (i % 2 === 0 ? 1 : -1) * (2 ** 40 + i));
  const shape = [rows, columns];
  const m = new Machine();
  const x = m.tensor(shape, { storage: 'i64', values: big });
  const bytes = m.tensor(shape, { storage: 'u8' });
  const halves = m.tensor(shape, { storage: 'bf16', values: numbers(n, 1) });
  const f = m.tensor(shape);
  const shifted = m.tensor(shape, { storage: 'i64' });
  const where = m.tensor(shape, { storage: 'i64' });
  m.op('fused', [where], [1, 1, 0, 0, 2, 0, number('index'), 0, 0, -1, -1, number('index'), 1, 1, -1, -1, number('fma'), 2, 0, 128, 1], [1000]);
  m.op('fused', [shifted, bytes, x], [1, 2, 0, 0, 1, 0, 0, 2, 0, number('shift_right'), 1, 0, 128, -1, number('gt'), 2, 0, 129, -1], [3, 0]);
  m.op('fused', [f, halves], [0, 1, 0, 0, 0, 0]);
  m.op('fused', [x, x], [1, 1, 0, 0, 1, 0, number('floor_divide'), 1, 0, 128, -1], [7]);
  const g = m.tensor(shape, { values: numbers(n, 9) });
  m.op('fused', [g, g, g], [0, 1, 0, 0, 3, 0, number('exp'), 2, 0, -1, -1, number('add'), 3, 2, 1, -1]);
  await m.run();
  assert.deepEqual(m.read(shifted), big.map((v) => Math.floor(v / 8)));
  assert.deepEqual(m.read(bytes), big.map((v) => bool(v > 0)));
  assert.deepEqual(m.read(x), big.map((v) => Math.floor(v / 7)));
  assert.deepEqual(m.read(where), Array.from({ length: n }, (_, i) => Math.floor(i / columns) * 1000 + (i % columns)));
  assert.deepEqual(m.read(f), m.read(halves));
  close(m.read(g), numbers(n, 9).map((v) => Math.exp(v) + v), 2e-7, 'in place');
});

test('sums do not depend on the number of threads', async () => {
  const results: number[][] = [];
  for (const threads of [1, 2, 3]) {
    const m = new Machine();
    const x = m.tensor([100, 1001], { values: numbers(100100, 1) });
    const out = m.tensor([1]);
    m.op('fused', [m.view(out, [100, 1001], [0, 0]), x], [0, 1, 3, 1, 0, 0]);
    await m.run(threads);
    results.push(m.read(out));
  }
  assert.deepEqual(results[1], results[0]);
  assert.deepEqual(results[2], results[0]);
});
