/** Row kernels against float64 formulas: norms, cross entropy, embedding, optimizer; odd sizes, strided rows. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { close, Machine, numbers } from './machine.js';

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
const chunk = (values: readonly number[], n: number) =>
  Array.from({ length: values.length / n }, (_, i) => values.slice(i * n, i * n + n));

function normOf(x: number[], rms: boolean, eps: number) {
  const mean = rms ? 0 : sum(x) / x.length;
  const rstd = 1 / Math.sqrt(sum(x.map((v) => (v - mean) ** 2)) / x.length + eps);
  return { mean, rstd, hat: x.map((v) => (v - mean) * rstd) };
}

for (const rms of [false, true]) {
  for (const [R, G, n] of [[5, 1, 37], [3, 2, 64], [70, 1, 1], [9, 3, 17]] as const) {
    test(`${rms ? 'RMS' : 'layer'} norm forward and backward, ${R} x ${G} x ${n}`, async () => {
      const eps = 1e-5;
      const [x, weight, bias, dy] = [R * G * n, G * n, G * n, R * G * n].map((c, i) => numbers(c, 10 + i));
      const rows = chunk(x!, n);
      const norms = rows.map((row) => normOf(row, rms, eps));
      const w = chunk(weight!, n);
      const y = norms.flatMap(({ hat }, r) => hat.map((h, i) => h * w[r % G]![i]! + (rms ? 0 : bias![(r % G) * n + i]!)));
      const dx = norms.flatMap(({ hat, rstd }, r) => {
        const g = chunk(dy!, n)[r]!.map((v, i) => v * w[r % G]![i]!);
        const along = sum(g.map((v, i) => v * hat[i]!)) / n;
        const average = rms ? 0 : sum(g) / n;
        return g.map((v, i) => rstd * (v - average - hat[i]! * along));
      });
      const dw = new Array<number>(G * n).fill(0);
      const db = new Array<number>(G * n).fill(0);
      chunk(dy!, n).forEach((row, r) =>
        row.forEach((v, i) => {
          dw[(r % G) * n + i]! += v * norms[r]!.hat[i]!;
          db[(r % G) * n + i]! += v;
        }),
      );
      const m = new Machine();
      const wide = [G * (n + 3) + 5, n + 3, 1];
      const shape = [R, G, n];
      const tx = m.tensor(shape, { values: x!, strides: wide });
      const ty = m.tensor(shape, { strides: wide });
      const tw = m.tensor([G, n], { values: weight! });
      const tb = rms ? null : m.tensor([G, n], { values: bias! });
      const mean = rms ? null : m.tensor([R, G]);
      const rstd = m.tensor([R, G]);
      const tdy = m.tensor(shape, { values: dy! });
      const tdx = m.tensor(shape, { strides: wide, values: x! });
      const [tdw, tdb] = [m.tensor([G, n]), rms ? null : m.tensor([G, n])];
      m.op('layer_norm', [ty, mean, rstd, tx, tw, tb], [rms ? 1 : 0], [eps]);
      m.op('layer_norm_grad', [tdx, tdw, tdb, tdy, tx, mean, rstd, tw], [rms ? 1 : 0, 1, 0]);
      await m.run();
      close(m.read(ty), y, 2e-6, 'y');
      close(m.read(tdx), dx.map((v, i) => v + x![i]!), 1e-4 / Math.sqrt(n), 'x + dx');
      close(m.read(tdw), dw, 2e-5, 'dweight');
      if (tdb !== null) close(m.read(tdb), db, 2e-6, 'dbias');
    });
  }
}

test('layer norm gradient is the same on one thread and two', async () => {
  const results = [];
  for (const threads of [1, 2]) {
    const m = new Machine();
    const [R, n] = [203, 65];
    const args = { x: m.tensor([R, 1, n], { values: numbers(R * n, 1) }), dy: m.tensor([R, 1, n], { values: numbers(R * n, 2) }) };
    const [y, mean, rstd, dx, dw] = [m.tensor([R, 1, n]), m.tensor([R, 1]), m.tensor([R, 1]), m.tensor([R, 1, n]), m.tensor([1, n])];
    m.op('layer_norm', [y, mean, rstd, args.x, null, null], [0], [1e-5]);
    m.op('layer_norm_grad', [dx, dw, null, args.dy, args.x, mean, rstd, null], [0, 0, 0]);
    await m.run(threads);
    results.push(m.read(dw));
  }
  assert.deepEqual(results[0], results[1]);
});

for (const reduction of [0, 1, 2]) {
  for (const smoothing of [0, 0.1]) {
    test(`cross entropy, reduction ${reduction}, smoothing ${smoothing}`, async () => {
      const [N, C] = [7, 33];
      const logits = numbers(N * C, 5).map((v) => v * 20);
      const targets = [0, 32, 5, -1, 7, 7, 16];
      const dloss = reduction === 2 ? numbers(N, 6) : [1.5];
      const counted = targets.filter((t) => t !== -1).length;
      const lse = chunk(logits, C).map((row) => {
        const most = Math.max(...row);
        return most + Math.log(sum(row.map((v) => Math.exp(v - most))));
      });
      const losses = chunk(logits, C).map((row, i) => {
        if (targets[i] === -1) return 0;
        return (1 - smoothing) * (lse[i]! - row[targets[i]!]!) + smoothing * (lse[i]! - sum(row) / C);
      });
      const loss = reduction === 2 ? losses : [sum(losses) / (reduction === 0 ? counted : 1)];
      const grad = chunk(logits, C).flatMap((row, i) => {
        const scale = reduction === 2 ? dloss[i]! : dloss[0]! / (reduction === 0 ? counted : 1);
        return row.map((v, c) =>
          targets[i] === -1
            ? 0
            : scale * (Math.exp(v - lse[i]!) - smoothing / C - (c === targets[i] ? 1 - smoothing : 0)),
        );
      });
      const m = new Machine();
      const x = m.tensor([N, C], { values: logits, strides: [C + 2, 1] });
      const t = m.tensor([N], { storage: 'i64', values: targets });
      const [l, tl] = [m.tensor([N]), m.tensor(reduction === 2 ? [N] : [])];
      const d = m.tensor(reduction === 2 ? [N] : [], { values: dloss });
      m.op('cross_entropy', [tl, l, x, t], [-1, reduction], [smoothing]);
      m.op('cross_entropy_grad', [x, x, l, t, d], [-1, reduction], [smoothing]);
      await m.run();
      close(m.read(l), lse, 1e-6, 'lse');
      close(m.read(tl), loss, 1e-6, 'loss');
      close(m.read(x), grad, 4e-6, 'dlogits');
    });
  }
}

test('a target out of range is an error with code data', async () => {
  const m = new Machine();
  const x = m.tensor([1, 4], { values: [1, 2, 3, 4] });
  m.op('cross_entropy', [m.tensor([]), m.tensor([1]), x, m.tensor([1], { storage: 'i64', values: [4] })], [-100, 0], [0]);
  await assert.rejects(m.run(), (error: { code?: string; message: string }) => {
    assert.equal(error.code, 'data');
    assert.match(error.message, /target 4/);
    return true;
  });
});

test('embedding and its gradient', async () => {
  const [V, D, N] = [11, 37, 23];
  const weight = numbers(V * D, 1);
  const dout = numbers(N * D, 2);
  const index = Array.from({ length: N }, (_, i) => (i * i * 7) % V);
  const base = numbers(V * D, 3);
  const grad = [...base];
  index.forEach((v, i) => {
    for (let d = 0; d < D; d++) grad[v * D + d]! += dout[i * D + d]!;
  });
  const m = new Machine();
  const out = m.tensor([N, D], { strides: [D + 1, 1] });
  const tIndex = m.tensor([N], { storage: 'i64', values: index });
  const accumulated = m.tensor([V, D], { values: base });
  const fresh = m.tensor([V, D]);
  const tdout = m.tensor([N, D], { values: dout });
  m.op('embedding', [out, m.tensor([V, D], { values: weight }), tIndex]);
  m.op('embedding_grad', [accumulated, tdout, tIndex], [1]);
  m.op('embedding_grad', [fresh, tdout, tIndex], [0]);
  await m.run();
  close(m.read(out), index.flatMap((v) => weight.slice(v * D, v * D + D)), 0, 'rows');
  close(m.read(accumulated), grad, 1e-6, 'accumulated');
  close(m.read(fresh), grad.map((v, i) => v - base[i]!), 1e-6, 'assigned');
});

for (const bad of [-1, 11]) {
  test(`embedding index ${bad} is an error with code data`, async () => {
    const m = new Machine();
    const index = m.tensor([1], { storage: 'i64', values: [bad] });
    m.op('embedding', [m.tensor([1, 3]), m.tensor([11, 3], { values: numbers(33, 1) }), index]);
    await assert.rejects(m.run(), { code: 'data' });
  });
}

test('gradient norm and AdamW as torch.optim.AdamW, with clipping', async () => {
  const sizes = [1, 37, 70001];
  const hyper = [0.01, 3, 0.5, 0];
  const [scale, decay, beta1, beta2, eps] = [0.5, 0.1, 0.9, 0.95, 1e-8];
  const m = new Machine();
  const tensors = sizes.map((n, t) =>
    [0, 1, 2, 3].map((k) => numbers(n, 10 * t + k).map((v) => (k === 3 ? Math.abs(v) : v))),
  );
  const places = tensors.map((group, t) => group.map((values) => m.tensor([sizes[t]!], { values })));
  const norm = m.tensor([]);
  m.op('grad_norm', [norm, ...places.map((group) => group[1]!)]);
  m.op('adamw', [m.tensor([4], { values: hyper }), norm, ...places.flat()], [], [scale, decay, beta1, beta2, eps]);
  await m.run();
  const expected = Math.sqrt(sum(tensors.flatMap((group) => group[1]!.map((v) => v * v))));
  close(m.read(norm), [expected], 1e-6, 'norm');
  const clip = Math.min(1, hyper[2]! / (expected + 1e-6));
  const rate = hyper[0]! * scale;
  tensors.forEach(([p, g, first, second], t) => {
    const m1 = g!.map((v, i) => beta1 * first![i]! + (1 - beta1) * v * clip);
    const m2 = g!.map((v, i) => beta2 * second![i]! + (1 - beta2) * (v * clip) ** 2);
    const updated = p!.map((v, i) => {
      const root = Math.sqrt(m2[i]! / (1 - beta2 ** 3)) + eps;
      return v * (1 - rate * decay) - (rate * (m1[i]! / (1 - beta1 ** 3))) / root;
    });
    close(m.read(places[t]![0]!), updated, 1e-6, 'parameter');
    close(m.read(places[t]![2]!), m1, 1e-6, 'first moment');
    close(m.read(places[t]![3]!), m2, 1e-6, 'second moment');
  });
});

test('dropout keeps its share and scales what it keeps', async () => {
  const n = 40001;
  const x = numbers(n, 4);
  const m = new Machine();
  const [out, mask] = [m.tensor([n]), m.tensor([n], { storage: 'u8' })];
  m.op('dropout', [out, mask, m.tensor([n], { values: x })], [], [0.25]);
  await m.run();
  const kept = m.read(mask);
  assert.ok(Math.abs(sum(kept) / n - 0.75) < 0.01, `kept ${sum(kept) / n}`);
  close(m.read(out), x.map((v, i) => (kept[i] === 1 ? v / 0.75 : 0)), 1e-6, 'out');
});

