/** The reference: runs any graph in float64, one node after the other. Slow on purpose; every pass is tested by it. */
import type { Graph, Node, ValueId } from './graph.js';
import { GraphError, number, text, type NdArray } from './ops/operation.js';
import { operation } from './ops/table.js';
import { sameShape, show } from './shapes.js';
import { placeOf } from './verify.js';

export interface Feeds {
  /** By `Trace.state` index. */
  readonly state?: readonly (NdArray | undefined)[];
  /** By input name. */
  readonly inputs?: Readonly<Record<string, NdArray>>;
  /** Values of the `rng.*` nodes, in order. */
  readonly draws?: (node: Node, order: number) => NdArray;
  /** Numbers in [0, 1) for dropout. */
  readonly random?: () => number;
}

function sourceOf(node: Node, feeds: Feeds): NdArray | undefined {
  if (node.op === 'state') return feeds.state?.[number(node.attrs, 'index')];
  if (node.op === 'input') return feeds.inputs?.[text(node.attrs, 'name')];
  return undefined;
}

/** Runs the graph and gives its named outputs; throws {@link GraphError} naming the node that fails. */
export function interpret(graph: Graph, feeds: Feeds = {}): Record<string, NdArray> {
  const values = new Array<NdArray | undefined>(graph.values.length);
  const lastUse = new Int32Array(graph.values.length).fill(-1);
  graph.nodes.forEach((node, index) => node.inputs.forEach((id) => (lastUse[id] = index)));
  for (const id of Object.values(graph.outputs)) lastUse[id] = graph.nodes.length;
  let draws = 0;
  const random = feeds.random ?? Math.random;

  const run = (node: Node): readonly NdArray[] => {
    if (node.op === 'state' || node.op === 'input') {
      const given = sourceOf(node, feeds);
      if (!given) throw new GraphError('nothing was given for it');
      return [given];
    }
    if (node.op === 'rng.seed') return [];
    if (node.op.startsWith('rng.')) {
      if (!feeds.draws) throw new GraphError('no draws were given');
      return [feeds.draws(node, draws++)];
    }
    const { evaluate } = operation(node.op);
    if (!evaluate) throw new GraphError('it cannot be evaluated here');
    const types = node.outputs.map((id) => graph.values[id]!);
    return evaluate(
      node.inputs.map((id) => values[id]!),
      node.attrs,
      types,
      { constants: graph.constants, random, types: node.inputs.map((id) => graph.values[id]!) },
    );
  };

  graph.nodes.forEach((node, index) => {
    try {
      const results = run(node);
      node.outputs.forEach((id: ValueId, i) => {
        const [result, expected] = [results[i], graph.values[id]!.shape];
        if (!result || !sameShape(result.shape, expected))
          throw new GraphError(
            `made ${result ? show(result.shape) : 'nothing'} instead of ${show(expected)}`,
          );
        if (lastUse[id]! >= 0) values[id] = result;
      });
    } catch (error) {
      if (!(error instanceof GraphError)) throw error;
      const place = placeOf(graph, node);
      throw new GraphError(`node ${index} ${node.op}${place && ` at ${place}`}: ${error.message}`);
    }
    for (const id of node.inputs) if (lastUse[id] === index) values[id] = undefined;
  });
  return Object.fromEntries(Object.entries(graph.outputs).map(([name, id]) => [name, values[id]!]));
}
