/** Which kernels mix tokens along the context in a prepared graph: what a plot must name, for they decide its slope. */
import type { Mixer } from '../../shared/report.js';
import type { Graph, Node } from './graph.js';

/** Axes of heads and of the head's size in the first input of each operation. */
const AXES = { sdpa: [-3, -1], wkv6: [-2, -1], wkv7: [-2, -1], gla: [-2, -1] } as const;
const KERNELS = { sdpa: 'attention', wkv6: 'wkv6', wkv7: 'wkv7', gla: 'gla' } as const;

function isMixer(op: string): op is keyof typeof AXES {
  return op in AXES;
}

/** Mixers of the forward pass, alike ones counted together, in the order of their first use. */
export function mixersOf(graph: Graph): Mixer[] {
  const found = new Map<string, Mixer>();
  for (const node of graph.nodes) {
    if (node.phase !== 'forward' || !isMixer(node.op)) continue;
    const shape = graph.values[node.inputs[0]!]!.shape;
    const [heads = 1, headSize = 1] = AXES[node.op].map((axis) => shape.at(axis) ?? 1);
    const mixer = { kernel: KERNELS[node.op], heads, headSize, window: windowOf(node) };
    const key = JSON.stringify(mixer);
    found.set(key, { ...mixer, layers: (found.get(key)?.layers ?? 0) + 1 });
  }
  return [...found.values()];
}

function windowOf({ attrs }: Node): number | null {
  const { window } = attrs;
  return typeof window === 'number' && window > 0 ? window : null;
}
