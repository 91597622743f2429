/** Scaled dot-product attention (arXiv 2205.14135 for the gradient from the saved log-sum-exp). */
import type { GraphBuilder } from '../build.js';
import type { Attrs, TensorType, ValueId } from '../graph.js';
import { elementCount, range, sameShape, show } from '../shapes.js';
import { array, broadcastStrides, positions } from './arrays.js';
import { logSumExp } from './losses.js';
import { arity, flag, GraphError, number, without, type NdArray, type Row } from './operation.js';

interface Sizes {
  readonly batch: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly queries: number;
  readonly keys: number;
  readonly size: number;
  readonly valueSize: number;
}

function sizesOf(q: readonly number[], k: readonly number[], v: readonly number[]): Sizes {
  if (q.length < 3 || k.length !== q.length || v.length !== q.length)
    throw new GraphError(`q ${show(q)}, k ${show(k)} and v ${show(v)} should have the same rank, at least 3`);
  const [heads, queries, size] = q.slice(-3) as [number, number, number];
  const [kvHeads, keys, kSize] = k.slice(-3) as [number, number, number];
  const [vHeads, vKeys, valueSize] = v.slice(-3) as [number, number, number];
  const outer = q.slice(0, -3);
  const legal =
    kSize === size &&
    vHeads === kvHeads &&
    vKeys === keys &&
    heads % kvHeads === 0 &&
    sameShape(outer, k.slice(0, -3)) &&
    sameShape(outer, v.slice(0, -3));
  if (!legal) throw new GraphError(`q ${show(q)}, k ${show(k)} and v ${show(v)} do not fit together`);
  return { batch: elementCount(outer), heads, kvHeads, queries, keys, size, valueSize };
}

/** Number of (query, key) pairs one head looks at; hidden pairs of causal and windowed attention are not counted. */
export function visiblePairs(queries: number, keys: number, attrs: Attrs): number {
  if (!flag(attrs, 'causal')) return queries * keys;
  const window = number(attrs, 'window', 0);
  let pairs = 0;
  for (let i = 0; i < queries; i++) {
    const seen = Math.max(0, Math.min(keys, i + 1 + keys - queries));
    pairs += window > 0 ? Math.min(seen, window) : seen;
  }
  return pairs;
}

/** Score bias of (query, key): 0, -Infinity when hidden, or what the mask adds. */
function biasOf(
  s: Sizes,
  attrs: Attrs,
  full: readonly number[],
  mask: NdArray | undefined,
  isBool: boolean,
): (row: number, i: number, j: number) => number {
  const causal = flag(attrs, 'causal');
  const window = number(attrs, 'window', 0);
  const at = mask && positions(full, broadcastStrides(mask.shape, full));
  return (row, i, j) => {
    const last = i + s.keys - s.queries;
    if (causal && j > last) return -Infinity;
    if (window > 0 && j <= last - window) return -Infinity;
    if (!mask || !at) return 0;
    const value = mask.data[at[(row * s.queries + i) * s.keys + j]!]!;
    return isBool ? (value !== 0 ? 0 : -Infinity) : value;
  };
}

interface Problem extends Sizes {
  readonly scale: number;
  /** The (batch x kv head) that (batch x head) `row` reads. */
  readonly kvRow: (row: number) => number;
  readonly bias: (row: number, i: number, j: number) => number;
}

function problem(
  q: NdArray,
  k: NdArray,
  v: NdArray,
  attrs: Attrs,
  mask: NdArray | undefined,
  isBool: boolean,
): Problem {
  const s = sizesOf(q.shape, k.shape, v.shape);
  const full = [...q.shape.slice(0, -1), s.keys];
  return {
    ...s,
    scale: number(attrs, 'scale'),
    kvRow: (row) =>
      Math.floor(row / s.heads) * s.kvHeads + Math.floor((row % s.heads) / (s.heads / s.kvHeads)),
    bias: biasOf(s, attrs, full, mask, isBool),
  };
}

function dot(a: Float64Array, atA: number, b: Float64Array, atB: number, n: number): number {
  let total = 0;
  for (let i = 0; i < n; i++) total += a[atA + i]! * b[atB + i]!;
  return total;
}

/** Any rank becomes 4, and the mask with it. */
function to4(
  b: GraphBuilder,
  inputs: readonly ValueId[],
  attrs: Attrs,
  outputs: readonly TensorType[],
): readonly ValueId[] | null {
  const rank = b.shape(inputs[0]!).length;
  const mask = inputs[3];
  if (rank === 4 && (mask === undefined || b.shape(mask).length === 4)) return null;
  const outer = b.shape(inputs[0]!).slice(0, -3);
  const qkv = inputs.slice(0, 3).map((x) => b.reshape(x, [elementCount(outer), ...b.shape(x).slice(-3)]));
  if (mask === undefined) return [b.reshape(b.one('sdpa', qkv, attrs), outputs[0]!.shape)];
  const shape = b.shape(mask);
  const padded = [...range(0, rank - shape.length).map(() => 1), ...shape];
  const maskOuter = padded.slice(0, -3);
  const repeated = maskOuter.some((n) => n !== 1) ? [...outer, ...padded.slice(-3)] : padded;
  const mask4 = b.reshape(b.expand(b.reshape(mask, padded), repeated), [
    elementCount(repeated.slice(0, -3)),
    ...padded.slice(-3),
  ]);
  return [b.reshape(b.one('sdpa', [...qkv, mask4], attrs), outputs[0]!.shape)];
}

/** The same attention as separate operations; used where the mask itself wants a gradient. */
export function attentionNodes(b: GraphBuilder, inputs: readonly ValueId[], attrs: Attrs): ValueId {
  const [q, k, v, mask] = inputs as [ValueId, ValueId, ValueId, ValueId?];
  const s = sizesOf(b.shape(q), b.shape(k), b.shape(v));
  const repeat = (x: ValueId): ValueId => {
    const shape = b.shape(x);
    const groups = s.heads / s.kvHeads;
    const lead = shape.slice(0, -2);
    const wide = b.expand(b.reshape(x, [...lead, 1, ...shape.slice(-2)]), [
      ...lead,
      groups,
      ...shape.slice(-2),
    ]);
    return b.reshape(wide, [...shape.slice(0, -3), s.heads, ...shape.slice(-2)]);
  };
  let scores = b.scale(b.matmul(q, b.transpose(repeat(k))), number(attrs, 'scale'));
  const hidden = b.scalarLike(-Infinity, scores);
  if (mask !== undefined)
    scores = b.type(mask).dtype === 'bool' ? b.where(mask, scores, hidden) : b.add(scores, mask);
  const window = number(attrs, 'window', 0);
  if (flag(attrs, 'causal') || window > 0) {
    const index = (n: number, start: number): ValueId =>
      b.one('arange', [], { start, step: 1 }, { dtype: 'i64', shape: [n] });
    const last = b.reshape(index(s.queries, s.keys - s.queries), [s.queries, 1]);
    const key = b.reshape(index(s.keys, 0), [1, s.keys]);
    if (flag(attrs, 'causal')) scores = b.where(b.one('le', [key, last]), scores, hidden);
    if (window > 0)
      scores = b.where(b.one('gt', [key, b.sub(last, b.scalarLike(window, last))]), scores, hidden);
  }
  return b.matmul(b.one('softmax', [scores], { dim: b.shape(scores).length - 1 }), repeat(v));
}

export const attentionRows: Record<string, Row> = {
  sdpa: {
    infer: (inputs, attrs) => {
      arity(inputs, 3, 4);
      const [q, k, v, mask] = inputs as [TensorType, TensorType, TensorType, TensorType?];
      const s = sizesOf(q.shape, k.shape, v.shape);
      const full = [...q.shape.slice(0, -1), s.keys];
      const extra = mask ? mask.shape.length - full.length : 0;
      if (mask && (extra > 0 || mask.shape.some((n, i) => n !== 1 && n !== full[i - extra])))
        throw new GraphError(`mask ${show(mask.shape)} does not broadcast to ${show(full)}`);
      const y = { dtype: q.dtype, shape: [...q.shape.slice(0, -1), s.valueSize] };
      return flag(attrs, 'save') ? [y, { dtype: 'f32', shape: q.shape.slice(0, -1) }] : [y];
    },
    saves: true,
    decompose: to4,
    vjp: ({ b, inputs, outputs, attrs, dys }) => {
      if (dys[0] == null) return [null, null, null];
      const rest = without(attrs, 'save');
      const [q, k, v, ...mask] = inputs as [ValueId, ValueId, ValueId, ...ValueId[]];
      return [...b.emit('sdpa_grad', [dys[0], q, k, v, outputs[0]!, outputs[1]!, ...mask], rest), null];
    },
    flops: ([q, k, v], attrs) => {
      const s = sizesOf(q!.shape, k!.shape, v!.shape);
      return s.batch * s.heads * visiblePairs(s.queries, s.keys, attrs) * (2 * s.size + 2 * s.valueSize);
    },
    evaluate: ([q, k, v, mask], attrs, outputs, { types }) => {
      const p = problem(q!, k!, v!, attrs, mask, types[3]?.dtype === 'bool');
      const y = array(outputs[0]!.shape);
      const lse = new Float64Array(p.batch * p.heads * p.queries);
      const weights = new Float64Array(p.keys);
      for (let row = 0; row < p.batch * p.heads; row++) {
        const kv = p.kvRow(row) * p.keys;
        for (let i = 0; i < p.queries; i++) {
          const at = row * p.queries + i;
          for (let j = 0; j < p.keys; j++)
            weights[j] =
              p.scale * dot(q!.data, at * p.size, k!.data, (kv + j) * p.size, p.size) + p.bias(row, i, j);
          lse[at] = logSumExp(weights);
          for (let j = 0; j < p.keys; j++) {
            const weight = Math.exp(weights[j]! - lse[at]);
            for (let d = 0; d < p.valueSize; d++)
              y.data[at * p.valueSize + d]! += weight * v!.data[(kv + j) * p.valueSize + d]!;
          }
        }
      }
      return outputs.length > 1 ? [y, array(outputs[1]!.shape, lse)] : [y];
    },
  },
  sdpa_grad: {
    infer: (inputs) => {
      arity(inputs, 6, 7);
      return inputs.slice(1, 4).map((x) => x);
    },
    /** Five products against two: the scores are made again. */
    flops: ([, q, k, v], attrs) => {
      const s = sizesOf(q!.shape, k!.shape, v!.shape);
      return s.batch * s.heads * visiblePairs(s.queries, s.keys, attrs) * (6 * s.size + 4 * s.valueSize);
    },
    evaluate: ([dy, q, k, v, y, lse, mask], attrs, outputs, { types }) => {
      const p = problem(q!, k!, v!, attrs, mask, types[6]?.dtype === 'bool');
      const [dq, dk, dv] = outputs.map((type) => array(type.shape)) as [NdArray, NdArray, NdArray];
      for (let row = 0; row < p.batch * p.heads; row++) {
        const kv = p.kvRow(row) * p.keys;
        for (let i = 0; i < p.queries; i++) {
          const at = row * p.queries + i;
          const delta = dot(dy!.data, at * p.valueSize, y!.data, at * p.valueSize, p.valueSize);
          for (let j = 0; j < p.keys; j++) {
            const score =
              p.scale * dot(q!.data, at * p.size, k!.data, (kv + j) * p.size, p.size) + p.bias(row, i, j);
            const weight = Math.exp(score - lse!.data[at]!);
            if (weight === 0) continue;
            const dweight = dot(dy!.data, at * p.valueSize, v!.data, (kv + j) * p.valueSize, p.valueSize);
            const dscore = p.scale * weight * (dweight - delta);
            for (let d = 0; d < p.valueSize; d++)
              dv.data[(kv + j) * p.valueSize + d]! += weight * dy!.data[at * p.valueSize + d]!;
            for (let d = 0; d < p.size; d++) {
              dq.data[at * p.size + d]! += dscore * k!.data[(kv + j) * p.size + d]!;
              dk.data[(kv + j) * p.size + d]! += dscore * q!.data[at * p.size + d]!;
            }
          }
        }
      }
      return [dq, dk, dv];
    },
  },
};
