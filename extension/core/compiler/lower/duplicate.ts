/**
 * Element-wise results that only other element-wise groups read are computed again by their readers when that moves
 * fewer bytes than writing and reading them: the expression is short and its large inputs are in memory anyway.
 */
import { type Group, type Groups, fuse } from '../fuse.js';
import type { Graph, Node, TensorType, ValueId } from '../graph.js';
import { GraphTable, LEAF_OPS, REDUCTIONS, VIEW_OPS } from './table.js';

/** A store costs a read for ownership, a write and a read back; loading two other tensors instead is cheaper. */
const MOST_EXTRA_READS = 2;
const MOST_NODES = 8;
/** Operations that cost about as much as moving an element to memory and back. */
const HEAVY: ReadonlySet<string> = new Set([
  'exp',
  'exp2',
  'expm1',
  'log',
  'log2',
  'log1p',
  'pow',
  'sin',
  'cos',
  'tan',
]);
const HEAVIER: ReadonlySet<string> = new Set([
  'tanh',
  'erf',
  'sigmoid',
  'silu',
  'gelu',
  'gelu_tanh',
  'softplus',
  'atan2',
]);
const MOST_WEIGHT = 2;
/** Smaller tensors stay in cache. */
const LEAST_ELEMENTS = 1 << 16;

export function duplicateProducers(graph: Graph): Graph {
  const table = new GraphTable(graph);
  return new Duplicator(table, fuse(table)).run();
}

class Duplicator {
  private readonly values: TensorType[];
  /** Copies of nodes for one reading group, by (first node of the group, original node). */
  private readonly copies = new Map<string, Node>();
  /** New nodes to stand right before a node. */
  private readonly before = new Map<number, Node[]>();
  /** Inputs to exchange: by node, old value to new. */
  private readonly renamed = new Map<number, Map<ValueId, ValueId>>();

  constructor(
    private readonly table: GraphTable,
    private readonly groups: Groups,
  ) {
    this.values = [...table.graph.values];
  }

  run(): Graph {
    const { nodes } = this.table.graph;
    for (const [index, node] of nodes.entries()) {
      const group = this.groups.of[index];
      if (!group || REDUCTIONS.has(node.op)) continue;
      const value = node.outputs[0]!;
      if (this.table.count(value) < LEAST_ELEMENTS) continue;
      const users = this.table.uses[value]!.filter(({ node: user }) => this.groups.of[user] !== group);
      const closure = users.length > 0 ? this.closure(index, group) : null;
      if (!closure) continue;
      const readers = users.map(({ node: user }) => this.groups.of[user]);
      const all = users.every(({ value: seen }, i) => {
        const reader = readers[i];
        return (
          reader?.phase === group.phase &&
          this.bijective(seen) &&
          this.extraReads(closure, reader) <= MOST_EXTRA_READS
        );
      });
      if (!all) continue;
      for (const [i, use] of users.entries()) this.exchange(use.node, use.value, closure, readers[i]!);
    }
    if (this.before.size === 0) return this.table.graph;
    const result = nodes.flatMap((node, index) => {
      const names = this.renamed.get(index);
      const inputs = names ? node.inputs.map((value) => names.get(value) ?? value) : node.inputs;
      return [...(this.before.get(index) ?? []), { ...node, inputs }];
    });
    return { ...this.table.graph, values: this.values, nodes: inOrder(result) };
  }

  /** The nodes of the group a value is computed from, in order; `null` when it costs too much to do again. */
  private closure(index: number, group: Group): readonly number[] | null {
    const found = new Set<number>();
    const visit = (at: number): void => {
      if (found.has(at)) return;
      found.add(at);
      for (const value of this.table.graph.nodes[at]!.inputs) {
        const producer = this.table.producer[this.table.base(value)]!;
        if (producer >= 0 && this.groups.of[producer] === group) visit(producer);
      }
    };
    visit(index);
    if (found.size > MOST_NODES) return null;
    let weight = 0;
    for (const at of found) {
      const { op } = this.table.graph.nodes[at]!;
      weight += HEAVIER.has(op) ? 2 : HEAVY.has(op) ? 1 : 0;
    }
    return weight > MOST_WEIGHT ? null : [...found].sort((a, b) => a - b);
  }

  /** Tensors as large as the result that the closure loads and the reading group does not. */
  private extraReads(closure: readonly number[], reader: Group): number {
    const own = new Set(reader.nodes.flatMap((at) => this.loads(at, new Set(reader.nodes))));
    const inner = new Set(closure);
    const count = this.table.count(this.table.graph.nodes[closure[closure.length - 1]!]!.outputs[0]!);
    const loads = new Set(closure.flatMap((at) => this.loads(at, inner)));
    return [...loads].filter((value) => !own.has(value) && this.table.count(value) === count).length;
  }

  /** Values in memory that a node loads. */
  private loads(at: number, inner: ReadonlySet<number>): ValueId[] {
    return this.table.graph.nodes[at]!.inputs.filter((value) => {
      const producer = this.table.producer[this.table.base(value)]!;
      const node = this.table.graph.nodes[producer];
      return !inner.has(producer) && node !== undefined && (!LEAF_OPS.has(node.op) || node.op === 'state');
    });
  }

  /** Whether a view of a value keeps every element once. */
  private bijective(value: ValueId): boolean {
    for (let at = value; ;) {
      const node = this.table.node(at);
      if (!node || !VIEW_OPS.has(node.op)) return true;
      if (node.op === 'slice' || this.table.count(node.inputs[0]!) !== this.table.count(at)) return false;
      at = node.inputs[0]!;
    }
  }

  /** Gives a reading node its own copy of the closure. */
  private exchange(user: number, value: ValueId, closure: readonly number[], reader: Group): void {
    const first = reader.nodes[0]!;
    const names = new Map<ValueId, ValueId>();
    const emit = (original: Node): void => {
      const key = `${first}:${original.outputs[0]}`;
      let copy = this.copies.get(key);
      if (!copy) {
        const output = this.values.push(this.table.type(original.outputs[0]!)) - 1;
        const inputs = original.inputs.map((input) => names.get(input) ?? input);
        copy = { ...original, inputs, outputs: [output], attrs: { ...original.attrs, copied: true } };
        this.copies.set(key, copy);
        this.before.set(user, [...(this.before.get(user) ?? []), copy]);
      }
      names.set(original.outputs[0]!, copy.outputs[0]!);
    };
    const { nodes } = this.table.graph;
    for (const at of closure) {
      for (const input of nodes[at]!.inputs) this.copyViews(input, names, emit);
      emit(nodes[at]!);
    }
    this.copyViews(value, names, emit);
    const renamed = this.renamed.get(user) ?? new Map<ValueId, ValueId>();
    renamed.set(value, names.get(value)!);
    this.renamed.set(user, renamed);
  }

  /** Copies the views between a copied node and `value`. */
  private copyViews(value: ValueId, names: Map<ValueId, ValueId>, emit: (node: Node) => void): void {
    const base = this.table.base(value);
    if (names.has(value) || !names.has(base)) return;
    const node = this.table.node(value)!;
    this.copyViews(node.inputs[0]!, names, emit);
    emit(node);
  }
}

/** Moves nodes that stand before one of their inputs behind it; keeps the order otherwise. */
function inOrder(nodes: readonly Node[]): Node[] {
  const maker = new Map<ValueId, Node>();
  for (const node of nodes) for (const output of node.outputs) maker.set(output, node);
  const done = new Set<Node>();
  const result: Node[] = [];
  const place = (node: Node): void => {
    if (done.has(node)) return;
    done.add(node);
    for (const input of node.inputs) {
      const before = maker.get(input);
      if (before) place(before);
    }
    result.push(node);
  };
  nodes.forEach(place);
  return result;
}
