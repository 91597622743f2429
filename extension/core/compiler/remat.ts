/**
 * Rematerialisation: cheap activations are computed again in the backward pass instead of being kept from the forward.
 *
 * The rule. A forward value that a backward node reads is recomputed when it is an element-wise result, a short
 * convolution or the output of a normalisation (from its saved statistics), is at least `atLeastBytes` large, and
 * everything it is computed from is at hand in the backward pass: parameters, inputs, values kept for another reason, or
 * values recomputed by the same rule, at most `DEEPEST` operations away from those. Views of a value are never kept, the
 * value is. So nothing is kept that was not kept before, and at most the element-wise work of the forward pass is done
 * twice. Recomputed nodes stand right before their first use, with phase `backward` and the stack of the node they repeat.
 */
import { GraphBuilder } from './build.js';
import type { Graph, Node, ValueId } from './graph.js';
import { number } from './ops/operation.js';
import { operation } from './ops/table.js';
import { removeDead } from './simplify.js';
import { elementCount, range, storedBytes } from './shapes.js';

/** A longer chain, as in a loop over tokens, is cut by keeping a value. */
const DEEPEST = 16;

const VIEWS = new Set(['reshape', 'permute', 'expand', 'slice']);
const SOURCES = new Set(['state', 'input', 'full', 'arange', 'constant']);
const NORMS = new Set(['layer_norm', 'rms_norm', 'group_norm']);

/** Reads and writes every element once, with little or no arithmetic: cheap enough to repeat. */
const ONCE = new Set(['pad', 'short_conv']);

function isCheap(node: Node): boolean {
  const row = operation(node.op);
  return (
    (row.scalar !== undefined && !row.effect) ||
    ONCE.has(node.op) ||
    (NORMS.has(node.op) && node.attrs['save'] === true)
  );
}

interface Decision {
  /** Values to compute again. */
  readonly repeat: Uint8Array;
  readonly producers: Int32Array;
}

function decide(graph: Graph, atLeastBytes: number): Decision {
  const producers = new Int32Array(graph.values.length).fill(-1);
  graph.nodes.forEach((node, index) => node.outputs.forEach((id) => (producers[id] = index)));
  const needed = new Uint8Array(graph.values.length);
  for (const node of graph.nodes) if (node.phase === 'backward') for (const id of node.inputs) needed[id] = 1;
  for (let index = graph.nodes.length - 1; index >= 0; index--) {
    const node = graph.nodes[index]!;
    if (node.phase === 'forward' && VIEWS.has(node.op) && needed[node.outputs[0]!])
      needed[node.inputs[0]!] = 1;
  }
  /** Distance from values at hand; -1 where a value is not. */
  const depth = new Int32Array(graph.values.length).fill(-1);
  const repeat = new Uint8Array(graph.values.length);
  for (const node of graph.nodes) {
    if (node.phase !== 'forward') continue;
    if (SOURCES.has(node.op)) {
      depth[node.outputs[0]!] = 0;
      continue;
    }
    const output = node.outputs[0]!;
    if (VIEWS.has(node.op)) {
      depth[output] = depth[node.inputs[0]!]!;
      repeat[output] = repeat[node.inputs[0]!]!;
      continue;
    }
    for (const id of node.outputs.slice(1)) if (needed[id]) depth[id] = 0;
    const statistics = NORMS.has(node.op) ? node.outputs.slice(1) : [];
    const from = [...node.inputs, ...statistics].map((id) => depth[id]!);
    const reachable = isCheap(node) && from.every((d) => d >= 0);
    const far = 1 + Math.max(0, ...from);
    const { dtype, shape } = graph.values[output]!;
    const large = storedBytes(dtype) * elementCount(shape) >= atLeastBytes;
    if (reachable && far <= DEEPEST && (large || !needed[output])) {
      depth[output] = far;
      repeat[output] = 1;
    } else if (needed[output]) depth[output] = 0;
  }
  return { repeat, producers };
}

/** The output of a normalisation from its saved statistics, as element-wise operations. */
function normAgain(
  b: GraphBuilder,
  node: Node,
  inputs: readonly ValueId[],
  statistics: readonly ValueId[],
): ValueId {
  const [x, weight, bias] = inputs as [ValueId, ValueId?, ValueId?];
  const shape = b.shape(x);
  const group = node.op === 'group_norm';
  const groups = group ? number(node.attrs, 'groups') : 0;
  const inner = group ? 1 : number(node.attrs, 'dims');
  const rows = group ? [shape[0]!, groups, shape[1]! / groups] : shape;
  const perRow = (value: ValueId): ValueId =>
    b.reshape(value, [...rows.slice(0, rows.length - inner), ...range(0, inner).map(() => 1)]);
  const [mean, rstd] = statistics.length === 2 ? statistics : [undefined, statistics[0]];
  let y = b.reshape(x, rows);
  if (mean !== undefined) y = b.sub(y, perRow(mean));
  y = b.reshape(b.mul(y, perRow(rstd!)), shape);
  if (weight !== undefined) y = b.mul(y, weight);
  return bias === undefined ? y : b.add(y, bias);
}

export interface RematOptions {
  /** Smaller values are kept. Default 16 KiB. */
  readonly atLeastBytes?: number;
}

/** Applies the rule above to a gradient graph. */
export function rematerialise(graph: Graph, { atLeastBytes = 16384 }: RematOptions = {}): Graph {
  const { repeat, producers } = decide(graph, atLeastBytes);
  const b = new GraphBuilder(graph);
  const map = new Int32Array(graph.values.length).fill(-1);
  const repeated = new Int32Array(graph.values.length).fill(-1);
  const producer = (id: ValueId): Node => graph.nodes[producers[id]!]!;

  /** The value a backward node should read for forward value `id`. */
  const again = (id: ValueId): ValueId => {
    const node = producer(id);
    if (node.phase !== 'forward' || !repeat[id]) return map[id]!;
    if (repeated[id]! >= 0) return repeated[id]!;
    const inputs = node.inputs.map(again);
    b.at(node, 'backward');
    const type = graph.values[id]!;
    repeated[id] = NORMS.has(node.op)
      ? normAgain(
          b,
          node,
          inputs,
          node.outputs.slice(1).map((output) => map[output]!),
        )
      : b.one(node.op, inputs, node.attrs, type);
    return repeated[id];
  };

  for (const node of graph.nodes) {
    const inputs = node.phase === 'backward' ? node.inputs.map(again) : node.inputs.map((id) => map[id]!);
    const types = node.outputs.map((id) => graph.values[id]!);
    const outputs = b.at(node).emit(node.op, inputs, node.attrs, types);
    node.outputs.forEach((id, i) => (map[id] = outputs[i]!));
  }
  return removeDead(
    b.finish(Object.fromEntries(Object.entries(graph.outputs).map(([name, id]) => [name, map[id]!]))),
  );
}
