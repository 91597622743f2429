/** Operations that move rows of tokens: cutting, joining, padding, writing. */
import type { Node, ValueId } from '../graph.js';
import { integers, number, numberAttr } from '../ops/operation.js';
import { sameShape } from '../shapes.js';
import { type DecodeRule, inSameRows, only, results } from './operands.js';
import { cutPieces, type Piece, pieceRows, type Seen } from './sequence.js';
import { delayed, shifted } from './shifts.js';
import type { Walk } from './walk.js';

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
  return [{ kind: 'rows', source: x, start: x.from, size }];
}

/** Pieces as a value: the sequence itself, its newest row, rows moved to later tokens; else they wait for what follows. */
function joined(walk: Walk, node: Node, dim: number, pieces: readonly Piece[]): Seen {
  const { context } = walk.options;
  const [first] = pieces;
  if (pieces.length === 1 && first!.kind === 'rows') {
    const { source, start, size } = first!;
    if (start === source.from && size === context - source.from) return source;
    if (start === context - 1 && size === 1) return { ...walk.lastOf(source), dim: -1, last: true };
  }
  if (pieceRows(pieces) !== context || pieces.every(({ kind }) => kind !== 'rows'))
    return { kind: 'spliced', dim, pieces };
  const newest = pieces.at(-1)!;
  const before = pieces.slice(0, -1);
  const isShift = newest.kind === 'rows' && newest.start === 0 && before.every(({ kind }) => kind !== 'rows');
  const value = isShift
    ? shifted(walk, node, newest.source, dim, before)
    : byPosition(walk, node, dim, pieces);
  return walk.sequence(value, node.outputs[0]!, dim, 1, false);
}

/** Each token from the piece that it falls in: as few choices by position as there are pieces but one. */
function byPosition(walk: Walk, node: Node, dim: number, pieces: readonly Piece[]): ValueId {
  const w = walk.window.at(node);
  const { shape } = walk.type(node.outputs[0]!);
  const rows = shape.map((_, d) => (d === dim ? walk.options.tokens : 1));
  const positions = w.reshape(walk.positions(false), rows);
  let end = pieceRows(pieces);
  let value: ValueId | null = null;
  for (const piece of [...pieces].reverse()) {
    end -= piece.size;
    const own = pieceAt(walk, node, dim, piece, end);
    // `end` is now where the piece begins; what was made so far stands from the end of it on.
    const later = w.full(end + piece.size, { dtype: 'i64', shape: rows });
    value = value === null ? own : w.where(w.one('lt', [positions, later]), own, value);
  }
  return value!;
}

/** The rows of a piece that begins at token `at`, for tokens inside it; outside they are anything. */
function pieceAt(walk: Walk, node: Node, dim: number, piece: Piece, at: number): ValueId {
  const { dtype, shape } = walk.type(node.outputs[0]!);
  if (piece.kind === 'fill')
    return walk.window.one(
      'full',
      [],
      { value: numberAttr(piece.fill) },
      { dtype, shape: shape.with(dim, walk.options.tokens) },
    );
  if (piece.kind === 'fixed') return walk.selectNear(piece.value, dim, piece.start - at);
  const delay = at - piece.start;
  if (delay < 0) return walk.refuse('reads later tokens');
  return delay === 0 ? piece.source.value : delayed(walk, node, piece.source, dim, delay);
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
    return results(walk, node, walk.emitLike(node, [x.value], shape), x);
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
  return inSameRows(walk, node, inputs, 'joins tokens with other rows');
};

const pad: DecodeRule = (walk, node, inputs) => {
  const [low, high] = [integers(node.attrs, 'low'), integers(node.attrs, 'high')];
  const given = inputs[0]!;
  const dim = given.kind === 'fixed' ? -1 : given.dim;
  if (dim < 0 || (low[dim] === 0 && high[dim] === 0)) {
    const x = only(walk, node, inputs);
    const shape = walk.windowShape(walk.type(node.outputs[0]!).shape, dim, x.inner, x.last);
    return results(walk, node, walk.emitLike(node, [x.value], shape), x);
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
  if (dim < 0 || outer[dim] === inner[dim])
    return inSameRows(walk, node, inputs, 'joins tokens with other rows');
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

export const MOVING: Readonly<Record<string, DecodeRule>> = {
  slice,
  cat,
  pad,
  slice_scatter: sliceScatter,
};
