/** Rewrites operations that exist for the tracer's convenience into those the back end lowers. */
import { rewrite } from './build.js';
import type { Graph } from './graph.js';
import { operation } from './ops/table.js';
import { removeDead, SimplifyingBuilder } from './simplify.js';

/** Applies every row's `decompose`; see "What a prepared graph looks like" in VOCABULARY.md. */
export function normalize(graph: Graph): Graph {
  const normal = rewrite(graph, new SimplifyingBuilder(graph), (b, node, inputs) => {
    const types = node.outputs.map((id) => graph.values[id]!);
    return operation(node.op).decompose?.(b, inputs, node.attrs, types) ?? null;
  });
  return removeDead(normal);
}

/** Drops `detach` nodes; only right once nothing will be differentiated any more. */
export function eraseDetach(graph: Graph): Graph {
  if (!graph.nodes.some((node) => node.op === 'detach')) return graph;
  return removeDead(
    rewrite(graph, new SimplifyingBuilder(graph), (_b, node, inputs) =>
      node.op === 'detach' ? [inputs[0]!] : null,
    ),
  );
}
