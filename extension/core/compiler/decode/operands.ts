/** Operands of operations within a token, as the window has them. */
import type { Node, ValueId } from '../graph.js';
import { delayed } from './shifts.js';
import { type Extent, type Fixed, pieceRows, type Seen, type Sequence } from './sequence.js';
import type { Walk } from './walk.js';

/** Makes the node in the window; gives what its outputs are. */
export type DecodeRule = (walk: Walk, node: Node, inputs: readonly Seen[]) => readonly Seen[];

/** Of the newest token alone, or of none. */
export const NO_TOKENS = { dim: -1, inner: 1, from: 0 } as const;

/**
 * Inputs as sequences of equal extent, rows cut apart put in their places; the newest rows alone where one has no others or no
 * others are wanted.
 */
export function aligned(
  walk: Walk,
  node: Node,
  inputs: readonly Seen[],
): { inputs: (Fixed | Sequence)[]; last: boolean } {
  const placed = inputs.map((x) => (x.kind === 'spliced' ? tailOf(walk, node, x) : x));
  const sequences = placed.filter((x): x is Sequence => x.kind === 'sequence');
  const last = walk.lastOnly(node) || sequences.some((x) => x.last);
  if (last && sequences.some((x) => !x.last) && !walk.lastOnly(node) && walk.options.tokens > 1)
    walk.refuse('joins the newest token with all tokens');
  const narrowed = placed.map((x) => (last && x.kind === 'sequence' ? walk.lastOf(x) : x));
  return { inputs: narrowed, last };
}

/** Rows of one source that end with the sequence, as in `x[:, 1:] + x[:, :-1]`: row j belongs to token j + from. */
function tailOf(walk: Walk, node: Node, { dim, pieces }: Extract<Seen, { kind: 'spliced' }>): Sequence {
  const [piece] = pieces;
  if (pieces.length !== 1 || piece!.kind !== 'rows')
    return walk.refuse('reads tokens that were cut apart or moved ahead');
  const from = walk.options.context - pieceRows(pieces);
  const { source, start } = piece!;
  if (start > from || start < source.from || source.inner !== 1)
    return walk.refuse('reads tokens that were cut apart or moved ahead');
  const value = start === from ? source.value : delayed(walk, node, source, dim, from - start);
  return { ...source, value, from, origin: `${source.origin} from ${start} at ${from}` };
}

/** The one sequence among the inputs of an operation that takes one. */
export function only(walk: Walk, node: Node, inputs: readonly Seen[]): Sequence {
  const { inputs: given } = aligned(walk, node, inputs);
  const x = given[0]!;
  return x.kind === 'sequence' ? x : walk.refuse('reads tokens that were cut apart or moved ahead');
}

/** Fixed and newest-token operands beside one sequence, as they are. */
export function whole(walk: Walk, x: Seen | undefined): ValueId[] {
  if (x === undefined) return [];
  if (x.kind === 'fixed') return [walk.inline(x.value)];
  if (x.kind === 'sequence' && x.dim < 0) return [x.value];
  return walk.refuse('reads every token where it should read parameters');
}

/** The outputs of a node, all with tokens at the same place. */
export const results = (
  walk: Walk,
  node: Node,
  values: readonly ValueId[],
  { dim, inner, last, from }: Extent,
): Sequence[] => node.outputs.map((id, i) => ({ ...walk.sequence(values[i]!, id, dim, inner, last), from }));

/**
 * Makes a node whose operands all have as many dims, and their tokens in the same rows; refuses, saying `what`, where they have
 * not.
 */
export function inSameRows(walk: Walk, node: Node, given: readonly Seen[], what: string): readonly Seen[] {
  const { inputs, last } = aligned(walk, node, given);
  const first = inputs.find((x): x is Sequence => x.kind === 'sequence' && x.dim >= 0);
  const { dim, inner, from } = first ?? NO_TOKENS;
  const extent = { dim, inner, last, from };
  const operands = inputs.map((x, i) => {
    if (x.kind === 'fixed') return walk.fixedOperand(x, extent, walk.type(node.inputs[i]!).shape.length);
    const apart = x.dim !== dim || x.inner !== inner || x.from !== from;
    return x.dim >= 0 && apart ? walk.refuse(what) : x.value;
  });
  return results(walk, node, walk.emitLike(node, operands), extent);
}
