/**
 * Additions that a kernel can do on the way: the residual of a matrix product, and gradients that are summed where they
 * are made (`layer_norm_grad`, `rms_norm_grad`, `group_norm_grad`, `embedding_grad`). The kernel moves to the place of the addition
 * and takes the other summand as its last input, attribute `residual`. A constant factor of a product becomes `alpha`.
 */
import type { Graph, Node, TensorType, ValueId } from '../graph.js';
import { REDUCTIONS, flagAttr, isFusible, numberAttr } from './table.js';
import { product, sameSizes } from './view.js';

const ABSORBING: ReadonlySet<string> = new Set([
  'linear',
  'matmul',
  'layer_norm_grad',
  'rms_norm_grad',
  'group_norm_grad',
  'embedding_grad',
]);

export function absorbAdditions(graph: Graph): Graph {
  return new Absorber(graph).run();
}

class Absorber {
  private readonly values: TensorType[];
  private readonly reads = new Map<ValueId, Node[]>();
  private readonly makers = new Map<ValueId, Node>();
  private readonly position = new Map<Node, number>();
  private readonly results: ReadonlySet<ValueId>;
  /** Nodes that stand in place of an original one; empty when it went away. */
  private readonly replaced = new Map<Node, readonly Node[]>();

  constructor(private readonly graph: Graph) {
    this.values = [...graph.values];
    this.results = new Set(Object.values(graph.outputs));
    for (const [index, node] of graph.nodes.entries()) {
      this.position.set(node, index);
      for (const input of node.inputs) this.reads.set(input, [...(this.reads.get(input) ?? []), node]);
      for (const output of node.outputs) this.makers.set(output, node);
    }
  }

  run(): Graph {
    for (const node of this.graph.nodes) {
      if (node.op === 'mul') this.tryScale(node);
      else if (node.op === 'add') this.tryAdd(node);
    }
    const nodes = this.graph.nodes.flatMap((node) => this.replaced.get(node) ?? [node]);
    return { ...this.graph, values: this.values, nodes };
  }

  /** The absorbing node behind a value read once, through reshapes read once. */
  private source(value: ValueId): { node: Node; path: Node[] } | null {
    const path: Node[] = [];
    for (let at = value; ;) {
      if (this.results.has(at) || this.reads.get(at)?.length !== 1) return null;
      const maker = this.makers.get(at);
      if (!maker) return null;
      if (ABSORBING.has(maker.op)) return maker.outputs[0] === at ? { node: maker, path } : null;
      if (maker.op !== 'reshape') return null;
      path.push(maker);
      at = maker.inputs[0]!;
    }
  }

  private tryScale(node: Node): void {
    for (const [i, value] of node.inputs.entries()) {
      const factor = this.makers.get(node.inputs[1 - i]!);
      if (factor?.op !== 'full') continue;
      const found = this.source(value);
      if (found?.node.op !== 'matmul' || flagAttr(found.node, 'residual')) continue;
      if (!this.sameCount(value, node.outputs[0]!)) continue;
      const alpha = numberAttr(found.node, 'alpha', 1) * numberAttr(factor, 'value');
      if (!Number.isFinite(alpha)) continue;
      this.move(found, node, { ...found.node, attrs: { ...found.node.attrs, alpha } }, []);
      return;
    }
  }

  private tryAdd(node: Node): void {
    const order = [0, 1].sort((a, b) => this.madeAt(node.inputs[b]!) - this.madeAt(node.inputs[a]!));
    for (const i of order) {
      const [value, other] = [node.inputs[i]!, node.inputs[1 - i]!];
      if (value === other) continue;
      const found = this.source(value);
      if (!found || flagAttr(found.node, 'residual') || found.node.phase !== node.phase) continue;
      if (!this.sameCount(value, node.outputs[0]!) || !this.sameCount(other, node.outputs[0]!)) continue;
      if (!this.worthwhile(found.node, node, other)) continue;
      const type = this.values[found.node.outputs[0]!]!;
      const extra: Node[] = [];
      let summand = other;
      if (!sameSizes(this.values[other]!.shape, type.shape)) {
        summand = this.values.push(type) - 1;
        extra.push({ ...node, op: 'reshape', inputs: [other], outputs: [summand], attrs: {} });
      }
      const merged: Node = {
        ...found.node,
        inputs: [...found.node.inputs, summand],
        attrs: { ...found.node.attrs, residual: true },
      };
      this.move(found, node, merged, extra);
      return;
    }
  }

  /** An element-wise summand or reader fuses the addition for less, except where sums can be made in place. */
  private worthwhile(kernel: Node, add: Node, other: ValueId): boolean {
    if (kernel.op === 'embedding_grad') return true;
    const maker = this.makers.get(other);
    if (maker?.op === 'full') return false;
    const pointwise = maker !== undefined && isFusible(maker.op) && !REDUCTIONS.has(maker.op);
    const readers = this.reads.get(add.outputs[0]!) ?? [];
    const fusesOn = readers.length > 0 && readers.every((reader) => isFusible(reader.op));
    return !(pointwise && fusesOn && this.reads.get(other)!.length === 1);
  }

  /** Replaces `at` (an element-wise node) by `merged`, which takes over the value of `at` through the same reshapes. */
  private move(found: { node: Node; path: Node[] }, at: Node, merged: Node, extra: readonly Node[]): void {
    const result = at.outputs[0]!;
    const type = this.values[found.node.outputs[0]!]!;
    const direct = sameSizes(type.shape, this.values[result]!.shape);
    const first = direct ? result : this.values.push(type) - 1;
    const kernel = { ...merged, outputs: [first, ...merged.outputs.slice(1)] };
    const tail: Node[] = direct
      ? []
      : [{ ...at, op: 'reshape', inputs: [first], outputs: [result], attrs: {} }];
    this.replaced.set(this.original(found.node), []);
    for (const step of found.path) this.replaced.set(this.original(step), []);
    const nodes = [...extra, kernel, ...tail];
    this.replaced.set(at, nodes);
    for (const node of nodes) {
      this.originals.set(node, at);
      for (const output of node.outputs) this.makers.set(output, node);
      for (const input of node.inputs) {
        const readers = this.reads.get(input) ?? [];
        this.reads.set(input, [...readers.filter((reader) => reader !== found.node && reader !== at), node]);
      }
    }
  }

  private readonly originals = new Map<Node, Node>();

  /** A kernel that moved once may move again: its nodes then stand in the list of an original node. */
  private original(node: Node): Node {
    const home = this.originals.get(node);
    if (!home) return node;
    const left = (this.replaced.get(home) ?? []).filter((other) => other !== node);
    this.replaced.set(home, left);
    return node;
  }

  private madeAt(value: ValueId): number {
    const maker = this.makers.get(value);
    return maker ? (this.position.get(this.originals.get(maker) ?? maker) ?? -1) : -1;
  }

  private sameCount(a: ValueId, b: ValueId): boolean {
    return product(this.values[a]!.shape) === product(this.values[b]!.shape);
  }
}
