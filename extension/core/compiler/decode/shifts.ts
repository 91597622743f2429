/** Tokens moved to later places: the rows they need of earlier windows are kept. */
import type { DType, Node, ValueId } from '../graph.js';
import { type Piece, pieceRows, type Sequence } from './sequence.js';
import type { Walk } from './walk.js';

/** x moved by `delay` tokens; what stands before its first is not read. */
export function delayed(walk: Walk, node: Node, x: Sequence, dim: number, delay: number): ValueId {
  return shifted(walk, node, x, dim, [{ kind: 'fill', fill: 0, size: delay }]);
}

/** x moved to later tokens; `before` are the rows that stand before its first. */
export function shifted(walk: Walk, node: Node, x: Sequence, dim: number, before: readonly Piece[]): ValueId {
  const w = walk.window.at(node);
  const { tokens, findings } = walk.options;
  const delay = pieceRows(before);
  if (delay === 0) return x.value;
  const fills = new Set(before.map((piece) => (piece.kind === 'fill' ? piece.fill : NaN)));
  const [fill] = fills;
  const shares = fills.size === 1 && !Number.isNaN(fill);
  const key = `${x.origin} ${dim} ${shares ? fill : node.outputs[0]}`;
  walk.delays.set(key, Math.max(delay, walk.delays.get(key) ?? 0));
  const kept = Math.max(delay, findings?.delays.get(key) ?? 0);
  const { dtype } = w.type(x.value);
  const type = { dtype, shape: w.shape(x.value).with(dim, kept) };
  const joint = walk.shifts.get(key) ?? joinKept();
  walk.shifts.set(key, joint);
  return w.narrow(joint, dim, kept - delay, tokens);

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

function fixedPiece(walk: Walk, piece: Piece, shape: readonly number[], dim: number, dtype: DType): ValueId {
  if (piece.kind === 'fixed')
    return walk.fixed.narrow(walk.fixedValue(piece.value), dim, piece.start, piece.size);
  return walk.filled(piece.kind === 'fill' ? piece.fill : 0, { dtype, shape: shape.with(dim, piece.size) });
}
