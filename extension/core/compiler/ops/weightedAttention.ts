/**
 * Weighted attention, y = ((q k^T) * w) v: linear attention in its parallel form (Katharopoulos et al. 2020, arXiv
 * 2006.16236; the decay matrix of Sun et al. 2023, arXiv 2307.08621, eq. 5). The gradient makes the scores again, as in
 * arXiv 2307.08691.
 *
 * Weights are zero by construction but where first <= j - i < last (query i, key j), which is what the attributes
 * `first` and `last` promise. There nothing is multiplied, so that 0 times an infinity is 0, and dw is 0.
 */
import type { Attrs, TensorType, ValueId } from '../graph.js';
import { sameShape, show } from '../shapes.js';
import { array } from './arrays.js';
import { arity, GraphError, number, type NdArray, type Row } from './operation.js';

interface Sizes {
  readonly batch: number;
  readonly heads: number;
  readonly queries: number;
  readonly keys: number;
  readonly size: number;
  readonly valueSize: number;
}

function sizesOf(types: readonly { readonly shape: readonly number[] }[]): Sizes {
  const [q, k, v, w] = types.map(({ shape }) => shape) as [number[], number[], number[], number[]];
  const [batch, heads, queries, size] = q as [number, number, number, number];
  const [keys, valueSize] = [k[2] ?? 0, v[3] ?? 0];
  const legal =
    q.length === 4 &&
    sameShape(k, [batch, heads, keys, size]) &&
    sameShape(v, [batch, heads, keys, valueSize]) &&
    w.length === 4 &&
    (w[0] === 1 || w[0] === batch) &&
    (w[1] === 1 || w[1] === heads) &&
    sameShape(w.slice(2), [queries, keys]);
  if (!legal)
    throw new GraphError(`q ${show(q)}, k ${show(k)}, v ${show(v)} and w ${show(w)} do not fit together`);
  return { batch, heads, queries, keys, size, valueSize };
}

/** Calls `each` for every pair with a weight: rows of q and of k as if both were [rows, size], and the place in w. */
function forPairs(
  s: Sizes,
  w: NdArray,
  attrs: Attrs,
  each: (query: number, key: number, weight: number) => void,
): void {
  const [first, last] = [number(attrs, 'first'), number(attrs, 'last')];
  const [wBatch, wHeads] = w.shape as [number, number];
  for (let head = 0; head < s.batch * s.heads; head++) {
    const [b, h] = [Math.floor(head / s.heads), head % s.heads];
    const matrix = (wBatch === 1 ? 0 : b) * wHeads + (wHeads === 1 ? 0 : h);
    for (let i = 0; i < s.queries; i++)
      for (let j = Math.max(0, i + first); j < Math.min(s.keys, i + last); j++)
        each(head * s.queries + i, head * s.keys + j, (matrix * s.queries + i) * s.keys + j);
  }
}

function dot(a: NdArray, row: number, b: NdArray, other: number): number {
  const n = a.shape[3]!;
  let total = 0;
  for (let d = 0; d < n; d++) total += a.data[row * n + d]! * b.data[other * n + d]!;
  return total;
}

function addRow(to: NdArray, row: number, factor: number, from: NdArray, other: number): void {
  const n = to.shape[3]!;
  for (let d = 0; d < n; d++) to.data[row * n + d]! += factor * from.data[other * n + d]!;
}

/** Multiply-adds times two of `scoreProducts` products over the heads' size and `valueProducts` over the values'. */
function productFlops(types: readonly TensorType[], scoreProducts: number, valueProducts: number): number {
  const s = sizesOf(types);
  const pairs = s.batch * s.heads * s.queries * s.keys;
  return 2 * pairs * (scoreProducts * s.size + valueProducts * s.valueSize);
}

export const weightedAttentionRows: Record<string, Row> = {
  weighted_attention: {
    infer: (inputs) => {
      arity(inputs, 4);
      const s = sizesOf(inputs);
      return [{ dtype: inputs[0]!.dtype, shape: [s.batch, s.heads, s.queries, s.valueSize] }];
    },
    vjp: ({ b, inputs, attrs, dys }) =>
      dys[0] == null
        ? [null, null, null, null]
        : b.emit('weighted_attention_grad', [dys[0], ...(inputs as ValueId[])], attrs),
    /** All pairs, also those that have no weight: what the products cost where they are written out. */
    flops: (inputs) => productFlops(inputs, 1, 1),
    evaluate: ([q, k, v, w], attrs, [out]) => {
      const y = array(out!.shape);
      forPairs(sizesOf([q!, k!, v!, w!]), w!, attrs, (query, key, at) =>
        addRow(y, query, dot(q!, query, k!, key) * w!.data[at]!, v!, key),
      );
      return [y];
    },
  },
  weighted_attention_grad: {
    infer: (inputs) => {
      arity(inputs, 5);
      return inputs.slice(1);
    },
    /** Five products against two: the scores are made again. */
    flops: (inputs) => productFlops(inputs.slice(1, 5), 3, 2),
    evaluate: ([dy, q, k, v, w], attrs, outputs) => {
      const [dq, dk, dv, dw] = outputs.map(({ shape }) => array(shape)) as [
        NdArray,
        NdArray,
        NdArray,
        NdArray,
      ];
      forPairs(sizesOf([q!, k!, v!, w!]), w!, attrs, (query, key, at) => {
        const score = dot(q!, query, k!, key);
        const product = dot(dy!, query, v!, key);
        addRow(dv, key, score * w!.data[at]!, dy!, query);
        addRow(dq, query, product * w!.data[at]!, k!, key);
        addRow(dk, key, product * w!.data[at]!, q!, query);
        dw.data[at]! += score * product;
      });
      return [dq, dk, dv, dw];
    },
  },
};
