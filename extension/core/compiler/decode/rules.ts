/** How operations that stay within a token, and those that move rows of tokens, are made for a window. */
import type { Node, ValueId } from '../graph.js';
import { flag, integers, number } from '../ops/operation.js';
import { sameShape } from '../shapes.js';
import { MIXING } from './mixing.js';
import { cutPieces, type Piece, pieceRows, reshapedTokens, type Seen, type Sequence } from './sequence.js';
import type { Walk } from './walk.js';

/** Makes the node in the window; gives what its outputs are. */
export type DecodeRule = (walk: Walk, node: Node, inputs: readonly Seen[]) => readonly Seen[];

/** Inputs as sequences of equal extent; the newest rows alone where one has no others or no others are wanted. */
function aligned(walk: Walk, node: Node, inputs: readonly Seen[]): { inputs: Seen[]; last: boolean } {
  const sequences = inputs.filter((x): x is Sequence => x.kind === 'sequence');
  const last = walk.lastOnly(node) || sequences.some((x) => x.last);
  if (last && sequences.some((x) => !x.last) && !walk.lastOnly(node) && walk.options.tokens > 1)
    walk.refuse('joins the newest token with all tokens');
  const narrowed = inputs.map((x) => (last && x.kind === 'sequence' ? walk.lastOf(x) : x));
  return { inputs: narrowed, last };
}

/** The one sequence among the inputs of an operation that takes one. */
function only(walk: Walk, node: Node, inputs: readonly Seen[]): Sequence {
  const { inputs: given } = aligned(walk, node, inputs);
  const x = given[0]!;
  if (x.kind !== 'sequence') walk.refuse('reads tokens that were cut apart or moved ahead');
  return x;
}

/** Fixed and newest-token operands beside one sequence, as they are. */
function whole(walk: Walk, x: Seen | undefined): ValueId[] {
  if (x === undefined) return [];
  if (x.kind === 'fixed') return [walk.inline(x.value)];
  if (x.kind === 'sequence' && x.dim < 0) return [x.value];
  return walk.refuse('reads every token where it should read parameters');
}

const results = (
  walk: Walk,
  node: Node,
  values: readonly ValueId[],
  dim: number,
  inner: number,
  last: boolean,
): Sequence[] => node.outputs.map((id, i) => walk.sequence(values[i]!, id, dim, inner, last));

/** Element by element, broadcasting: every operand's tokens stand in the same dim of the result. */
const pointwise: DecodeRule = (walk, node, given) => {
  const rank = walk.type(node.outputs[0]!).shape.length;
  const { inputs, last } = aligned(walk, node, given);
  let dim = -1;
  let inner = 1;
  for (const [i, x] of inputs.entries()) {
    if (x.kind === 'spliced') walk.refuse('reads tokens that were cut apart or moved ahead');
    if (x.kind !== 'sequence' || x.dim < 0) continue;
    const at = x.dim + rank - walk.type(node.inputs[i]!).shape.length;
    if (dim >= 0 && (at !== dim || x.inner !== inner)) walk.refuse('compares every token with every other');
    [dim, inner] = [at, x.inner];
  }
  const operands = inputs.map((x) =>
    x.kind === 'fixed' ? walk.fixedOperand(x, dim, rank, inner, last) : (x as Sequence).value,
  );
  const size = walk.type(node.outputs[0]!).shape[dim];
  if (dim >= 0 && size !== walk.options.context * inner) walk.refuse('spreads tokens over other tokens');
  const shape = walk.windowShape(walk.type(node.outputs[0]!).shape, dim, inner, last);
  return results(walk, node, walk.emitLike(node, operands, shape), dim, inner, last);
};

const reshape: DecodeRule = (walk, node, inputs) => {
  const x = only(walk, node, inputs);
  const [from, to] = [walk.type(node.inputs[0]!).shape, walk.type(node.outputs[0]!).shape];
  if (x.dim < 0) return results(walk, node, walk.emitLike(node, [x.value]), -1, 1, x.last);
  const place = reshapedTokens(from, x.dim, to, walk.options.context);
  if (place === null) return walk.refuse('cuts the sequence into pieces or joins it with another dimension');
  const shape = walk.windowShape(to, place.dim, place.inner, x.last);
  return results(walk, node, walk.emitLike(node, [x.value], shape), place.dim, place.inner, x.last);
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
  const { value, dim, inner, last } = only(walk, node, inputs);
  const at = dim < 0 ? -1 : dims.indexOf(dim);
  return results(walk, node, walk.emitLike(node, [value]), at, inner, last);
};

const expand: DecodeRule = (walk, node, inputs) => {
  const x = only(walk, node, inputs);
  const [from, to] = [walk.type(node.inputs[0]!).shape, walk.type(node.outputs[0]!).shape];
  const dim = x.dim < 0 ? -1 : x.dim + to.length - from.length;
  const shape = walk.windowShape(to, dim, x.inner, x.last);
  return results(walk, node, walk.emitLike(node, [x.value], shape), dim, x.inner, x.last);
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
    return results(walk, node, walk.emitLike(node, [x.value, ...rest], shape), dim, x.inner, x.last);
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
  return results(walk, node, walk.emitLike(node, [x.value, ...rest]), x.dim, x.inner, x.last);
};

const matmul: DecodeRule = (walk, node, given) => {
  const rank = walk.type(node.outputs[0]!).shape.length;
  const { inputs, last } = aligned(walk, node, given);
  let dim = -1;
  let inner = 1;
  for (const [i, x] of inputs.entries()) {
    if (x.kind === 'spliced') walk.refuse('reads tokens that were cut apart or moved ahead');
    if (x.kind !== 'sequence' || x.dim < 0) continue;
    if (x.dim === (i === 0 ? rank - 1 : rank - 2)) walk.refuse('sums over tokens');
    const outer = x.dim < rank - 2;
    if (dim >= 0 && (dim !== x.dim || !outer)) walk.refuse('compares every token with every other');
    [dim, inner] = [x.dim, x.inner];
  }
  const operands = inputs.map((x) => {
    if (x.kind !== 'fixed') return (x as Sequence).value;
    return dim < rank - 2 ? walk.fixedOperand(x, dim, rank, inner, last) : walk.inline(x.value);
  });
  return results(walk, node, walk.emitLike(node, operands), dim, inner, last);
};

/** Rows of a table looked up by token. */
const embedding: DecodeRule = (walk, node, inputs) => {
  const [weight, index] = inputs as [Seen, Seen];
  const x = only(walk, node, [index]);
  return results(walk, node, walk.emitLike(node, [...whole(walk, weight), x.value]), x.dim, x.inner, x.last);
};

/** gather and scatter: all operands have the same rank, and no index crosses tokens. */
const alongIndex: DecodeRule = (walk, node, given) => {
  const { inputs, last } = aligned(walk, node, given);
  const rank = walk.type(node.inputs[0]!).shape.length;
  const dims = inputs.flatMap((x) => (x.kind === 'sequence' && x.dim >= 0 ? [x] : []));
  const { dim, inner } = dims[0] ?? { dim: -1, inner: 1 };
  if (dims.some((x) => x.dim !== dim || x.inner !== inner)) walk.refuse('reads other tokens by index');
  if (number(node.attrs, 'dim') === dim) walk.refuse('reads other tokens by index');
  const operands = inputs.map((x) => {
    if (x.kind === 'spliced') return walk.refuse('reads tokens that were cut apart or moved ahead');
    return x.kind === 'fixed' ? walk.fixedOperand(x, dim, rank, inner, last) : x.value;
  });
  return results(walk, node, walk.emitLike(node, operands), dim, inner, last);
};

/** What stands along the dimension of tokens, as pieces. */
function piecesOf(walk: Walk, x: Seen, dim: number, value: ValueId): readonly Piece[] {
  if (x.kind === 'spliced') {
    if (x.dim !== dim) walk.refuse('cuts tokens along two dimensions');
    return x.pieces;
  }
  const size = walk.type(value).shape[dim]!;
  if (x.kind === 'fixed') return [{ kind: 'fixed', value, start: 0, size }];
  if (x.dim !== dim || x.last) walk.refuse('puts the newest token beside others');
  if (x.inner !== 1) walk.refuse('joins tokens with other rows');
  return [{ kind: 'rows', source: x, start: 0, size }];
}

/** Pieces as a value: the sequence itself, its newest row, a shift to later tokens; else they wait for what follows. */
function joined(walk: Walk, node: Node, dim: number, pieces: readonly Piece[]): Seen {
  const { context } = walk.options;
  const [first] = pieces;
  if (pieces.length === 1 && first!.kind === 'rows') {
    const { source, start, size } = first!;
    if (start === 0 && size === context) return source;
    if (start === context - 1 && size === 1) return { ...walk.lastOf(source), dim: -1, last: true };
  }
  const newest = pieces.at(-1);
  if (pieceRows(pieces) !== context || newest?.kind !== 'rows' || newest.start !== 0)
    return { kind: 'spliced', dim, pieces };
  const before = pieces.slice(0, -1);
  if (before.some(({ kind }) => kind === 'rows')) return { kind: 'spliced', dim, pieces };
  return shifted(walk, node, newest.source, dim, before);
}

/** x moved to later tokens; `before` are the rows that stand before its first. */
function shifted(walk: Walk, node: Node, x: Sequence, dim: number, before: readonly Piece[]): Sequence {
  const w = walk.window.at(node);
  const { tokens, findings } = walk.options;
  const delay = pieceRows(before);
  const fills = new Set(before.map((piece) => (piece.kind === 'fill' ? piece.fill : NaN)));
  const [fill] = fills;
  const shares = fills.size === 1 && !Number.isNaN(fill);
  const key = `${x.origin} ${dim} ${shares ? fill : node.outputs[0]}`;
  walk.delays.set(key, Math.max(delay, walk.delays.get(key) ?? 0));
  const kept = Math.max(delay, findings?.delays.get(key) ?? 0);
  const { dtype } = w.type(x.value);
  const type = { dtype, shape: w.shape(x.value).with(dim, kept) };
  const known = walk.shifts.get(key);
  const joint = known ?? joinKept();
  walk.shifts.set(key, joint);
  const value = w.narrow(joint, dim, kept - delay, tokens);
  return walk.sequence(value, node.outputs[0]!, dim, 1, false);

  function joinKept(): ValueId {
    const first = shares
      ? walk.filled(fill!, type)
      : walk.fixed.cat(
          before.map((piece) => fixedPiece(walk, piece, type.shape, dim, dtype)),
          dim,
        );
    const state = walk.state('state', 'shifted rows', type, first);
    const all = w.cat([state.value, x.value], dim);
    walk.update(state.index, w.narrow(all, dim, tokens, kept));
    return all;
  }
}

function fixedPiece(
  walk: Walk,
  piece: Piece,
  shape: readonly number[],
  dim: number,
  dtype: Parameters<Walk['filled']>[1]['dtype'],
): ValueId {
  if (piece.kind === 'fixed')
    return walk.fixed.narrow(walk.fixedValue(piece.value), dim, piece.start, piece.size);
  return walk.filled(piece.kind === 'fill' ? piece.fill : 0, { dtype, shape: shape.with(dim, piece.size) });
}

const slice: DecodeRule = (walk, node, inputs) => {
  const [starts, steps] = [integers(node.attrs, 'starts'), integers(node.attrs, 'steps')];
  const [from, to] = [walk.type(node.inputs[0]!).shape, walk.type(node.outputs[0]!).shape];
  const given = inputs[0]!;
  const dim = given.kind === 'fixed' ? -1 : given.dim;
  const untouched = dim < 0 || (from[dim] === to[dim] && steps[dim] === 1);
  if (given.kind === 'sequence' && untouched) {
    const x = only(walk, node, inputs);
    const shape = walk.windowShape(to, dim, x.inner, x.last);
    return results(walk, node, walk.emitLike(node, [x.value], shape), dim, x.inner, x.last);
  }
  if (steps[dim] !== 1 && to[dim] !== 1) walk.refuse('skips or reverses tokens');
  const others = from.some((size, d) => d !== dim && size !== to[d]);
  const pieces = cutPieces(piecesOf(walk, given, dim, node.inputs[0]!), starts[dim]!, to[dim]!).map(
    (piece): Piece => {
      if (!others || piece.kind === 'fill') return piece;
      if (piece.kind === 'fixed') return walk.refuse('cuts rows of tokens and their elements at once');
      const { source } = piece;
      const shape = to.with(dim, walk.window.shape(source.value)[dim]!);
      const value = walk.window.at(node).slice(source.value, starts.with(dim, 0), shape, steps.with(dim, 1));
      return {
        ...piece,
        source: {
          ...source,
          value,
          origin: `${source.origin} [${starts.with(dim, 0).join(' ')} ${shape.with(dim, 0).join(' ')} ${steps.join(' ')}]`,
        },
      };
    },
  );
  return [joined(walk, node, dim, pieces)];
};

/** The dim of tokens among sequences and rows cut apart. */
function tokenDim(inputs: readonly Seen[]): number {
  for (const x of inputs) if (x.kind !== 'fixed' && x.dim >= 0) return x.dim;
  return -1;
}

const cat: DecodeRule = (walk, node, inputs) => {
  const along = number(node.attrs, 'dim');
  const dim = tokenDim(inputs);
  if (dim === along)
    return [
      joined(
        walk,
        node,
        dim,
        inputs.flatMap((x, i) => piecesOf(walk, x, dim, node.inputs[i]!)),
      ),
    ];
  const { inputs: parts, last } = aligned(walk, node, inputs);
  const rank = walk.type(node.outputs[0]!).shape.length;
  const inner = parts.reduce((most, x) => (x.kind === 'sequence' ? Math.max(most, x.inner) : most), 1);
  const operands = parts.map((x) => {
    if (x.kind === 'spliced') return walk.refuse('reads tokens that were cut apart or moved ahead');
    if (x.kind === 'fixed') return walk.fixedOperand(x, dim, rank, inner, last);
    if (x.dim !== dim || x.inner !== inner) walk.refuse('joins tokens with other rows');
    return x.value;
  });
  return results(walk, node, walk.emitLike(node, operands), dim, inner, last);
};

const pad: DecodeRule = (walk, node, inputs) => {
  const [low, high] = [integers(node.attrs, 'low'), integers(node.attrs, 'high')];
  const given = inputs[0]!;
  const dim = given.kind === 'fixed' ? -1 : given.dim;
  if (dim < 0 || (low[dim] === 0 && high[dim] === 0)) {
    const x = only(walk, node, inputs);
    const shape = walk.windowShape(walk.type(node.outputs[0]!).shape, dim, x.inner, x.last);
    return results(walk, node, walk.emitLike(node, [x.value], shape), dim, x.inner, x.last);
  }
  const elsewhere = low.some((n, d) => d !== dim && (n !== 0 || high[d] !== 0));
  if (elsewhere) walk.refuse('pads tokens and their elements at once');
  const fill = number(node.attrs, 'value');
  const around = (size: number): Piece[] => (size > 0 ? [{ kind: 'fill', fill, size }] : []);
  const pieces = piecesOf(walk, given, dim, node.inputs[0]!);
  return [joined(walk, node, dim, [...around(low[dim]!), ...pieces, ...around(high[dim]!)])];
};

/** base with a region replaced: along tokens by pieces, within a token as it stands. */
const sliceScatter: DecodeRule = (walk, node, inputs) => {
  const [starts, steps] = [integers(node.attrs, 'starts'), integers(node.attrs, 'steps')];
  const [base, src] = inputs as [Seen, Seen];
  const [outer, inner] = [walk.type(node.inputs[0]!).shape, walk.type(node.inputs[1]!).shape];
  const dim = tokenDim(inputs);
  if (dim < 0 || outer[dim] === inner[dim]) return withinScatter(walk, node, inputs, dim);
  if (steps[dim] !== 1) walk.refuse('skips or reverses tokens');
  if (!sameShape(outer.with(dim, 0), inner.with(dim, 0)))
    walk.refuse('writes tokens and their elements at once');
  const old = piecesOf(walk, base, dim, node.inputs[0]!);
  const [start, size] = [starts[dim]!, inner[dim]!];
  const rest = outer[dim]! - start - size;
  return [
    joined(walk, node, dim, [
      ...cutPieces(old, 0, start),
      ...piecesOf(walk, src, dim, node.inputs[1]!),
      ...cutPieces(old, start + size, rest),
    ]),
  ];
};

function withinScatter(walk: Walk, node: Node, given: readonly Seen[], dim: number): readonly Seen[] {
  const { inputs, last } = aligned(walk, node, given);
  const rank = walk.type(node.outputs[0]!).shape.length;
  const operands = inputs.map((x) => {
    if (x.kind === 'spliced') return walk.refuse('reads tokens that were cut apart or moved ahead');
    if (x.kind === 'fixed') return walk.fixedOperand(x, dim, rank, 1, last);
    if (x.dim !== dim || x.inner !== 1) walk.refuse('joins tokens with other rows');
    return x.value;
  });
  return results(walk, node, walk.emitLike(node, operands), dim, 1, last);
}

/** Along tokens it carries the total; within a token it is like any row-wise operation. */
const cumulative: DecodeRule = (walk, node, inputs) => {
  const [x] = inputs as [Seen];
  const along = number(node.attrs, 'dim');
  if (x.kind !== 'sequence' || x.dim !== along) return alongDim(walk, node, inputs);
  if (flag(node.attrs, 'reverse')) walk.refuse('reads later tokens');
  if (x.inner !== 1 || x.last) walk.refuse('joins tokens with other rows');
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
  slice,
  cat,
  pad,
  slice_scatter: sliceScatter,
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
