/** What the decoder pass knows of a value of the traced graph, and how views move the dimension of tokens. */
import type { ValueId } from '../graph.js';
import { elementCount, type Shape } from '../shapes.js';

/**
 * A value with one row per token. Its dim `dim` has `inner` elements per token, tokens outermost; -1: no such dim, because it
 * belongs to the newest token alone.
 */
export interface Sequence {
  readonly kind: 'sequence';
  /** In the graph of the window. */
  readonly value: ValueId;
  readonly dim: number;
  readonly inner: number;
  /** Tokens before this one have no row: `x[:, 1:]` has none for the first. */
  readonly from: number;
  /** Made for the newest token of the window only. */
  readonly last: boolean;
  /** Which rows these are: equal for equal rows of the traced graph. */
  readonly origin: string;
}

/** Where a value has its tokens. */
export type Extent = Pick<Sequence, 'dim' | 'inner' | 'last' | 'from'>;

/** A value that depends on parameters and positions only. */
export interface Fixed {
  readonly kind: 'fixed';
  /** In the traced graph. */
  readonly value: ValueId;
}

/** Rows along the dimension of tokens, from where they are taken. */
export type Piece =
  | { readonly kind: 'rows'; readonly source: Sequence; readonly start: number; readonly size: number }
  | { readonly kind: 'fixed'; readonly value: ValueId; readonly start: number; readonly size: number }
  | { readonly kind: 'fill'; readonly fill: number; readonly size: number };

/** Rows put together by slices, padding and concatenation, not yet one row per token. */
export interface Spliced {
  readonly kind: 'spliced';
  readonly dim: number;
  readonly pieces: readonly Piece[];
}

export type Seen = Sequence | Fixed | Spliced;

export const pieceRows = (pieces: readonly Piece[]): number =>
  pieces.reduce((total, { size }) => total + size, 0);

/** Rows [start, start + size) of pieces that stand one after the other. */
export function cutPieces(pieces: readonly Piece[], start: number, size: number): Piece[] {
  const cut: Piece[] = [];
  let at = 0;
  for (const piece of pieces) {
    const low = Math.max(start, at);
    const high = Math.min(start + size, at + piece.size);
    if (low < high) {
      const rows = high - low;
      cut.push(
        piece.kind === 'fill'
          ? { ...piece, size: rows }
          : { ...piece, start: piece.start + low - at, size: rows },
      );
    }
    at += piece.size;
  }
  return cut;
}

/**
 * Where a reshape puts the dimension of tokens: `tokens * inner` elements, tokens outermost, in one dim of `to`; `null` when
 * it cuts the tokens apart or joins something outside them.
 */
export function reshapedTokens(
  from: Shape,
  dim: number,
  to: Shape,
  tokens: number,
): { dim: number; inner: number } | null {
  const before = elementCount(from.slice(0, dim));
  let outer = 1;
  for (const [d, size] of to.entries()) {
    if (outer === before && (size !== 1 || tokens === 1))
      return size % tokens === 0 && size >= tokens ? { dim: d, inner: size / tokens } : null;
    outer *= size;
  }
  return null;
}
