/**
 * Attention written by hand becomes `sdpa`, so that no T x T matrix is made: softmax((q k^T) scale + mask) v, with
 * any order of scaling and masking, and keys and values repeated over groups of heads.
 */
import type { GraphBuilder } from '../build.js';
import type { Attrs, Node, ValueId } from '../graph.js';
import { dimOf, flag, integers, number } from '../ops/operation.js';
import { elementCount, range, sameShape, type Shape } from '../shapes.js';
import { HIDES, visibility, type Mask } from './masks.js';
import type { Contents } from './steps.js';

interface Scores {
  readonly q: ValueId;
  /** Keys, last two dims exchanged. */
  readonly keys: ValueId;
  readonly scale: number;
  readonly masks: readonly Mask[];
}

/** x and c when `value` is x * c or x / c with one known positive number. */
function peelScale(b: GraphBuilder, value: ValueId): { inner: ValueId; factor: number } | null {
  const node = b.producer(value);
  if (node.op !== 'mul' && node.op !== 'div') return null;
  const [x, y] = node.inputs as [ValueId, ValueId];
  const right = b.uniform(y);
  if (right !== undefined && right > 0) return { inner: x, factor: node.op === 'mul' ? right : 1 / right };
  const left = node.op === 'mul' ? b.uniform(x) : undefined;
  return left !== undefined && left > 0 ? { inner: y, factor: left } : null;
}

/** Walks from the softmax's input back to the product, collecting scale and masks. */
class ScoreWalk {
  private readonly masks: Mask[] = [];
  private scale = 1;

  constructor(
    private readonly b: GraphBuilder,
    private readonly contents: Contents,
  ) {}

  walk(start: ValueId): Scores | null {
    let value: ValueId | null = start;
    const shape = this.b.shape(start);
    for (let step = 0; value !== null && step < 16; step++) {
      const node: Node = this.b.producer(value);
      const factors =
        node.op === 'matmul' ? (node.inputs as [ValueId, ValueId]) : mergedProduct(this.b, value);
      if (factors) return this.product(factors);
      if (!sameTail(this.b.shape(value), shape)) return null;
      value = this.peel(node, value);
    }
    return null;
  }

  private product([left, right]: readonly [ValueId, ValueId]): Scores {
    const { b } = this;
    let [q, keys] = [left, right];
    let { scale } = this;
    for (let inner = peelScale(b, q); inner; inner = peelScale(b, q))
      [q, scale] = [inner.inner, scale * inner.factor];
    for (let inner = peelScale(b, keys); inner; inner = peelScale(b, keys))
      [keys, scale] = [inner.inner, scale * inner.factor];
    return { q, keys, scale, masks: this.masks };
  }

  private peel(node: Node, value: ValueId): ValueId | null {
    const { b, contents } = this;
    const scaled = peelScale(b, value);
    if (scaled) {
      this.scale *= scaled.factor;
      return scaled.inner;
    }
    const [x, y, z] = node.inputs as [ValueId, ValueId, ValueId];
    switch (node.op) {
      case 'reshape':
        // A mask below this point would have other leading dims than one above it.
        return this.masks.every((mask) => mask.steps !== null) && sameTail(b.shape(x), b.shape(value))
          ? x
          : null;
      case 'where':
        return this.select(x, y, z, true) ?? this.select(x, z, y, false);
      case 'add':
        return this.added(x, y, 1) ?? this.added(y, x, 1);
      case 'sub':
        return this.added(x, y, -1);
      case 'mul':
        return this.multiplied(x, y) ?? this.multiplied(y, x);
      case 'cast':
        return contents.of(value) === null && b.type(x).dtype === b.type(value).dtype ? x : null;
      default:
        return null;
    }
  }

  /** Scores kept where the condition equals `keep`, and a hiding number elsewhere. */
  private select(condition: ValueId, kept: ValueId, fill: ValueId, keep: boolean): ValueId | null {
    const number = this.contents.steps(fill);
    if (!number || number.row >= 0 || this.contents.of(kept) !== null) return null;
    const scaled = number.values[0]! * this.scale;
    if (!(scaled <= HIDES)) return null;
    this.masks.push({ kind: 'select', condition, keep, fill: scaled, steps: this.contents.steps(condition) });
    return kept;
  }

  private added(scores: ValueId, value: ValueId, sign: number): ValueId | null {
    if (!this.leadsToProduct(scores)) return null;
    this.masks.push({ kind: 'add', value, factor: sign * this.scale, steps: this.contents.steps(value) });
    return scores;
  }

  private multiplied(scores: ValueId, value: ValueId): ValueId | null {
    const steps = this.contents.steps(value);
    if (!steps || !this.leadsToProduct(scores)) return null;
    this.masks.push({ kind: 'multiply', steps });
    return scores;
  }

  /** Whether the scores, not a mask, are behind a value: a short look along its first operands. */
  private leadsToProduct(value: ValueId): boolean {
    let at = value;
    for (let step = 0; step < 12; step++) {
      const node = this.b.producer(at);
      if (node.op === 'matmul') return true;
      if (!['mul', 'div', 'add', 'sub', 'where', 'reshape', 'cast'].includes(node.op)) return false;
      const next = (node.op === 'where' ? [1, 2] : [0, 1])
        .map((i) => node.inputs[i])
        .filter((id) => id !== undefined && this.contents.of(id) === null);
      if (next[0] === undefined) return false;
      at = next[0];
    }
    return false;
  }
}

/** x [.., H, T, K] when `value` is its reshape to [.., H T, K], heads and rows as one dim; else null. */
function unmergeRows(b: GraphBuilder, value: ValueId): ValueId | null {
  const node = b.producer(value);
  if (node.op !== 'reshape') return null;
  const [x] = node.inputs as [ValueId];
  return isMerged(b.shape(value), b.shape(x)) ? x : null;
}

/** Whether `merged` is [.., H T, K] where `shape` is [.., H, T, K]. */
function isMerged(merged: Shape, shape: Shape): boolean {
  if (shape.length < 3) return false;
  return sameShape(merged, [...shape.slice(0, -3), shape.at(-3)! * shape.at(-2)!, shape.at(-1)!]);
}

/**
 * Factors of a product of queries of all heads with the keys that they share, as `einsum("b h i d, b j d -> b h i j")` makes it:
 * [.., H T, D] times [.., D, S], seen as [.., H, T, S].
 */
function mergedProduct(b: GraphBuilder, value: ValueId): [ValueId, ValueId] | null {
  const merged = unmergedOf(b, value);
  const node = merged === null ? null : b.producer(merged);
  if (node?.op !== 'matmul') return null;
  const [rows, keys] = node.inputs as [ValueId, ValueId];
  const q = unmergeRows(b, rows);
  const outer = b.shape(value).slice(0, -3);
  if (q === null || !sameShape(b.shape(q).slice(0, -1), b.shape(value).slice(0, -1))) return null;
  return sameShape(b.shape(keys).slice(0, -2), outer) ? [q, oneHead(b, keys)] : null;
}

/** The other way round: y [.., H T, K] when `value` is its reshape to [.., H, T, K]; else null. */
function unmergedOf(b: GraphBuilder, value: ValueId): ValueId | null {
  const node = b.producer(value);
  if (node.op !== 'reshape') return null;
  const [merged] = node.inputs as [ValueId];
  return isMerged(b.shape(merged), b.shape(value)) ? merged : null;
}

/** A matrix per outer dims, as that of a single head. */
const oneHead = (b: GraphBuilder, value: ValueId): ValueId =>
  b.reshape(value, [...b.shape(value).slice(0, -2), 1, ...b.shape(value).slice(-2)]);

const sameTail = (a: Shape, b: Shape): boolean =>
  a.length >= 2 && b.length >= 2 && sameShape(a.slice(-2), b.slice(-2));

/** The tensor whose heads (dim -3) were repeated, each `groups` times in a row; the value itself when none was. */
export function unrepeatHeads(b: GraphBuilder, value: ValueId): ValueId {
  const outer = b.producer(value);
  const rank = b.shape(value).length;
  if (rank < 3) return value;
  if (outer.op === 'expand') {
    const from = b.shape(outer.inputs[0]!);
    const shape = b.shape(value);
    const onlyHeads =
      from.length === rank && from.every((n, i) => n === shape[i] || (i === rank - 3 && n === 1));
    return onlyHeads ? outer.inputs[0]! : value;
  }
  const dims = outer.op === 'permute' ? integers(outer.attrs, 'dims') : range(0, rank);
  const grouped = outer.op === 'permute' ? b.producer(outer.inputs[0]!) : outer;
  if (grouped.op !== 'reshape') return value;
  const wide = b.producer(grouped.inputs[0]!);
  if (wide.op !== 'expand') return value;
  const heads = dims[rank - 3]!;
  const merged = b.shape(grouped.outputs[0]!);
  const split = b.shape(wide.outputs[0]!);
  const narrow = b.shape(wide.inputs[0]!);
  const splits =
    split.length === rank + 1 &&
    narrow.length === rank + 1 &&
    merged.every((n, i) =>
      i === heads ? n === split[i]! * split[i + 1]! : n === split[i < heads ? i : i + 1],
    ) &&
    narrow.every((n, i) => n === (i === heads + 1 ? 1 : split[i]));
  if (!splits) return value;
  const small = b.reshape(
    wide.inputs[0]!,
    merged.map((n, i) => (i === heads ? split[i]! : n)),
  );
  return b.permute(small, dims);
}

/** The softmax's input when `value` is a softmax over the last dim, seen through reshapes that keep the matrices. */
function softmaxInput(b: GraphBuilder, value: ValueId): ValueId | null {
  let node = b.producer(value);
  if (node.op === 'reshape' && sameTail(b.shape(node.inputs[0]!), b.shape(value)))
    node = b.producer(node.inputs[0]!);
  if (node.op !== 'softmax') return null;
  const rank = b.shape(node.inputs[0]!).length;
  return dimOf(node.attrs, rank) === rank - 1 ? node.inputs[0]! : null;
}

/** Replaces the product `weights @ v` by `sdpa` when the weights are a softmax of scores; else null. */
export function fuseAttention(
  b: GraphBuilder,
  contents: Contents,
  weights: ValueId,
  v: ValueId,
): ValueId | null {
  const heads = unmergeRows(b, weights);
  const shared = heads !== null && sameShape(b.shape(v).slice(0, -2), b.shape(heads).slice(0, -3));
  if (!shared) return fuseHeads(b, contents, weights, v);
  const y = fuseHeads(b, contents, heads, oneHead(b, v));
  return y && b.reshape(y, [...b.shape(weights).slice(0, -1), b.shape(v).at(-1)!]);
}

function fuseHeads(b: GraphBuilder, contents: Contents, weights: ValueId, v: ValueId): ValueId | null {
  const input = softmaxInput(b, weights);
  if (input === null) return null;
  const scores = new ScoreWalk(b, contents).walk(input);
  if (!scores) return null;
  const [queries, keys] = b.shape(input).slice(-2) as [number, number];
  const rankOf = (mask: Mask): number => {
    if (mask.kind === 'multiply') return b.shape(input).length;
    return b.shape(mask.kind === 'select' ? mask.condition : mask.value).length;
  };
  const seen = visibility(b, scores.masks, queries, keys, rankOf);
  if (!seen) return null;
  const q = withoutBlindQueries(b, scores);
  if (q === null) return null;

  const batchOf = (value: ValueId): Shape => b.shape(value).slice(0, -2);
  const outer = batchOf(q);
  const size = b.shape(q).at(-1)!;
  const valueSize = b.shape(v).at(-1)!;
  const k = unrepeatHeads(b, b.transpose(scores.keys));
  const values = unrepeatHeads(b, v);
  const result = [...batchOf(v).map((n, i) => Math.max(n, batchOf(weights)[i] ?? 1)), queries, valueSize];
  if (elementCount(result) !== elementCount(outer) * queries * valueSize) return null;

  /** One dim before the heads and the heads; a single head is one of its own. */
  const four = (value: ValueId, heads: number, inner: Shape): ValueId | null => {
    const count = elementCount(batchOf(value));
    return count % heads === 0 ? b.reshape(value, [count / heads, heads, ...inner]) : null;
  };
  const heads = outer.at(-1) ?? 1;
  const kvHeads = (batchOf(k).at(-1) ?? 1) === (batchOf(values).at(-1) ?? 1) ? (batchOf(k).at(-1) ?? 1) : 0;
  if (kvHeads === 0 || heads % kvHeads !== 0) return null;
  const parts = [
    four(q, heads, [queries, size]),
    four(k, kvHeads, [keys, size]),
    four(values, kvHeads, [keys, valueSize]),
  ];
  const [batch] = parts.map((part) => (part === null ? -1 : b.shape(part)[0]!));
  if (parts.some((part) => part === null || b.shape(part)[0] !== batch)) return null;
  const inputs = parts as ValueId[];
  if (seen.mask !== null) {
    const mask = maskOf(b, seen.mask, outer, b.shape(input));
    if (mask === null) return null;
    inputs.push(mask);
  }
  const y = b.one('sdpa', inputs, { causal: seen.causal, scale: scores.scale, window: seen.window });
  return b.reshape(y, result);
}

/** A smaller number, added to a score in fp32, leaves nothing of it: all hidden keys are alike then. */
const ERASES = -1e8;

/**
 * The queries, zero where a mask that depends on data hides every key: a number in the place of its scores then makes all
 * keys alike, which the same number added to them does not. `null` where that cannot be told.
 */
function withoutBlindQueries(b: GraphBuilder, { q, masks }: Scores): ValueId | null {
  const replacing = masks.flatMap((mask) =>
    mask.kind === 'select' &&
    mask.steps === null &&
    mask.fill > ERASES &&
    (b.shape(mask.condition).at(-2) ?? 1) > 1
      ? [mask]
      : [],
  );
  const [mask] = replacing;
  if (mask === undefined) return q;
  if (masks.length > 1) return null;
  const shape = b.shape(mask.condition);
  const of = b.shape(q);
  const batch = shape.slice(0, -1);
  const fits = batch.every((n, i) => n === 1 || n === of[of.length - shape.length + i]);
  if (shape.length > of.length || !fits) return null;
  const shown = mask.keep ? mask.condition : b.unary('logical_not', mask.condition);
  const dims = [shape.length - 1];
  const any = b.one('amax', [b.cast(shown, b.type(q).dtype)], { dims, keepdim: false });
  return b.mul(q, b.unreduce(any, shape, dims));
}

/** An explicit mask as [batch or 1, heads or 1, queries or 1, keys or 1]; null when its dims are not those of q. */
function maskOf(b: GraphBuilder, mask: ValueId, outer: Shape, scores: Shape): ValueId | null {
  const shape = b.shape(mask);
  const padded = [...range(0, scores.length - shape.length).map(() => 1), ...shape];
  const lead = padded.slice(0, -2);
  const tail = padded.slice(-2);
  if (lead.every((n) => n === 1)) return b.reshape(mask, [1, 1, ...tail]);
  if (!sameShape(scores.slice(0, -2), outer)) return null;
  const batch = lead.slice(0, -1);
  const repeated = batch.every((n) => n === 1) ? batch : outer.slice(0, -1);
  const wide = b.expand(b.reshape(mask, padded), [...repeated, ...lead.slice(-1), ...tail]);
  return b.reshape(wide, [elementCount(repeated), lead.at(-1)!, ...tail]);
}

/** A mask as given to `sdpa`; one of booleans that must all be true as its parts, each looked at by itself. */
function givenMasks(b: GraphBuilder, contents: Contents, mask: ValueId): Mask[] {
  const steps = contents.steps(mask);
  if (b.type(mask).dtype !== 'bool') return [{ kind: 'add', value: mask, factor: 1, steps }];
  const { op, inputs } = b.producer(mask);
  if (steps === null && (op === 'logical_and' || op === 'bitwise_and'))
    return inputs.flatMap((part) => givenMasks(b, contents, part));
  return [{ kind: 'select', condition: mask, keep: true, fill: -Infinity, steps }];
}

/** An `sdpa` call as the model wrote it: a mask that proves causal becomes `causal`, repeated heads are undone. */
export function simplifyAttention(
  b: GraphBuilder,
  contents: Contents,
  inputs: readonly ValueId[],
  attrs: Attrs,
): ValueId | null {
  const [q, k, v, mask] = inputs as [ValueId, ValueId, ValueId, ValueId?];
  const [fewK, fewV] = [unrepeatHeads(b, k), unrepeatHeads(b, v)];
  const fewer = fewK !== k && fewV !== v && b.shape(fewK).at(-3) === b.shape(fewV).at(-3);
  const heads = fewer ? [fewK, fewV] : [k, v];
  const plain = mask !== undefined && !flag(attrs, 'causal') && number(attrs, 'window', 0) === 0;
  if (plain) {
    const given = givenMasks(b, contents, mask);
    const rankOf = (part: Mask): number =>
      part.kind === 'multiply' ? 0 : b.shape(part.kind === 'select' ? part.condition : part.value).length;
    const [queries, keys] = [b.shape(q).at(-2)!, b.shape(k).at(-2)!];
    const known = given.some(({ steps }) => steps !== null);
    const seen = known ? visibility(b, given, queries, keys, rankOf) : null;
    if (seen && (seen.mask === null || seen.causal)) {
      const rest = seen.mask === null ? [] : [seen.mask];
      return b.one('sdpa', [q, ...heads, ...rest], { ...attrs, causal: seen.causal, window: seen.window });
    }
  }
  return fewer ? b.one('sdpa', [q, ...heads, ...inputs.slice(3)], attrs) : null;
}
