/**
 * Order of the backward pass. A parameter's gradient can wait until the gradient of the activation has passed through
 * the element-wise nodes behind it: what it recomputes and what they compute then fuse into one pass over memory.
 */
import type { Graph, Node } from '../graph.js';
import { GraphTable, LEAF_OPS, VIEW_OPS, isFusible } from './table.js';

/** How far ahead (in nodes) the activation's gradient is looked for. */
const LOOK_AHEAD = 12;

export function delayParameterGradients(graph: Graph): Graph {
  const table = new GraphTable(graph);
  const { nodes } = graph;
  const after = new Map<number, Node[]>();
  const moved = new Set<number>();
  for (const [index, node] of nodes.entries()) {
    if (!isProduct(node) || node.phase !== 'backward' || !onlyResult(table, node)) continue;
    const target = endOfElementWise(table, index);
    if (target === null) continue;
    moved.add(index);
    after.set(target, [...(after.get(target) ?? []), node]);
  }
  return {
    ...graph,
    nodes: nodes.flatMap((node, index) => [...(moved.has(index) ? [] : [node]), ...(after.get(index) ?? [])]),
  };
}

function isProduct(node: Node): boolean {
  return node.op === 'matmul' || node.op === 'linear';
}

function onlyResult(table: GraphTable, node: Node): boolean {
  return table.uses[node.outputs[0]!]!.every((use) => use.node < 0);
}

/** The last of the element-wise nodes that follow the product which shares an input with node `index`; or `null`. */
function endOfElementWise(table: GraphTable, index: number): number | null {
  const { nodes } = table.graph;
  const inputs = new Set(nodes[index]!.inputs.map((value) => table.base(value)));
  for (let p = index + 1; p < nodes.length && p <= index + LOOK_AHEAD; p++) {
    const node = nodes[p]!;
    if (!isProduct(node) || onlyResult(table, node)) continue;
    if (!node.inputs.some((value) => inputs.has(table.base(value)))) continue;
    let last: number | null = null;
    for (let q = p + 1; q < nodes.length; q++) {
      const { op } = nodes[q]!;
      if (isFusible(op)) last = q;
      else if (!VIEW_OPS.has(op) && !LEAF_OPS.has(op)) break;
    }
    return last;
  }
  return null;
}
