/** How operations that stay within a token are made for a window. */
import type { Node } from '../graph.js';
import { flag, integers, number } from '../ops/operation.js';
import { MIXING } from './mixing.js';
import { MOVING } from './moving.js';
import { aligned, type DecodeRule, inSameRows, only, results, whole } from './operands.js';
import { type Piece, reshapedTokens, type Seen } from './sequence.js';
import type { Walk } from './walk.js';

/** Element by element, broadcasting: every operand's tokens stand in the same dim of the result. */
const pointwise: DecodeRule = (walk, node, given) => {
  const rank = walk.type(node.outputs[0]!).shape.length;
  const { inputs, last } = aligned(walk, node, given);
  let [dim, inner, from] = [-1, 1, 0];
  for (const [i, x] of inputs.entries()) {
    if (x.kind !== 'sequence' || x.dim < 0) continue;
    const at = x.dim + rank - walk.type(node.inputs[i]!).shape.length;
    if (dim >= 0 && (at !== dim || x.inner !== inner || x.from !== from))
      walk.refuse('compares every token with every other');
    [dim, inner, from] = [at, x.inner, x.from];
  }
  const extent = { dim, inner, last, from };
  const operands = inputs.map((x) => (x.kind === 'fixed' ? walk.fixedOperand(x, extent, rank) : x.value));
  const { shape } = walk.type(node.outputs[0]!);
  if (dim >= 0 && shape[dim] !== (walk.options.context - from) * inner)
    walk.refuse('spreads tokens over other tokens');
  const made = walk.emitLike(node, operands, walk.windowShape(shape, dim, inner, last));
  return results(walk, node, made, extent);
};

const reshape: DecodeRule = (walk, node, inputs) => {
  const x = only(walk, node, inputs);
  const [from, to] = [walk.type(node.inputs[0]!).shape, walk.type(node.outputs[0]!).shape];
  if (x.dim < 0) return results(walk, node, walk.emitLike(node, [x.value]), x);
  const place = reshapedTokens(from, x.dim, to, walk.options.context - x.from);
  if (place === null) return walk.refuse('cuts the sequence into pieces or joins it with another dimension');
  const shape = walk.windowShape(to, place.dim, place.inner, x.last);
  return results(walk, node, walk.emitLike(node, [x.value], shape), { ...x, ...place });
};

const permute: DecodeRule = (walk, node, inputs) => {
  const dims = integers(node.attrs, 'dims');
  const x = inputs[0]!;
  if (x.kind === 'spliced')
    return [
      {
        kind: 'spliced',
        dim: dims.indexOf(x.dim),
        pieces: x.pieces.map((piece): Piece => {
          if (piece.kind === 'fill') return piece;
          if (piece.kind === 'fixed') return walk.refuse('reads tokens that were cut apart or moved ahead');
          const { source } = piece;
          const value = walk.window.at(node).permute(source.value, dims);
          return {
            ...piece,
            source: {
              ...source,
              value,
              dim: dims.indexOf(source.dim),
              origin: `${source.origin} (${dims.join(' ')})`,
            },
          };
        }),
      },
    ];
  const sequence = only(walk, node, inputs);
  const at = sequence.dim < 0 ? -1 : dims.indexOf(sequence.dim);
  return results(walk, node, walk.emitLike(node, [sequence.value]), { ...sequence, dim: at });
};

const expand: DecodeRule = (walk, node, inputs) => {
  const x = only(walk, node, inputs);
  const [from, to] = [walk.type(node.inputs[0]!).shape, walk.type(node.outputs[0]!).shape];
  const dim = x.dim < 0 ? -1 : x.dim + to.length - from.length;
  const shape = walk.windowShape(to, dim, x.inner, x.last);
  return results(walk, node, walk.emitLike(node, [x.value], shape), { ...x, dim });
};

/** Reductions and row-wise operations over dims of one token. */
const withinDims =
  (dimsOf: (node: Node, rank: number) => readonly number[], what: string): DecodeRule =>
  (walk, node, inputs) => {
    const x = only(walk, node, inputs.slice(0, 1));
    const rank = walk.type(node.inputs[0]!).shape.length;
    const dims = dimsOf(node, rank);
    if (dims.includes(x.dim)) walk.refuse(what);
    const rest = inputs.slice(1).flatMap((other) => whole(walk, other));
    const reduced = walk.type(node.outputs[0]!).shape.length < rank;
    const dim = x.dim < 0 || !reduced ? x.dim : x.dim - dims.filter((d) => d < x.dim).length;
    const shape = walk.windowShape(walk.type(node.outputs[0]!).shape, dim, x.inner, x.last);
    return results(walk, node, walk.emitLike(node, [x.value, ...rest], shape), { ...x, dim });
  };

const reduction = withinDims((node) => integers(node.attrs, 'dims'), 'goes over all tokens at once');
const alongDim = withinDims((node) => [number(node.attrs, 'dim')], 'goes over all tokens at once');
const norm = withinDims((node, rank) => {
  const count = number(node.attrs, 'dims');
  return Array.from({ length: count }, (_, i) => rank - 1 - i);
}, 'normalises over all tokens at once');
/** group_norm: x [N, C, ..]. */
const laterDims = withinDims(
  (_, rank) => Array.from({ length: rank - 1 }, (_value, i) => i + 1),
  'normalises over all tokens at once',
);
const triangle = withinDims((_, rank) => [rank - 2, rank - 1], 'compares every token with every other');

const linear: DecodeRule = (walk, node, inputs) => {
  const x = only(walk, node, inputs.slice(0, 1));
  const rank = walk.type(node.inputs[0]!).shape.length;
  if (x.dim === rank - 1) walk.refuse('sums over tokens');
  const rest = inputs.slice(1).flatMap((other) => whole(walk, other));
  return results(walk, node, walk.emitLike(node, [x.value, ...rest]), x);
};

const matmul: DecodeRule = (walk, node, given) => {
  const rank = walk.type(node.outputs[0]!).shape.length;
  const { inputs, last } = aligned(walk, node, given);
  let [dim, inner, from] = [-1, 1, 0];
  for (const [i, x] of inputs.entries()) {
    if (x.kind !== 'sequence' || x.dim < 0) continue;
    if (x.dim === (i === 0 ? rank - 1 : rank - 2)) walk.refuse('sums over tokens');
    const outer = x.dim < rank - 2 && x.from === from;
    if (dim >= 0 && (dim !== x.dim || !outer)) walk.refuse('compares every token with every other');
    [dim, inner, from] = [x.dim, x.inner, x.from];
  }
  const extent = { dim, inner, last, from };
  const operands = inputs.map((x) => {
    if (x.kind !== 'fixed') return x.value;
    return dim < rank - 2 ? walk.fixedOperand(x, extent, rank) : walk.inline(x.value);
  });
  return results(walk, node, walk.emitLike(node, operands), extent);
};

/** Rows of a table looked up by token. */
const embedding: DecodeRule = (walk, node, inputs) => {
  const [weight, index] = inputs as [Seen, Seen];
  const x = only(walk, node, [index]);
  return results(walk, node, walk.emitLike(node, [...whole(walk, weight), x.value]), x);
};

/** gather and scatter: all operands have the same rank, and no index crosses tokens. */
const alongIndex: DecodeRule = (walk, node, inputs) => {
  const crosses = 'reads other tokens by index';
  const along = number(node.attrs, 'dim');
  if (inputs.some((x) => x.kind !== 'fixed' && x.dim === along)) walk.refuse(crosses);
  return inSameRows(walk, node, inputs, crosses);
};

/** Along tokens it carries the total; within a token it is like any row-wise operation. */
const cumulative: DecodeRule = (walk, node, inputs) => {
  const [x] = inputs as [Seen];
  const along = number(node.attrs, 'dim');
  if (x.kind !== 'sequence' || x.dim !== along) return alongDim(walk, node, inputs);
  if (flag(node.attrs, 'reverse')) walk.refuse('reads later tokens');
  if (x.inner !== 1 || x.last || x.from !== 0) walk.refuse('joins tokens with other rows');
  const w = walk.window.at(node);
  const type = { dtype: w.type(x.value).dtype, shape: w.shape(x.value).with(along, 1) };
  const product = node.op === 'cumprod';
  const state = walk.state('state', 'running total', type, walk.filled(product ? 1 : 0, type));
  const own = w.one(node.op, [x.value], node.attrs);
  const value = w.one(product ? 'mul' : 'add', [own, state.value]);
  walk.update(state.index, w.narrow(value, along, walk.options.tokens - 1, 1));
  return [walk.sequence(value, node.outputs[0]!, along, 1, false)];
};

const RULES: Readonly<Record<string, DecodeRule>> = {
  reshape,
  permute,
  expand,
  ...MOVING,
  tril: triangle,
  triu: triangle,
  sum: reduction,
  amax: reduction,
  amin: reduction,
  prod: reduction,
  argmax: alongDim,
  argmin: alongDim,
  topk: alongDim,
  softmax: alongDim,
  log_softmax: alongDim,
  cumsum: cumulative,
  cumprod: cumulative,
  layer_norm: norm,
  rms_norm: norm,
  group_norm: laterDims,
  linear,
  matmul,
  embedding,
  gather: alongIndex,
  scatter: alongIndex,
  scatter_add: alongIndex,
  ...MIXING,
};

/** The rule of a node; refuses what has none. */
export function ruleOf(walk: Walk, node: Node): DecodeRule {
  const rule = RULES[node.op];
  if (rule !== undefined) return rule;
  if (walk.isPointwise(node.op)) return pointwise;
  return walk.refuse('has no form for a single token');
}
