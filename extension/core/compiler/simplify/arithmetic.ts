/** Simplifications of element-wise operations and reductions. */
import type { GraphBuilder } from '../build.js';
import type { Attrs, TensorType, ValueId } from '../graph.js';
import { dimsOf, flag } from '../ops/operation.js';
import { operation } from '../ops/table.js';
import { pointwiseRows } from '../ops/pointwise.js';
import { elementCount, isFloat, range, reducedShape, sameShape } from '../shapes.js';
import type { Rule } from './rule.js';

/** `x` as large as the result. */
const grown = (b: GraphBuilder, x: ValueId, type: TensorType): ValueId => b.expand(x, type.shape);

/** The value of a node all of whose inputs are known everywhere. */
const folded: (op: string) => Rule = (op) => (b, inputs, attrs, type) => {
  const known = inputs.map((id) => b.uniform(id));
  if (known.some((value) => value === undefined)) return undefined;
  const row = operation(op);
  const [result] = row.evaluate!(
    known.map((value) => ({ shape: [], data: Float64Array.of(value!) })),
    attrs,
    [{ dtype: type.dtype, shape: [] }],
    { constants: [], random: () => NaN, types: inputs.map((id) => b.type(id)) },
  );
  return b.full(result!.data[0]!, type);
};

/** Operands that were enlarged only to meet the other one's shape. */
const unexpanded: (op: string) => Rule = (op) => (b, inputs, attrs, type) => {
  const small = inputs.map((id) => {
    const node = b.producer(id);
    return node.op === 'expand' ? node.inputs[0]! : id;
  });
  if (small.every((id, i) => id === inputs[i])) return undefined;
  const shape = operation(op).infer(
    small.map((id) => b.type(id)),
    attrs,
    undefined,
  )[0]!.shape;
  return sameShape(shape, type.shape) ? b.one(op, small, attrs) : undefined;
};

/** A known operand of the size of the result becomes a scalar. */
const scalarOperand: (op: string) => Rule = (op) => (b, inputs, attrs, type) => {
  const small = inputs.map((id) => {
    const value = b.uniform(id);
    return value !== undefined && b.shape(id).length > 0 ? b.scalarLike(value, id) : id;
  });
  if (small.every((id, i) => id === inputs[i])) return undefined;
  const shape = operation(op).infer(
    small.map((id) => b.type(id)),
    attrs,
    undefined,
  )[0]!.shape;
  return sameShape(shape, type.shape) ? b.one(op, small, attrs) : undefined;
};

const identities: Record<string, Rule> = {
  add: (b, [x, y], _attrs, type) => {
    if (b.uniform(y!) === 0) return grown(b, x!, type);
    if (b.uniform(x!) === 0) return grown(b, y!, type);
    if (b.producer(y!).op === 'neg') return b.sub(x!, b.producer(y!).inputs[0]!);
    if (b.producer(x!).op === 'neg') return b.sub(y!, b.producer(x!).inputs[0]!);
    return undefined;
  },
  sub: (b, [x, y], _attrs, type) => {
    if (b.uniform(y!) === 0) return grown(b, x!, type);
    if (b.uniform(x!) === 0) return grown(b, b.unary('neg', y!), type);
    if (b.producer(y!).op === 'neg') return b.add(x!, b.producer(y!).inputs[0]!);
    return undefined;
  },
  mul: (b, [x, y], _attrs, type) => {
    for (const [known, other] of [
      [b.uniform(y!), x!],
      [b.uniform(x!), y!],
    ] as const) {
      if (known === 1) return grown(b, other, type);
      if (known === 0) return b.full(0, type);
      if (known === -1) return grown(b, b.unary('neg', other), type);
      const inner = b.producer(other);
      if (known === undefined || inner.op !== 'mul' || !isFloat(type.dtype)) continue;
      const factor = b.uniform(inner.inputs[1]!);
      if (factor !== undefined) return grown(b, b.scale(inner.inputs[0]!, factor * known), type);
      const left = b.uniform(inner.inputs[0]!);
      if (left !== undefined) return grown(b, b.scale(inner.inputs[1]!, left * known), type);
    }
    return undefined;
  },
  div: (b, [x, y], _attrs, type) => {
    if (b.uniform(y!) === 1) return grown(b, x!, type);
    const top = b.uniform(x!);
    if (top === 0) return b.full(0, type);
    return top === 1 && isFloat(type.dtype) ? grown(b, b.unary('reciprocal', y!), type) : undefined;
  },
  pow: (b, [x, y], _attrs, type) => {
    if (!isFloat(type.dtype)) return undefined;
    switch (b.uniform(y!)) {
      case 0:
        return b.full(1, type);
      case 1:
        return grown(b, x!, type);
      case 2:
        return grown(b, b.unary('square', x!), type);
      case 3:
        return grown(b, b.mul(b.unary('square', x!), x!), type);
      case 0.5:
        return grown(b, b.unary('sqrt', x!), type);
      case -0.5:
        return grown(b, b.unary('rsqrt', x!), type);
      case -1:
        return grown(b, b.unary('reciprocal', x!), type);
      default:
        return undefined;
    }
  },
  neg: (b, [x]) => {
    const inner = b.producer(x!);
    if (inner.op === 'neg') return inner.inputs[0];
    return inner.op === 'sub' ? b.sub(inner.inputs[1]!, inner.inputs[0]!) : undefined;
  },
  logical_not: (b, [x]) => {
    const inner = b.producer(x!);
    return inner.op === 'logical_not' && b.type(inner.inputs[0]!).dtype === 'bool'
      ? inner.inputs[0]
      : undefined;
  },
  where: (b, [condition, x, y], _attrs, type) => {
    const known = b.uniform(condition!);
    if (known !== undefined) return grown(b, known !== 0 ? x! : y!, type);
    return x === y ? grown(b, x!, type) : undefined;
  },
  cast: (b, [x], _attrs, type) => (b.type(x!).dtype === type.dtype ? x : undefined),
};

const reductions: Record<string, Rule> = {
  sum: (b, [x], attrs, type) => {
    const shape = b.shape(x!);
    const dims = dimsOf(attrs, shape.length);
    const inner = b.producer(x!);
    const known = b.uniform(x!);
    if (known !== undefined) return b.full(known * elementCount(dims.map((d) => shape[d]!)), type);
    if (dims.every((d) => shape[d] === 1)) return b.reshape(x!, type.shape);
    if (inner.op === 'pad') return sumOfPad(b, x!, attrs, dims);
    if (inner.op !== 'expand' || !isFloat(type.dtype)) return undefined;
    const from = b.shape(inner.inputs[0]!);
    const extra = shape.length - from.length;
    const repeated = dims.filter((d) => d < extra || from[d - extra] !== shape[d]);
    if (repeated.length === 0) return undefined;
    const padded = b.reshape(inner.inputs[0]!, [...range(0, extra).map(() => 1), ...from]);
    const rest = dims.filter((d) => !repeated.includes(d));
    const total = b.sum(padded, rest, true);
    const small = b.scale(total, elementCount(repeated.map((d) => shape[d]!)));
    return b.reshape(b.expand(small, reducedShape(shape, dims, true)), type.shape);
  },
  ...Object.fromEntries(
    ['amax', 'amin', 'prod', 'mean'].map((op): [string, Rule] => [
      op,
      (b, [x], attrs, type) => {
        const shape = b.shape(x!);
        return dimsOf(attrs, shape.length).every((d) => shape[d] === 1)
          ? b.reshape(x!, type.shape)
          : undefined;
      },
    ]),
  ),
};

/** Zeros around a tensor add nothing along the dims that are summed. */
function sumOfPad(b: GraphBuilder, x: ValueId, attrs: Attrs, dims: readonly number[]): ValueId | undefined {
  const pad = b.producer(x);
  const low = pad.attrs['low'] as readonly number[];
  const high = pad.attrs['high'] as readonly number[];
  const touched = range(0, low.length).filter((d) => low[d] !== 0 || high[d] !== 0);
  if (pad.attrs['value'] !== 0 || touched.some((d) => !dims.includes(d))) return undefined;
  return b.one('sum', [pad.inputs[0]!], { dims, keepdim: flag(attrs, 'keepdim') });
}

/** Tries rules in turn. */
const firstOf =
  (...rules: readonly (Rule | undefined)[]): Rule =>
  (...given) => {
    for (const rule of rules) {
      const value = rule?.(...given);
      if (value !== undefined) return value;
    }
    return undefined;
  };

/** Not folded, merged with `expand` or given scalars: their output type is declared or they mean something more. */
const PLAIN = new Set(['cast', 'detach']);

export const arithmeticRules: Record<string, Rule> = {
  ...Object.fromEntries(
    Object.keys(pointwiseRows)
      .filter((op) => !PLAIN.has(op))
      .map((op) => [op, firstOf(folded(op), unexpanded(op), scalarOperand(op), identities[op])]),
  ),
  cast: firstOf(identities['cast'], folded('cast')),
  ...reductions,
};
