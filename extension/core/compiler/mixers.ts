/** Which kernels mix tokens along the context in a prepared graph: what a plot must name, for they decide its slope. */
import type { Mixer } from '../../shared/report.js';
import type { Graph, Node } from './graph.js';

interface Shape {
  readonly kernel: Mixer['kernel'];
  /** The input to look at, and its axes of heads and of the head's size; without an axis it is 1. */
  readonly input: number;
  readonly axes: readonly [number | null, number | null];
}

const MIXERS: Readonly<Record<string, Shape>> = {
  sdpa: { kernel: 'attention', input: 0, axes: [-3, -1] },
  wkv6: { kernel: 'wkv6', input: 0, axes: [-2, -1] },
  wkv7: { kernel: 'wkv7', input: 0, axes: [-2, -1] },
  wkv4: { kernel: 'wkv4', input: 0, axes: [-1, null] },
  gla: { kernel: 'gla', input: 0, axes: [-2, -1] },
  selective_scan: { kernel: 'selective_scan', input: 2, axes: [-2, -1] },
  lstm: { kernel: 'lstm', input: 1, axes: [-1, null] },
};

/** Mixers of the forward pass, alike ones counted together, in the order of their first use. */
export function mixersOf(graph: Graph): Mixer[] {
  const found = new Map<string, Mixer>();
  for (const node of graph.nodes) {
    const known = MIXERS[node.op];
    if (node.phase !== 'forward' || !known) continue;
    const shape = graph.values[node.inputs[known.input]!]!.shape;
    const [heads = 1, headSize = 1] = known.axes.map((axis) => (axis === null ? 1 : shape.at(axis)) ?? 1);
    const mixer = { kernel: known.kernel, heads, headSize, window: windowOf(node) };
    const key = JSON.stringify(mixer);
    found.set(key, { ...mixer, layers: (found.get(key)?.layers ?? 0) + 1 });
  }
  return [...found.values()];
}

function windowOf({ attrs }: Node): number | null {
  const { window } = attrs;
  return typeof window === 'number' && window > 0 ? window : null;
}
