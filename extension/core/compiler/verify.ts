/** The legal form of a graph, checked between passes. */
import type { Graph, Node } from './graph.js';
import { GraphError } from './ops/operation.js';
import { operation } from './ops/table.js';
import { sameType, show } from './shapes.js';

/** `model.py:41 (h.0.attn)`: where the user wrote a node, or an empty string. */
export function placeOf(graph: Pick<Graph, 'files' | 'spans' | 'stacks' | 'scopes'>, node: Node): string {
  const span = graph.spans[graph.stacks[node.stack]?.[0] ?? -1];
  const scope = graph.scopes[node.scope];
  const line = span ? `${graph.files[span.file]}:${span.line}` : '';
  return scope ? `${line} (${scope})` : line;
}

/**
 * Throws {@link GraphError} naming the node unless every node's operation exists, its inputs are made before it, its
 * output types follow from its shape rule, every value is made once, and outputs and custom VJPs name made values.
 */
export function verify(graph: Graph): void {
  const made = new Uint8Array(graph.values.length);
  graph.nodes.forEach((node, index) => {
    const fail = (problem: string): never => {
      const place = placeOf(graph, node);
      throw new GraphError(`node ${index} ${node.op}${place && ` at ${place}`}: ${problem}`);
    };
    for (const id of node.inputs) if (!made[id]) fail(`input %${id} is not made before it`);
    const declared = node.outputs.map((id) => graph.values[id]!);
    try {
      const types = operation(node.op).infer(
        node.inputs.map((id) => graph.values[id]!),
        node.attrs,
        declared,
      );
      if (types.length !== declared.length)
        fail(`should have ${types.length} outputs and has ${declared.length}`);
      types.forEach((type, i) => {
        const given = declared[i]!;
        if (!sameType(type, given))
          fail(
            `output ${i} is ${given.dtype} ${show(given.shape)} and should be ${type.dtype} ${show(type.shape)}`,
          );
      });
    } catch (error) {
      if (error instanceof GraphError && !error.message.startsWith('node ')) fail(error.message);
      throw error;
    }
    for (const id of node.outputs) {
      if (made[id]) fail(`%${id} is made twice`);
      made[id] = 1;
    }
  });
  const named = Object.entries(graph.outputs);
  for (const custom of graph.customVjps)
    for (const id of [...custom.inputs, ...custom.outputs, ...custom.cotangents, ...custom.gradients])
      if (id !== null) named.push(['a custom gradient', id]);
  for (const [name, id] of named)
    if (!made[id]) throw new GraphError(`${name} names %${id}, which no node makes`);
}
