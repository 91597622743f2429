/** PyTorch's CPU generator, bit for bit, against vectors made by PyTorch 2.13. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { Opcode } from '../../extension/core/compiler/program.js';
import { close, Machine, type Tensor } from './machine.js';

type Vectors = Record<string, Record<string, (string | number | string[] | number[])[]>>;
const golden = JSON.parse(readFileSync('test/native/rng.golden.json', 'utf8')) as Vectors;
const seeds = ['0', '1337', '4294967303'];

const bits = (values: readonly number[]) =>
  [...new Uint32Array(new Float32Array(values).buffer)].map((word) => word.toString(16).padStart(8, '0'));

interface Draw {
  readonly op: Opcode;
  readonly shape: number[];
  readonly ints?: number[];
  readonly floats?: number[];
  readonly storage?: 'f32' | 'i64';
}

async function draw(seed: string, draws: readonly Draw[]): Promise<number[][]> {
  const m = new Machine();
  m.op('rng_seed', [], [Number(seed)]);
  const outputs: Tensor[] = draws.map(({ op, shape, ints = [], floats = [], storage = 'f32' }) => {
    const out = m.tensor(shape, { storage });
    m.op(op, [out], ints, floats);
    return out;
  });
  await m.run();
  return outputs.map((out) => m.read(out));
}

const uniform = (n: number, low: number, high: number): Draw => ({ op: 'rng_uniform', shape: [n], floats: [low, high] });
const normal = (n: number, mean: number, std: number, small = 0): Draw => ({ op: 'rng_normal', shape: [n], floats: [mean, std], ints: [small] });
const linear = (fanIn: number) => Math.sqrt(3) * (Math.sqrt(2 / 6) / Math.sqrt(fanIn));

const exact: Record<string, readonly Draw[]> = {
  'uniform_(0,1) n=8': [uniform(8, 0, 1)],
  'uniform_(-1/sqrt(768),1/sqrt(768)) n=8': [uniform(8, -1 / Math.sqrt(768), 1 / Math.sqrt(768))],
  'normal_(0,1) n=5': [normal(5, 0, 1)],
  'normal_(0,1) n=3 twice (cached sample)': [normal(3, 0, 1), normal(3, 0, 1)],
  'normal_(0,0.02) n=16': [normal(16, 0, 0.02)],
  'normal_(0,0.02) n=37': [normal(37, 0, 0.02)],
  'nn.Linear(5,3) weight,bias': [uniform(15, -linear(5), linear(5)), uniform(3, -1 / Math.sqrt(5), 1 / Math.sqrt(5))],
  'nn.Embedding(4,6)': [normal(24, 0, 1)],
  'nn.Conv1d(4,4,3,groups=4) weight,bias': [uniform(12, -linear(3), linear(3)), uniform(4, -1 / Math.sqrt(3), 1 / Math.sqrt(3))],
  'trunc_normal_(0,1,-2,2) n=64': [{ op: 'rng_trunc_normal', shape: [64], floats: [0, 1, -2, 2] }],
};

for (const [name, draws] of Object.entries(exact)) {
  test(`${name} has PyTorch's bits`, async () => {
    for (const seed of seeds) {
      assert.deepEqual(bits((await draw(seed, draws)).flat()), golden[name]![seed]!.flat());
    }
  });
}

const integers: Record<string, Draw> = {
  'randint(0,50304) n=8': { op: 'rng_randint', shape: [8], ints: [0, 50304], storage: 'i64' },
  'randint(0,2**40) n=4': { op: 'rng_randint', shape: [4], ints: [0, 2 ** 40], storage: 'i64' },
  'randperm(12)': { op: 'rng_randperm', shape: [12], storage: 'i64' },
  'dropout(ones(32),0.25) mask': { op: 'rng_bernoulli', shape: [32], floats: [0.75] },
};

for (const [name, one] of Object.entries(integers)) {
  test(`${name} is PyTorch's`, async () => {
    for (const seed of seeds) assert.deepEqual((await draw(seed, [one]))[0], golden[name]![seed]);
  });
}

test('the double-precision pair algorithm fills a transposed tensor in memory order', async () => {
  for (const seed of seeds) {
    const [drawn] = await draw(seed, [normal(20, 0, 1, 1)]);
    const transposed = Array.from({ length: 20 }, (_, i) => drawn![(i % 4) * 5 + Math.floor(i / 4)]!);
    const logical = golden['normal_ transposed 4x5']![seed];
    assert.deepEqual(bits(transposed), logical);
  }
});

test('orthogonal_ agrees with PyTorch to float32 accuracy, and is orthogonal', async () => {
  for (const seed of seeds) {
    const [wide] = await draw(seed, [{ op: 'rng_orthogonal', shape: [4, 6], floats: [1] }]);
    close(wide!, (golden['orthogonal_ 4x6 (approx, float)']![seed] as number[][]).flat(), 1e-6);
  }
  const [tall] = await draw('3', [{ op: 'rng_orthogonal', shape: [130, 67], floats: [2] }]);
  for (const [a, b] of [[0, 0], [66, 66], [0, 1], [12, 66]] as const) {
    let dot = 0;
    for (let i = 0; i < 130; i++) dot += tall![i * 67 + a]! * tall![i * 67 + b]!;
    assert.ok(Math.abs(dot - (a === b ? 4 : 0)) < 1e-5, `columns ${a} and ${b}: ${dot}`);
  }
});

test('a skipped fill leaves the generator where the fill would', async () => {
  for (const n of [5, 7, 16, 37, 5000]) {
    for (const isNormal of [0, 1]) {
      const fill = isNormal === 1 ? normal(n, 0, 1) : uniform(n, 0, 1);
      const after = [normal(3, 0, 1), uniform(4, 0, 1)];
      const [, ...filled] = await draw('9', [fill, ...after]);
      const m = new Machine();
      m.op('rng_seed', [], [9]).op('rng_skip', [], [n, isNormal]);
      const places = after.map((one) => {
        const place = m.tensor(one.shape);
        m.op(one.op, [place], one.ints ?? [], one.floats ?? []);
        return place;
      });
      await m.run();
      assert.deepEqual(places.map((place) => m.read(place)), filled, `n ${n}, normal ${isNormal}`);
    }
  }
});

test('bernoulli with probabilities takes 24-bit draws', async () => {
  const [u] = await draw('4', [uniform(20, 0, 1)]);
  const p = u!.map((_, i) => i / 20);
  const m = new Machine();
  const out = m.tensor([20]);
  m.op('rng_seed', [], [4]).op('rng_bernoulli', [out, m.tensor([20], { values: p })], [], [0]);
  await m.run();
  assert.deepEqual(m.read(out), u!.map((v, i) => (v < Math.fround(p[i]!) ? 1 : 0)));
});
