/** Operations across tokens: recurrences hand on their state, attention keeps keys and values. */
import type { Node, TensorType, ValueId } from '../graph.js';
import { flag, number } from '../ops/operation.js';
import type { DecodeRule } from './operands.js';
import type { Seen, Sequence } from './sequence.js';
import type { Walk } from './walk.js';

/** Tokens of an operand in dim `dim`: a sequence as it is, a fixed one by position. */
function tokens(walk: Walk, x: Seen, dim: number): ValueId {
  if (x.kind === 'fixed') return walk.select(x.value, dim, false);
  if (x.kind === 'spliced') return walk.refuse('reads tokens that were cut apart or moved ahead');
  if (x.dim !== dim || x.inner !== 1 || x.from !== 0 || (x.last && walk.options.tokens > 1))
    return walk.refuse('has tokens in another dimension than time');
  return x.value;
}

function parameters(walk: Walk, x: Seen): ValueId {
  return x.kind === 'fixed' ? walk.inline(x.value) : walk.refuse('takes tokens for parameters');
}

/** What a state holds before the first token: what the model gives, else `value`. */
function firstState(walk: Walk, given: Seen | undefined, type: TensorType, value = 0): ValueId {
  if (given === undefined) return walk.filled(value, type);
  if (given.kind !== 'fixed') return walk.refuse('starts from a state made of tokens');
  return walk.fixedValue(given.value);
}

const newest = (walk: Walk, value: ValueId, origin: ValueId): Sequence =>
  walk.sequence(value, origin, -1, 1, true);

interface Recurrence {
  /** Inputs with tokens in dim 1; the others before the state are parameters. */
  readonly sequences: readonly number[];
  /** Which input is the optional state; the state after the last token is output 1. */
  readonly state: number;
  readonly first?: (walk: Walk, type: TensorType) => ValueId;
}

const recurrence =
  ({ sequences, state, first }: Recurrence): DecodeRule =>
  (walk, node, inputs) => {
    const operands = inputs
      .slice(0, state)
      .map((x, i) => (sequences.includes(i) ? tokens(walk, x, 1) : parameters(walk, x)));
    const type = stateType(walk, node);
    const given = inputs[state];
    const initial = given || !first ? firstState(walk, given, type) : first(walk, type);
    const kept = walk.state('state', `${node.op} state`, type, initial);
    const [y, next] = walk.window.at(node).emit(node.op, [...operands, kept.value], node.attrs);
    walk.update(kept.index, next!);
    const result = walk.sequence(y!, node.outputs[0]!, 1, 1, false);
    return node.outputs.length > 1 ? [result, newest(walk, next!, node.outputs[1]!)] : [result];
  };

const stateType = (walk: Walk, node: Node): TensorType => walk.type(node.outputs[1]!);

/** wkv4's sums over nothing, and the exponent that stands for none (VOCABULARY.md). */
function emptySums(walk: Walk, { dtype, shape }: TensorType): ValueId {
  const rows = (count: number, value: number): ValueId =>
    walk.filled(value, { dtype, shape: shape.with(1, count) });
  return walk.fixed.cat([rows(2, 0), rows(1, -1e38)], 1);
}

/** Gates [B, T, 4H]; h is the last row of y. */
const lstm: DecodeRule = (walk, node, inputs) => {
  const [gates, weight, h0, c0] = inputs as [Seen, Seen, Seen?, Seen?];
  const w = walk.window.at(node);
  const type = stateType(walk, node);
  const h = walk.state('state', 'lstm h', type, firstState(walk, h0, type));
  const c = walk.state('state', 'lstm c', type, firstState(walk, c0, type));
  const given = [tokens(walk, gates, 1), parameters(walk, weight), h.value, c.value];
  const [y, cell] = w.emit('lstm', given, node.attrs);
  walk.update(h.index, w.reshape(w.narrow(y!, 1, walk.options.tokens - 1, 1), type.shape));
  walk.update(c.index, cell!);
  return [walk.sequence(y!, node.outputs[0]!, 1, 1, false), newest(walk, cell!, node.outputs[1]!)];
};

const DIM = 2;

/** Rows of all tokens so far, [B, H, capacity, D], with the window's written into it. */
function cached(walk: Walk, x: ValueId, name: string): ValueId {
  const w = walk.window;
  const { context, tokens: count } = walk.options;
  const { dtype, shape } = w.type(x);
  const type = { dtype, shape: shape.with(DIM, context) };
  const cache = walk.state('cache', name, type, walk.filled(0, type), context);
  const index = w.expand(w.reshape(walk.positions(false), [1, 1, count, 1]), shape);
  const all = w.one('scatter', [cache.value, index, x], { dim: DIM });
  walk.update(cache.index, all, true);
  return all;
}

/** The last `window` tokens: token t in row t mod window. */
function ring(walk: Walk, x: ValueId, name: string, window: number) {
  const w = walk.window;
  const { tokens: count } = walk.options;
  const { dtype, shape } = w.type(x);
  const type = { dtype, shape: shape.with(DIM, window) };
  const cache = walk.state('cache', name, type, walk.filled(0, type), window);
  const size = w.full(window, { dtype: 'i64', shape: [count] });
  const at = w.one('remainder', [walk.positions(false), size]);
  const index = w.expand(w.reshape(at, [1, 1, count, 1]), shape);
  const all = w.one('scatter', [cache.value, index, x], { dim: DIM });
  // A longer window reads the old rows beside its own: what it writes is copied there when it is done.
  walk.update(cache.index, all, count === 1);
  return { old: cache.value, all };
}

/** bool [tokens, window + tokens]: which rows of a ring and which of the window's own tokens each token sees. */
function ringMask(walk: Walk, window: number): ValueId {
  const w = walk.window;
  const { tokens: count } = walk.options;
  const whole = (value: number, shape: readonly number[]) => w.full(value, { dtype: 'i64', shape });
  const own = walk.positions(false);
  const first = w.expand(w.narrow(own, 0, 0, 1), [window]);
  const row = w.one('arange', [], { start: 0, step: 1 }, { dtype: 'i64', shape: [window] });
  // Row r holds the newest token before the window that is r mod window.
  const newest = w.sub(first, whole(1, [window]));
  const held = w.sub(newest, w.one('remainder', [w.sub(newest, row), whole(window, [window])]));
  const size = window + count;
  const key = w.expand(w.reshape(w.cat([held, own], 0), [1, size]), [count, size]);
  const query = w.expand(w.reshape(own, [count, 1]), [count, size]);
  const seen = [
    w.one('ge', [key, whole(0, [count, size])]),
    w.one('le', [key, query]),
    w.one('gt', [key, w.sub(query, whole(window, [count, size]))]),
  ];
  return seen.reduce((a, b) => w.one('logical_and', [a, b]));
}

/** Dims: tokens in dim 2 of q, k and v. */
const attention: DecodeRule = (walk, node, inputs) => {
  const [q, k, v] = inputs.slice(0, 3).map((x) => tokens(walk, x, DIM)) as [ValueId, ValueId, ValueId];
  const w = walk.window.at(node);
  const { context, tokens: count } = walk.options;
  const scale = number(node.attrs, 'scale');
  const window = number(node.attrs, 'window', 0);
  const causal = flag(node.attrs, 'causal');
  const [, , T, S] = inputs[3] === undefined ? [] : walk.type(node.inputs[3]!).shape;
  if (!causal && (T !== context || S !== context)) walk.refuse('attends to later tokens');
  const result = (y: ValueId): Sequence[] => [walk.sequence(y, node.outputs[0]!, DIM, 1, false)];
  const mask = inputs[3] === undefined ? [] : [maskRows(walk, inputs[3], node.inputs[3]!, causal)];
  if (window === 0 || window >= context) {
    const [keys, values] = [cached(walk, k, 'keys'), cached(walk, v, 'values')];
    return result(w.one('cached_attention', [q, keys, values, walk.end(), ...mask], { scale }));
  }
  if (mask.length > 0) walk.refuse('has a mask besides its window');
  const [keys, values] = [ring(walk, k, 'keys', window), ring(walk, v, 'values', window)];
  if (count === 1) {
    const end = w.one('minimum', [walk.end(), w.full(window, { dtype: 'i64', shape: [1] })]);
    return result(w.one('cached_attention', [q, keys.all, values.all, end], { scale }));
  }
  if (count > window) throw new Error('A window of tokens is longer than that of the attention.');
  const seen = w.reshape(ringMask(walk, window), [1, 1, count, window + count]);
  const both = [w.cat([keys.old, k], DIM), w.cat([values.old, v], DIM)];
  return result(w.one('sdpa', [q, ...both, seen], { scale, causal: false, window: 0 }));
};

/** The window's rows of a fixed mask [.., T or 1, S or 1]; without `causal` it must hide later tokens itself. */
function maskRows(walk: Walk, mask: Seen, value: ValueId, causal: boolean): ValueId {
  if (mask.kind !== 'fixed') return walk.refuse('has a mask made of tokens');
  if (!causal) return walk.maskRows(value);
  return walk.type(value).shape[DIM] === 1 ? walk.inline(value) : walk.select(value, DIM, false);
}

/** Weights are a fixed matrix of distances: keys and values are kept, the window's rows of it are looked up. */
const weightedAttention: DecodeRule = (walk, node, inputs) => {
  const [q, k, v] = inputs.slice(0, 3).map((x) => tokens(walk, x, DIM)) as [ValueId, ValueId, ValueId];
  const weights = inputs[3]!;
  if (weights.kind !== 'fixed') return walk.refuse('has weights made of tokens');
  const { context, tokens: count } = walk.options;
  if (number(node.attrs, 'last') > 1) walk.refuse('attends to later tokens');
  const rows = walk.select(weights.value, DIM, false);
  const w = walk.window.at(node);
  const kept = [cached(walk, k, 'keys'), cached(walk, v, 'values')];
  const y = w.one('weighted_attention', [q, ...kept, rows], { first: -count, last: context + 1 });
  return [walk.sequence(y, node.outputs[0]!, DIM, 1, false)];
};

export const MIXING: Readonly<Record<string, DecodeRule>> = {
  wkv4: recurrence({ sequences: [2, 3], state: 4, first: emptySums }),
  wkv6: recurrence({ sequences: [0, 1, 2, 3], state: 5 }),
  wkv7: recurrence({ sequences: [0, 1, 2, 3, 4, 5], state: 6 }),
  gla: recurrence({ sequences: [0, 1, 2, 3], state: 4 }),
  selective_scan: recurrence({ sequences: [0, 1, 3, 4], state: 5 }),
  short_conv: recurrence({ sequences: [0], state: 3 }),
  lstm,
  sdpa: attention,
  weighted_attention: weightedAttention,
};
