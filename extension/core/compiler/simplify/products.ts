/** Simplifications of matrix products and table look-ups. */
import type { GraphBuilder } from '../build.js';
import type { Node, ValueId } from '../graph.js';
import { readConstant } from '../ops/constants.js';
import { dimOf, number } from '../ops/operation.js';
import type { Rule } from './rule.js';

/** Rows `start`, `start + step`, ... when the index is an `arange` or a constant list (seen through reshapes). */
function arithmeticIndex(
  b: GraphBuilder,
  index: ValueId,
): { start: number; step: number; count: number } | null {
  let node = b.producer(index);
  if (node.op === 'reshape') node = b.producer(node.inputs[0]!);
  if (node.op === 'constant') return arithmeticList(b, node);
  if (node.op !== 'arange') return null;
  const [start, step] = [number(node.attrs, 'start'), number(node.attrs, 'step')];
  const whole = Number.isInteger(start) && Number.isInteger(step) && step !== 0;
  return whole ? { start, step, count: b.shape(node.outputs[0]!)[0]! } : null;
}

/** `x[:, [-1]]`: a list in the file whose members are equally far apart. */
function arithmeticList(b: GraphBuilder, node: Node): { start: number; step: number; count: number } | null {
  const bytes = b.tables.constants[number(node.attrs, 'blob')];
  if (bytes === undefined) return null;
  const values = readConstant(bytes, b.type(node.outputs[0]!));
  const [start, second] = values;
  if (start === undefined) return null;
  const step = second === undefined ? 1 : second - start;
  const even = step !== 0 && values.every((value, i) => value === start + i * step);
  return even ? { start, step, count: values.length } : null;
}

/** Slice along `dim` for an arithmetic index; undefined when it leaves the tensor. */
function sliced(b: GraphBuilder, x: ValueId, index: ValueId, dim: number): ValueId | undefined {
  const rows = arithmeticIndex(b, index);
  const shape = b.shape(x);
  if (!rows || rows.count === 0) return undefined;
  const last = rows.start + rows.step * (rows.count - 1);
  if (Math.min(rows.start, last) < 0 || Math.max(rows.start, last) >= shape[dim]!) return undefined;
  return b.slice(
    x,
    shape.map((_, i) => (i === dim ? rows.start : 0)),
    shape.map((n, i) => (i === dim ? rows.count : n)),
    shape.map((_, i) => (i === dim ? rows.step : 1)),
  );
}

export const productRules: Record<string, Rule> = {
  matmul: (b, [x, y], _attrs, type) =>
    b.uniform(x!) === 0 || b.uniform(y!) === 0 ? b.full(0, type) : undefined,
  linear: (b, [x, w, bias], _attrs, type) => {
    if (b.uniform(x!) !== 0 && b.uniform(w!) !== 0) return undefined;
    return bias === undefined ? b.full(0, type) : b.expand(bias, type.shape);
  },
  embedding: (b, [weight, index], _attrs, type) => {
    const rows = sliced(b, weight!, index!, 0);
    return rows === undefined ? undefined : b.reshape(rows, type.shape);
  },
  index_select: (b, [x, index], attrs) => sliced(b, x!, index!, dimOf(attrs, b.shape(x!).length)),
};
