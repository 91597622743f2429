/** A graph with the look-ups that lowering needs: who makes a value, who reads it, what kind of work a node is. */
import type { Graph, Node, TensorType, ValueId } from '../graph.js';
import { FUSED_OPS } from '../program.js';
import { product } from './view.js';

/** Operations that only change how elements are addressed. */
export const VIEW_OPS: ReadonlySet<string> = new Set(['reshape', 'permute', 'expand', 'slice']);

/** Operations without inputs that cost nothing until a kernel needs them in memory. */
export const LEAF_OPS: ReadonlySet<string> = new Set(['full', 'arange', 'state', 'input']);

/** Reductions a `fused` instruction can end with. */
export const REDUCTIONS: ReadonlySet<string> = new Set(['sum', 'amax', 'amin', 'prod']);

const POINTWISE: ReadonlySet<string> = new Set<string>([...FUSED_OPS, 'cast']);

export function isFusible(op: string): boolean {
  return POINTWISE.has(op) || REDUCTIONS.has(op);
}

/** One read of a value by a node that does work, through any chain of views. `node` is -1 for a graph output. */
export interface Use {
  readonly node: number;
  /** Which input of the node. */
  readonly index: number;
  /** The value as the node sees it, after views. */
  readonly value: ValueId;
}

export class GraphTable {
  /** Node that makes each value; -1 for a value nobody makes. */
  readonly producer: Int32Array;
  /** Reads of each value that is not itself a view, looking through views. */
  readonly uses: Use[][];
  /** The value behind any chain of views. */
  private readonly bases: Int32Array;
  /** The `dims` of every permutation that is applied directly to a value. */
  readonly permutes = new Map<ValueId, (readonly number[])[]>();

  constructor(readonly graph: Graph) {
    const count = graph.values.length;
    this.producer = new Int32Array(count).fill(-1);
    this.bases = new Int32Array(count).map((_, i) => i);
    this.uses = Array.from({ length: count }, () => []);
    for (const [index, node] of graph.nodes.entries()) {
      for (const output of node.outputs) this.producer[output] = index;
      if (VIEW_OPS.has(node.op)) {
        this.bases[node.outputs[0]!] = this.bases[node.inputs[0]!]!;
        if (node.op === 'permute') this.addPermute(node);
        continue;
      }
      for (const [i, value] of node.inputs.entries()) {
        this.uses[this.bases[value]!]!.push({ node: index, index: i, value });
      }
    }
    for (const value of Object.values(graph.outputs)) {
      this.uses[this.bases[value]!]!.push({ node: -1, index: 0, value });
    }
  }

  private addPermute(node: Node): void {
    const input = node.inputs[0]!;
    this.permutes.set(input, [...(this.permutes.get(input) ?? []), listAttr(node, 'dims')]);
  }

  base(value: ValueId): ValueId {
    return this.bases[value]!;
  }

  node(value: ValueId): Node | undefined {
    return this.graph.nodes[this.producer[value]!];
  }

  type(value: ValueId): TensorType {
    return this.graph.values[value]!;
  }

  shape(value: ValueId): readonly number[] {
    return this.type(value).shape;
  }

  count(value: ValueId): number {
    return product(this.shape(value));
  }
}

/** Numbers of an attribute that is a list. */
export function listAttr(node: Node, name: string): readonly number[] {
  const value = node.attrs[name];
  if (Array.isArray(value)) return value as readonly number[];
  throw new Error(`Operation ${node.op} has no list attribute ${name}.`);
}

export function numberAttr(node: Node, name: string, missing?: number): number {
  const value = node.attrs[name];
  if (typeof value === 'number') return value;
  if (value === 'inf') return Infinity;
  if (value === '-inf') return -Infinity;
  if (value === 'nan') return NaN;
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (missing !== undefined) return missing;
  throw new Error(`Operation ${node.op} has no number attribute ${name}.`);
}

export function flagAttr(node: Node, name: string): boolean {
  return node.attrs[name] === true || node.attrs[name] === 1;
}
