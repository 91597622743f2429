/**
 * Local simplification while a graph is built: constants are folded, identities and repeated work disappear, views
 * are merged. The result computes the same numbers, except that x * 0 is 0 also where x would be infinite or NaN.
 */
import { GraphBuilder, rewrite } from './build.js';
import type { Attrs, CustomVjp, Graph, Node, TensorType, ValueId } from './graph.js';
import { operation } from './ops/table.js';
import { sameType } from './shapes.js';
import { arithmeticRules } from './simplify/arithmetic.js';
import { KnownNodes } from './simplify/known.js';
import { productRules } from './simplify/products.js';
import type { Rule } from './simplify/rule.js';
import { scatterRules } from './simplify/scatters.js';
import { viewRules } from './simplify/views.js';

const rules = new Map<string, Rule>(
  Object.entries({ ...arithmeticRules, ...viewRules, ...scatterRules, ...productRules }),
);

/** Operations whose two inputs may be exchanged. */
const COMMUTATIVE = new Set([
  'add',
  'mul',
  'maximum',
  'minimum',
  'eq',
  'ne',
  'logical_and',
  'logical_or',
  'logical_xor',
]);

/** Never merged with an equal node: each occurrence means something of its own. */
const UNIQUE = new Set(['detach', 'cotangent']);

/** A builder that applies the rules to every node it is asked for, and makes equal nodes once. */
export class SimplifyingBuilder extends GraphBuilder {
  private readonly known = new KnownNodes(this);

  override emit(
    op: string,
    inputs: readonly ValueId[],
    attrs: Attrs = {},
    declared?: readonly TensorType[],
  ): readonly ValueId[] {
    const row = operation(op);
    const types = row.infer(
      inputs.map((id) => this.values[id]!),
      attrs,
      declared,
    );
    const simpler = types.length === 1 ? rules.get(op)?.(this, inputs, attrs, types[0]!) : undefined;
    if (simpler !== undefined && sameType(this.type(simpler), types[0]!)) return [simpler];
    if (row.effect || UNIQUE.has(op)) return this.append(op, inputs, attrs, types);
    const commutes = COMMUTATIVE.has(op);
    const hash = this.known.hash(op, inputs, attrs, types, commutes);
    const known = this.known.find(hash, op, inputs, attrs, types, commutes);
    if (known) return known;
    const outputs = this.append(op, inputs, attrs, types);
    this.known.add(hash);
    return outputs;
  }
}

/** Drops nodes no output, custom gradient or random draw needs, and renumbers the values. */
export function removeDead(graph: Graph): Graph {
  const producers = new Int32Array(graph.values.length).fill(-1);
  graph.nodes.forEach((node, index) => node.outputs.forEach((id) => (producers[id] = index)));
  const live = new Uint8Array(graph.nodes.length);
  const mark = (id: ValueId | null): void => {
    if (id !== null) live[producers[id]!] = 1;
  };
  Object.values(graph.outputs).forEach(mark);
  for (const custom of graph.customVjps)
    [...custom.inputs, ...custom.outputs, ...custom.cotangents, ...custom.gradients].forEach(mark);
  for (let index = graph.nodes.length - 1; index >= 0; index--) {
    const node = graph.nodes[index]!;
    if (node.op.startsWith('rng.')) live[index] = 1;
    if (live[index]) node.inputs.forEach(mark);
  }
  const map = new Int32Array(graph.values.length).fill(-1);
  const values: TensorType[] = [];
  const nodes: Node[] = [];
  graph.nodes.forEach((node, index) => {
    if (!live[index]) return;
    const outputs = node.outputs.map((id) => {
      map[id] = values.length;
      values.push(graph.values[id]!);
      return map[id];
    });
    nodes.push({ ...node, inputs: node.inputs.map((id) => map[id]!), outputs });
  });
  const rename = (id: ValueId): ValueId => map[id]!;
  return {
    ...graph,
    values,
    nodes,
    outputs: Object.fromEntries(Object.entries(graph.outputs).map(([name, id]) => [name, rename(id)])),
    customVjps: graph.customVjps.map((custom): CustomVjp => ({
      inputs: custom.inputs.map(rename),
      outputs: custom.outputs.map(rename),
      cotangents: custom.cotangents.map(rename),
      gradients: custom.gradients.map((id) => (id === null ? null : rename(id))),
    })),
  };
}

/** Simplifies and drops what is unused. */
export function simplify(graph: Graph): Graph {
  return removeDead(rewrite(graph, new SimplifyingBuilder(graph), () => null));
}
