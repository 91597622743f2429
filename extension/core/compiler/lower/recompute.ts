/**
 * Batched products with a short inner dimension (scores of a chunk) are large for the work they take. The backward pass
 * computes them again from their factors, which it needs anyway, instead of keeping them.
 */
import type { Graph, Node, TensorType, ValueId } from '../graph.js';
import { GraphTable, VIEW_OPS } from './table.js';

const LEAST_ELEMENTS = 1 << 20;
/** Multiply-adds per element that are cheaper than an element's way to memory and back. */
const MOST_INNER = 128;

export function recomputeProducts(graph: Graph): Graph {
  const table = new GraphTable(graph);
  const values: TensorType[] = [...graph.values];
  const renamed = new Map<ValueId, ValueId>();
  const before = new Map<number, Node[]>();
  for (const node of graph.nodes) {
    const value = node.outputs[0]!;
    if (node.op !== 'matmul' || node.phase !== 'forward' || !isWorthIt(table, node)) continue;
    const users = table.uses[value]!.filter((use) => graph.nodes[use.node]?.phase === 'backward');
    if (users.length === 0 || table.uses[value]!.some((use) => use.node < 0)) continue;
    const copies: Node[] = [];
    const copy = (original: Node): void => {
      const output = values.push(table.type(original.outputs[0]!)) - 1;
      const inputs = original.inputs.map((input) => renamed.get(input) ?? input);
      renamed.set(original.outputs[0]!, output);
      copies.push({ ...original, inputs, outputs: [output], phase: 'backward' });
    };
    copy(node);
    for (const view of graph.nodes) {
      if (VIEW_OPS.has(view.op) && table.base(view.outputs[0]!) === value) copy(view);
    }
    const first = Math.min(...users.map((use) => use.node));
    before.set(first, [...(before.get(first) ?? []), ...copies]);
  }
  if (before.size === 0) return graph;
  const nodes = graph.nodes.flatMap((node, index) => {
    const inputs =
      node.phase === 'backward' ? node.inputs.map((input) => renamed.get(input) ?? input) : node.inputs;
    return [...(before.get(index) ?? []), { ...node, inputs }];
  });
  return { ...graph, values, nodes };
}

/** Large, short inside, several matrices, and made of factors that the backward pass reads too. */
function isWorthIt(table: GraphTable, node: Node): boolean {
  const shape = table.shape(node.outputs[0]!);
  const inner = table.shape(node.inputs[0]!).at(-1)!;
  if (shape.length < 3 || inner > MOST_INNER || node.inputs.length !== 2) return false;
  const count = table.count(node.outputs[0]!);
  const factors = node.inputs.reduce((total, input) => total + table.count(input), 0);
  if (count < LEAST_ELEMENTS || count < 2 * factors) return false;
  return node.inputs.every((input) => {
    const uses = table.uses[table.base(input)]!;
    return uses.some((use) => table.graph.nodes[use.node]?.phase === 'backward');
  });
}
