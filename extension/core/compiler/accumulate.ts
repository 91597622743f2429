/** The sum of a value's gradient contributions; slices that do not overlap are joined instead of padded and added. */
import type { GraphBuilder } from './build.js';
import type { ValueId } from './graph.js';
import { integers, number } from './ops/operation.js';

/** A `pad` with zeros: where its input lies in the padded tensor. */
interface Piece {
  readonly value: ValueId;
  readonly low: readonly number[];
  /** Exclusive. */
  readonly high: readonly number[];
}

function pieceOf(b: GraphBuilder, value: ValueId): Piece | null {
  const node = b.producer(value);
  if (node.op !== 'pad' || number(node.attrs, 'value', 0) !== 0) return null;
  const low = integers(node.attrs, 'low');
  const shape = b.shape(node.inputs[0]!);
  return { value: node.inputs[0]!, low, high: shape.map((size, i) => size + low[i]!) };
}

/**
 * One tensor covering [low, high) made of disjoint pieces and zeros, or `null` when the pieces overlap or do not
 * come apart along one dim after the other.
 */
function join(
  b: GraphBuilder,
  pieces: readonly Piece[],
  low: readonly number[],
  high: readonly number[],
): ValueId | null {
  if (pieces.length === 1) {
    const piece = pieces[0]!;
    const before = piece.low.map((start, i) => start - low[i]!);
    const after = piece.high.map((end, i) => high[i]! - end);
    return [...before, ...after].every((n) => n === 0) ? piece.value : b.pad(piece.value, before, after);
  }
  for (let dim = 0; dim < low.length; dim++) {
    const groups = new Map<string, Piece[]>();
    for (const piece of pieces) {
      const key = `${piece.low[dim]},${piece.high[dim]}`;
      const group = groups.get(key);
      if (group) group.push(piece);
      else groups.set(key, [piece]);
    }
    const ordered = [...groups.values()].sort((x, y) => x[0]!.low[dim]! - y[0]!.low[dim]!);
    const apart = ordered.every(
      (group, i) => i === 0 || ordered[i - 1]![0]!.high[dim]! <= group[0]!.low[dim]!,
    );
    if (ordered.length < 2 || !apart) continue;
    const parts: ValueId[] = [];
    let end = low[dim]!;
    const gap = (to: number): void => {
      if (to > end) {
        const shape = low.map((start, i) => (i === dim ? to - end : high[i]! - start));
        parts.push(b.full(0, { dtype: b.type(pieces[0]!.value).dtype, shape }));
      }
    };
    for (const group of ordered) {
      const [start, stop] = [group[0]!.low[dim]!, group[0]!.high[dim]!];
      gap(start);
      const part = join(b, group, low.with(dim, start), high.with(dim, stop));
      if (part === null) return null;
      parts.push(part);
      end = stop;
    }
    gap(high[dim]!);
    return b.cat(parts, dim);
  }
  return null;
}

/** Emits the sum of `values`, all of one type; at least one. */
export function sumOf(b: GraphBuilder, values: readonly ValueId[]): ValueId {
  if (values.length === 1) return values[0]!;
  const pieces: Piece[] = [];
  const rest: ValueId[] = [];
  for (const value of values) {
    const piece = pieceOf(b, value);
    if (piece) pieces.push(piece);
    else rest.push(value);
  }
  const shape = b.shape(values[0]!);
  const joined =
    pieces.length < 2
      ? null
      : join(
          b,
          pieces,
          shape.map(() => 0),
          shape,
        );
  const terms = joined === null ? values : [...rest, joined];
  return terms.slice(1).reduce((sum, term) => b.add(sum, term), terms[0]!);
}
