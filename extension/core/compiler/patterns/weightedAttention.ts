/** Linear attention written out, ((q k^T) * w) v, becomes `weighted_attention`. */
import type { GraphBuilder } from '../build.js';
import type { Node, ValueId } from '../graph.js';
import { number } from '../ops/operation.js';
import { elementCount, range, sameShape, storedBytes, type Shape } from '../shapes.js';
import { diagonalsOf, type Supports } from './support.js';

/** Fewer queries or keys, or larger heads, are no slower as products of their own. */
const FEWEST = 32;
const WIDEST = 256;
/** Weights that no head shares take as much memory as the scores; smaller ones stay in cache anyway. */
const SMALL_BYTES = 4 << 20;
/** Most factors between the scores and the product with the values. */
const MOST_FACTORS = 8;

type Producer = (value: ValueId) => Node;

/** The input of a step that scores may come from, where it multiplies them; `null` where it does something else. */
function followed(producer: Producer, node: Node, steps: number): ValueId | null {
  const [x, y, z] = node.inputs as [ValueId, ValueId, ValueId];
  const isZero = (value: ValueId): boolean => {
    const { op, attrs } = producer(value);
    return op === 'full' && number(attrs, 'value') === 0;
  };
  switch (node.op) {
    case 'tril':
    case 'triu':
      return x;
    case 'where':
      return isZero(z) ? y : isZero(y) ? z : null;
    case 'mul': {
      const [left, right] = [x, y].map((value) => scoreChain(producer, value, steps - 1) !== null);
      return left === right ? null : left ? x : y;
    }
    default:
      return null;
  }
}

/** From what multiplies the values back to the product q k^T, both included; `null` where there is no such product. */
export function scoreChain(producer: Producer, start: ValueId, steps = MOST_FACTORS): ValueId[] | null {
  const node = producer(start);
  if (node.op === 'matmul') return [start];
  const next = steps > 0 ? followed(producer, node, steps) : null;
  const rest = next === null ? null : scoreChain(producer, next, steps - 1);
  return rest && [start, ...rest];
}

/** What a step of the chain multiplies `inner` by. */
function factorOf(b: GraphBuilder, value: ValueId, inner: ValueId): ValueId {
  const node = b.producer(value);
  const [x, y] = node.inputs as [ValueId, ValueId];
  const { dtype, shape } = b.type(value);
  if (node.op === 'mul') return x === inner ? y : x;
  if (node.op === 'where') return b.cast(y === inner ? x : b.unary('logical_not', x), dtype);
  return b.one(node.op, [b.full(1, { dtype, shape: shape.slice(-2) })], node.attrs);
}

/** Replaces the product of what `chain` starts with and `v`. Everything in the chain must have no other use. */
export function fuseWeightedAttention(
  b: GraphBuilder,
  supports: () => Supports,
  chain: readonly ValueId[],
  v: ValueId,
): ValueId | null {
  const [weights, product] = [chain[0]!, b.producer(chain.at(-1)!)];
  if (chain.some((value) => !sameShape(b.shape(value), b.shape(weights)))) return null;
  const q = product.inputs[0]!;
  const k = b.transpose(product.inputs[1]!);
  const [scores, shape] = [b.shape(weights), b.shape(v)];
  const outer = scores.slice(0, -2);
  const [queries, keys] = scores.slice(-2) as [number, number];
  const [size, valueSize] = [b.shape(k).at(-1)!, shape.at(-1)!];
  const { dtype } = b.type(v);
  const together = [q, k, v].every((x) => sameShape(b.shape(x).slice(0, -2), outer));
  if (!together || b.type(weights).dtype !== dtype) return null;
  if (Math.min(queries, keys) < FEWEST || Math.max(size, valueSize) > WIDEST) return null;

  const w = chain
    .slice(1)
    .map((inner, i) => factorOf(b, chain[i]!, inner))
    .reduce((all, factor) => b.mul(all, factor));
  const lead = b.shape(w).slice(0, -2);
  if (b.shape(w).length < 2 || !sameShape(b.shape(w).slice(-2), [queries, keys])) return null;
  const large = elementCount(scores) * storedBytes('f32') >= SMALL_BYTES;
  if (large && 2 * elementCount(b.shape(w)) > elementCount(scores)) return null;
  const padded = [...range(0, outer.length - lead.length).map(() => 1), ...lead];
  const shared = mergedTo2(outer, padded);
  if (!shared) return null;
  const [batch, heads] = mergedTo2(outer, outer)!;
  const four = (x: ValueId, inner: Shape): ValueId => b.reshape(x, [batch, heads, ...inner]);
  const diagonals = diagonalsOf(supports(), w, b.shape(w));
  const y = b.one(
    'weighted_attention',
    [
      four(q, [queries, size]),
      four(k, [keys, size]),
      four(v, [keys, valueSize]),
      b.reshape(w, [...shared, queries, keys]),
    ],
    diagonals,
  );
  return b.reshape(y, [...outer, queries, valueSize]);
}

/**
 * Leading dims as two, the last of them apart: of weights that are broadcast over `outer` where they are 1; `null` when
 * the dims that become one are broadcast in part.
 */
function mergedTo2(outer: Shape, lead: Shape): readonly [number, number] | null {
  const first = lead.slice(0, -1);
  const whole = sameShape(first, outer.slice(0, -1));
  if (!whole && elementCount(first) !== 1) return null;
  return [elementCount(first), lead.at(-1) ?? 1];
}
