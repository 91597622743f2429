/** Last graph-to-graph steps before lowering: triangles become comparisons, unread nodes go away. */
import type { Graph, Node, TensorType, ValueId } from '../graph.js';
import { numberAttr } from './table.js';

/** `tril` and `triu` as a comparison of row and column numbers, which fuses with what reads it. */
export function expandTriangles(graph: Graph): Graph {
  if (!graph.nodes.some(({ op }) => op === 'tril' || op === 'triu')) return graph;
  const values: TensorType[] = [...graph.values];
  const nodes: Node[] = [];
  for (const node of graph.nodes) {
    if (node.op !== 'tril' && node.op !== 'triu') {
      nodes.push(node);
      continue;
    }
    const emit = (op: string, inputs: ValueId[], type: TensorType, attrs: Node['attrs'] = {}): ValueId => {
      const output = values.push(type) - 1;
      nodes.push({ ...node, op, inputs, outputs: [output], attrs });
      return output;
    };
    const type = values[node.outputs[0]!]!;
    const [rows, columns] = type.shape.slice(-2) as [number, number];
    const count = (size: number, start: number, shape: number[]) => {
      const line = emit('arange', [], { dtype: 'i64', shape: [size] }, { start, step: 1 });
      return emit('reshape', [line], { dtype: 'i64', shape });
    };
    const row = count(rows, numberAttr(node, 'diagonal', 0), [rows, 1]);
    const column = count(columns, 0, [1, columns]);
    const shape = [rows, columns];
    const kept = emit(node.op === 'tril' ? 'le' : 'ge', [column, row], { dtype: 'bool', shape });
    const zero = emit('full', [], { dtype: type.dtype, shape: [] }, { value: 0 });
    nodes.push({ ...node, op: 'where', inputs: [kept, node.inputs[0]!, zero], attrs: {} });
  }
  return { ...graph, values, nodes };
}

/** Drops nodes whose results nobody reads; draws of random numbers stay, since they advance the stream. */
export function dropUnread(graph: Graph): Graph {
  const read = new Set<ValueId>(Object.values(graph.outputs));
  const kept: Node[] = [];
  for (const node of [...graph.nodes].reverse()) {
    if (!node.op.startsWith('rng.') && !node.outputs.some((output) => read.has(output))) continue;
    for (const input of node.inputs) read.add(input);
    kept.push(node);
  }
  return { ...graph, nodes: kept.reverse() };
}
