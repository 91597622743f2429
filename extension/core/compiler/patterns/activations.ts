/**
 * Activations written by hand. A short chain of element-wise operations on one tensor is a function of one number;
 * it is recognised by its values at sample points, so that every way of writing it counts.
 */
import type { GraphBuilder } from '../build.js';
import type { Node, ValueId } from '../graph.js';
import { gelu, geluTanh, sigmoid, softplus } from '../ops/functions.js';
import { dimsOf, flag } from '../ops/operation.js';
import { operation } from '../ops/table.js';
import { isFloat, sameShape } from '../shapes.js';

const SAMPLES = Float64Array.from({ length: 24 }, (_, i) => -5.3 + 0.4637 * i);

const KNOWN: readonly { op: string; f: (x: number) => number; attrs?: Readonly<Record<string, number>> }[] = [
  { op: 'gelu', f: gelu },
  { op: 'gelu_tanh', f: geluTanh },
  { op: 'silu', f: (x) => x * sigmoid(x) },
  { op: 'sigmoid', f: sigmoid },
  { op: 'tanh', f: Math.tanh },
  { op: 'softplus', f: (x) => softplus(x, 1, 20), attrs: { beta: 1, threshold: 20 } },
];

/** Operations such a chain must contain; anything without them is plain arithmetic. */
const CORE = new Set(['tanh', 'erf', 'sigmoid', 'exp']);
const MOST_NODES = 14;
/** Constants are often written with seven digits. */
const TOLERANCE = 2e-6;

/** Element-wise nodes behind `value`, without going past `MOST_NODES`; null when there is no core among them. */
function cone(b: GraphBuilder, value: ValueId): { nodes: Node[]; inputs: Set<ValueId> } | null {
  const shape = b.shape(value);
  const nodes = new Map<ValueId, Node>();
  const inputs = new Set<ValueId>();
  const queue = [value];
  let hasCore = false;
  for (let i = 0; i < queue.length && nodes.size < MOST_NODES; i++) {
    const id = queue[i]!;
    const node = b.producer(id);
    if (nodes.has(id) || b.uniform(id) !== undefined) continue;
    const inside =
      operation(node.op).scalar &&
      node.op !== 'cast' &&
      node.op !== 'detach' &&
      sameShape(b.shape(id), shape);
    if (!inside || !isFloat(b.type(id).dtype)) {
      inputs.add(id);
      continue;
    }
    nodes.set(id, node);
    if (CORE.has(node.op)) hasCore = true;
    queue.push(...node.inputs);
  }
  for (const node of nodes.values())
    for (const id of node.inputs) if (!nodes.has(id) && b.uniform(id) === undefined) inputs.add(id);
  return hasCore
    ? { nodes: [...nodes.values()].sort((x, y) => x.outputs[0]! - y.outputs[0]!), inputs }
    : null;
}

/** The chain's values at the samples when it is a function of `x` alone, else null. */
function sampled(b: GraphBuilder, nodes: readonly Node[], value: ValueId, x: ValueId): Float64Array | null {
  const known = new Map<ValueId, Float64Array>([[x, SAMPLES]]);
  for (const node of nodes) {
    const id = node.outputs[0]!;
    if (known.has(id)) continue;
    const inputs = node.inputs.map((input) => {
      const number = b.uniform(input);
      return number === undefined ? known.get(input) : new Float64Array(SAMPLES.length).fill(number);
    });
    if (inputs.some((data) => !data)) continue;
    const f = operation(node.op).scalar!(node.attrs);
    known.set(
      id,
      SAMPLES.map((_, i) => f(...inputs.map((data) => data![i]!))),
    );
  }
  return known.get(value) ?? null;
}

/** Replaces the element-wise node just made, `value`, by one activation when it computes that; else null. */
export function fuseActivation(b: GraphBuilder, value: ValueId): ValueId | null {
  const found = cone(b, value);
  if (!found || found.nodes.length < 2) return null;
  const { nodes, inputs } = found;
  const candidates = [...inputs, ...nodes.map((node) => node.outputs[0]!)].filter((id) => id !== value);
  for (const x of candidates) {
    if (!sameShape(b.shape(x), b.shape(value)) || !isFloat(b.type(x).dtype)) continue;
    const data = sampled(b, nodes, value, x);
    const match =
      data && KNOWN.find(({ f }) => data.every((y, i) => Math.abs(y - f(SAMPLES[i]!)) <= TOLERANCE));
    if (match) return b.one(match.op, [x], match.attrs ?? {});
  }
  return null;
}

/** exp(x - max(x)) / sum(exp(x - max(x))), with or without the maximum, over one dim. */
export function fuseSoftmax(b: GraphBuilder, [top, bottom]: readonly ValueId[]): ValueId | null {
  const exponential = b.producer(top!);
  const total = b.producer(bottom!);
  if (exponential.op !== 'exp' || total.op !== 'sum' || total.inputs[0] !== top) return null;
  const rank = b.shape(top!).length;
  const dims = dimsOf(total.attrs, rank);
  if (dims.length !== 1 || !flag(total.attrs, 'keepdim')) return null;
  let x = exponential.inputs[0]!;
  const shifted = b.producer(x);
  if (shifted.op === 'sub') {
    let shift = b.producer(shifted.inputs[1]!);
    if (shift.op === 'detach') shift = b.producer(shift.inputs[0]!);
    const isMax =
      shift.op === 'amax' &&
      shift.inputs[0] === shifted.inputs[0] &&
      String(dimsOf(shift.attrs, rank)) === String(dims);
    if (isMax && flag(shift.attrs, 'keepdim')) x = shifted.inputs[0]!;
  }
  return b.one('softmax', [x], { dim: dims[0]! });
}
