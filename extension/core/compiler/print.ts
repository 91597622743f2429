/** A graph as text: the form of snapshots and of "show compiled graph". */
import type { Attr, Graph } from './graph.js';
import { show } from './shapes.js';
import { placeOf } from './verify.js';

function attribute(value: Attr): string {
  return Array.isArray(value) ? `[${value.join(', ')}]` : String(value);
}

/**
 * One line per node, in order, values renumbered as they are made:
 * `%3 = linear(%1, %2) : f32[8, 32]  # h.0.attn model.py:52`. Scalars are written where they are used.
 */
export function print(graph: Graph, options: { readonly places?: boolean } = {}): string {
  const names = new Map<number, string>();
  const lines: string[] = [];
  let phase = '';
  let count = 0;
  for (const node of graph.nodes) {
    const type = graph.values[node.outputs[0] ?? -1];
    if (node.op === 'full' && type?.shape.length === 0) {
      names.set(node.outputs[0]!, attribute(node.attrs['value']!));
      continue;
    }
    if (node.phase !== phase) lines.push(`${(phase = node.phase)}:`);
    const made = node.outputs.map((id) => {
      const name = `%${count++}`;
      names.set(id, name);
      return name;
    });
    const inputs = node.inputs.map((id) => names.get(id) ?? `?${id}`).join(', ');
    const attrs = Object.entries(node.attrs).map(([key, value]) => `${key}=${attribute(value)}`);
    const types = node.outputs.map((id) => `${graph.values[id]!.dtype}${show(graph.values[id]!.shape)}`);
    const place = options.places ? placeOf(graph, node) : '';
    lines.push(
      `  ${made.join(', ')} = ${node.op}(${inputs})${attrs.length > 0 ? ` {${attrs.join(', ')}}` : ''} : ${types.join(', ')}` +
        (place && `  # ${place}`),
    );
  }
  for (const [name, id] of Object.entries(graph.outputs))
    lines.push(`${name} = ${names.get(id) ?? `?${id}`}`);
  return `${lines.join('\n')}\n`;
}
