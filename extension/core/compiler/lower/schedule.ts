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
    const late = [index, ...viewsUntil(table, index, target)];
    for (const one of late) moved.add(one);
    after.set(target, [...(after.get(target) ?? []), ...late.map((one) => nodes[one]!)]);
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

/** Views of the product's result up to a node: they wait with it. */
function viewsUntil(table: GraphTable, index: number, target: number): number[] {
  const { nodes } = table.graph;
  const [result] = nodes[index]!.outputs;
  return nodes
    .slice(index + 1, target + 1)
    .flatMap((node, step) =>
      VIEW_OPS.has(node.op) && table.base(node.inputs[0]!) === result ? [index + 1 + step] : [],
    );
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
