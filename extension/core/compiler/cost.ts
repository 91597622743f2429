/**
 * Floating-point operations and bytes of a graph, counted from shapes.
 *
 * Convention: 2 per multiply-add; 1 per element of an element-wise operation; views, casts and look-ups 0. Attention
 * counts its products only, and only the visible (query, key) pairs when causal; its gradient is 2.5 times the
 * forward, because the scores are made again (arXiv 2307.08691, section 4.1). Weighted attention counts every pair, hidden
 * or not, as the products that it stands for do; its gradient makes the scores again too. Bytes are every input once and every
 * output once, as the engine stores them, as if nothing were fused; views move none.
 */
import type { Graph, Node, Phase } from './graph.js';
import { operation } from './ops/table.js';
import { elementCount, storedBytes } from './shapes.js';

export interface Cost {
  readonly flops: number;
  readonly bytes: number;
}

export function nodeCost(graph: Pick<Graph, 'values'>, node: Node): Cost {
  const { flops, bytes } = operation(node.op);
  const inputs = node.inputs.map((id) => graph.values[id]!);
  const outputs = node.outputs.map((id) => graph.values[id]!);
  const moved = [...inputs, ...outputs].reduce(
    (sum, { dtype, shape }) => sum + storedBytes(dtype) * elementCount(shape),
    0,
  );
  return {
    flops: flops?.(inputs, node.attrs, outputs) ?? 0,
    bytes: bytes ? bytes(inputs, node.attrs, outputs) : moved,
  };
}

/** Totals per phase. */
export function graphCost(graph: Graph): Record<Phase, Cost> {
  const none: Cost = { flops: 0, bytes: 0 };
  const totals: Record<Phase, Cost> = { init: none, forward: none, backward: none, optimizer: none };
  for (const node of graph.nodes) {
    const { flops, bytes } = nodeCost(graph, node);
    const total = totals[node.phase];
    totals[node.phase] = { flops: total.flops + flops, bytes: total.bytes + bytes };
  }
  return totals;
}
