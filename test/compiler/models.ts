/** Graphs as the tracer records them from nanoGPT's and nanoRWKV's `model.py`, at any size. */
import type { Trace, ValueId } from '../../extension/core/compiler/graph.js';
import { type NdArray } from '../../extension/core/compiler/ops/operation.js';
import { TestGraph, generator, randomArray } from './graphs.js';

export interface Sizes {
  readonly batch: number;
  readonly context: number;
  readonly layers: number;
  readonly heads: number;
  readonly width: number;
  readonly vocab: number;
  /** Leave arrays empty: for compiling without running. */
  readonly shapesOnly?: boolean;
}

export interface Model {
  readonly trace: Trace;
  readonly state: readonly NdArray[];
  readonly inputs: Readonly<Record<string, NdArray>>;
}

class ModelGraph extends TestGraph {
  private readonly random = generator(11);

  constructor(readonly sizes: Sizes) {
    super();
  }

  weight(shape: readonly number[], low = -0.3, high = 0.3): ValueId {
    const empty = { shape, data: new Float64Array(0) };
    return this.parameter(this.sizes.shapesOnly ? empty : randomArray(shape, this.random, low, high));
  }

  tokens(name: string): ValueId {
    const { batch, context, vocab } = this.sizes;
    const data = Float64Array.from({ length: batch * context }, () => Math.floor(this.random() * vocab));
    return this.input(name, { shape: [batch, context], data });
  }

  linear(x: ValueId, outputs: number): ValueId {
    const inputs = this.shape(x).at(-1)!;
    return this.one('linear', [x, this.weight([outputs, inputs])]);
  }

  norm(x: ValueId): ValueId {
    return this.one('layer_norm', [x, this.weight([this.sizes.width], 0.5, 1.5)], { dims: 1, eps: 1e-5 });
  }

  finishModel(x: ValueId, head: ValueId): Model {
    const { batch, context, vocab } = this.sizes;
    const logits = this.one('linear', [this.norm(x), head]);
    const rows = batch * context;
    const loss = this.one(
      'cross_entropy',
      [this.reshape(logits, [rows, vocab]), this.reshape(this.tokens('targets'), [rows])],
      { ignoreIndex: -1, reduction: 'mean', labelSmoothing: 0 },
    );
    return { trace: this.trace({ logits, loss }), state: this.stateArrays, inputs: this.inputs };
  }

  embed(): { x: ValueId; head: ValueId } {
    const { vocab, width } = this.sizes;
    const head = this.weight([vocab, width]);
    return { x: this.one('embedding', [head, this.tokens('idx')]), head };
  }
}

/** GPT: learned positions, fused qkv, causal attention, tanh-free GELU, tied head. */
export function gpt(sizes: Sizes): Model {
  const g = new ModelGraph(sizes);
  const { batch: B, context: T, heads: H, width: C } = sizes;
  const N = C / H;
  const embedded = g.embed();
  const positions = g.one('arange', [], { start: 0, step: 1 }, { dtype: 'i64', shape: [T] });
  let x = g.add(embedded.x, g.one('embedding', [g.weight([T, C]), positions]));
  for (let layer = 0; layer < sizes.layers; layer++) {
    const qkv = g.linear(g.norm(x), 3 * C);
    const [q, k, v] = [0, 1, 2].map((i) =>
      g.permute(g.reshape(g.narrow(qkv, 2, i * C, C), [B, T, H, N]), [0, 2, 1, 3]),
    ) as [ValueId, ValueId, ValueId];
    const y = g.one('sdpa', [q, k, v], { causal: true, scale: 1 / Math.sqrt(N), window: 0 });
    x = g.add(x, g.linear(g.reshape(g.permute(y, [0, 2, 1, 3]), [B, T, C]), C));
    x = g.add(x, g.linear(g.unary('gelu', g.linear(g.norm(x), 4 * C)), C));
  }
  return g.finishModel(x, embedded.head);
}

/** RWKV x051a: chunked recurrence with one decay per head, token shift by padding, slice assignment into y. */
export function rwkv(sizes: Sizes, chunk: number): Model {
  const g = new ModelGraph(sizes);
  const embedded = g.embed();
  let { x } = embedded;
  const { context: T, width: C } = sizes;
  const positions = g.one('arange', [], { start: 0, step: 1 }, { dtype: 'i64', shape: [T] });
  x = g.add(x, g.one('embedding', [g.weight([T, C]), positions]));
  for (let layer = 0; layer < sizes.layers; layer++) {
    x = g.add(x, timeMix(g, g.norm(x), chunk));
    x = g.add(x, channelMix(g, g.norm(x)));
  }
  return g.finishModel(x, embedded.head);
}

function shifted(g: ModelGraph, x: ValueId): ValueId {
  const T = g.shape(x)[1]!;
  return g.sub(g.pad(g.narrow(x, 1, 0, T - 1), [0, 1, 0], [0, 0, 0]), x);
}

function mix(g: ModelGraph, x: ValueId, xx: ValueId): ValueId {
  return g.add(x, g.mul(xx, g.weight([1, 1, g.sizes.width], 0, 1)));
}

function timeMix(g: ModelGraph, x: ValueId, Q: number): ValueId {
  const { batch: B, context: T, heads: H, width: C } = g.sizes;
  const N = C / H;
  const xx = shifted(g, x);
  const [xk, xv, xr, xg] = [0, 1, 2, 3].map(() => mix(g, x, xx)) as [ValueId, ValueId, ValueId, ValueId];
  const split = (value: ValueId) => g.reshape(g.linear(value, C), [B, T, H, N]);
  const r = g.permute(split(xr), [0, 2, 1, 3]);
  const k = g.permute(split(xk), [0, 2, 3, 1]);
  const v = g.permute(split(xv), [0, 2, 1, 3]);
  const gate = g.unary('silu', g.linear(xg, C));

  const decay = g.unary('exp', g.unary('neg', g.unary('exp', g.weight([H, 1], -3, -1))));
  const first = g.weight([H, 1]);
  const ws = g.reshape(g.one('pow', [decay, g.scalar(Q)]), [1, H, 1, 1]);
  const index = g.one('arange', [], { start: Q - 1, step: -1 }, { dtype: 'i64', shape: [Q] });
  const powers = g.cast(g.expand(g.reshape(index, [1, Q]), [H, Q]), 'f32');
  const w = g.one('pow', [g.expand(decay, [H, Q]), powers]);
  const wk = g.reshape(w, [1, H, 1, Q]);
  const wb = g.slice(g.transpose(wk), [0, 0, Q - 1, 0], [1, H, Q, 1], [1, 1, -1, 1]);
  const line = g.pad(g.cat([g.slice(w, [0, 1], [H, Q - 1]), first], 1), [0, 0], [0, Q]);
  const tiled = g.reshape(g.expand(g.reshape(line, [H, 1, 2 * Q]), [H, Q, 2 * Q]), [H, 2 * Q * Q]);
  const skewed = g.reshape(g.slice(tiled, [0, 0], [H, 2 * Q * Q - Q]), [H, Q, 2 * Q - 1]);
  const matrix = g.reshape(g.slice(skewed, [0, 0, Q - 1], [H, Q, Q]), [1, H, Q, Q]);

  let state = g.full(0, { dtype: 'f32', shape: [B, H, N, N] });
  let y = g.full(0, { dtype: 'f32', shape: [B, H, T, N] });
  for (let i = 0; i < T / Q; i++) {
    const rr = g.narrow(r, 2, i * Q, Q);
    const kk = g.narrow(k, 3, i * Q, Q);
    const vv = g.narrow(v, 2, i * Q, Q);
    const inside = g.matmul(g.mul(g.matmul(rr, kk), matrix), vv);
    const out = g.add(inside, g.mul(g.matmul(rr, state), wb));
    y = g.one('slice_scatter', [y, out], { starts: [0, 0, i * Q, 0], steps: [1, 1, 1, 1] });
    state = g.add(g.mul(ws, state), g.matmul(g.mul(kk, wk), vv));
  }
  const rows = g.reshape(g.permute(y, [0, 2, 1, 3]), [B * T, C]);
  const normed = g.one('group_norm', [rows, g.weight([C], 0.5, 1.5), g.weight([C])], {
    groups: H,
    eps: 64e-5,
  });
  return g.linear(g.mul(g.reshape(normed, [B, T, C]), gate), C);
}

function channelMix(g: ModelGraph, x: ValueId): ValueId {
  const { width: C } = g.sizes;
  const xx = shifted(g, x);
  const [xk, xr] = [mix(g, x, xx), mix(g, x, xx)];
  const hidden = g.one('pow', [g.unary('relu', g.linear(xk, 3 * C)), g.scalar(2)]);
  return g.mul(g.unary('sigmoid', g.linear(xr, C)), g.linear(hidden, C));
}
